#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teg-ava-eval on small files. That its numbers are right is tests/unit/test_ava.c's business, too.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    printf 'item {\n  name: "%s"\n  id: %d\n}\n' stand 1 "sit, or so" 3 run 7 >map.pbtxt
    printf 'v,0902,0.1,0.1,0.5,0.5,%s\n' 1,0 3,0 9,0 >gt.csv
    printf 'v,0903,0.1,0.1,0.5,0.5,1,0\n' >>gt.csv
    printf 'v,902,0.1,0.1,0.5,0.5,%s\n' 1,0.9 3,0.8 9,0.7 1,0.2 >det.csv
    printf 'v,904,0.1,0.1,0.5,0.5,1,0.95\nv,902,0.5,0.1,0.1,0.5,1,0.3\n' >>det.csv
}

evaluate() {
    tool teg-ava-eval --predictions det.csv --annotations gt.csv --labels map.pbtxt --rules slowfast -o metrics.json "$@"
}

# value PATH: of the metrics.
value() {
    "$TEG_BIN/teg-inspect" show metrics.json "$1"
}

# Fails the case unless the tool failed with this on stderr and wrote nothing.
refused() {
    expect_error 1 "$1" && [ ! -e metrics.json ]
}

@test "wrong usage: status 2 and what is missing" {
    local given=(--predictions det.csv --annotations gt.csv --labels map.pbtxt --rules slowfast -o metrics.json) k
    local names=("--predictions FILE or --scores STORE" "--annotations FILE" "--labels FILE" "--rules slowfast|activitynet" "-o FILE")
    for k in 0 1 2 3 4; do
        tool teg-ava-eval "${given[@]:0:2 * k}" "${given[@]:2 * k + 2}"
        expect_error 2 "${names[k]} is missing"
    done
    for wrong in --rules=voc --print=all --threads=2 more; do
        evaluate "$wrong"
        expect_status 2
    done
    evaluate --rules activitynet --exclude gt.csv
    expect_error 2 "--exclude: the rules activitynet know no exclusions"
    [ ! -e metrics.json ]
}

@test "the table and the metrics" {
    evaluate
    expect_status 0
    [ -z "$stderr" ]
    [ "${lines[0]}" = "mAP                     62.50 %" ]
    diff - <(printf '%s\n' "${lines[@]:1}") <<'END'
rules                  slowfast
classes                2 of 3 are annotated
annotations            3 boxes in 2 frames
  left out             1 of classes that the label map lacks
predictions            4 boxes in 2 frames
  left out             1 of classes that the label map lacks
  left out             1 without area
   id  class                                    annotated predicted   matched       AP
    1  stand                                            2         3         1  25.00 %
    3  sit, or so                                       1         1         1 100.00 %
    7  run                                              0         0         0        -
END
    [ "$(value settings/rules) $(value settings/iou)" = "slowfast 0.5" ]
    [ "$(value classes/2 | xargs)" = "{ id: 7, name: run, ap: null, annotated: 0, predicted: 0, matched: 0 }" ]
    [ "$(value classes/1/ap)" = 1.0 ]
    [ "$(value predictions/other_class)" = 1 ]
    [ "$(value argv | xargs)" = "[ --predictions=det.csv, --annotations=gt.csv, --labels=map.pbtxt, --rules=slowfast ]" ]
    value inputs/predictions | grep -qE '^[0-9a-f]{32}$'
}

@test "what goes to stdout" {
    evaluate --print json
    expect_status 0
    [ "$output" = "$(cat metrics.json)" ]
    evaluate --print none
    expect_status 0
    [ -z "$output" ]
    run bash -c "'$TEG_BIN/teg-ava-eval' --predictions det.csv --annotations gt.csv --labels map.pbtxt \
        --rules slowfast -o metrics.json >/dev/full"
    expect_status 1
}

