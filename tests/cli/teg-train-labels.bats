#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Training with labels: classify, supervised, boundary. Losses and gradients are checked in tests/unit (classifier,
# tune_step); what all tasks share (locks, damage, full disks) in teg-train.bats.

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    small_videos
    sample events events.lmdb --epochs 30 --shuffle --augment none
    sample single classes.lmdb --labels class --epochs 10
    train_quietly --samples events.lmdb --lr 0.05 --dropout 0 --log whole.jsonl -o whole.safetensors
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb "$BATS_FILE_TMPDIR"/whole.* .
}

# sample STRATEGY OUT [OPTION...]: clips of 8 frames.
sample() {
    "$TEG_BIN/teg-sample" -q --index "${index:-index.lmdb}" --frames "${frames:-frames.lmdb}" --strategy "$1" -o "$2" \
        --clip 8x2 "${@:3}"
}

# 20 steps of 4 examples of classes.lmdb; later options win.
small=(--task classify --frames frames.lmdb --samples classes.lmdb --model r3d-tiny --crop-size 32 --batch 4 --threads 1
    --log-every 3)

train_quietly() {
    "$TEG_BIN/teg-train" -q "${small[@]}" --batch 8 "$@"
}

# train OUT [OPTION...]: OUT.safetensors.
train() {
    tool teg-train "${small[@]}" -o "$1.safetensors" "${@:2}"
}

# train that must succeed.
trained() {
    train "$@"
    expect_status 0
    [ -z "$output" ]
}

# train that must fail with words on stderr, and leave nothing behind: refused STATUS WORDS [OPTION...]
refused() {
    train refused "${@:3}"
    expect_error "$1" "$2" || return 1
    ! compgen -G 'refused*' || { echo "$2: files were left" >&2 && return 1; }
}

# Fails unless two models differ in their metadata at most.
same_weights() {
    tool teg-inspect diff "$1.safetensors" "$2.safetensors"
    [[ $stderr == *" members of __metadata__, 0 records, 0 and 0 only in one" ]] || expect_status 0
}

of_the_method() {
    jq -c 'del(.clips_per_second, .waiting_share, .peak_share)' "$1"
}

value() {
    "$TEG_BIN/teg-inspect" show "$1" "$2"
}

# metadata MODEL NAME
metadata() {
    "$TEG_BIN/teg-inspect" show "$1.safetensors" __metadata__ | jq -r ".$2"
}

# Adds a boundary to every video of small_videos where its second event begins; a rater who agrees with nobody
# says otherwise.
boundary_videos() {
    jq -c '.extra = {boundaries: [[0.1, 1.2], [.events[1].start]], consistency: [0.1, 0.9]}' \
        "$BATS_FILE_TMPDIR/synth/annotations.jsonl" >boundaries.jsonl
    "$TEG_BIN/teg-index" -q --format annotations --annotations boundaries.jsonl \
        --videos "$BATS_FILE_TMPDIR/synth/videos" -o bindex.lmdb
    "$TEG_BIN/teg-decode" -q --index bindex.lmdb -o bframes.lmdb
    index=bindex.lmdb frames=bframes.lmdb sample window windows.lmdb --labels boundaries --balance --epochs 20 \
        --augment none
}

@test "usage errors: status 2, one line and a hint" {
    local arguments
    while IFS='|' read -r arguments expected; do
        # shellcheck disable=SC2086 # a list of words
        refused 2 "$expected" $arguments
    done <<END
--objective teg-ps|--objective means nothing with --task classify
--task boundary --head-dim 8|--head-dim means nothing with --task boundary
--task supervised --temperature 0.1|--temperature means nothing with --task supervised
--task pretrain --dropout 0.1|--dropout means nothing with --task pretrain
--task pretrain --init whole.safetensors --freeze-norm|--freeze-norm means nothing with --task pretrain
--task supervised --init whole.safetensors|--task supervised starts from new weights; with --init it is classify
--freeze-norm|--freeze-norm needs the statistics of a model (--init)
--lr 1 --base-lr 1|--lr and --base-lr exclude each other
--base-lr -1|--base-lr: expected a number from 0 to 1e+06, got '-1'
--dropout 1|--dropout: expected a number from 0 to 0.99, got '1'
END
}

