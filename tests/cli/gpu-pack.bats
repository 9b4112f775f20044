#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs that are packed for a machine that cannot build bring along all that they need.

bats_require_minimum_version 1.5.0
load support

@test "packed programs run with the libraries that were packed" {
    need_program xz
    need_program python3
    local root=$BATS_TEST_DIRNAME/../.. at="$BATS_TEST_TMPDIR/a b" file name
    mkdir -p "$at/build/tests/cli" "$at/there"
    cp "$TEG_BIN"/teg-inspect "$TEG_BIN"/teg-index "$at/build"
    cp "$TEG_BIN"/tests/cli/helper_dump "$at/build/tests/cli"
    LEVEL=-0 "$root/tests/gpu/pack" "$at/build" "$at"/build/teg-* "$at/build/tests/cli/helper_dump"
    for name in programs video; do
        python3 -m tarfile -e "$at/build/packed/$name.tar.xz" "$at/there"
    done
    cmp <(cd "$at/build" && ls -d teg-* tests/cli/*) <(cd "$at/there/build" && ls -d teg-* tests/cli/*)
    # whatever is not everywhere comes from there
    for file in "$at"/there/build/teg-* "$at"/there/bin/{jq,make,cmp}; do
        LD_LIBRARY_PATH=$at/there/lib ldd "$file" | grep -vE "$at/there/lib/|linux-vdso|/(ld-linux|lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+)\.so)" &&
            return 1
    done
    [ "$("$root/tests/gpu/run" --packed "$at/there" do teg-index --version)" = "$("$TEG_BIN/teg-index" --version)" ]
    [ "$("$root/tests/gpu/run" --packed "$at/there" do bats --version)" = "$(bats --version)" ]
    [ "$("$root/tests/gpu/run" --packed "$at/there" do command -v jq)" = "$at/there/bin/jq" ]
    # but for what is not from there
    [ -z "$(LD_LIBRARY_PATH='' "$root/tests/gpu/run" --packed "$at/there" do python3 -c 'import os; print(os.environ["LD_LIBRARY_PATH"])')" ]
}

# says STATUS TEXT COMMAND...: the command ends so and has the text in its words.
says() {
    run --separate-stderr "-$1" "${@:3}"
    [[ $stderr == *"$2"* ]]
}

@test "what cannot be packed or run says so" {
    local root=$BATS_TEST_DIRNAME/../.. at=$BATS_TEST_TMPDIR
    mkdir -p "$at/build"
    says 2 "usage" "$root/tests/gpu/pack"
    says 1 "nothing-there: no such file" "$root/tests/gpu/pack" "$at/build" "$at/build/nothing-there"
    [ -z "$(ls "$at/build/packed" 2>/dev/null)" ]
    says 2 "usage" "$root/tests/gpu/run"
    says 2 "nowhere is no folder" "$root/tests/gpu/run" "$at/nowhere" tests
    says 2 "no stage is called test" "$root/tests/gpu/run" "$at/build" test
    says 2 "" "$root/tests/gpu/run" "$at/build" do "$TEG_BIN/teg-index" --no-such-option
    says 127 "" "$root/tests/gpu/run" "$at/build" do no-such-program
}

@test "a GPU that is there and not used fails" {
    local root=$BATS_TEST_DIRNAME/../.. at=$BATS_TEST_TMPDIR program
    mkdir -p "$at/smi" "$at/build/tests/ops" "$at/build/tests/unit"
    printf '#!/bin/sh\n' >"$at/smi/nvidia-smi"
    for program in $(cd "$root" && grep -l ON_EVERY_DEVICE tests/ops/*.c tests/unit/*.c); do
        printf '#!/bin/sh\necho 1..1\necho "# skip: device cuda: no cuDNN"\necho "not ok 1 # SKIP a_cuda"\n' >"$at/build/${program%.c}"
    done
    ln -s "$TEG_BIN"/teg-* "$at/build"
    chmod +x "$at/smi/nvidia-smi" "$at"/build/tests/*/*
    PATH=$at/smi:$PATH CUDA_VISIBLE_DEVICES='' run -1 "$root/tests/gpu/run" "$at/build" tests
    [[ $output == *"fail timeout 150 $at/build/tests/ops/test_conv: the GPU was not used"* ]]
}
