#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each tool's man page: beside its source, complete, valid mdoc, and with the options of --help.

setup_file() {
    tools=$(find tools -name 'teg-*.c' | sed 's|.*/||; s|\.c$||' | sort)
    export tools
}

none() {
    local found
    found=$(cat)
    [ -z "$found" ] || { printf '%s\n' "$1:" "$found" && return 1; }
}

@test "every tool has a man page with all sections" {
    local tool section
    for tool in $tools; do
        for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' FILES EXAMPLES; do
            grep -qx "\.Sh $section" "tools/$tool.1" || echo "$tool: $section"
        done
    done | none "missing"
    find tools -name '*.1' | sed 's|.*/||; s|\.1$||' | grep -vxF "$tools" | none "a page without a tool"
}

@test "man pages are valid mdoc" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    mandoc -Tlint -Wwarning tools/*.1 | none "mandoc"
}

@test "man pages show the quotes of their examples" {
    grep -nE '^\.[A-Z].* "' tools/*.1 | none "mdoc eats a quote at the start of a word, write \(dq"
}

@test "man pages and --help have the same options" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    local tool
    for tool in $tools; do
        "$TEG_BIN/$tool" --help | sed -nE 's/^ {2,6}(-[a-zA-Z?], )?(--[a-z0-9-]+).*/\2/p' | sort -u >"$BATS_TEST_TMPDIR/help"
        [ -s "$BATS_TEST_TMPDIR/help" ]
        mandoc -Tascii -Owidth=200 "tools/$tool.1" | sed 's|.\x08||g' | sed -n '/^OPTIONS/,/^[A-Z]/p' |
            sed -nE 's/^ {5}(-.*)/\1/p' | sed 's/  .*//' | grep -oE '(^|, )--[a-z0-9-]+' | tr -d ', ' |
            sort -u >"$BATS_TEST_TMPDIR/man"
        diff -u "$BATS_TEST_TMPDIR/man" "$BATS_TEST_TMPDIR/help" | sed "1,2d; /^@@/d; s/^/$tool: /" | grep -E ': [-+]'
    done | none "- in the man page only, + in --help only"
}

@test "man pages and --help have the same formats and data sets" {
    local tool title name
    for tool in teg-index:Formats teg-synth:'Data sets'; do
        title=${tool#*:} tool=${tool%:*}
        "$TEG_BIN/$tool" --help | sed "1,/^$title:/d" | sed -nE 's/^  ([a-z0-9-]+) .*/\1/p' >"$BATS_TEST_TMPDIR/names"
        [ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -gt 9 ]
        while read -r name; do
            grep -qxF ".It Cm $name" "tools/$tool.1" || echo "$tool: $name"
        done <"$BATS_TEST_TMPDIR/names"
    done | none "in --help only"
}

@test "every tool prints its version" {
    local tool version
    version=$(sed -n 's/.*TEG_VERSION "\(.*\)"/\1/p' common/base/version.h)
    for tool in $tools; do
        [ "$("$TEG_BIN/$tool" --version)" = "$tool $version" ] || echo "$tool"
    done | none "not '$version'"
}

@test "tools without videos start where FFmpeg is not installed" {
    local tool
    for tool in $tools; do
        case $tool in
        teg-index | teg-decode | teg-synth) ;;
        *) ldd "$TEG_BIN/$tool" | grep -E 'libav|libsw' | sed "s/^/$tool: /" ;;
        esac
    done | none "linked with FFmpeg"
}

@test "the README lists every tool" {
    local tool
    for tool in $tools; do
        grep -q "^| \`$tool\` |" README.md || echo "$tool"
    done | none "missing in README.md"
}

@test "tools start where CUDA is not installed" {
    local tool
    for tool in $tools; do
        ldd "$TEG_BIN/$tool" | grep -E 'libcu(da|dart|dnn|blas)|libnvrtc|not found' | sed "s/^/$tool: /"
    done | none "linked with CUDA"
}
