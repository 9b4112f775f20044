#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Training on a GPU: the processor's losses, the same bits twice and after a stop. Single operations are held to plain loops in
# tests/ops.

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    small_videos
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --labels none --long 8x4 --short 8x2 \
        --epochs 25 -o samples.lmdb
    "$TEG_BIN/teg-train" -q "${small[@]}" --device cuda --epochs 0 -o probe.safetensors 2>reason || true
}

setup() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    [ -e "$BATS_FILE_TMPDIR/probe.safetensors" ] || skip "$(head -n 1 "$BATS_FILE_TMPDIR/reason")"
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb .
}

# 50 steps of 4 examples.
small=(--frames frames.lmdb --samples samples.lmdb --model r3d-tiny --crop-size 32 --batch 4 --head-width 32 --head-dim 16
    --head-layers 1 --lr 0.002 --threads 1 --log-every 1)

# trained OUT [OPTION...]: OUT.safetensors, OUT.jsonl
trained() {
    tool teg-train "${small[@]}" --log "$1.jsonl" -o "$1.safetensors" "${@:2}"
    expect_status 0
}

# Fails where the losses of two logs are further apart than a tolerance in the first N steps: overlay A B N TOLERANCE
overlay() {
    paste <(jq .loss "$1.jsonl") <(jq .loss "$2.jsonl") | head -n "$3" | awk -v most="$4" '
        { d = $1 - $2; d = d < 0 ? -d : d; if (d > most * $1) { print "step " NR ": " $1 " and " $2; bad = 1 } } END { exit bad }'
}

# Fails where the means of two logs are further apart than a tolerance: near A B TOLERANCE
near() {
    paste <(jq .loss "$1.jsonl") <(jq .loss "$2.jsonl") | awk -v most="$3" '{ a += $1; b += $2 }
        END { d = a - b; d = d < 0 ? -d : d; if (d > most * a) { print "means " a / NR ", " b / NR; exit 1 } }'
}

@test "fifty steps in float32: the curve of the processor" {
    trained cpu --device cpu
    trained cuda --device cuda
    overlay cpu cuda 5 1e-4
    overlay cpu cuda 50 2e-2
}

@test "bfloat16 and tf32 stay near" {
    trained cpu --device cpu
    trained low --device cuda --precision bf16
    trained tensor --device cuda --precision tf32
    near cpu low 0.05
    near cpu tensor 0.05
}

@test "the same bits twice, and after a stop, with the plans that were measured" {
    trained a --device cuda
    cp a.safetensors.plans b.safetensors.plans
    cp a.safetensors.plans c.safetensors.plans
    trained b --device cuda
    cmp a.safetensors b.safetensors
    tool teg-train "${small[@]}" --device cuda --log c.jsonl -o c.safetensors --stop-at 20
    trained c --device cuda
    cmp a.safetensors c.safetensors
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
        tool teg-extract --model a.safetensors --frames frames.lmdb --type float32 --clip 8x2 --batch 4 --threads 1 \
            --device $device -o $device.lmdb
        expect_status 0
    done
    need_program python3
    local status=0
    python3 "$BATS_TEST_DIRNAME/features.py" same cpu.lmdb cuda.lmdb 1e-4 || status=$?
    [ "$status" -ne 99 ] || skip "no lmdb, numpy, zstandard for Python"
    return "$status"
}
