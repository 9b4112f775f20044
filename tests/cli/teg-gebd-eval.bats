#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teg-gebd-eval on small made-up files. That its numbers are the official ones is tests/unit/test_gebd.c's business.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$TREE" && realpath "$TEG_BIN")
    SHARED=$(cd "$TREE" && realpath -m "$SHARED")
}

# Ground truth of three videos (one skipped) and predictions of the first.
small() {
    local video='"fps":25,"video_duration":10.0,"num_frames":250,"f1_consis":[0.5,0.6],"substages_timestamps":[[2.0],[1,2.0,3]],"substages_myframeidx":[[50.0],[25,50.0,75]]'
    echo "{\"a\":{$video,\"f1_consis_avg\":0.5,\"path_frame\":\"c/a_000000_000010\"},
 \"b\":{$video,\"f1_consis_avg\":0.5},\"c\":{$video,\"f1_consis_avg\":0.1}}" >gt.json
    echo '{"a":[3.2,1,5],"x":[1]}' >pred.json
}

# evaluate [OPTIONS ...]: predictions of pred.json by the challenge's rules unless told otherwise.
evaluate() {
    tool teg-gebd-eval --annotations gt.json -o metrics.json "$@"
}

challenge() {
    evaluate --rules challenge --predictions pred.json "$@"
}

# value PATH: of the metrics.
value() {
    "$TEG_BIN/teg-inspect" show metrics.json "$1"
}

@test "a file named like the output and .tmp is left alone, as an input too" {
    small
    mv pred.json metrics.json.tmp
    cp metrics.json.tmp before
    evaluate --rules challenge --predictions metrics.json.tmp
    expect_status 0
    cmp metrics.json.tmp before
    [ "$(echo metrics.json*)" = "metrics.json metrics.json.tmp" ]
    ln -s gt.json out.json.tmp
    cp gt.json before
    evaluate --rules challenge --predictions metrics.json.tmp -o out.json
    expect_status 0
    cmp gt.json before
}

@test "wrong usage: status 2 and what is missing" {
    small
    tool teg-gebd-eval
    expect_error 2 "--annotations FILE is missing"
    evaluate --rules challenge
    expect_error 2 "--predictions FILE or --scores FILE is missing"
    evaluate --predictions pred.json
    expect_error 2 "--rules challenge|notebook is missing"
    tool teg-gebd-eval --annotations gt.json --predictions pred.json --rules challenge
    expect_error 2 "-o FILE is missing"
    challenge --scores s.json
    expect_error 2 "--predictions and --scores exclude each other"
    challenge --plot a
    expect_error 2 "--plot-output FILE is missing"
    challenge --plot-output a.png
    expect_error 2 "--plot ID is missing"
    challenge --frames frames.lmdb
    expect_error 2 "--frames needs --plot"
    challenge --embeddings e.lmdb
    expect_error 2 "--embeddings needs --detect pa"
    evaluate --rules challenge --scores s.json --unit seconds
    expect_error 2 "--unit: scores have times of their own"
    for option in --shot-threshold:shots --min-scene:shots --smooth:pa --scale:pa; do
        challenge "${option%:*}" 3
        expect_error 2 "${option%:*} needs --detect ${option#*:}"
    done
    challenge --distance 0.07
    expect_error 2 "--distance: expected 0.05, 0.1, 0.15 ... 0.5, got '0.07'"
    for wrong in --rules=house --unit=minutes --downsample=0 --grouping=mine --score-threshold=2 --print=all more; do
        challenge "$wrong"
        expect_status 2
    done
    [ ! -e metrics.json ]
}

