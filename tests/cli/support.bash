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

# For cases that start several processes: mpirun would not do it unasked for root, and would keep each to a processor.
allow_processes() {
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
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

# Becomes a command that is to be killed. Where it is built with ASan, it does not look for leaks in the end: that check, killed
# half-way, has words of its own for stderr.
unleaked() {
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 exec "$@"
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

# Writes index.lmdb and frames.lmdb of small generated videos into the current folder: 8 of 40 frames with two
# events each. More options go to teg-synth.
small_videos() {
    "$TEG_BIN/teg-synth" -q --dataset events --videos 8 --events 2 --frames 40 --size 32 "$@" -o synth 2>synth.err ||
        { rm -rf synth && "$TEG_BIN/teg-synth" -q --codec mpeg4 --dataset events --videos 8 --events 2 --frames 40 \
            --size 32 "$@" -o synth; }
    "$TEG_BIN/teg-index" -q --format annotations --annotations synth/annotations.jsonl --videos synth/videos \
        -o index.lmdb
    "$TEG_BIN/teg-decode" -q --index index.lmdb -o frames.lmdb
}

# left_alone FILE NAME ...: the tool with these arguments fails, saying that FILE is there and no earlier output, and leaves
# it as it is.
left_alone() {
    local file=$1
    shift
    cp "$file" before
    tool "$@"
    expect_error 1 "$file: exists already and is not " || return 1
    [[ $stderr == *"; remove it or give --force" ]] && cmp "$file" before
}

# Fails the case unless the last run ended with status $1 and the one line "TOOL: error: ...$2..." on stderr
# (two lines, with a hint, where the status is 2).
expect_error() {
    local n_lines=1
    expect_status "$1" || return 1
    [ "$1" -ne 2 ] || n_lines=2
    [[ -z $output && $stderr == teg-*": error: "*"$2"* && $(wc -l <<<"$stderr") -eq $n_lines ]] && return
    printf 'wanted: %s\ngot: %s\n' "$2" "$stderr" >&2
    return 1
}
