#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# People and their actions, from AVA's files to mean average precision: samples with boxes, training, scores, evaluation. The
# action transformer's numbers are checked in tests/unit (localizer), boxes in crops there too (clip_boxes).

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    "$TEG_BIN/teg-synth" -q --dataset ava --videos 6 --frames 150 --size 48 -o world
    "$TEG_BIN/teg-index" -q --format ava --videos world/videos --annotations world/annotations \
        --detections world/annotations/ava_val_predicted_boxes.csv -o index.lmdb
    "$TEG_BIN/teg-decode" -q --index index.lmdb --short-side 48 -o frames.lmdb
    sample train.lmdb --shuffle --augment linear --split train --epochs 30
    sample people.lmdb --augment none --boxes detected --split val
    sample annotated.lmdb --augment none --split train
    "$TEG_BIN/teg-train" -q "${small[@]}" --log whole.jsonl -o whole.safetensors
}

setup() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb "$BATS_FILE_TMPDIR"/whole.* "$BATS_FILE_TMPDIR/world" .
}

sample() {
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy keyframes --clip 8x2 -o "$@"
}

small=(--task localize --frames frames.lmdb --samples train.lmdb --model r3d-tiny --crop-size 32 --batch 4 --threads 1
    --lr 0.05 --log-every 1)

# train OUT [OPTION...]: OUT.safetensors; later options win.
train() {
    tool teg-train "${small[@]}" -o "$1.safetensors" "${@:2}"
}

trained() {
    train "$@"
    expect_status 0
}

# extracted OUT [OPTION...]
extracted() {
    tool teg-extract --frames frames.lmdb --samples people.lmdb --batch 4 --threads 1 -o "$1.lmdb" "${@:2}"
    expect_status 0
}

evaluated() {
    tool teg-ava-eval --annotations world/annotations/ava_val_v2.2.csv --rules slowfast -o "$1.json" \
        --labels world/annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt "${@:2}"
    expect_status 0
}

