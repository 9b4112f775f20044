#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teg-probe on made-up features. That its numbers are right is tests/unit/test_probe.c's business.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    helper=$TEG_BIN/tests/cli/helper_features
    [ -x "$helper" ] || skip "the helper programs are not built"
}

# features EMBEDDINGS [NAME=VALUE ...]: see helper_features.c; the index is made the first time.
features() {
    "$helper" index.lmdb "$@"
}

# probe [OPTIONS ...]: trains and tests on all.lmdb unless told otherwise.
probe() {
    tool teg-probe --index index.lmdb --labels class -o metrics.json "$@"
}

# value PATH: of the metrics.
value() {
    "$TEG_BIN/teg-inspect" show metrics.json "$1"
}

# Fails the case unless the tool failed with this on stderr.
refused() {
    expect_status 1
    [[ $stderr == *"teg-probe: error: "*"$1"* ]] || { echo "$stderr" && return 1; }
    [ ! -e metrics.json ]
}

@test "wrong usage: status 2 and what is missing" {
    features all.lmdb
    tool teg-probe
    expect_status 2
    [[ $stderr == *"--embeddings STORE is missing"* ]]
    tool teg-probe --embeddings all.lmdb --index index.lmdb --labels class
    expect_status 2
    [[ $stderr == *"-o FILE is missing"* ]]
    tool teg-probe --embeddings all.lmdb --index index.lmdb -o metrics.json
    expect_status 2
    [[ $stderr == *"--labels class|events is missing"* ]]
    for wrong in --labels=verbs --method=svm --lr=-1 --lr=nan --epochs=0 --epochs=x --batch=0 --views-per-epoch=0 --neighbours=0 \
        --temperature=0 --precision=f16 --print=all --max-missing=-1 "--warmup-epochs=100" more; do
        probe --embeddings all.lmdb "$wrong"
        expect_status 2
    done
    for options in "--test all.lmdb" "--similarity s.png"; do
        probe --embeddings all.lmdb --method logits $options
        expect_status 2
        [[ $stderr == *"means nothing with --method logits"* ]]
    done
    [ ! -e metrics.json ]
}

@test "options of another method are wrong usage" {
    features all.lmdb
    for options in "linear --l2 5" "linear --neighbours 3" "logistic --lr 1" "logistic --seed 1" "knn --epochs 3" \
        "knn --lr 1" "knn --views-per-epoch 1" "logistic --views-per-epoch 1" "knn --no-bias" "knn --tolerance 1" "logistic --temperature 1" "linear --max-iterations 3"; do
        read -r method option _ <<<"$options"
        probe --embeddings all.lmdb --method $options
        expect_status 2
        [[ $stderr == *"$option means nothing with --method $method"* ]] || { echo "$options: $stderr" && return 1; }
    done
}

@test "classes apart are told apart by every method" {
    features all.lmdb noise=0.3
    for options in "" --no-bias --normalize=none "--precision bf16" "--method logistic" "--method knn" \
        "--method knn --precision bf16" "--weight-decay 1e-4"; do
        probe --embeddings all.lmdb $options
        expect_status 0
        [ "$(value top1)" = 1.0 ] || { echo "$options: $(value top1)" && return 1; }
        [ "$(value mean_class_accuracy)" = 1.0 ]
    done
}

@test "a direction that all clips share is no obstacle once it is subtracted" {
    features all.lmdb shift=30 noise=0.5 train=200
    for options in "--epochs 20" "--method knn"; do
        probe --embeddings all.lmdb --normalize centred $options
        expect_status 0
        [ "$(value top1)" = 1.0 ]
    done
    probe --embeddings all.lmdb --epochs 20
    expect_status 0
    [ "$(value top1)" != 1.0 ]
}

# 5 standard deviations of 600 decisions with probability 1/4
@test "features without the class give chance" {
    features all.lmdb random=1 train=400 val=600 clips=1
    for method in linear logistic knn; do
        probe --embeddings all.lmdb --method $method
        expect_status 0
        awk -v top1="$(value top1)" 'BEGIN { exit !(top1 > 0.25 - 0.089 && top1 < 0.25 + 0.089) }'
        [ "$(value chance)" = 0.25 ]
    done
}