@test "frames that do not count: named by --exclude, or not named by the annotations" {
    printf 'v,0904\n' >exclude.csv
    evaluate --exclude exclude.csv
    expect_status 0
    [ "$(value classes/0/ap)" = 0.5 ]
    [ "$(value predictions/excluded)" = 1 ]
    value inputs/exclude
    [[ $output == *"  left out             1 in excluded frames"* ]]
    evaluate --rules activitynet
    expect_status 0
    [ "$(value classes/0/ap)" = 0.5 ]
    [ "$(value predictions/unlisted)" = 1 ]
    [[ $output == *"  left out             1 in frames that the annotations do not name"* ]]
    printf 'v,0904\n' >>gt.csv
    evaluate --rules activitynet
    expect_status 0
    [ "$(value classes/0/ap)" = 0.25 ]
    [ "$(value annotations/frame_only)" = 1 ]
}

@test "annotations in several files are read as one; each may begin with a byte order mark, and end within its last line" {
    printf 'w,1.5,0.1,0.1,0.5,0.5,1\nw,2.5\n' >more.csv
    printf 'w,1.5,0.1,0.1,0.5,0.5,1,0.9\n' >>det.csv
    cat gt.csv more.csv >both.csv
    tool teg-ava-eval --predictions det.csv --annotations both.csv --labels map.pbtxt --rules activitynet -o both.json
    expect_status 0
    { printf '\xef\xbb\xbf' && head -c -1 more.csv; } >second.csv
    truncate -s -1 gt.csv
    evaluate --rules activitynet --annotations second.csv
    expect_status 0
    [ -z "$stderr" ]
    for member in mAP annotations predictions classes; do
        [ "$(value $member)" = "$("$TEG_BIN/teg-inspect" show both.json $member)" ]
    done
    [ "$(value annotations/frames) $(value annotations/frame_only)" = "3 1" ]
    value inputs/annotations-2 | grep -qE '^[0-9a-f]{32}$'
    # What is wrong is said of the file that it is in.
    rm metrics.json
    printf 'w,1.5,0.1,0.1,0.5,0.5,1\nw,1.5,0.5,0.1,0.1,0.5,1\n' >second.csv
    evaluate --rules activitynet --annotations second.csv
    refused "second.csv: line 2: the box of class 'stand' ends before it begins"
    echo w >second.csv
    evaluate --annotations second.csv
    refused "second.csv: line 1: 1 columns, not 7 or 8"
    evaluate $(printf -- '--annotations gt.csv %.0s' {1..8})
    expect_error 2 "more than 8 --annotations"
}

@test "videos of which nothing is predicted are counted, listed and warned of" {
    printf '%s,0902,0.1,0.1,0.5,0.5,1,0\n' w x >>gt.csv
    printf 'u,0902,0.1,0.1,0.5,0.5,9,0\n' >>gt.csv # of a class that is not scored
    printf 'x,0907,0.1,0.1,0.5,0.5,9,0.5\n' >>det.csv # though of another frame and class
    for rules in slowfast activitynet; do
        evaluate --rules $rules
        expect_status 0
        [ "$(value n_missing) $(value missing | xargs)" = "1 [ w ]" ]
        [[ $output == *$'\n'"missing                1 annotated videos, of which nothing is predicted"$'\n'* ]]
        [[ $stderr == "teg-ava-eval: warning: nothing is predicted of 1 of 3 annotated videos, the first is 'w': \
their boxes count as not found" ]]
    done
}

@test "the best fifty of a frame" {
    for i in $(seq 60); do echo "v,902,0.1,0.1,0.5,0.5,7,0.9$i"; done >>det.csv
    evaluate --rules activitynet
    expect_status 0
    [ "$(value predictions/over_limit)" = 14 ]
    [ "$(value settings/max_boxes_per_frame)" = 50 ]
    [ "$(value classes/0/ap)" = 0.0 ]
    [[ $output == *"  left out             14 beyond the best of their frame"* ]]
}

@test "nothing annotated: no number, and a warning" {
    : >gt.csv
    evaluate
    expect_status 0
    [ "${lines[0]}" = "mAP                           -" ]
    [[ $stderr == "teg-ava-eval: warning: gt.csv: no box of a class in map.pbtxt: nothing is measured" ]]
    [ "$(value mAP)" = null ]
    [ "$(value n_classes)" = 0 ]
}

