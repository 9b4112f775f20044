#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The rules of the source tree that neither the compiler nor the formatter checks.

setup_file() {
    product=$(find common kernels tools -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | sort)
    c_tests=$(find tests -name '*.[ch]' | sort)
    scripts=$(find tests pipelines .ci \( -name '*.sh' -o -name '*.bash' -o -name '*.bats' -o -name '*.awk' \
        -o -name '*.py' -o -name '*.mk' -o -name '*.gp' -o -name run \) -type f | sort)
    export product c_tests scripts
    export c_files="$product $c_tests"
}

# $1: what is wrong with these lines, read from stdin.
none() {
    local found
    found=$(cat)
    [ -z "$found" ] || { printf '%s\n' "$1:" "$found" && return 1; }
}

# Lines that include a header: "file:line". $1: pattern of its name.
included() {
    grep -nE "^ *# *include *[<\"]$1" $product | cut -d: -f1,2
}

# $1: pattern of the header, $2: pattern of the files that may include it.
only_in() {
    included "$1" | grep -vE "^($2):" | none "$1 is included outside $2"
}

@test "each vendor library is included by one file or one folder" {
    only_in 'lmdb\.h' 'common/store/store[a-z_]*\.[ch]'
    only_in 'zstd' 'common/store/codec\.c'
    only_in 'json-c/' 'common/base/json\.c'
    only_in 'csv\.h' 'common/base/csv\.c'
    only_in 'png\.h' 'common/base/image\.c'
    only_in 'xxh' 'common/base/hash\.c'
    only_in 'lib(av|sw)' 'common/video/[a-z_]+\.[ch]'
    only_in '(oneapi/)?dnnl' 'kernels/cpu/onednn[a-z_]*\.[ch]'
    only_in '(cuda|cublas|cudnn)' 'kernels/cuda/[a-z0-9_]+\.(c|h|cu|cuh)'
    only_in 'argp\.h' '(common/base/cli\.[ch]|tools/teg-[a-z-]+\.c)'
}

@test "every library that the Makefile looks for is included somewhere" {
    local header
    sed -n 's/^lib\.[^ ]* *:= *[^ ]* *[^ ]* *\([^ ]*\).*/\1/p' Makefile | tr , '\n' | sort -u >"$BATS_TEST_TMPDIR/headers"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/headers")" -gt 15 ]
    while read -r header; do
        grep -qE "^ *# *include *[<\"]([a-z/-]*/)?${header##*/}" $c_files || echo "$header"
    done <"$BATS_TEST_TMPDIR/headers" | none "looked for in vain"
}

@test "OpenMP stays in the kernels and the network" {
    grep -nE '#pragma omp|#include <omp\.h>' $product | grep -vE '^(kernels|common/nn)/' | none "OpenMP elsewhere"
}

@test "a room of the library includes no later room" {
    local rooms=(base store video datasets sampling nn eval) i j
    for ((i = 0; i < ${#rooms[@]}; i++)); do
        for ((j = i + 1; j < ${#rooms[@]}; j++)); do
            grep -nE "^#include \"common/${rooms[j]}/" $(find "common/${rooms[i]}" -name '*.[ch]') /dev/null |
                none "${rooms[i]} includes ${rooms[j]}"
        done
    done
}

@test "kernels include common/base only, and common/base no kernels" {
    grep -rnE '^#include "(common|tools|tests)/' kernels | grep -vE '"common/base/' | none "kernels look outside"
    grep -rnE '^#include "kernels/' common/base | none "common/base includes kernels"
    grep -rnE '^#include "kernels/(cpu|cuda)/' common tools | none "not through kernels/backend.h"
}

@test "includes are written from the root of the repository" {
    local file name
    grep -nE '^#include "' $c_files | sed -E 's/^([^:]*:[0-9]*):#include "([^"]*)".*/\1 \2/' |
        while read -r file name; do
            [ -e "$name" ] || echo "$file: $name"
        done | none "no such file"
}

@test "the library neither prints nor ends the program" {
    local library
    library=$(printf '%s\n' $product | grep -vE '^tools/|^common/base/(ui|cli)\.')
    grep -nE '(^|[^a-z_>.])(printf|puts|putchar|perror|exit|_exit|abort|assert|alloca|strdupa) ?\(' $library |
        grep -vE ': *(/?\*|//)' | none "not in the library"
    grep -nE '\bstd(out|err)\b' $library | grep -vE ': *(/?\*|//)|/\*.*\*/' | none "not in the library"
}

@test "structs have no typedef" {
    grep -nE '^ *typedef (struct|union|enum)' $c_files | none "typedef"
}

@test "functions are at most 80 lines, main at most 40, with at most 5 parameters" {
    awk -f tests/style/functions.awk $c_files >"$BATS_TEST_TMPDIR/functions"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/functions")" -gt 50 ]
    awk '$3 > 80 || ($2 == "main" && $3 > 40)' "$BATS_TEST_TMPDIR/functions" | none "too long"
    awk '$4 > 5 && !/^tests\//' "$BATS_TEST_TMPDIR/functions" | none "too many parameters"
}

@test "files are at most 800 lines" {
    wc -l $c_files $scripts Makefile | awk '$1 > 800 && $2 != "total"' | none "too long"
}

@test "every source starts with its licence" {
    local file
    for file in $c_files $scripts Makefile tools/*.1; do
        [ ! -e "$file" ] || head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file"
    done | none "no SPDX line"
}

@test "file stems are unique" {
    printf '%s\n' $c_files | grep -v '\.h$' | sed -E 's|.*/||; s|\.[a-z]+$||' | sort | uniq -d | none "twice"
    printf '%s\n' $product | grep '\.h$' | sed -E 's|.*/||' | sort | uniq -d | none "twice"
}

@test "nothing is left for later" {
    grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $product $c_tests $(find schemas pipelines -type f) README.md Makefile |
        none "unfinished"
}

@test "no path of a machine" {
    grep -nE '(^|[^a-zA-Z.])/(work|home|root)/' $c_files $(find schemas pipelines tools -type f) README.md Makefile |
        none "a machine's path"
}

@test "the top level holds what it may" {
    git rev-parse --is-inside-work-tree >/dev/null 2>&1 || skip "not a git checkout"
    git ls-files | cut -d/ -f1 | sort -u |
        grep -vE '^(\..*|Makefile|README\.md|LICENSE|tools|common|kernels|pipelines|schemas|tests)$' |
        none "does not belong there"
}

@test "the README shows the PyTorch module that the tests use, in at most 60 lines" {
    sed -n '/^## Models in PyTorch/,/^## Where/{/^```python$/,/^```$/p}' README.md | sed '1d;$d' |
        diff - tests/oracle/r3d.py
    [ "$(wc -l <tests/oracle/r3d.py)" -le 60 ]
}