@test "what was seen is known: from chance to all events right" {
    jq -es '.[0].accuracy < 0.5 and .[-1].accuracy > 0.9 and .[0].loss > 1.5 and .[-1].loss < 0.5' whole.jsonl
    tool teg-extract -q --model whole.safetensors --frames frames.lmdb --index index.lmdb --clip 8x2 --crop-size 32 \
        -o logits.lmdb
    expect_status 0
    tool teg-probe --method logits --embeddings logits.lmdb --index index.lmdb --labels events -o metrics.json
    expect_status 0
    [ "$(value metrics.json top1)" = 1.0 ]
    [ "$(value metrics.json test/decisions)" = 16 ]
    [[ $output != *"trained on"* ]]
    sample events views.lmdb --crops 3 # square videos: three times the same
    tool teg-extract -q --model whole.safetensors --frames frames.lmdb --samples views.lmdb --crop-size 32 -o views_logits.lmdb
    expect_status 0
    tool teg-probe --method logits --embeddings views_logits.lmdb --index index.lmdb --labels events -o views.json \
        --predictions views.jsonl
    expect_status 0
    [ "$(value views.json test/clips)/$(value views.json test/decisions)/$(value views.json top1)" = 48/16/1.0 ]
    tool teg-probe --method logits --embeddings logits.lmdb --index index.lmdb --labels events -o metrics.json \
        --predictions predictions.jsonl
    [ "$(jq -r '.best[0].class' views.jsonl)" = "$(jq -r '.label' predictions.jsonl)" ]
    if python3 -c 'import jsonschema' 2>/dev/null; then
        [ "$(python3 "$root/tests/schema/validate.py" --kind metrics metrics.json)" = "ok metrics.json" ]
    fi
}

@test "stopped and gone on with: the same bytes, every record once" {
    trained a --log a.jsonl
    train b --log b.jsonl --stop-at 10
    expect_status 1
    [ "$stderr" = "teg-train: stopped: after step 10 of 20; the same command goes on" ]
    [ "$(echo b.*)" = "b.jsonl b.safetensors.part" ]
    trained b --log b.jsonl
    cmp a.safetensors b.safetensors
    cmp a.optimizer.safetensors b.optimizer.safetensors
    diff <(of_the_method a.jsonl) <(of_the_method b.jsonl)
    [ "$(jq -r .step b.jsonl | xargs)" = "3 6 9 12 15 18 20" ]
}

@test "Ctrl-C leaves a checkpoint and says how to go on" {
    local step
    sample single long.lmdb --labels class --epochs 10000
    env --default-signal=INT "$TEG_BIN/teg-train" "${small[@]}" --samples long.lmdb --log-every 1 --log a.jsonl \
        -o a.safetensors 2>error &
    while [ ! -s a.jsonl ]; do sleep 0.05; done
    kill -INT $!
    status=0
    wait $! || status=$?
    expect_status 1
    step=$(wc -l <a.jsonl)
    [ "$(cat error)" = "teg-train: stopped: after step $step of 20000; the same command goes on" ]
    [ "$(echo a.*)" = "a.jsonl a.safetensors.part" ]
}

@test "a checkpoint of another run is refused, with the first difference" {
    train a --stop-at 3
    cp a.safetensors.part kept
    while IFS='|' read -r options expected; do
        # shellcheck disable=SC2086 # a list of words
        train a $options
        expect_error 1 "(--force starts anew): it was begun with $expected"
        cmp a.safetensors.part kept
    done <<END
--dropout 0.4|dropout 0.5, this run has 0.4
--task supervised|task "classify", this run has "supervised"
--base-lr 1|lr 0.00125, this run has 0.00390625
--micro-batch 2|micro_batch 4, this run has 2
--samples events.lmdb|n_classes
END
}

@test "settings that change the result, and those that do not" {
    local options
    trained base --epochs 2
    for options in "--dropout 0" "--micro-batch 2" "--seed 1" "--base-lr 0.5" "--weight-decay 0.1" "--precision bf16"; do
        # shellcheck disable=SC2086 # a list of words
        trained other --epochs 2 --force $options
        ! cmp -s base.safetensors other.safetensors || { echo "$options changed nothing" >&2 && return 1; }
    done
    trained same --epochs 2 --lr 0.00125 --micro-batch 4
    cmp base.safetensors same.safetensors
}

@test "supervised is classify from new weights with settings of its own" {
    trained a --task supervised --epochs 2
    trained b --base-lr 1.6 --weight-decay 1e-4 --dropout 0.2 --epochs 2
    same_weights a b
    [ "$(metadata a settings | jq -r .task)" = supervised ]
    [ "$(metadata a model | jq -r .task)" = classify ]
}