@test "the metrics, the table and its headline" {
    small
    challenge
    expect_status 0
    [[ ${lines[0]} == "event boundaries, challenge rules, videos: 2, without prediction: 1 (their boundaries count as missed)" ]]
    [[ ${lines[2]} == "0.05"*" 66.67     50.00     57.14" ]]
    [[ ${lines[13]} == "left out as raters disagree: 1, predictions of other videos: 1" ]]
    [[ $stderr == *"videos without prediction: 1 of 2, the first is 'b'"*"predictions of videos that are not in gt.json: 1"* ]]
    [ "$(value n_videos) $(value n_scored) $(value n_missing) $(value n_skipped) $(value n_extra)" = "3 1 1 1 1" ]
    [ "$(value missing/0)" = b ]
    [ "$(value thresholds/0/tp) $(value thresholds/0/n_positive) $(value thresholds/0/n_detected)" = "2 4 3" ]
    challenge --print none
    [ -z "$output" ]
    challenge --print json
    [ "$output" = "$(cat metrics.json)" ]
    evaluate --rules notebook --predictions pred.json --unit seconds -q
    [[ ${lines[0]} == *"notebook rules, videos: 2, without prediction: 1 (not counted)" ]]
}

@test "both units and both forms of predictions give the same" {
    small
    challenge --print none
    value thresholds >first
    printf 'a\t3.2,1,5\nx\t1\n' >pred.tsv
    evaluate --rules challenge --predictions pred.tsv
    value thresholds | cmp - first
    echo '{"c/a_000000_000010":[80,25,125]}' >pred.json
    challenge --unit frames --downsample 1
    value thresholds | cmp - first
    [ "$(value settings/unit) $(value settings/downsample) $(value n_extra)" = "frames 1.0 0" ]
}

@test "a line on each video" {
    small
    challenge --per-video videos.tsv --distance 0.1
    expect_status 0
    diff - videos.tsv <<-END
		video	state	rater	tp	positives	detections	f1
		a	scored	1	2	3	3	0.6667
		b	missing	-	0	1	0	-
		c	skipped	-	0	0	0	-
	END
}

# detect METHOD [OPTIONS ...]: into found.json.
detect() {
    tool teg-gebd-eval -o found.json --detect "$@"
}

@test "scores are grouped, by the paper or as in the official example" {
    small
    echo '{"a":{"frame_idx":[25,50,75,100,125,150],"scores":[0.1,0.5,0.9,0.4,0.6,0.7]},"y":{"frame_idx":[],"scores":[]}}' >s.json
    detect scores --scores s.json --annotations gt.json
    expect_status 0
    [[ -z $output && $stderr == *"warning: videos left out as they are not in gt.json: 1"*"boundaries: 2, videos: 1" ]]
    [ "$(cat found.json)" = '{"a": [2.5,5.5]}' ]
    evaluate --rules challenge --predictions found.json --print none
    value thresholds >by_predictions
    evaluate --rules challenge --scores s.json
    expect_status 0
    value thresholds | cmp - by_predictions
    [ "$(value settings/grouping) $(value settings/score_threshold) $(value n_extra)" = "paper 0.5 1" ]
    detect scores --scores s.json --annotations gt.json --grouping official --score-threshold 0.6
    [ "$(cat found.json)" = '{"a": [3.0,5.0]}' ]
    evaluate --rules notebook --scores s.json --grouping official --score-threshold 0.6
    [ "$(value settings/rules) $(value settings/grouping)" = "notebook official" ]
    rm found.json
    detect scores --scores s.json
    expect_error 1 "s.json: scores in JSON have times only with the annotations' frame rates (--annotations)"
    [ ! -e found.json ]
}