@test "metrics, pictures and predictions do not depend on the threads, twice the same" {
    features all.lmdb noise=4 train=500 val=100 clips=3 views=2 steps=2 channels=40 classes=7
    for method in linear logistic knn; do
        options=
        [ $method != linear ] || options="--epochs 10 --batch 256"
        for threads in 1 2 3 2; do
            probe --embeddings all.lmdb --method $method $options --threads $threads \
                --confusion confusion.png --similarity similarity.png --predictions predictions.jsonl
            expect_status 0
            for file in metrics.json confusion.png similarity.png predictions.jsonl; do
                [ $threads != 1 ] || mv $file first.$file
                [ $threads = 1 ] || cmp $file first.$file
            done
        done
    done
}

@test "the order of training follows from the seed" {
    features all.lmdb noise=4 train=300
    for seed in 1 2 1; do
        probe --embeddings all.lmdb --batch 64 --epochs 3 --seed $seed
        expect_status 0
        value train/loss
    done >losses
    [ "$(sed -n 1p losses)" = "$(sed -n 3p losses)" ]
    [ "$(sed -n 1p losses)" != "$(sed -n 2p losses)" ]
}

@test "an epoch takes all clips, or so many of each video or event" {
    features all.lmdb events=3 views=4 noise=4 train=40
    steps() {
        probe --embeddings all.lmdb --batch 8 --epochs 3 "$@"
        expect_status 0
        value train/steps
    }
    [ "$(steps)" = $((3 * 480 / 8)) ]
    [ "$(steps --views-per-epoch 1)" = $((3 * 40 / 8)) ]
    [ "$(steps --views-per-epoch 2)" = $((3 * 80 / 8)) ]
    [ "$(steps --views-per-epoch 1000000)" = $((3 * 480 / 8)) ]
    [ "$(steps --labels events --views-per-epoch 1)" = $((3 * 120 / 8)) ]
    [ "$(value settings/views_per_epoch) $(value train/clips)" = "1 480" ]
}

# With one view each, what is drawn is the same whatever the threads and another with another seed.
@test "the clips of an epoch are drawn from the seed" {
    features all.lmdb clips=5 noise=4 train=60
    for run in "1 1" "1 3" "2 1"; do
        probe --embeddings all.lmdb --batch 16 --epochs 5 --views-per-epoch 1 --seed "${run% *}" --threads "${run#* }"
        expect_status 0
        cp metrics.json "seed-${run/ /-threads-}.json"
    done
    cmp seed-1-threads-1.json seed-1-threads-3.json
    run ! cmp -s seed-1-threads-1.json seed-2-threads-1.json
}

@test "events have one decision each" {
    features all.lmdb events=5 views=3 noise=0.3
    probe --embeddings all.lmdb --labels events --confusion confusion.png
    expect_status 0
    [ "$(value top1)" = 1.0 ]
    [ "$(value settings/lr)" = 4.0 ]
    [ "$(value test/decisions)" = 100 ]
    [ "$(value test/clips)" = 300 ]
    [ "$(value moment_cosine/videos)" = 20 ]
    [ "$(value n_classes)" = 3 ]
}

# The same predictions and labels in VidSitu's own files.
official_files() {
    python3 - "$TEG_BIN/teg-inspect" <<'END'
import json, subprocess, sys
lines = [json.loads(line) for line in open("predictions.jsonl", encoding="utf-8")]
videos = sorted({line["video"] for line in lines})
ids = [f"v_{i:06d}_seg_0_10" for i in range(len(videos))]
said = lambda v: json.loads(subprocess.check_output([sys.argv[1], "show", "index.lmdb", v]))["events"]
write = lambda name, value: json.dump(value, open(name, "w", encoding="utf-8"))
write("vseg_split_valid_lb.json", ids)
write("vinfo_valid_lb.json", [{"vid_seg_int": ids[i], "vbid_lst": {f"Ev{k + 1}": event["labels"] for k, event in
                               enumerate(said(v))}} for i, v in enumerate(videos)])
write("pred.json", [{"ann_idx": i, "pred_vbs_ev": [[best["class"] for best in line["best"]] for line in lines
                     if line["video"] == v]} for i, v in enumerate(videos)])
END
}