@test "what the model's metadata says" {
    [ "$(metadata whole model | jq -c '[.task, .n_classes, .heads]')" = '["classify",8,[]]' ]
    [ "$(metadata whole classes | jq -r '.[0]')" = "$(value events.lmdb classes | jq -r '.[0]')" ]
    [ "$(metadata whole classes | jq length)" = 8 ]
    [ "$(value whole.safetensors classifier.weight | head -n 1)" = "float32 [8,512]" ]
    [ "$(value whole.safetensors classifier.bias | head -n 1)" = "float32 [8]" ]
}

@test "the log fits its schema" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "Python's jsonschema is not installed"
    split -l 1 whole.jsonl line.
    python3 "$root/tests/schema/validate.py" --kind train-log line.* >verdicts
    [ "$(grep -c '^ok' verdicts)" -eq 20 ] || { cat verdicts && return 1; }
}

@test "from a pre-trained model: its backbone, a new classifier" {
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 --short 8x2 \
        --epochs 1 -o pairs.lmdb
    "$TEG_BIN/teg-train" -q --frames frames.lmdb --samples pairs.lmdb --model r3d-tiny --crop-size 16 --batch 4 \
        --head-width 8 --head-dim 8 --head-layers 1 --lr 0.1 --seed 5 --threads 1 -o pretrained.safetensors
    trained a --init pretrained.safetensors --epochs 0
    [ "$(value a.safetensors res5.0.conv1.weight)" = "$(value pretrained.safetensors res5.0.conv1.weight)" ]
    run ! value a.safetensors fine.0.linear.weight
    trained new --epochs 0
    [ "$(value a.safetensors classifier.weight)" = "$(value new.safetensors classifier.weight)" ]
    trained frozen --init pretrained.safetensors --freeze-norm --epochs 1
    [ "$(value frozen.safetensors res5.0.bn1.running_var)" = "$(value pretrained.safetensors res5.0.bn1.running_var)" ]
    trained moving --init pretrained.safetensors --epochs 1
    [ "$(value moving.safetensors res5.0.bn1.running_var)" != "$(value pretrained.safetensors res5.0.bn1.running_var)" ]
    # And back: projection heads on a fine-tuned backbone.
    "$TEG_BIN/teg-train" -q --frames frames.lmdb --samples pairs.lmdb --model r3d-tiny --crop-size 16 --batch 4 \
        --head-width 8 --head-dim 8 --head-layers 1 --epochs 0 --init whole.safetensors -o back.safetensors
    [ "$(value back.safetensors stem.conv.weight)" = "$(value whole.safetensors stem.conv.weight)" ]
}

@test "a classifier of the same classes is gone on with, any other begins anew" {
    trained same --samples events.lmdb --init whole.safetensors --epochs 0
    same_weights same whole
    trained other --init whole.safetensors --epochs 0
    [ "$(value other.safetensors stem.conv.weight)" = "$(value whole.safetensors stem.conv.weight)" ]
    [ "$(value other.safetensors classifier.weight)" != "$(value whole.safetensors classifier.weight)" ]
    [ "$(metadata other classes)" = "$(value classes.lmdb classes | jq -c .)" ]
}

@test "inputs that do not fit" {
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 --short 8x2 \
        --epochs 1 -o pairs.lmdb
    sample single none.lmdb --labels none --epochs 1
    sample window part.lmdb --labels events --epochs 1
    refused 1 "pairs.lmdb: row 0 of epoch 0 is half of a long-short pair" --samples pairs.lmdb
    refused 1 "none.lmdb: names no classes; training with labels needs samples with targets" --samples none.lmdb
    refused 1 "classes.lmdb: targets are not boundaries (teg-sample --labels boundaries)" --task boundary
    sed 's/"label":"[^"]*"/"label":null/' "$BATS_FILE_TMPDIR/synth/annotations.jsonl" | head -n 4 >some.jsonl
    tail -n 4 "$BATS_FILE_TMPDIR/synth/annotations.jsonl" >>some.jsonl
    sed -i 's/,"label":null//' some.jsonl
    "$TEG_BIN/teg-index" -q --format annotations --annotations some.jsonl --videos "$BATS_FILE_TMPDIR/synth/videos" \
        -o some.lmdb
    "$TEG_BIN/teg-decode" -q --index some.lmdb -o some_frames.lmdb
    index=some.lmdb frames=some_frames.lmdb sample events unlabelled.lmdb --epochs 1
    refused 1 " of epoch 0 has no target: its video or event has no label" --samples unlabelled.lmdb \
        --frames some_frames.lmdb
}