@test "scores from a store, and a picture with frames" {
    [ -x "$TEG_BIN/tests/cli/helper_embeddings" ] || skip "the helper programs are not built"
    small
    echo '{"c/a_000000_000010":[{"centre":1,"clip":0,"values":[2,1]},{"centre":1.5,"clip":1,"values":[0,3]},
        {"centre":2,"clip":2,"values":[1,1]}]}' >clips.json
    "$TEG_BIN/tests/cli/helper_embeddings" clips.json scores.lmdb
    detect scores --scores scores.lmdb
    [ "$(cat found.json)" = '{"c/a_000000_000010": [1.75]}' ]
    evaluate --rules challenge --scores scores.lmdb --plot a --plot-output a.png
    expect_status 0
    [ "$(value thresholds/0/tp)" = 1 ]
    [ "$(value inputs/scores)" = "$("$TEG_BIN/teg-inspect" ls scores.lmdb | sed -n 's/^identity *//p')" ]
    [ "$(head -c 4 a.png | tail -c 3)" = PNG ]
    small_videos
    id=$("$TEG_BIN/teg-inspect" ls frames.lmdb | sed -n 's/^keys *//p')
    sed -i "s|c/a_000000_000010|$id|" gt.json
    challenge --plot a --plot-output b.png --frames frames.lmdb
    expect_status 0
    [ "$(stat -c %s b.png)" -gt "$(stat -c %s a.png)" ]
    challenge --plot b --plot-output b.png --frames frames.lmdb
    expect_status 1
    [[ $stderr == *"error: frames.lmdb: there is no video 'b'" ]]
    challenge --plot z --plot-output b.png
    expect_status 1
    [[ $stderr == *"error: gt.json: there is no video 'z'" ]]
}

@test "the result does not depend on the threads, twice the same; plain Python agrees" {
    need_program python3
    python3 "$TREE/tests/bench/make_gebd.py" . 700 5
    challenge --threads 1 --per-video first.tsv
    mv metrics.json first.json
    for threads in 2 3 7; do
        challenge --threads $threads --per-video again.tsv
        expect_status 0
        cmp metrics.json first.json
        cmp first.tsv again.tsv
    done
    for rules in challenge notebook; do
        [ $rules = challenge ] || python3 -c '
import json
found = json.load(open("pred.json"))
json.dump({k: [int(t * 25 / 3) for t in v] for k, v in found.items() if hash(len(v)) % 5}, open("pred.json", "w"))'
        evaluate --rules $rules --predictions pred.json
        python3 "$TREE/tests/oracle/gebd.py" gt.json pred.json $rules >peer.json
        python3 -c '
import json
ours, peer = json.load(open("metrics.json")), json.load(open("peer.json"))
assert len(peer) == 4 and all(ours[name] == peer[name] for name in peer)'
    done
}

@test "cuts between shots, and unpredictable moments" {
    [ -x "$TEG_BIN/tests/cli/helper_embeddings" ] || skip "the helper programs are not built"
    small_videos
    detect shots --frames frames.lmdb --threads 1
    expect_status 0
    [ "$(wc -l <found.json)" = 8 ]
    mv found.json first.json
    detect shots --frames frames.lmdb --threads 3
    cmp found.json first.json
    detect shots --frames frames.lmdb --shot-threshold 255 -q
    expect_status 0
    [[ -z $stderr ]] && ! grep -q '[0-9]\]' found.json
    awk 'BEGIN {
        printf "{\"v\":["
        for (i = 0; i < 80; i++)
            printf "%s{\"centre\":%.2f,\"clip\":%d,\"values\":[[%d,0],[%d,0],[%d,0],[%d,0]]}", i ? "," : "", i * 0.12, i,
                (i > 38), (i > 39), (i > 40), (i > 41)
        print "]}"
    }' >clips.json
    "$TEG_BIN/tests/cli/helper_embeddings" clips.json windows.lmdb
    detect pa --embeddings windows.lmdb --smooth 1 --scale 4
    expect_status 0
    [[ $(cat found.json) =~ (4\.6|4\.7|4\.8|4\.9) ]]
    detect pa --embeddings frames.lmdb
    expect_error 1 "frames.lmdb: holds frames, not embeddings"
}

