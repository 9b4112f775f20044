# SPDX-License-Identifier: Apache-2.0
# The table of a comparison, from metrics of teg-probe: awk -f table.awk .../seed-S/METHOD/PROBE.json ...
# One row a method, in the order in which they come; top-1 accuracy in percent of every probe, and the mean cosine between
# different clips of one video under the first probe. With several seeds: mean and standard deviation.

BEGIN {
    names["untrained"] = "untrained"; names["teg-ps"] = "TeG-PS"; names["teg-fg"] = "TeG-FG"; names["cvrl"] = "CVRL"
}

FNR == 1 {
    n_parts = split(FILENAME, part, "/")
    probe = part[n_parts]
    sub(/\.json$/, "", probe)
    method = part[n_parts - 1]
    if (!(method in has_method)) { has_method[method]; methods[++n_methods] = method }
    if (!(probe in has_probe)) { has_probe[probe]; probes[++n_probes] = probe }
    files[FILENAME]
}

# Members of the outermost object stand behind two blanks.
/^  "[a-z0-9_]+": [-+.0-9e]+,?$/ {
    gsub(/[" ,]/, "")
    split($0, member, ":")
    if (member[1] == "top1") { note(100 * member[2], method, probe); delete files[FILENAME] }
    if (member[1] == "chance") chance[probe] = 100 * member[2]
    if (member[1] == "within_video_cosine" && probe == probes[1]) note(member[2], method, "cosine")
}

function note(x, row, column) {
    n[row, column]++
    sum[row, column] += x
    squares[row, column] += x * x
}

function cell(row, column, digits,    count, mean, spread) {
    count = n[row, column]
    if (!count) return sprintf("  %15s", "-")
    mean = sum[row, column] / count
    if (count == 1) return sprintf("  %15.*f", digits, mean)
    spread = (squares[row, column] - count * mean * mean) / (count - 1)
    return sprintf("  %8.*f +- %.*f", digits, mean, digits, sqrt(spread > 0 ? spread : 0))
}

END {
    for (f in files) { print "table.awk: " f ": no metrics of teg-probe" > "/dev/stderr"; failed = 1 }
    if (failed) exit 1
    printf "%-10s", ""
    for (i = 1; i <= n_probes; i++) printf "  %15s", probes[i] " %"
    printf "  %15s\n", "cosine"
    for (m = 1; m <= n_methods; m++) {
        printf "%-10s", methods[m] in names ? names[methods[m]] : methods[m]
        for (i = 1; i <= n_probes; i++) printf "%s", cell(methods[m], probes[i], 1)
        printf "%s\n", cell(methods[m], "cosine", 3)
    }
    printf "%-10s", "chance"
    for (i = 1; i <= n_probes; i++) printf "  %15.1f", chance[probes[i]]
    print ""
}
