# SPDX-License-Identifier: Apache-2.0
# The mean of an evaluation over several splits, as UCF101 and HMDB51 ask for: LC_ALL=C awk -f mean.awk split1.json split2.json ...
# One row for each accuracy or other real number that every file has: its name, the mean, and the number of each file.

BEGIN {
    if ("0.5" + 0 != 1 / 2) {
        print "mean.awk: numbers have a decimal comma in this locale: set LC_ALL=C" > "/dev/stderr"
        failed = 1
        exit
    }
}

FNR == 1 { files[++n_files] = FILENAME }

/^  "tool": / { tool[n_files] = $2 }

# Members of the outermost object stand behind two blanks; counts have no point.
/^  "[A-Za-z0-9_]+": -?[0-9]+[.e][-+.0-9e]*,?$/ {
    gsub(/[" ,]/, "")
    split($0, member, ":")
    if (!(member[1] in count)) names[++n_names] = member[1]
    count[member[1]]++
    sum[member[1]] += member[2]
    values[member[1]] = values[member[1]] sprintf(" %9.6f", member[2])
}

END {
    if (!failed && n_files != ARGC - 1) {
        print "mean.awk: a file is empty" > "/dev/stderr"
        failed = 1
    }
    for (i = 1; i <= n_files && !failed; i++)
        if (!tool[i] || tool[i] != tool[1]) {
            print "mean.awk: " files[i] ": no metrics" (i == 1 ? "" : " of the same tool as " files[1]) > "/dev/stderr"
            failed = 1
        }
    for (i = 1; i <= n_names && !failed; i++)
        if (count[names[i]] == n_files) {
            printf "%-22s %9.6f %s\n", names[i], sum[names[i]] / n_files, values[names[i]]
            n_rows++
        }
    if (!failed && !n_rows) {
        print "mean.awk: no number that every file has" > "/dev/stderr"
        failed = 1
    }
    exit failed
}
