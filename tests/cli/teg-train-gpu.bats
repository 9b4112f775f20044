#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Training on a GPU: the processor's losses, the same bits twice and after a stop. Single operations are held to plain loops in
# tests/ops. `make emulate` runs this with tools whose GPU is the processor, and EMULATED set: smaller and fewer.

bats_require_minimum_version 1.5.0
load support

if [ "${EMULATED:-}" ]; then
    videos=8 frames=4 crop=16 batch=4 steps=8 lr=1e-5
else
    videos=32 frames=8 crop=32 batch=16 steps=50 lr=0.002
fi

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
    small_videos --videos $videos
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --labels none --long ${frames}x4 \
        --short ${frames}x2 --epochs $((steps * batch / videos)) -o samples.lmdb
    "$TEG_BIN/teg-train" -q "${small[@]}" --device cuda --epochs 0 -o probe.safetensors 2>reason || true
}

setup() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    [ -e "$BATS_FILE_TMPDIR/probe.safetensors" ] || skip "$(head -n 1 "$BATS_FILE_TMPDIR/reason")"
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb .
}

small=(--frames frames.lmdb --samples samples.lmdb --model r3d-tiny --crop-size $crop --batch $batch --head-width 32 --head-dim 16
    --head-layers 1 --lr $lr --threads 1 --log-every 1)

# trained OUT [OPTION...]: OUT.safetensors, OUT.jsonl
trained() {
    tool teg-train "${small[@]}" --log "$1.jsonl" -o "$1.safetensors" "${@:2}"
    expect_status 0
}

# Fails where the means of two logs over M steps are further apart than a tolerance, in the first N: overlay A B M N TOLERANCE.
# A difference in the last digit grows to some per cent of a step's loss within ten steps, so single ones tell little then.
overlay() {
    [ "$(jq -s length "$1.jsonl")" -eq "$(jq -s length "$2.jsonl")" ]
    paste <(jq .loss "$1.jsonl") <(jq .loss "$2.jsonl") | head -n "$4" | awk -v m="$3" -v most="$5" '
        { a += $1; b += $2 }
        NR % m == 0 { d = a - b; d = d < 0 ? -d : d; if (d > most * a) { print "step " NR ": " a / m " and " b / m; bad = 1 }; a = b = 0 }
        END { exit bad }'
}

@test "the steps of a run in float32: the curve of the processor" {
    trained cpu --device cpu
    trained cuda --device cuda
    [ "$(wc -l <cuda.jsonl)" -eq $steps ]
    overlay cpu cuda 1 2 1e-4
    overlay cpu cuda $((steps / 5)) $steps "$([ "${EMULATED:-}" ] && echo 1e-3 || echo 0.1)"
}

@test "bfloat16 and tf32 stay near" {
    trained cpu --device cpu
    trained low --device cuda --precision bf16
    trained tensor --device cuda --precision tf32
    overlay cpu low $steps $steps 0.1
    overlay cpu tensor $steps $steps 0.1
}

@test "the same bits twice, and after a stop, with the plans that were measured" {
    trained a --device cuda
    cp a.safetensors.plans b.safetensors.plans
    cp a.safetensors.plans c.safetensors.plans
    trained b --device cuda
    cmp a.safetensors b.safetensors
    tool teg-train "${small[@]}" --device cuda --log c.jsonl -o c.safetensors --stop-at $((steps * 2 / 5))
    trained c --device cuda
    cmp a.safetensors c.safetensors
}

# An engine that waits for the device, as the emulator has one, would keep a step from being recorded.
@test "engines are taken that a recorded step may use" {
    trained a --device cuda
    [ -s a.safetensors.plans ]
    [[ $stderr != *"could not be recorded"* ]]
}

@test "an engine that breaks the device is named, and left out by the next run" {
    [ "${EMULATED:-}" ] || skip "takes a device with such an engine"
    export EMULATED_BREAKING=1 XDG_CACHE_HOME=$PWD/cache
    local tries=0
    while tool teg-train "${small[@]}" --device cuda --epochs 1 -o a.safetensors && [ "$status" -ne 0 ]; do
        [[ $stderr == *"engine 12 "*"left out when this is run again"* ]]
        tries=$((tries + 1))
        [ $tries -lt 10 ] # once for all shapes
    done
    [ $tries -gt 0 ]
    ! grep -P '\tgraph .* engine 12 ' a.safetensors.plans
}

