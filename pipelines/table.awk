# SPDX-License-Identifier: Apache-2.0
# The table of a comparison, from metrics: LC_ALL=C awk [-v experiment=NAME -v paper=paper.tsv] -f table.awk FILE ...
# with FILE .../seed-S/METHOD/PROBE.json, or .../seed-S/METHOD/TASK/PROBE.json, or .../baselines/METHOD/PROBE.json.
#
# One row a method, in the order in which they come; of every probe, in percent, what the benchmark is known by:
#
#     teg-probe       top-1 accuracy; where VidSitu's annotators were many, with verbs that two of them gave
#     teg-gebd-eval   F1 at a relative distance of 0.05
#     teg-ava-eval    mean average precision
#
# and the mean cosine between different clips of one video, where the first probe says it. Where one seed has several files of
# a kind, those of a data set's divisions into training and test, their mean is its figure. With several seeds: mean and
# standard deviation. Behind them the paper's numbers, where it has some for the experiment, and below them those that it
# quotes from others, who had labels. At the end, how many videos each was measured without; where the divisions of a data set
# differ in that, the number of each. With -v form=tsv, lines for a plot instead.

BEGIN {
    if ("0.5" + 0 != 1 / 2) {
        print "table.awk: numbers have a decimal comma in this locale: set LC_ALL=C" > "/dev/stderr"
        failed = 1
        exit
    }
    split("untrained teg-ps teg-fg cvrl supervised scratch shots pa", name, " ")
    split("untrained,TeG-PS,TeG-FG,CVRL,supervised,from scratch,shot changes,PA", title, ",")
    for (i in name) names[name[i]] = title[i]
    while (paper && (getline line < paper) > 0) {
        split(line, field, "\t")
        if (field[1] != experiment) continue
        published[field[2], field[3]] = field[4]
        if (!(field[2] in is_quoted)) { is_quoted[field[2]]; quoted[++n_quoted] = field[2] }
    }
}

FNR == 1 {
    n_parts = split(FILENAME, part, "/")
    for (k = n_parts - 1; k > 1 && part[k - 1] !~ /^seed-|^baselines$/;) k--
    method = part[k]
    probe = part[n_parts]
    sub(/\.json$/, "", probe)
    if (!(method in has_method)) { has_method[method]; methods[++n_methods] = method }
    if (!(probe in has_probe)) { has_probe[probe]; probes[++n_probes] = probe }
    files[FILENAME] = method SUBSEP probe SUBSEP part[k - 1]
    division = ""
    for (i = 1; i < k - 1; i++) division = division part[i] "/"
    if (!(division in has_division)) { has_division[division]; divisions[++n_divisions] = division }
    n_lacking = 0
    rules = ""
    n_f1 = 0
}

