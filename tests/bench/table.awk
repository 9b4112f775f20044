# SPDX-License-Identifier: Apache-2.0
# Turns a benchmark's rows (name, unit, ours, peer, wanted, limit; tabs between, "-" where there is none)
# into lines of the table. More is better in every unit.

BEGIN {
    FS = "\t"
}

# Three significant digits with the unit behind.
function amount(x)
{
    if (x == "-")
        return "-"
    return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x) " " $2
}

/^#/ || NF == 0 {
    next
}

NF != 6 {
    print "row " FNR ": " NF " fields where 6 are expected: " $0 >"/dev/stderr"
    bad = 1
    next
}

{
    ratio = $4 == "-" ? "-" : sprintf("%.2f", $3 / $4)
    share = $6 == "-" ? "-" : sprintf("%.0f %%", 100 * $3 / $6)
    mark = ratio != "-" && $5 != "-" && ratio + 0 < $5 + 0 ? "  < wanted" : ""
    printf "%-34s %12s %12s %7s %7s %12s %6s%s\n", $1, amount($3), amount($4), ratio, $5, amount($6), share, mark
    fflush()
}

END {
    exit bad
}