@test "detecting: wrong usage" {
    small
    detect edges
    expect_status 2
    detect shots
    expect_error 2 "--detect shots needs --frames"
    detect pa
    expect_error 2 "--detect pa needs --embeddings"
    detect pa --frames frames.lmdb
    expect_error 2 "--frames means nothing with --detect pa"
    detect scores --scores s.json --prepare raw.json
    expect_error 2 "means nothing with --prepare"
    detect scores --scores s.json --rules challenge
    expect_error 2 "--rules means nothing with --detect scores"
    tool teg-gebd-eval --detect shots --frames frames.lmdb
    expect_error 2 "-o FILE is missing"
    for wrong in --annotations=gt.json --predictions=pred.json --distance=0.1 --print=none --grouping=paper --smooth=3 \
        --embeddings=e.lmdb --scores=s.json; do
        detect shots --frames frames.lmdb "$wrong"
        expect_error 2 "${wrong%=*} means nothing with --detect shots"
    done
    for wrong in --shot-threshold=-1 --min-scene=x --smooth=0 --scale=nan; do
        detect shots --frames frames.lmdb "$wrong"
        expect_status 2
    done
}

# eval_leaves FILE OPTIONS ...: an evaluation with the options leaves FILE alone.
eval_leaves() {
    left_alone "$1" teg-gebd-eval --annotations gt.json --predictions pred.json --rules challenge "${@:2}"
}

@test "outputs replace earlier outputs, other files with --force only" {
    small
    "$TEG_BIN/teg-synth" -q --dataset events --videos 1 --events 1 --frames 8 --size 32 --codec mpeg4 -o synth
    "$TEG_BIN/teg-index" -q --videos synth/videos -o index.lmdb
    printf 'thoughts of mine\n' >notes
    echo '{"a":{"frame_idx":[25,50],"scores":[0.1,0.5]}}' >s.json
    local change='"start_time":3,"end_time":4,"label":"EventChange (Timestamp/Range): Multiple"'
    echo "{\"a\":{\"fps\":25,\"video_duration\":10.0,\"num_frames\":250,\"path_video\":\"a.mp4\",\"f1_consis_avg\":0.5,
        \"f1_consis\":[1,1,1],\"substages_timestamps\":[[{$change}],[],[]]}}" >raw.json
    eval_leaves index.lmdb -o index.lmdb
    eval_leaves notes -o metrics.json --per-video notes
    eval_leaves notes -o metrics.json --plot a --plot-output notes
    eval_leaves s.json -o s.json
    left_alone index.lmdb teg-gebd-eval --detect scores --scores s.json --annotations gt.json -o index.lmdb
    left_alone notes teg-gebd-eval --prepare raw.json -o notes
    [ ! -e metrics.json ]
    for _ in 1 2; do
        challenge --per-video videos.tsv --plot a --plot-output a.png
        expect_status 0
        detect scores --scores s.json --annotations gt.json
        expect_status 0
        tool teg-gebd-eval --prepare raw.json -o made.json
        expect_status 0
    done
    eval_leaves found.json -o found.json
    left_alone made.json teg-gebd-eval --detect scores --scores s.json --annotations gt.json -o made.json
    left_alone metrics.json teg-gebd-eval --detect scores --scores s.json --annotations gt.json -o metrics.json
    left_alone found.json teg-gebd-eval --prepare raw.json -o found.json
    challenge -o index.lmdb --per-video notes --force
    expect_status 0
    cmp <(sed 's/index.lmdb/metrics.json/' index.lmdb) metrics.json
    cmp notes videos.tsv
    detect scores --scores s.json --annotations gt.json -o index.lmdb --force
    expect_status 0
    cmp index.lmdb found.json
    tool teg-gebd-eval --prepare raw.json -o index.lmdb --force
    expect_status 0
    cmp index.lmdb made.json
}