/^    "(official|min_agree_2)": \{/ {
    rules = $1
}

# Members of the outermost object stand behind two blanks.
/^ +"[A-Za-z0-9_]+": [-+.0-9e]+,?$/ {
    depth = index($0, "\"") - 1
    gsub(/[" ,]/, "")
    split($0, member, ":")
    if (depth == 2 && member[1] == "top1") measured[FILENAME] = member[2]
    if (depth == 2 && member[1] == "mAP") { measured[FILENAME] = member[2]; of_boxes[probe] }
    if (depth == 6 && member[1] == "f1" && !n_f1++) measured[FILENAME] = member[2]
    if (depth == 6 && member[1] == "Per_Ev_Top_1" && rules ~ /min_agree_2/) measured[FILENAME] = member[2]
    if (depth == 2 && member[1] ~ /^n_(missing|bad)$/ && member[2] > 0) lack(n_lacking += member[2])
    if (depth == 2 && member[1] == "chance") { chance[probe] += 100 * member[2]; n_chances[probe]++ }
    if (depth == 2 && member[1] == "within_video_cosine" && probe == probes[1]) { gather(member[2], method, "cosine", part[k - 1]); n_cosines++ }
}

function gather(x, row, column, seed) {
    n_of[row, column, seed]++
    sum_of[row, column, seed] += x
}

# All seeds look at the same videos.
function lack(count) {
    has_gaps[method, probe]
    if (count > lacking[method, probe, division]) lacking[method, probe, division] = count
}

# How many videos a row goes without: one number, or where the divisions differ one for each.
function gaps(row, column,    i, differs, text) {
    for (i = 1; i <= n_divisions; i++) {
        if (lacking[row, column, divisions[i]] != lacking[row, column, divisions[1]]) differs = 1
        text = text (i > 1 ? ", " : "") lacking[row, column, divisions[i]] + 0
    }
    text = differs ? text : lacking[row, column, divisions[1]]
    return text (column in of_boxes ? " of which nothing is predicted" : " that are missing or bad") (differs ? ", by division" : "")
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

# For a plot: method, probe, mean, standard deviation, number of seeds.
function list(    i, m, count, mean, spread) {
    for (m = 1; m <= n_methods; m++)
        for (i = 1; i <= n_probes; i++) {
            count = n[methods[m], probes[i]]
            if (!count) continue
            mean = sum[methods[m], probes[i]] / count
            spread = count > 1 ? (squares[methods[m], probes[i]] - count * mean * mean) / (count - 1) : 0
            printf "%s\t%s\t%.4f\t%.4f\t%d\n", methods[m], probes[i], mean, sqrt(spread > 0 ? spread : 0), count
        }
}

END {
    for (f in files) {
        if (!(f in measured)) { print "table.awk: " f ": no metrics" > "/dev/stderr"; failed = 1 }
        split(files[f], at, SUBSEP)
        gather(100 * measured[f], at[1], at[2], at[3])
    }
    if (failed) exit 1
    for (s in n_of) {
        split(s, at, SUBSEP)
        note(sum_of[s] / n_of[s], at[1], at[2])
    }
    if (form == "tsv") { list(); exit }
    for (m = 1; m <= n_methods; m++) {
        shown[m] = methods[m] in names ? names[methods[m]] : methods[m]
        if (length(shown[m]) > width) width = length(shown[m])
        for (i = 1; i <= n_probes; i++) if ((methods[m], probes[i]) in published) { in_paper[i]; n_compared++ }
    }
    for (q = 1; q <= n_quoted; q++) if (length(quoted[q]) > width) width = length(quoted[q])
    label = "%-" width "s"
    printf label, ""
    for (i = 1; i <= n_probes; i++) {
        printf "  %15s", probes[i] " %"
        if (i in in_paper) printf "  %7s", "(paper)"
    }
    if (n_cosines) printf "  %15s", "cosine"
    print ""
    for (m = 1; m <= n_methods; m++) {
        printf label, shown[m]
        for (i = 1; i <= n_probes; i++) {
            printf "%s", cell(methods[m], probes[i], 1)
            if (i in in_paper) printf "  %7s", (methods[m], probes[i]) in published ? "(" published[methods[m], probes[i]] ")" : ""
        }
        if (n_cosines) printf "%s", cell(methods[m], "cosine", 3)
        print ""
    }
    for (q = 1; q <= n_quoted; q++) {
        if (!n_compared || quoted[q] in has_method || quoted[q] in names) continue
        printf label, quoted[q]
        for (i = 1; i <= n_probes; i++)
            if (i in in_paper) printf "  %15s  %7s", "", (quoted[q], probes[i]) in published ? "(" published[quoted[q], probes[i]] ")" : ""
            else printf "  %15s", ""
        print ""
    }
    for (i = 1; i <= n_probes; i++) if (probes[i] in chance) has_chance = 1
    if (has_chance) {
        printf label, "chance"
        for (i = 1; i <= n_probes; i++) {
            printf "  %15s", probes[i] in chance ? sprintf("%.1f", chance[probes[i]] / n_chances[probes[i]]) : "-"
            if (i in in_paper) printf "  %7s", ""
        }
        print ""
    }
    for (m = 1; m <= n_methods; m++)
        for (i = 1; i <= n_probes; i++)
            if ((methods[m], probes[i]) in has_gaps)
                print "without " gaps(methods[m], probes[i]) ": " shown[m] ", " probes[i]
}
