#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Training by several processes. That they compute what one computes is held to many digits in helper_processes; here is how
# the tool behaves when a launcher starts it.

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    launcher >reason 2>&1 || return 0
    rm reason
    small_videos --videos 16
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --labels none --long 8x4 --short 8x2 \
        --epochs 5 -o samples.lmdb
    "$TEG_BIN/teg-train" -q "${small[@]}" -o one.safetensors --log one.jsonl
    launch 2 -q -o two.safetensors --log two.jsonl
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    [ ! -e "$BATS_FILE_TMPDIR/reason" ] || skip "$(grep -m 1 . "$BATS_FILE_TMPDIR/reason")"
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb .
    ln -s "$BATS_FILE_TMPDIR"/{one,two}.* .
}

# Some cases start more than there are processors.
allow_processes
export OMPI_MCA_rmaps_base_oversubscribe=1
# It never gives all memory back.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

# Whether processes can be started together here; else says why not.
launcher() {
    command -v mpirun >/dev/null || { echo "mpirun is not installed" && return 1; }
    mpirun -n 2 true || return 1
    mpirun -n 2 "$TEG_BIN/tests/unit/helper_processes" none 2>&1 | grep -m 1 "no MPI" && return 1
    return 0
}

# 20 steps of 4 examples, so small that rounding stays what it is; later options win.
plain=(--frames frames.lmdb --model r3d-tiny --crop-size 16 --batch 4 --threads 1 --log-every 1 --lr 1e-5)
heads=(--head-width 32 --head-dim 16 --head-layers 1)
small=("${plain[@]}" --samples samples.lmdb "${heads[@]}")

# launch N OPTION...: the launcher has words of its own when one ends with another status than 0.
launch() {
    mpirun -n "$1" "$TEG_BIN/teg-train" "${small[@]}" "${@:2}" </dev/null
}

# The tool's own lines of the last launch.
own_words() {
    grep '^teg-train:' <<<"$stderr"
}

# refused_by N WORDS OPTION...: one message, a status that tells, nothing left.
refused_by() {
    run --separate-stderr launch "$1" -o refused.safetensors "${@:3}"
    [ "$status" -ne 0 ]
    [ "$(own_words)" = "teg-train: error: $2" ] || { own_words >&2 && return 1; }
    [ -z "$(compgen -G 'refused*')" ]
}

@test "steps and operations together are those of one process" {
    local n
    for n in 2 4; do
        run --separate-stderr mpirun -n $n "$TEG_BIN/tests/unit/helper_processes" cpu
        expect_status 0
        [ "${#lines[@]}" -eq 8 ]
    done
}

@test "two processes: the curve of one, one log, and the same bytes twice" {
    [ "$(jq -c '[.step, .epoch, .lr]' one.jsonl)" = "$(jq -c '[.step, .epoch, .lr]' two.jsonl)" ]
    paste <(jq .loss one.jsonl) <(jq .loss two.jsonl) | awk '{ d = ($1 - $2) / $1; if (d * d > 1e-8) { print; bad = 1 } } END { exit bad || NR != 20 }'
    run --separate-stderr launch 2 -o again.safetensors
    expect_status 0
    [ "$(own_words)" = "teg-train: note: 2 processes, each with 2 of the 4 examples of a batch" ]
    cmp two.safetensors again.safetensors
    cmp two.optimizer.safetensors again.optimizer.safetensors
    [ "$(echo again.*)" = "again.optimizer.safetensors again.safetensors" ]
}

@test "stopped and gone on with: the same bytes; also by fewer" {
    run --separate-stderr launch 2 -o a.safetensors --log a.jsonl --stop-at 7
    [ "$status" -ne 0 ]
    [ "$(own_words | tail -n 1)" = "teg-train: stopped: after step 7 of 20; the same command goes on" ]
    [ "$(echo a.*)" = "a.jsonl a.safetensors.part" ]
    cp a.safetensors.part b.safetensors.part
    run --separate-stderr launch 2 -o a.safetensors --log a.jsonl
    expect_status 0
    [[ $(own_words) == *"note: going on at step 7 of 20"* ]]
    cmp two.safetensors a.safetensors
    [ "$(jq -r .step a.jsonl | xargs)" = "$(seq -s ' ' 20)" ]
    tool teg-train "${small[@]}" -o b.safetensors
    expect_status 0
    [ "$stderr" = "teg-train: note: going on at step 7 of 20" ]
}

@test "the launcher's end leaves a checkpoint" {
    local launcher step
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --labels none --long 8x4 --short 8x2 \
        --epochs 10000 -o long.lmdb
    OMPI_MCA_odls_base_sigkill_timeout=2 mpirun -n 2 "$TEG_BIN/teg-train" "${small[@]}" --samples long.lmdb --log a.jsonl -o a.safetensors 2>error &
    launcher=$!
    while [ ! -s a.jsonl ]; do sleep 0.05; done
    kill -TERM $launcher
    ! wait $launcher
    step=$(wc -l <a.jsonl)
    grep -qx "teg-train: stopped: after step $step of 40000; the same command goes on" error
    [ -e a.safetensors.part ]
}

