# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the cases of all tools share. `load support` at the top of a .bats file; they run in the root of the
# repository and write into $BATS_TEST_TMPDIR.

TEG_BIN=${TEG_BIN:-build}
SHARED=${SHARED:-../shared}

# Skips the case where a program is not installed.
need_program() {
    command -v "$1" >/dev/null || skip "$1 is not installed"
}

# Skips the case where a path below the shared folder is absent.
need_shared() {
    [ -e "$SHARED/$1" ] || skip "$SHARED/$1 is absent"
}

# Runs a tool; its output goes to $output (stdout) and $stderr.
tool() {
    local name=$1
    shift
    run --separate-stderr "$TEG_BIN/$name" "$@"
}

# Fails the case, showing what the tool said, where the last status is another one.
expect_status() {
    [ "$status" -eq "$1" ] && return
    echo "status $status instead of $1" >&2
    echo "$output" >&2
    echo "$stderr" >&2
    return 1
}

# Kills a command after so many seconds and waits until it is gone, which timeout(1) does not.
killed_after() {
    local seconds=$1 pid
    shift
    "$@" &
    pid=$!
    sleep "$seconds"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid"
}
