#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The test runner itself: what counts as passed, failed and skipped.

# $1: exit status of the program; stdin: its output. Leaves the verdict in $output.
judge() {
    run awk -v name=prog -v status="$1" -f tests/tap.awk
    [ "$status" = 0 ]
}

@test "passed tests are counted, over several groups" {
    judge 0 <<<$'1..2\nok 1 - a\nok 2 - b\n# ok - group\n1..1\nok 1 - c'
    [ "$output" = "count 3 0 0" ]
}

@test "a failed test is named" {
    judge 1 <<<$'1..2\nok 1 - a\nnot ok 2 - b\n# 1 != 2'
    [ "$output" = $'count 1 1 0\nfail\tprog: b\t' ]
}

@test "skips of cmocka and of bats, with their reasons" {
    judge 0 <<<$'1..2\n# skip: no data\nnot ok 1 # SKIP a\nok 2 b # skip no tool'
    [ "$output" = $'count 0 0 2\nskip\tprog: a\tno data\nskip\tprog: b\tno tool' ]
    judge 0 <<<$'1..1\nskipped: no disk\nnot ok 1 # SKIP a'
    [ "$output" = $'count 0 0 1\nskip\tprog: a\tno disk' ]
    judge 0 <<<'1..0 # skip nothing to do'
    [ "$output" = $'count 0 0 1\nskip\tprog\tnothing to do' ]
}

@test "a crash fails, whatever passed before it" {
    judge 134 <<<$'1..3\nok 1 - a'
    [ "$output" = $'count 1 1 0\nfail\tprog\tran 1 of 3 planned tests (exit status 134)' ]
    judge 139 <<<''
    [ "$output" = $'count 0 1 0\nfail\tprog\tprinted no plan (exit status 139)' ]
    judge 0 <<<'hello'
    [ "$output" = $'count 0 1 0\nfail\tprog\tprinted no plan (exit status 0)' ]
    judge 23 <<<$'1..1\nok 1 - leaks'
    [ "$output" = $'count 1 1 0\nfail\tprog\tno test failed, yet the program did (exit status 23)' ]
}

@test "a run ends with the counts, and fails with the first failure" {
    mkdir -p "$BATS_TEST_TMPDIR/tests/cli"
    cp tests/run tests/tap.awk "$BATS_TEST_TMPDIR/tests/"
    cd "$BATS_TEST_TMPDIR"
    mkdir build
    printf 'echo 1..1; echo "ok 1 - a"\n' >tests/cli/good.sh
    run tests/run cli
    [ "$status" = 0 ]
    [ "${lines[-1]}" = "1 passed, 0 failed" ]
    printf 'echo 1..1; echo "ok 1 - a # skip no"\n' >tests/cli/skipped.sh
    printf 'echo 1..2; echo "ok 1 - a"; kill -SEGV $$\n' >tests/cli/crash.sh
    run tests/run cli
    [ "$status" = 1 ]
    [ "${lines[-1]}" = "2 passed, 1 failed" ]
    [[ "$output" == *"skipped: 1"*"cli/skipped.sh: a: no"* ]]
    rm tests/cli/*
    run tests/run cli
    [ "$status" = 1 ]
    [ "${lines[-1]}" = "0 passed, 0 failed" ]
}