@test "samples: a clip for each key frame with somebody in it, the boxes beside them" {
    tool teg-inspect show train.lmdb boxes
    expect_status 0
    [[ ${lines[0]} == *"of 11 columns"* ]]
    [ "$("$TEG_BIN/teg-inspect" show train.lmdb classes | grep -c '"')" -gt 5 ]
    tool teg-inspect verify train.lmdb
    expect_status 0
    tool teg-sample --index index.lmdb --frames frames.lmdb --strategy keyframes --boxes detected --split train -o none.lmdb
    expect_error 1 "no key frame has a detected box (--boxes)"
    tool teg-sample --index index.lmdb --frames frames.lmdb --strategy uniform --labels actions -o none.lmdb
    expect_error 2 "actions labels belong to the boxes of strategy keyframes, not of uniform"
    tool teg-sample --index index.lmdb --frames frames.lmdb --strategy uniform --boxes detected -o none.lmdb
    expect_error 2 "--boxes means nothing with --strategy uniform"
    tool teg-sample --index index.lmdb --frames frames.lmdb --strategy keyframes --box-score 0.5 -o none.lmdb
    expect_error 2 "--box-score belongs to --boxes detected"
    tool teg-sample --index index.lmdb --frames frames.lmdb --strategy keyframes --crops 3 -o none.lmdb
    expect_error 2 "strategy keyframes takes one crop a clip: a person has one score"
    tool teg-sample --index index.lmdb --frames frames.lmdb --strategy keyframes --labels none -o none.lmdb
    expect_status 0
}

@test "key frames outside of the video, boxes outside of the picture" {
    cp -rH world odd
    local val=odd/annotations/ava_val_v2.2.csv id
    id=$(head -n 1 $val | cut -d, -f1)
    echo "$id,1798,0.1,0.1,0.5,0.5,$(head -n 1 $val | cut -d, -f7),1" >>$val
    tool teg-index --format ava --videos odd/videos --annotations odd/annotations -o odd.lmdb
    expect_status 0
    tool teg-decode --index odd.lmdb --short-side 48 -o odd_frames.lmdb
    tool teg-sample --index odd.lmdb --frames odd_frames.lmdb --strategy keyframes --split val -o odd_samples.lmdb
    expect_status 0
    [[ $stderr == *"warning: 1 of "*" clips are of moments outside of their video and show its end"* ]]
    echo "$id,0902,10,20,110,220,$(head -n 1 $val | cut -d, -f7),1" >>$val
    tool teg-index --format ava --videos odd/videos --annotations odd/annotations -o bad.lmdb
    expect_error 1 "a corner is no share of the picture"
}

@test "an interrupted samples store ends with the same bytes" {
    local n
    for n in 1 2 3; do
        "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy keyframes --clip 8x2 --shuffle \
            --augment linear --split train --epochs 30 -o again.lmdb &
        sleep "0.0$n"
        kill -9 $! 2>/dev/null || true
        wait $! || true
    done
    [ -e again.lmdb ] || sample again.lmdb --shuffle --augment linear --split train --epochs 30
    cmp again.lmdb train.lmdb
}

@test "training: the loss falls, a stopped run ends with the same bytes" {
    local first last
    first=$(jq .loss whole.jsonl | head -n 4 | jq -s 'add / length')
    last=$(jq .loss whole.jsonl | tail -n 4 | jq -s 'add / length')
    jq -n "$last < 0.8 * $first" | grep -q true
    [ "$(jq 'select(.boxes <= 0 or .accuracy)' whole.jsonl)" = "" ]
    train a --stop-at 3
    trained a
    cmp a.safetensors whole.safetensors
}

@test "micro-batches come to the same gradient where the statistics are frozen" {
    trained base --lr 0 --epochs 1
    trained a --init base.safetensors --freeze-norm --dropout 0 --epochs 1 --log a.jsonl
    trained b --init base.safetensors --freeze-norm --dropout 0 --epochs 1 --micro-batch 2 --log b.jsonl
    [[ $stderr != *"batch normalisation"* ]]
    [ "$(jq -r '.loss * 1e4 | round' a.jsonl | xargs)" = "$(jq -r '.loss * 1e4 | round' b.jsonl | xargs)" ]
}

@test "scores: one entry a person, the same bytes in any batch and after a stop; evaluated" {
    extracted scores --model whole.safetensors
    [[ $stderr == *" people of "*" videos, "* ]]
    tool teg-inspect verify scores.lmdb
    expect_status 0
    "$TEG_BIN/teg-inspect" show scores.lmdb '!meta' | jq -e '.settings.task == "localize"'
    "$TEG_BIN/teg-extract" -q --frames frames.lmdb --samples people.lmdb --batch 4 --threads 1 --model whole.safetensors \
        -o again.lmdb &
    sleep 0.3
    kill -9 $! 2>/dev/null || true
    wait $! || true
    [ -e again.lmdb ] || extracted again --model whole.safetensors
    cmp again.lmdb scores.lmdb
    evaluated a --scores scores.lmdb --csv det.csv
    evaluated a --scores scores.lmdb --csv det.csv
    evaluated b --predictions det.csv
    [ "$(jq -c '[.mAP, .classes]' a.json)" = "$(jq -c '[.mAP, .classes]' b.json)" ]
    [ "$(wc -l <det.csv)" = "$(jq .predictions.rows a.json)" ]
}

@test "actions without names are scored by their numbers" {
    cp -r world/annotations unnamed
    rm unnamed/*.pbtxt
    tool teg-index --format ava --videos world/videos --annotations unnamed -o unnamed.lmdb
    expect_status 0
    "$TEG_BIN/teg-decode" -q --index unnamed.lmdb --short-side 48 -o unnamed_frames.lmdb
    "$TEG_BIN/teg-sample" -q --index unnamed.lmdb --frames unnamed_frames.lmdb --strategy keyframes --clip 8x2 --split train \
        -o unnamed_train.lmdb
    trained a --frames unnamed_frames.lmdb --samples unnamed_train.lmdb
    extracted scores --model a.safetensors
    evaluated a --scores scores.lmdb --csv det.csv
    [ "$(cut -d, -f7 det.csv | sort -nu | xargs)" = "1 3 4 11 12 14 17 80" ]
}

# Boxes that were annotated and are scored right are found, whatever the order of the classes.
@test "a perfect prediction scores 100 %" {
    awk -F, -v OFS=, '{ print $1, $2, $3, $4, $5, $6, $7, 1 }' world/annotations/ava_val_v2.2.csv >perfect.csv
    evaluated a --predictions perfect.csv
    jq -e ".mAP == 1" a.json
}

@test "what does not fit is refused" {
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy uniform --labels none --clips 1 --clip 8x2 -o plain.lmdb
    train a --samples plain.lmdb
    expect_error 1 "plain.lmdb: holds no actions of boxes; training needs those of teg-sample --strategy keyframes"
    train a --samples people.lmdb
    expect_error 1 "people.lmdb: its boxes are a detector's, who knows no actions (teg-sample --boxes)"
    tool teg-extract --model whole.safetensors --frames frames.lmdb -o a.lmdb
    expect_error 1 "whole.safetensors scores people: it needs clips with boxes (--samples)"
    tool teg-extract --model whole.safetensors --frames frames.lmdb --samples plain.lmdb -o a.lmdb
    expect_error 1 "plain.lmdb: holds no boxes; teg-sample --strategy keyframes makes some"
    extracted pooled --model whole.safetensors --form pooled
    tool teg-ava-eval --scores pooled.lmdb --annotations world/annotations/ava_val_v2.2.csv --rules slowfast -o x.json \
        --labels world/annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt
    expect_error 1 "pooled.lmdb: holds no scores of people"
    tool teg-ava-eval --scores a --predictions b --annotations c --labels d --rules slowfast -o e
    expect_error 2 "--predictions and --scores exclude each other"
    tool teg-ava-eval --predictions b --csv a --annotations c --labels d --rules slowfast -o e
    expect_error 2 "--csv belongs to --scores"
}