@test "events with several annotators are scored as VidSitu's" {
    features all.lmdb events=5 raters=12 kinds=8 noise=2 train=60
    probe --embeddings all.lmdb --labels events --epochs 20 --predictions predictions.jsonl
    expect_status 0
    [[ $output == *"top-1, given twice "*"macro recall@5"* ]]
    [ "$(value vidsitu/events) $(value vidsitu/videos)" = "100 20" ]
    awk -v any="$(value vidsitu/official/Per_Ev_Top_1)" -v agreed="$(value vidsitu/min_agree_2/Per_Ev_Top_1)" \
        -v one="$(value top1)" 'BEGIN { exit !(any > agreed && agreed > one) }'
    command -v python3 >/dev/null || skip "python3 is not installed"
    official_files
    value vidsitu >ours
    tool teg-vidsitu-eval --predictions pred.json --annotations . --force -o metrics.json
    expect_status 0
    value vidsitu | cmp - ours
}

@test "events with one annotator each are not" {
    features all.lmdb events=5
    probe --embeddings all.lmdb --labels events
    expect_status 0
    run value vidsitu
    [ "$status" != 0 ]
}

@test "views of a video are averaged: many are right where one is not" {
    local common="noise=6 train=400 val=200 classes=8"
    features train.lmdb store=1 clips=4 $common
    features one.lmdb store=2 clips=1 $common
    features ten.lmdb store=2 clips=10 $common
    for test in one ten; do
        probe --embeddings train.lmdb --test $test.lmdb --epochs 20
        expect_status 0
        value top1
    done >accuracies
    awk 'NR == 1 { one = $1 } NR == 2 { exit !($1 > one + 0.1) }' accuracies
}

@test "what goes to stdout" {
    features all.lmdb noise=0.3
    probe --embeddings all.lmdb
    expect_status 0
    [[ $output == *"top-1                  100.00 %"* ]]
    [ -z "$stderr" ]
    probe --embeddings all.lmdb --print json
    expect_status 0
    [ "$output" = "$(cat metrics.json)" ]
    probe --embeddings all.lmdb --print none
    expect_status 0
    [ -z "$output" ]
    probe --embeddings all.lmdb --verbose
    expect_status 0
    [[ $stderr == *"detail: threads: "*'detail: settings {"labels":"class",'*'"lr":32.0'*"MiB of memory"* ]]
    run bash -c "'$TEG_BIN/teg-probe' --embeddings all.lmdb --index index.lmdb --labels class -o metrics.json >/dev/full"
    expect_status 1
}

@test "what is missing fails, or is listed" {
    features all.lmdb skip=2 bad=3
    probe --embeddings all.lmdb
    refused "2 labelled videos or events have no embeddings, the first is video 'train/000000'"
    probe --embeddings all.lmdb --max-missing 1
    refused "2 labelled videos"
    probe --embeddings all.lmdb --max-missing 2
    expect_status 0
    [[ $stderr == *"teg-probe: warning: 2 labelled videos or events have no embeddings"* ]]
    [[ $stderr == *"teg-probe: warning: 3 videos are bad in the index, the first is 'train/000037'"* ]]
    [ "$(value n_missing)" = 2 ]
    [ "$(value missing/1/video)" = train/000001 ]
    [ "$(value n_bad)" = 3 ]
    [ "$(value bad/0/reason)" = "made up" ]
    [ "$(value train/videos)" = 35 ]
}

@test "splits of which there are no embeddings are not missing" {
    features - unsplit=5
    features all.lmdb unsplit=5
    probe --embeddings all.lmdb
    expect_status 0
    [ "$(value n_missing)" = 0 ]
}

@test "events without embeddings are missing too" {
    features - events=5
    features all.lmdb clips=3 events=0
    probe --embeddings all.lmdb --labels events
    refused "120 labelled videos or events have no embeddings, the first is event 3 of video 'train/000000'"
    probe --embeddings all.lmdb --labels events --max-missing 120
    expect_status 0
    [ "$(value missing/0/event)" = 3 ]
}