@test "boundaries: what was seen is known, two scores for each window" {
    local video
    boundary_videos
    trained a --task boundary --frames bframes.lmdb --samples windows.lmdb --batch 8 --lr 0.003 --log-every 10 --log a.jsonl
    jq -es '.[0].accuracy < 0.8 and .[-1].accuracy > 0.9' a.jsonl
    [ "$(metadata a model | jq -c '[.task, .n_classes]')" = '["boundary",2]' ]
    [ "$(metadata a classes)" = '["no boundary","boundary"]' ]
    [ "$(value a.safetensors classifier.weight | head -n 1)" = "float32 [2,1024]" ]
    tool teg-extract -q --model a.safetensors --frames bframes.lmdb --index bindex.lmdb --clip 8x2 --crop-size 32 -o a.lmdb
    expect_status 0
    "$TEG_BIN/teg-inspect" show a.lmdb '!meta' | jq -e '.settings | .form == "logits" and .plan.strategy == "window"'
    [ "$("$TEG_BIN/teg-inspect" ls --long a.lmdb | grep -c 'float32 *\[2\]')" -eq $((8 * 14)) ]
    video=$("$TEG_BIN/teg-inspect" ls a.lmdb | awk '$1 == "keys" { print $2 }')
    [ "$("$TEG_BIN/teg-inspect" show a.lmdb "$video" | jq -c '[.clips[].target] | unique')" = '[0,1]' ]
    train b --task boundary --frames bframes.lmdb --samples windows.lmdb --batch 8 --lr 0.003 --stop-at 10
    expect_status 1
    trained b --task boundary --frames bframes.lmdb --samples windows.lmdb --batch 8 --lr 0.003
    cmp a.safetensors b.safetensors
    index=bindex.lmdb frames=bframes.lmdb sample window odd.lmdb --clip 6x2 --labels boundaries --balance
    refused 1 "the 3 feature steps of a clip cannot be cut into 2 equal parts" --task boundary --frames bframes.lmdb \
        --samples odd.lmdb
}

@test "scores are those of PyTorch" {
    need_program python3
    sample events test.lmdb
    "$TEG_BIN/teg-extract" -q --model whole.safetensors --frames frames.lmdb --samples test.lmdb --crop-size 32 \
        -o scores.lmdb
    status=0
    OMP_NUM_THREADS=1 python3 "$root/tests/cli/features.py" scores whole.safetensors frames.lmdb test.lmdb 32 1e-4 \
        scores.lmdb || status=$?
    [ "$status" -ne 99 ] || skip "no PyTorch, safetensors, lmdb, numpy, zstandard for Python"
    expect_status 0
}

@test "features of a fine-tuned model, and what scores need" {
    tool teg-extract -q --model whole.safetensors --frames frames.lmdb --index index.lmdb --clip 8x2 --crop-size 32 \
        --form pooled -o features.lmdb
    expect_status 0
    [ "$("$TEG_BIN/teg-inspect" ls --long features.lmdb | grep -c 'float16 *\[512\]')" -eq 16 ]
    tool teg-probe --method logits --embeddings features.lmdb --index index.lmdb --labels events -o metrics.json
    expect_error 1 "features.lmdb: holds features, no class scores (teg-extract --form logits)"
    tool teg-extract -q --model whole.safetensors --frames frames.lmdb --index index.lmdb --clip 8x2 --crop-size 32 \
        --type float16 -o half.lmdb
    expect_status 0
    [ "$("$TEG_BIN/teg-inspect" ls --long half.lmdb | grep -c 'float16 *\[8\]')" -eq 16 ]
    tool teg-probe --method logits --embeddings half.lmdb --index index.lmdb --labels class -o metrics.json
    expect_error 1 "half.lmdb: score 0 is of class '"
    sed 's/"classes":/"klasses":/' whole.safetensors >nameless
    tool teg-extract -q --model nameless --frames frames.lmdb --index index.lmdb -o nameless.lmdb
    expect_error 1 "nameless: metadata: member 'classes' is missing"
}