@test "raw annotations become ground truth" {
    local change='"start_time":3,"end_time":4,"label":"EventChange (Timestamp/Range): Multiple"'
    local clock='"fps":25,"video_duration":10.0,"num_frames":250.0,"path_video":"c/a.mp4","f1_consis_avg":0.5,"f1_consis":[1,1,1]'
    echo "{\"a\\\"\":{$clock,\"substages_timestamps\":[[{$change}],[],[]]},\"b\":{\"substages_timestamps\":[]},
        \"c\":{\"substages_timestamps\":[[],[],[]]},\"d\":{$clock,\"substages_timestamps\":[[],[],[{$change}]]}}" >raw.json
    tool teg-gebd-eval --prepare raw.json -o gt.json
    expect_status 0
    [ -z "$output" ]
    [[ $stderr == *"fewer than three raters: 1; as fps, "*" is not known: 1"*"gt.json: videos: 2" ]]
    [ "$("$TEG_BIN/teg-inspect" show gt.json d/substages_timestamps/2/0)" = 3.5 ]
    grep -q '^{"a\\"": {"num_frames":250,"path_video":"c/a.mp4","fps":25,.*"substages_myframeidx":\[\[87.0\],\[\],\[\]\]' gt.json
    echo '{"d":[3.5]}' >pred.json
    challenge
    [ "$(value n_scored) $(value mean_precision) $(value mean_recall)" = "1 1.0 0.5" ]
    tool teg-gebd-eval --prepare gt.json -o again.json
    expect_error 1 "gt.json: video 'a\"': member 'substages_timestamps': rater 0: change 0: expected an object"
    [ ! -e again.json ]
    tool teg-gebd-eval --prepare raw.json
    expect_error 2 "-o FILE is missing"
    challenge --prepare raw.json
    expect_error 2 "--annotations means nothing with --prepare"
    for option in --annotations=none --predictions=none --scores=none --frames=none --embeddings=none --rules=challenge \
        --distance=0.1 --print=none --unit=frames --downsample=2 --grouping=paper --score-threshold=0.6 --plot=a \
        --plot-output=a.png --per-video=a --shot-threshold=3 --min-scene=3 --smooth=3 --scale=3 --detect=pa; do
        tool teg-gebd-eval --prepare raw.json "$option" -o again.json
        expect_status 2
        [[ $stderr == *" means nothing with --"* && ! -e again.json ]]
    done
    echo '{}' >raw.json
    tool teg-gebd-eval -q --prepare raw.json -o gt.json
    [ "$(cat gt.json)" = '{}' ]
}

@test "the official preparation" {
    need_shared golden/gebd_prepare
    need_program python3
    local folder
    for folder in "$SHARED"/golden/gebd_prepare/p00?; do
        tool teg-gebd-eval -q --prepare "$folder/raw.json" -o gt.json
        expect_status 0
        python3 -c 'import json, sys; a, b = (json.load(open(p)) for p in sys.argv[1:]); sys.exit(a != b)' \
            gt.json "$folder/expected.json"
    done
}

@test "input that is not right is refused, naming file and video" {
    small
    cp gt.json good.json
    printf '\x80\x04}.' >gt.json
    challenge
    expect_error 1 "gt.json: a pickle; convert it to JSON first: pipelines/pkl2json.py"
    sed 's/"fps":25,//' good.json >gt.json
    challenge
    expect_error 1 "gt.json: video 'a': member 'fps' is missing"
    sed 's/\[1,2.0,3\]/[1,"2"]/' good.json >gt.json
    challenge
    expect_error 1 "gt.json: video 'a': member 'substages_timestamps': rater 1: element 1: expected a number"
    cp good.json gt.json
    printf 'a 1\n' >pred.json
    challenge
    expect_error 1 "pred.json: line 1: expected an id, a tab"
    rm pred.json
    challenge
    expect_error 1 "pred.json: No such file or directory"
    [ ! -e metrics.json ]
    small
    challenge --per-video none/videos.tsv
    expect_status 1
    [ ! -e metrics.json ]
}

@test "the metrics fit their schema" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "Python's jsonschema is not installed"
    small
    challenge
    python3 "$TREE/tests/schema/validate.py" --kind metrics metrics.json | grep '^ok '
}