@test "videos without a label are listed" {
    features all.lmdb unlabelled=4
    probe --embeddings all.lmdb
    expect_status 0
    [[ $stderr == *"warning: 4 videos have embeddings, but no label"* ]]
    [ "$(value n_unlabelled)" = 4 ]
    [ "$(value unlabelled/3/video)" = train/000003 ]
    [ "$(value train/unlabelled_clips)" = 8 ]
    [ "$(value train/clips)" = 72 ]
}

@test "classes that training lacks" {
    features all.lmdb drop_class=1
    probe --embeddings all.lmdb --max-missing 10
    refused "video 'val/000000' is of class 'class 0', which no training clip in"
    [[ $stderr == *" has: --allow-unseen counts such as wrong" ]]
    probe --embeddings all.lmdb --max-missing 10 --allow-unseen
    expect_status 0
    [[ $stderr == *"warning: 1 classes of the test are not in the training"* ]]
    [ "$(value classes/0/correct)" = 0 ]
    [ "$(value classes/0/n)" = 5 ]
    [ "$(value top1)" = 0.75 ]
    [ "$(value n_classes)" = 3 ]
    [ "$(value chance)" = 0.25 ] # 3/4 of the decisions are of one of 3 classes
}

@test "one class alone is warned of" {
    features all.lmdb classes=1
    probe --embeddings all.lmdb
    expect_status 0
    [[ $stderr == *"warning: all clips of the training are of class 'class 0': there is nothing to tell apart"* ]]
    [ "$(value chance)" = 1.0 ]
}

@test "a video in training and test" {
    features train.lmdb store=1
    features test.lmdb store=3
    probe --embeddings train.lmdb --test test.lmdb
    refused "40 videos are in both train.lmdb and test.lmdb, the first is 'train/000000'"
    probe --embeddings train.lmdb --test test.lmdb --allow-overlap
    expect_status 0
    [ "$(value n_overlap)" = 40 ]
    [ "$(value test/videos)" = 60 ]
}

@test "stores that do not belong together" {
    features train.lmdb store=1
    features other.lmdb store=2 model=2
    probe --embeddings train.lmdb --test other.lmdb
    refused "other.lmdb was made with model "
    features none.lmdb store=2 model=0
    probe --embeddings train.lmdb --test none.lmdb
    refused "none.lmdb was made with model (none), but train.lmdb with model "
    features wide.lmdb store=2 channels=17
    probe --embeddings train.lmdb --test wide.lmdb
    refused "wide.lmdb has 17 channels, but train.lmdb has 16"
    features stranger.lmdb store=2 of_index=2
    probe --embeddings train.lmdb --test stranger.lmdb
    refused "stranger.lmdb was made from index 00000000000000000000000000000000, but index.lmdb is "
    rm index.lmdb
    features - train=39
    features train.lmdb.2 of_index=0 train=39
    tool teg-probe --index index.lmdb --labels class -o metrics.json --embeddings train.lmdb
    refused "train.lmdb was made from index "
}

@test "stores that do not fit the index" {
    features all.lmdb of_index=0
    rm index.lmdb
    features - train=39
    probe --embeddings all.lmdb
    refused "all.lmdb: video 'train/000039' is not in index.lmdb"
    rm index.lmdb
    features - bad=1
    probe --embeddings all.lmdb
    refused "all.lmdb: video 'train/000039' has embeddings, but is bad in index.lmdb: made up"
    rm index.lmdb
    features - events=1
    probe --embeddings all.lmdb --labels events
    refused "all.lmdb: video 'train/000000': clip 1 has no event, index.lmdb lists 1"
    probe --embeddings index.lmdb
    refused "index.lmdb"
    probe --embeddings absent.lmdb
    refused "absent.lmdb"
}

@test "nothing to train or test on" {
    features train.lmdb store=1
    probe --embeddings train.lmdb
    refused "train.lmdb: no clips to test on"
    features test.lmdb store=2
    probe --embeddings test.lmdb
    refused "test.lmdb: no clips to train on"
    rm index.lmdb
    features all.lmdb unlabelled=40 of_index=0
    probe --embeddings all.lmdb
    refused "all.lmdb: no clip to train on has a label in index.lmdb"
    features - events=0
    probe --embeddings all.lmdb --labels events
    refused "index.lmdb: no video has a labelled event"
    rm index.lmdb
    features unsplit.lmdb unsplit=3 store=7
    probe --embeddings unsplit.lmdb
    refused "video 'unsplit/000000' has no split, so a second store must be given for the test"
}

