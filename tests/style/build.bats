#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Makefile: what it says where a library is missing, and what it installs.

make_quietly() {
    make --no-print-directory -s BUILD="$TEG_BIN" "$@"
}

@test "help lists every target that has a description, and the settings" {
    run make help
    [ "$status" = 0 ]
    for word in all test demo bench info deps install sanitize PREFIX CUDA; do
        [[ "$output" == *$'\n'"  $word "* ]] || { echo "$word" && return 1; }
    done
}

@test "a missing required library stops the build with the line to run" {
    local no_lmdb="liblmdb-dev -lno-such-library lmdb.h mdb_env_create"
    run make -s BUILD="$BATS_TEST_TMPDIR/build" lib.lmdb="$no_lmdb" all
    [ "$status" = 2 ]
    [[ "$output" == *"missing: liblmdb-dev; run as root: apt-get install -y --no-install-recommends liblmdb-dev"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/build/libteg.a" ]
    run make -s BUILD="$BATS_TEST_TMPDIR/build" lib.lmdb="$no_lmdb" info
    [ "$status" = 0 ]
    [[ "$output" == *$'\nlmdb         missing (liblmdb-dev)\nzstd         '[0-9]* ]]
}

@test "CUDA=1 without CUDA is an error, CUDA=0 never is" {
    run make -s BUILD="$BATS_TEST_TMPDIR/build" CUDA=1 CUDA_HOME="$BATS_TEST_TMPDIR" all
    [ "$status" = 2 ]
    [[ "$output" == *"CUDA=1, but"* ]]
    make -s -n BUILD="$BATS_TEST_TMPDIR/build" CUDA=0 all >/dev/null
}

@test "other flags build everything again, the same flags nothing" {
    run make -n BUILD="$TEG_BIN" all
    [[ "$output" != *" -c "* ]]
    run make -n BUILD="$TEG_BIN" OPT=-O1 "$TEG_BIN/common/base/err.o"
    [[ "$output" == *"-O1 "*"-c common/base/err.c"* ]]
}

@test "install puts every tool and man page in place, uninstall removes them" {
    local root=$BATS_TEST_TMPDIR/root tool
    make_quietly DESTDIR="$root" PREFIX=/opt/teg install
    for tool in $(find tools -name '*.c' | sed 's|.*/||; s|\.c$||'); do
        [ -x "$root/opt/teg/bin/$tool" ]
        cmp "tools/$tool.1" "$root/opt/teg/share/man/man1/$tool.1"
    done
    make_quietly DESTDIR="$root" PREFIX=/opt/teg uninstall
    [ -z "$(find "$root" -type f)" ]
}
