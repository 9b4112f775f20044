# SPDX-License-Identifier: Apache-2.0
# Holds the tensors of models to the tables of schemas/model.md, both ways:
# awk -f tensors.awk schemas/model.md LIST, with lines "TASK CHANNELS CLASSES SHAPE NAME" in the list, "pretrain" the task of a
# model without. Prints what does not agree.

function pattern(name) {
    gsub(/[.]/, "[.]", name)
    gsub(/[*]/, "(weight|bias|running_mean|running_var)", name)
    gsub(/<head>/, "[a-z]+", name)
    gsub(/<[a-z]>/, "[0-9]+", name)
    return "^" name "$"
}

# "[classes, 2 C]" with numbers for the words.
function numbers(shape, channels, classes) {
    gsub(/2 C/, 2 * channels, shape)
    gsub(/C [+] 16/, channels + 16, shape)
    gsub(/C/, channels, shape)
    gsub(/classes/, classes, shape)
    gsub(/ /, "", shape)
    return shape
}

function add(task, name, shape) {
    tasks[++n_rows] = task
    names[n_rows] = name
    shapes[n_rows] = shape
}

FILENAME ~ /[.]md$/ && /^## Metadata/ { done = 1 }

# Rows of the table with four columns say task and shape, the others names only.
FILENAME ~ /[.]md$/ {
    if (done || !/^[|] `/) next
    n = split($0, column, "|")
    if (n == 6) {
        gsub(/[` ]/, "", column[2])
        gsub(/[` ]/, "", column[3])
        gsub(/`/, "", column[4])
        add(column[2], column[3], column[4])
        sub(/weight$/, "bias", column[3])
        gsub(/,.*/, "]", column[4])
        add(column[2], column[3], column[4])
    } else {
        gsub(/[` ]/, "", column[2])
        n = split(column[2], name, ",")
        for (i = 1; i <= n; i++) add("", name[i], "")
    }
    next
}

{
    n_tensors++
    found = 0
    for (i = 1; i <= n_rows; i++) {
        if ($5 !~ pattern(names[i]) || (tasks[i] && tasks[i] != $1)) continue
        if (shapes[i] && numbers(shapes[i], $2, $3) != $4) continue
        seen[i] = found = 1
    }
    if (!found) print "not on the page: " $0
}

END {
    for (i = 1; i <= n_rows; i++) if (!(i in seen)) print "in no model: " tasks[i] " " names[i] " " shapes[i]
    if (n_rows < 20 || n_tensors < 100) print "too little: " n_rows " rows, " n_tensors " tensors"
}
