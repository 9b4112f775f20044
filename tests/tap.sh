# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by what runs test programs.

# judged LOG NAME COMMAND...: runs a test program; what it says goes to LOG.tap, the verdict to LOG.result.
# Sets count to (passed failed skipped).
count=(0 0 0)
judged() {
    local log=$1 name=$2 status=0
    shift 2
    "$@" >"$log.tap" 2>&1 || status=$?
    awk -v name="$name" -v status="$status" -f tests/tap.awk "$log.tap" >"$log.result"
    read -r -a count < <(sed -n '1s/^count //p' "$log.result")
}

# show_failures LOG: those that failed, with what they said.
show_failures() {
    [ "${count[1]}" != 0 ] || return 0
    grep '^fail' "$1.result"
    grep -A 5 '^not ok' "$1.tap" || tail -n 20 "$1.tap"
}