# A choice that the first run did not make tells that the second one looked for the first one's.
@test "what one run measured the next one takes" {
    export XDG_CACHE_HOME=$PWD/cache
    trained a --device cuda
    cmp a.safetensors.plans cache/teg/*.plans
    grep -q 'graph 2 ' a.safetensors.plans || grep -q 'fused' a.safetensors.plans
    if [ "${EMULATED:-}" ]; then
        sed -i 's/graph 2 /graph 3 /' cache/teg/*.plans
        trained b --device cuda
        grep -q 'graph 3 ' b.safetensors.plans
        cmp b.safetensors.plans cache/teg/*.plans
    fi
    cp a.safetensors.plans c.safetensors.plans # a run's own come first
    trained c --device cuda
    cmp a.safetensors.plans c.safetensors.plans
    cmp a.safetensors c.safetensors
}

@test "memory that is not there is missed before anything is measured" {
    [ "${EMULATED:-}" ] || skip "takes a GPU of 64 MiB"
    export EMULATED_MEMORY=64
    tool teg-train "${small[@]}" --crop-size 256 --device cuda -o big.safetensors
    expect_status 1
    [[ $stderr == *"memory"* ]]
    [ ! -e big.safetensors.plans ]
    tool teg-train "${small[@]}" --crop-size 256 --micro-batch auto --device cuda -o big.safetensors
    expect_status 1
    [[ $stderr == *"memory"* ]]
    [ ! -e big.safetensors.plans ]
    trained rest --device cpu
    tool teg-extract --model rest.safetensors --frames frames.lmdb --clip ${frames}x2 --batch 8 --crop-size 512 --device cuda -o big.lmdb
    expect_status 1
    [[ $stderr == *"memory"* ]]
    [ ! -e big.lmdb.plans ]
}

# Only the sizes that have room: of the batch, a half has. What was tried before takes no room.
@test "the largest micro-batch is found before anything is measured" {
    [ "${EMULATED:-}" ] || skip "takes a GPU of few MiB"
    EMULATED_MEMORY=38 trained b --crop-size 96 --batch 8 --precision bf16 --micro-batch auto --epochs 0 --device cuda
    [[ $stderr == *"micro-batches of 4: the largest"* ]]
    EMULATED_MEMORY=20 trained a --crop-size 48 --micro-batch auto --epochs 0 --device cuda
    [[ $stderr == *"micro-batches of 2: the largest"* ]]
    grep 'pad .x1x1' a.safetensors.plans | grep -q ' n2 '
    ! grep 'pad .x1x1' a.safetensors.plans | grep -v ' n2 '
}

@test "blocks that are computed again: the same bits" {
    trained a --device cuda
    cp a.safetensors.plans b.safetensors.plans
    trained b --device cuda --recompute
    cmp a.safetensors b.safetensors
}

@test "features of a model are those of the processor" {
    trained a --device cpu
    for device in cpu cuda; do
        tool teg-extract --model a.safetensors --frames frames.lmdb --type float32 --clip ${frames}x2 --batch 3 --threads 1 \
            --device $device -o $device.lmdb
        expect_status 0
    done
    ! grep 'kernel' cuda.lmdb.plans | grep -v ' n3 ' # the last batch, which is smaller, too
    need_program python3
    local status=0
    python3 "$BATS_TEST_DIRNAME/features.py" same cpu.lmdb cuda.lmdb 1e-4 || status=$?
    [ "$status" -ne 99 ] || skip "no lmdb, numpy, zstandard for Python"
    return "$status"
}

@test "shards are computed on one GPU after the other" {
    [ "${EMULATED:-}" ] || skip "takes GPUs of different names"
    export EMULATED_GPUS=2
    local number gpus=("emulator" "emulator 1" "emulator") # bats has an i of its own
    trained a --device cpu
    for number in 2 3; do
        tool teg-extract --model a.safetensors --frames frames.lmdb --clip ${frames}x2 --shard $number/3 --device cuda -o all.lmdb
        expect_status 0
        [[ $(sed -n 2p all.lmdb.plans) == "${gpus[number - 1]}, "* ]]
    done
}

@test "training with labels: the curve of the processor, in micro-batches" {
    tool teg-sample -q --index "$BATS_FILE_TMPDIR/index.lmdb" --frames frames.lmdb --strategy single --labels class \
        --clip ${frames}x2 --epochs $((steps * batch / videos / 2)) -o single.lmdb
    expect_status 0
    for device in cpu cuda; do
        tool teg-train --task classify --frames frames.lmdb --samples single.lmdb --model r3d-tiny --crop-size $crop \
            --batch $batch --micro-batch $((batch / 2)) --dropout 0.5 --threads 1 --log-every 1 --lr $lr \
            --device $device --log $device.jsonl -o $device.safetensors
        expect_status 0
    done
    overlay cpu cuda 1 2 1e-3
    overlay cpu cuda $((steps / 4)) $((steps / 2)) 0.1
}

@test "processes with a GPU each: what one computes, the same bits twice" {
    [ "${EMULATED:-}" ] || [ "$(nvidia-smi -L | wc -l)" -ge 2 ] || skip "takes two GPUs"
    need_program mpirun
    [ -z "${EMULATED:-}" ] || export EMULATED_GPUS=2
    allow_processes
    run --separate-stderr mpirun -n 2 "$TEG_BIN/tests/unit/helper_processes" cuda
    [[ $stderr != *"no MPI"* && $stderr != *"NCCL"* ]] || skip "built without MPI and NCCL"
    expect_status 0
    [ "${#lines[@]}" -eq "$([ "${EMULATED:-}" ] && echo 6 || echo 8)" ]
    trained one --device cuda --micro-batch $((batch / 2))
    run --separate-stderr mpirun -n 2 "$TEG_BIN/teg-train" "${small[@]}" --device cuda --micro-batch $((batch / 2)) --log a.jsonl \
        -o a.safetensors
    expect_status 0
    [[ $stderr != *"could not be recorded"* ]]
    overlay one a 1 2 1e-4
    [ "$(echo a.*)" = "a.jsonl a.optimizer.safetensors a.safetensors a.safetensors.1.plans a.safetensors.plans" ]
    for rank in '' .1; do
        cp a.safetensors$rank.plans b.safetensors$rank.plans
    done
    mpirun -n 2 "$TEG_BIN/teg-train" -q "${small[@]}" --device cuda --micro-batch $((batch / 2)) -o b.safetensors
    cmp a.safetensors b.safetensors
}

@test "processes that have no GPU of their own" {
    [ "${EMULATED:-}" ] || skip "takes a machine with few GPUs"
    need_program mpirun
    allow_processes
    local device
    for device in auto cuda; do
        run --separate-stderr mpirun -n 2 "$TEG_BIN/teg-train" "${small[@]}" --device $device -o a.safetensors
        [[ $stderr != *"no MPI"* && $stderr != *"NCCL"* ]] || skip "built without MPI and NCCL"
        [ "$status" -ne 0 ]
        [ "$(grep -c "error: device cuda: processes 0 and 1 have one GPU between them: start no more than" <<<"$stderr")" -eq 1 ]
    done
    run --separate-stderr mpirun -n 1 "$TEG_BIN/teg-train" "${small[@]}" -o a.safetensors : \
        -n 1 env EMULATED_GPUS=0 "$TEG_BIN/teg-train" "${small[@]}" -o a.safetensors
    [ "$status" -ne 0 ]
    [ "$(grep -c "error: some processes have a GPU to use and others have none (--device)" <<<"$stderr")" -eq 1 ]
    [ -z "$(compgen -G 'a.*')" ]
    # Each is shown one of its own.
    run --separate-stderr mpirun -n 1 env EMULATED_UUID=a "$TEG_BIN/teg-train" "${small[@]}" --epochs 1 -o a.safetensors : \
        -n 1 env EMULATED_UUID=b "$TEG_BIN/teg-train" "${small[@]}" --epochs 1 -o a.safetensors
    expect_status 0
}

@test "what fails after steps were recorded is said by one of several processes" {
    [ "${EMULATED:-}" ] || [ "$(nvidia-smi -L | wc -l)" -ge 2 ] || skip "takes two GPUs"
    need_program mpirun
    export EMULATED_GPUS=2
    allow_processes
    mkdir disk
    mount -t tmpfs -o size=1m tmpfs disk 2>/dev/null || skip "no file system can be mounted"
    run --separate-stderr mpirun -n 2 "$TEG_BIN/teg-train" "${small[@]}" --log a.jsonl -o disk/a.safetensors
    umount disk
    [[ $stderr != *"no MPI"* && $stderr != *"NCCL"* ]] || skip "built without MPI and NCCL"
    [ "$status" -ne 0 ]
    [ "$(wc -l <a.jsonl)" -eq $steps ]
    [ "$(grep -c 'teg-train: error: disk/a.*: No space left on device' <<<"$stderr")" -eq 1 ]
}
