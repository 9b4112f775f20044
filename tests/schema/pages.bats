#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The pages in schemas/ name what the files hold that the tools write: tensors, metadata, inputs.

bats_require_minimum_version 1.5.0
load ../cli/support

setup_file() {
    export root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    small_videos
    world ava --detections ava/annotations/ava_val_predicted_boxes.csv
    world gebd
    sample pretrain '' --strategy contained --long 8x4 --short 8x2 --labels none
    sample classify '' --strategy single --clip 8x2 --labels class
    sample boundary gebd_ --strategy window --clip 8x2 --step 8 --labels boundaries
    sample localize ava_ --strategy keyframes --clip 8x2
    train pretrain ''
    train classify '' --init pretrain.safetensors
    train boundary gebd_
    train localize ava_
}

setup() {
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
}

# world SET [OPTION...]: SET_index.lmdb, SET_frames.lmdb of a small set; options of teg-index.
world() {
    "$TEG_BIN/teg-synth" -q --dataset "$1" --videos 4 --frames 120 --size 32 -o "$1"
    "$TEG_BIN/teg-index" -q --format "$1" --videos "$1/videos" --annotations "$1/annotations" "${@:2}" -o "$1_index.lmdb"
    "$TEG_BIN/teg-decode" -q --index "$1_index.lmdb" -o "$1_frames.lmdb"
}

# sample TASK PREFIX [OPTION...]: TASK.lmdb of PREFIXindex.lmdb.
sample() {
    "$TEG_BIN/teg-sample" -q --index "$2index.lmdb" --frames "$2frames.lmdb" --epochs 1 --split train "${@:3}" -o "$1.lmdb"
}

# train TASK PREFIX [OPTION...]
train() {
    "$TEG_BIN/teg-train" -q --task "$1" --frames "$2frames.lmdb" --samples "$1.lmdb" --model r3d-tiny --crop-size 32 \
        --batch 2 --threads 1 "${@:3}" -o "$1.safetensors"
}

# The metadata of a model, a JSON object of texts.
metadata() {
    head -c "$((8 + $(od -An -t u8 -N 8 "$1")))" "$1" | tail -c +9 | jq .__metadata__
}

# Words in back-quotes, sorted.
quoted() {
    grep -o '`[^`]*`' | tr -d '`' | sort -u
}

# What a page says about inputs, up to the end of the sentence or column.
inputs_on() {
    grep -o '`inputs`[^|.]*\(| JSON[^|.]*\)*' "$root/schemas/$1.md" | quoted | grep -v '^inputs$'
}

# Names of a store's inputs.
inputs_of() {
    "$TEG_BIN/teg-inspect" show "$1" '!meta' | jq -r '.inputs | keys[]'
}

# Fails unless both lists, the second on stdin, are the same.
same() {
    diff <(echo "$1") <(sort -u)
}

@test "model.md: every tensor of every kind of model, with its shape, and no other" {
    need_program jq
    local task channels classes
    for task in pretrain classify boundary localize; do
        "$TEG_BIN/teg-inspect" ls -l $task.safetensors >list
        channels=$(awk '$NF == "res5.0.bn3.weight" { print $2 }' list | tr -d '[]')
        classes=$(metadata $task.safetensors | jq '.model | fromjson | .n_classes // 0')
        [ "$(metadata $task.safetensors | jq -r '.model | fromjson | .task // "pretrain"')" = $task ]
        awk -v head="$task $channels $classes" 'NR > 1 { print head, $2, $NF }' list
    done >all
    awk -f "$root/tests/schema/tensors.awk" "$root/schemas/model.md" all | tee wrong
    [ ! -s wrong ]
}

@test "model.md: the names of the metadata, of its model and inputs" {
    need_program jq
    local task
    for task in pretrain classify boundary localize; do
        metadata $task.safetensors >$task.json
    done
    sed -n '/^## Metadata/,/^## /s/^| `\([a-z]*\)`.*/\1/p' "$root/schemas/model.md" | sort >named
    same "$(cat named)" < <(jq -r 'keys[]' ./*.json)
    for task in pretrain classify boundary localize; do
        jq -r '.model | fromjson | keys[]' $task.json
    done | sort -u >members
    sed -n 's/^| `model` | JSON: \(.*\)|$/\1/p' "$root/schemas/model.md" | quoted >named
    comm -13 named members | tee wrong
    [ ! -s wrong ]
    same "$(inputs_on model)" < <(jq -r '.inputs | fromjson | keys[]' ./*.json)
}

@test "index.md, frames.md, samples.md, embeddings.md: the names of the inputs" {
    need_program jq
    local extract=("$TEG_BIN/teg-extract" -q --model pretrain.safetensors --frames frames.lmdb --batch 2 --threads 1)
    find synth/videos -name '*.mp4' -printf '%P train\n' >split.txt
    "$TEG_BIN/teg-index" -q --format annotations --annotations synth/annotations.jsonl --videos synth/videos \
        --split split.txt -o split.lmdb
    same "$(inputs_on index)" < <(inputs_of split.lmdb && inputs_of ava_index.lmdb)
    same "$(inputs_on frames)" < <(inputs_of frames.lmdb)
    same "$(inputs_on samples)" < <(inputs_of classify.lmdb)
    "${extract[@]}" --samples classify.lmdb -o a.lmdb
    same $'frames\nmodel\nsamples' < <(inputs_of a.lmdb)
    "${extract[@]}" --index index.lmdb -o b.lmdb
    same $'frames\nindex\nmodel' < <(inputs_of b.lmdb)
    "${extract[@]}" -o c.lmdb
    same $'frames\nmodel' < <(inputs_of c.lmdb)
    same "$(inputs_on embeddings)" < <(inputs_of a.lmdb && inputs_of b.lmdb && inputs_of c.lmdb)
}
