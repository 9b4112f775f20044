# SPDX-License-Identifier: Apache-2.0
# Lists the functions of formatted C files: "file:line name lines parameters", one a line.
# A body goes from a "{" to a "}" in the first column; its head is what stands above, back to the last
# blank line, end of a body, statement or directive.

FNR == 1 {
    head = ""
    start = 0
}

!start && /^{/ {
    start = FNR
    next
}

start && /^}/ {
    gsub(/__(attribute|launch_bounds)__ *\([^()]*(\([^()]*(\([^()]*\))?\))*\)/, "", head)
    if (match(head, /[A-Za-z_0-9]+\(/)) {
        name = substr(head, RSTART, RLENGTH - 1)
        print FILENAME ":" start, name, FNR - start + 1, n_parameters(substr(head, RSTART + RLENGTH))
    }
    start = 0
    head = ""
    next
}

!start {
    head = /^$|^#|^ ?\*|^\/\*|[;}]$/ ? "" : head " " $0
}

# Commas outside inner parentheses separate parameters. Not counted: where the error goes, and the element
# type that belongs to an untyped pointer.
function n_parameters(list,    i, c, depth, n)
{
    if (list ~ /^(void)?\)/)
        return 0
    n = 1 - gsub(/struct err \*|enum dtype /, "&", list)
    for (i = 1; i <= length(list) && depth >= 0; i++) {
        c = substr(list, i, 1)
        depth += (c == "(") - (c == ")")
        n += c == "," && depth == 0
    }
    return n
}
