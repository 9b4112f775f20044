#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every kind of store is read with public libraries and LMDB's own tools alone.

load support

setup_file() {
    export stores=$BATS_FILE_TMPDIR/stores
    mkdir "$stores"
    "$TEG_BIN/tests/cli/helper_stores" "$stores"
    python3 -c 'import lmdb, numpy, zstandard' 2>/dev/null ||
        export no_python="Python's lmdb, numpy or zstandard is not installed"
}

@test "no file but the stores is left" {
    [ "$(ls "$stores")" = "$(printf '%s\n' embeddings.lmdb frames.lmdb index.lmdb samples.lmdb)" ]
}

@test "python: the form of every record" {
    [ -z "${no_python:-}" ] || skip "$no_python"
    run python3 tests/cli/read_stores.py check "$stores"/{index,frames,samples,embeddings}.lmdb
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
    [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[1]} == *"frames 1 3 9" ]]
}

@test "python: the values of every record" {
    [ -z "${no_python:-}" ] || skip "$no_python"
    python3 tests/cli/read_stores.py values "$stores"
}

@test "python: the six lines of schemas/README.md" {
    [ -z "${no_python:-}" ] || skip "$no_python"
    awk '/^```python/ { on = 1; next } /^```/ { on = 0 } on' schemas/README.md >"$BATS_TEST_TMPDIR/six.py"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/six.py")" -eq 6 ]
    cd "$stores"
    run python3 "$BATS_TEST_TMPDIR/six.py"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 10 ]
    [ "${lines[3]}" = "a-b/00000000 (33, 34)" ]
}

@test "python: a reader that is not ours" {
    [ -z "${no_python:-}" ] || skip "$no_python"
    need_shared check/read_store.py
    local kind
    for kind in index frames samples embeddings; do
        python3 "$SHARED/check/read_store.py" "$stores/$kind.lmdb"
    done
}

@test "mdb_stat reads the files" {
    need_program mdb_stat
    run mdb_stat -n "$stores/frames.lmdb"
    [ "$status" -eq 0 ]
    [[ $output == *"Entries: 10"* ]]
}

@test "zstd and numpy read a record that LMDB's tool dumped" {
    need_program mdb_dump
    need_program zstd
    need_program python3
    # Two lines a record, key and value in hexadecimal, each behind a blank.
    mdb_dump -n "$stores/frames.lmdb" | awk '$1 == "612f3030303030303030" { getline; print $1 }' |
        python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' |
        zstd -dc >"$BATS_TEST_TMPDIR/frame.npy"
    [ "$(head -c 6 "$BATS_TEST_TMPDIR/frame.npy" | tail -c 5)" = NUMPY ]
    [ "$(wc -c <"$BATS_TEST_TMPDIR/frame.npy")" -eq $((128 + 33 * 34)) ]
}

@test "README.md shows the six lines of schemas/README.md" {
    # The first block of Python in each.
    lines_of() { awk '/^```python/ { on = 1; next } /^```/ && on { exit } on' "$1"; }
    [ -n "$(lines_of README.md)" ]
    [ "$(lines_of README.md)" = "$(lines_of schemas/README.md)" ]
}
