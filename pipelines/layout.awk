# SPDX-License-Identifier: Apache-2.0
# What an index says of its videos, as variables for make: teg-inspect show index.lmdb '!meta' | awk -f layout.awk
#
#     splits := train val      those that have videos ("none" is left out)
#     n_classes := 10

/^    "(splits|classes)": \{/ {
    section = $1
}

/^    \}/ {
    section = ""
}

# Members of a section stand behind six blanks.
section && /^      "[^"]*": \{/ {
    name = $1
    gsub(/[":]/, "", name)
    if (section ~ /classes/) n_classes++
    else if (name != "none") splits = splits " " name
}

END {
    print "splits :=" splits
    print "n_classes := " n_classes + 0
}