@test "what goes wrong in all is said once" {
    refused_by 2 "2 processes do not divide --batch 5" --batch 5
    refused_by 3 "3 processes do not divide --batch 4"
    refused_by 2 "2 processes do not divide --micro-batch 1" --micro-batch 1
    refused_by 2 "none.lmdb: no such file" --frames none.lmdb
    run --separate-stderr launch 2 --speed 3
    [ "$(grep -c "unrecognized option '--speed'" <<<"$stderr")" -eq 1 ]
    refused_by 2 "samples.lmdb: 5 epochs, 6 wanted (--epochs)" --epochs 6
}

@test "what goes wrong in one ends all" {
    run --separate-stderr launch 2 -o a.safetensors --log /dev/full
    [ "$status" -ne 0 ]
    [ "$(own_words | tail -n 1)" = "teg-train: error: /dev/full: No space left on device" ]
    local percent row words
    # Frames that are damaged where the second process is the first to read them: examples 2 and 3 of each 4 are its.
    for percent in $(seq 5 3 95); do
        cp "$(realpath frames.lmdb)" broken.lmdb
        dd if=/dev/zero of=broken.lmdb bs=1 seek=$(($(stat -c %s broken.lmdb) / 100 * percent)) count=9000 conv=notrunc status=none
        tool teg-train "${small[@]}" --frames broken.lmdb -o a.safetensors
        words=${stderr#teg-train: error: }
        row=$(sed -nE 's/.* clip ([0-9]+): .*/\1/p' <<<"$words")
        [ "$row" ] && ((row / 2 % 4 >= 2)) && break
    done
    ((row / 2 % 4 >= 2))
    run --separate-stderr launch 2 --frames broken.lmdb -o b.safetensors
    [ "$status" -ne 0 ]
    [ "$(own_words | tail -n 1)" = "teg-train: error: process 1: $words" ]
    run --separate-stderr mpirun -n 1 "$TEG_BIN/teg-train" "${small[@]}" -o a.safetensors : \
        -n 1 "$TEG_BIN/teg-train" "${small[@]}" -o b.safetensors
    [ "$status" -ne 0 ]
    [ "$(own_words)" = "teg-train: error: process 1: was started with another --output than process 0; runs of their own are not started by one launcher" ]
    run --separate-stderr mpirun -n 1 "$TEG_BIN/teg-train" "${small[@]}" -o a.safetensors : \
        -n 1 "$TEG_BIN/teg-train" "${small[@]}" --samples none.lmdb -o a.safetensors
    [ "$status" -ne 0 ]
    [ "$(own_words)" = "teg-train: error: process 1: none.lmdb: no such file" ]
    different "was started for another run than process 0: batch 8, not 4" --batch 8
    different "was started with another --micro-batch than process 0; runs of their own are not started by one launcher" --micro-batch auto
    [ -z "$(compgen -G '[ab].safetensors*')" ]
}

# different WORDS OPTION...: the second process has these options, too.
different() {
    run --separate-stderr mpirun -n 1 "$TEG_BIN/teg-train" "${small[@]}" -o a.safetensors : \
        -n 1 "$TEG_BIN/teg-train" "${small[@]}" -o a.safetensors "${@:2}"
    [ "$status" -ne 0 ]
    [ "$(own_words)" = "teg-train: error: process 1: $1" ] || { echo "$stderr" >&2 && return 1; }
}

@test "one that fails in the middle of a step says why, and takes the others with it" {
    run --separate-stderr mpirun -n 3 "$TEG_BIN/tests/unit/helper_processes" leave
    [ "$status" -ne 0 ]
    [ "$(grep -c 'process 2: no such thing' <<<"$stderr")" -eq 1 ]
    [ -z "$output" ]
}

# The first step's loss: from then on rounding grows.
@test "every task and way to compute" {
    local n options tried=0
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy single --labels class --clip 8x2 -o single.lmdb
    while read -r options; do
        for n in 1 2; do
            rm -f a.*
            # shellcheck disable=SC2086 # a list of words
            run --separate-stderr mpirun -n $n "$TEG_BIN/teg-train" "${plain[@]}" $options --log $n.jsonl -o a.safetensors \
                --epochs 1 </dev/null
            expect_status 0
        done
        paste <(jq .loss 1.jsonl) <(jq .loss 2.jsonl) | head -n 1 | awk -v options="$options" '
            { d = ($1 - $2) / $1; if (d * d > (options ~ /bf16/ ? 1e-4 : 1e-10)) { print options, $0; bad = 1 } } END { exit bad || NR != 1 }'
        rm 1.jsonl 2.jsonl
        tried=$((tried + 1))
    done <<END
--samples samples.lmdb ${heads[*]} --recompute
--samples samples.lmdb ${heads[*]} --optimizer lars --micro-batch 2
--samples samples.lmdb ${heads[*]} --precision bf16
--samples samples.lmdb ${heads[*]} --objective teg-ps
--task supervised --samples single.lmdb --dropout 0.5
--task classify --init one.safetensors --freeze-norm --samples single.lmdb --micro-batch 2
END
    [ $tried -eq 6 ]
}

@test "the largest micro-batch that all have room for" {
    run --separate-stderr launch 2 -o a.safetensors --micro-batch auto --stop-at 2
    [ "$(own_words | tail -n 1)" = "teg-train: stopped: after step 2 of 20; the same command goes on" ]
    run --separate-stderr launch 2 -o a.safetensors --micro-batch auto
    expect_status 0
    cmp two.safetensors a.safetensors
}
