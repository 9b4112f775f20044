# SPDX-License-Identifier: Apache-2.0
# Judges the TAP output of one test program: awk -v name=NAME -v status=EXIT -f tap.awk OUTPUT
# prints "count PASSED FAILED SKIPPED", then "fail|skip <tab> NAME: test <tab> detail" for each such test.
# A program that printed no plan, ran less than it planned, or ended with an error fails as a whole.

function report(kind, test, detail)
{
    lines = lines kind "\t" name (test == "" ? "" : ": " test) "\t" detail "\n"
}

# cmocka says "not ok 2 # SKIP test", with the reason in a comment before; bats "ok 2 test # skip reason".
function judge(line,    skip, test, reason)
{
    n_run++
    skip = match(tolower(line), /# *skip/)
    test = skip ? substr(line, 1, RSTART - 1) : line
    reason = skip ? substr(line, RSTART + RLENGTH) : ""
    sub(/^(not )?ok [0-9]+ *(- )?/, "", test)
    gsub(/^ +| +$/, "", test)
    gsub(/^ +| +$/, "", reason)
    if (skip && test == "") {
        test = reason
        reason = ""
    }
    if (skip) {
        n_skipped++
        report("skip", test, reason == "" ? (comment == "" ? "no reason given" : comment) : reason)
    } else if (line ~ /^not /) {
        n_failed++
        report("fail", test, "")
    } else {
        n_passed++
    }
    comment = ""
}

/^1\.\.0 *# *[Ss][Kk][Ii][Pp]/ {
    skipped_all = 1
    sub(/^1\.\.0 *# *[Ss][Kk][Ii][Pp] */, "")
    n_skipped++
    report("skip", "", $0 == "" ? "no reason given" : $0)
    next
}
/^1\.\.[0-9]+/ {
    planned = 1
    n_planned += substr($0, 4)
    next
}
/^(not )?ok [0-9]+/ {
    judge($0)
    next
}
/^(# )?skip(ped)?: / {
    comment = $0
    sub(/^[^:]*: /, "", comment)
}

END {
    if (!planned && !skipped_all)
        problem = "printed no plan"
    else if (n_run != n_planned)
        problem = "ran " n_run + 0 " of " n_planned " planned tests"
    else if (status != 0 && !n_failed)
        problem = "no test failed, yet the program did"
    if (problem != "") {
        n_failed++
        report("fail", "", problem " (exit status " status ")")
    }
    printf "count %d %d %d\n%s", n_passed, n_failed, n_skipped, lines
}