@test "what the official programs cannot read is refused, with file and line" {
    echo >>gt.csv
    evaluate
    refused "gt.csv: line 5: a blank line"
    printf 'v,0902,0.1,0.1,0.5,0.5,1\n' >>det.csv
    sed -i '$d' gt.csv
    evaluate
    refused "det.csv: line 7: 7 columns: the score is missing"
    evaluate --rules activitynet
    expect_status 0
    rm metrics.json
    printf 'v,902.5,0.1,0.1,0.5,0.5,1,1\n' >det.csv
    evaluate
    refused "det.csv: line 1: timestamp: expected an integer, got '902.5' (the rules activitynet take fractions)"
    printf 'v,903,0.1,0.1,0.5,0.5,1,1\n' >det.csv
    printf 'v,903,0.5,0.1,0.1,0.5,1,1\n' >>gt.csv
    evaluate
    refused "gt.csv: line 5: the box of class 'stand' ends before it begins"
    printf 'item {\n  id: 1\n}\n' >map.pbtxt
    evaluate
    refused "map.pbtxt: line 2: class id 1 has no name in front of it"
    evaluate --labels absent.pbtxt
    refused "absent.pbtxt: No such file or directory"
    printf 'v\n' >exclude.csv
    printf '  name: "a"\n  id: 1\n' >map.pbtxt
    evaluate --exclude exclude.csv
    refused "exclude.csv: line 1: 1 columns, not 2"
}

@test "metrics replace metrics, other files with --force only" {
    local kept=(teg-ava-eval --predictions det.csv --annotations gt.csv --labels map.pbtxt --rules slowfast)
    printf 'thoughts of mine\n' >notes
    left_alone notes "${kept[@]}" -o notes
    : >metrics.json
    for _ in 1 2; do
        evaluate
        expect_status 0
    done
    sed 's/teg-ava-eval/teg-probe/' metrics.json >probe.json
    left_alone probe.json "${kept[@]}" -o probe.json
    evaluate -o notes --force
    expect_status 0
    cmp notes metrics.json
    # Annotations have as many columns as predictions.
    local scored=(teg-ava-eval --scores none.lmdb --annotations gt.csv --labels map.pbtxt --rules slowfast -o metrics.json)
    cp gt.csv mine.csv
    left_alone mine.csv "${scored[@]}" --csv mine.csv
    tool "${scored[@]}" --csv det.csv
    expect_error 1 "none.lmdb"
}

@test "an output that cannot be written" {
    tool teg-ava-eval --predictions det.csv --annotations gt.csv --labels map.pbtxt --rules slowfast -o absent/m.json
    expect_error 1 "absent/m.json"
}

@test "a restatement in Python finds the same on random boxes" {
    python3 -c 'import numpy' 2>/dev/null || skip "Python's numpy is not installed"
    local peer=$BATS_TEST_DIRNAME/../bench/peer_ava.py seed rules
    for seed in 1 2 3; do
        python3 "$peer" make . 120 $((seed * 40)) $seed
        for rules in slowfast activitynet; do
            tool teg-ava-eval --predictions predictions.csv --annotations annotations.csv --labels labels.pbtxt \
                --rules $rules -o metrics.json
            expect_status 0
            python3 "$peer" $rules . | sed 1d >expected
            { value mAP && value classes | grep -oE '"ap":[^,]*' | cut -d: -f2; } | sed 's/null/nan/' >found
            [ "$(wc -l <found)" = 61 ]
            paste expected found | awk '$1 != $2 { d = $1 - $2; if (d > 1e-12 || d < -1e-12) exit 1 }'
        done
    done
}

@test "the metrics fit their schema" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "Python's jsonschema is not installed"
    for rules in slowfast activitynet; do
        evaluate --rules $rules
        expect_status 0
        [ "$(python3 "$BATS_TEST_DIRNAME/../schema/validate.py" --kind metrics metrics.json)" = "ok metrics.json" ]
    done
}