@test "outputs that cannot be made" {
    features all.lmdb clips=1
    probe --embeddings all.lmdb --similarity similarity.png
    refused "no test video has two to 32 clips, so there is no similarity to draw"
    probe --embeddings all.lmdb --confusion absent/confusion.png
    refused "absent/confusion.png"
    tool teg-probe --embeddings all.lmdb --index index.lmdb --labels class -o absent/metrics.json
    refused "absent/metrics.json"
    probe --embeddings all.lmdb --weight-decay 1e6 --lr 1e12
    refused "the loss is not a finite number; try a lower --lr"
}

@test "outputs that cannot be made are refused before training" {
    features all.lmdb clips=1
    for option in "--similarity similarity.png" "--confusion absent/confusion.png" "--predictions absent/p.jsonl" \
        "--predictions metrics.json" "--confusion same.png --similarity same.png"; do
        probe --embeddings all.lmdb --log log.jsonl $option
        refused ""
    done
    [ ! -s log.jsonl ]
    [ -z "$(find . -name '*.png*' -o -name 'p.jsonl*' -o -name 'metrics*')" ]
}

@test "metrics stay where a picture fails after them" {
    [ -c /dev/full ] || skip "there is no /dev/full"
    features all.lmdb
    probe --embeddings all.lmdb --confusion /dev/full
    expect_status 1
    [[ $stderr == *"/dev/full"* ]]
    [ "$(value tool)" = teg-probe ]
}

# probe_leaves FILE OPTIONS ...: a probe with the options leaves FILE alone.
probe_leaves() {
    left_alone "$1" teg-probe --embeddings all.lmdb --index index.lmdb --labels class --print none "${@:2}"
}

@test "outputs replace earlier outputs, other files with --force only" {
    features all.lmdb
    printf 'thoughts of mine\n' >notes
    cp index.lmdb other.lmdb
    probe_leaves other.lmdb -o other.lmdb
    probe_leaves notes -o notes
    probe_leaves notes -o metrics.json --confusion notes
    probe_leaves notes -o metrics.json --similarity notes
    probe_leaves notes -o metrics.json --predictions notes
    [ ! -e metrics.json ]
    : >empty
    for time in 1 2; do
        probe --embeddings all.lmdb --confusion c.png --similarity s.png --predictions p.jsonl
        expect_status 0
    done
    probe_leaves metrics.json -o other.json --predictions metrics.json
    probe_leaves p.jsonl -o p.jsonl
    sed 's/teg-probe/teg-ava-eval/' metrics.json >ava.json
    probe_leaves ava.json -o ava.json
    probe --embeddings all.lmdb -o empty --confusion notes --force
    expect_status 0
    cmp empty metrics.json
    cmp notes c.png
}

@test "the log has a line an epoch" {
    features all.lmdb
    probe --embeddings all.lmdb --epochs 7 --log log.jsonl
    expect_status 0
    [ "$(grep -c '"epoch":' log.jsonl)" = 7 ]
    [ "$(grep -c '"loss":' log.jsonl)" = 7 ]
}

@test "the metrics fit their schema" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "Python's jsonschema is not installed"
    features all.lmdb noise=3 bad=1 skip=1 unlabelled=2
    for options in "" "--method logistic" "--method knn"; do
        probe --embeddings all.lmdb --max-missing 1 $options
        expect_status 0
        [ "$(python3 "$BATS_TEST_DIRNAME/../schema/validate.py" --kind metrics metrics.json)" = "ok metrics.json" ]
    done
    rm index.lmdb
    features rated.lmdb events=2 raters=3
    probe --embeddings rated.lmdb --labels events
    expect_status 0
    [ "$(python3 "$BATS_TEST_DIRNAME/../schema/validate.py" --kind metrics metrics.json)" = "ok metrics.json" ]
}
