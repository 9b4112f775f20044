#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teg-vidsitu-eval on small files. That its numbers are right is tests/unit/test_vidsitu.c's business.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    mkdir -p ann/split_files ann/vinfo_files
    echo '["v_a_seg_0_10", "v_b_seg_5_15"]' >ann/split_files/vseg_split_valid_lb.json
    {
        printf '[{"clip_name": NaN, "vid_seg_int": "v_b_seg_5_15", "vbid_lst": %s},' "$(events "$(verbs run.02 9)")"
        printf '{"vid_seg_int": "v_a_seg_0_10", "vbid_lst": %s}]\n' "$(events "$(verbs walk.01 1),$(verbs talk.01 9)")"
    } >ann/vinfo_files/vinfo_valid_lb.json
    {
        printf '[{"ann_idx": 1, "pred_vbs_ev": %s},' "$(predicted '["run.02"]')"
        printf '{"ann_idx": 0, "pred_vbs_ev": %s}]' "$(predicted '["walk.01", "talk.01"]')"
    } >pred.json
}

# verbs VERB N: N times, as a list without brackets.
verbs() {
    local list
    list=$(for _ in $(seq "$2"); do printf '"%s",' "$1"; done)
    printf '%s' "${list%,}"
}

events() {
    printf '{"Ev1":[%s],"Ev2":[%s],"Ev3":[%s],"Ev4":[%s],"Ev5":[%s]}' "$1" "$1" "$1" "$1" "$1"
}

predicted() {
    printf '[%s,%s,%s,%s,%s]' "$1" "$1" "$1" "$1" "$1"
}

evaluate() {
    tool teg-vidsitu-eval --predictions pred.json --annotations ann -o metrics.json "$@"
}

value() {
    "$TEG_BIN/teg-inspect" show metrics.json "$1"
}

refused() {
    expect_error 1 "$1" && [ ! -e metrics.json ]
}

@test "wrong usage: status 2 and what is missing" {
    local given=(--predictions pred.json --annotations ann -o metrics.json) names k
    names=("--predictions FILE" "--annotations DIR" "-o FILE")
    for k in 0 1 2; do
        tool teg-vidsitu-eval "${given[@]:0:2 * k}" "${given[@]:2 * k + 2}"
        expect_status 2
        [[ $stderr == "teg-vidsitu-eval: error: ${names[k]} is missing"* ]]
    done
    for wrong in --max-missing=-1 --print=all --rules=official more; do
        evaluate "$wrong"
        expect_status 2
    done
    [ ! -e metrics.json ]
}

@test "the table and the metrics" {
    evaluate
    expect_status 0
    [ -z "$stderr" ]
    diff - <(echo "$output") <<'END'
top-1, given twice      50.00 %
top-1, any of ten      100.00 %
top-5, given twice     100.00 %
top-5, any of ten      100.00 %
macro recall@5           0.00 %
  over                 0 verbs that ten events or more call for
annotated events       10 in 2 videos, 10 with a verb given twice
END
    [ "$(value vidsitu/official/Per_Ev_Top_1)" = 1.0 ]
    [ "$(value vidsitu/min_agree_2/Per_Ev_Top_1)" = 0.5 ]
    [ "$(value vidsitu/min_agree_2/num_vbs_thresh_4)" = 2 ]
    [ "$(value n_missing)" = 0 ]
    [ "$(value settings/split)" = valid ]
    for input in predictions split vinfo; do
        value inputs/$input | grep -qE '^[0-9a-f]{32}$'
    done
    [ "$(value argv | xargs)" = "[ --predictions=pred.json, --annotations=ann ]" ]
}

@test "annotation files in one folder, and other splits" {
    mv ann/split_files/vseg_split_valid_lb.json vseg_split_testvb_lb.json
    mv ann/vinfo_files/vinfo_valid_lb.json vinfo_testvb_lb.json
    evaluate
    refused "ann: holds no vseg_split_valid_lb.json"
    tool teg-vidsitu-eval --predictions pred.json --annotations . --split testvb -o metrics.json --print json
    expect_status 0
    [ "$output" = "$(cat metrics.json)" ]
    rm vinfo_testvb_lb.json metrics.json
    tool teg-vidsitu-eval --predictions pred.json --annotations . --split testvb -o metrics.json
    refused ".: holds no vinfo_testvb_lb.json"
}

@test "what is missing fails, or is listed" {
    printf '[{"ann_idx": 1, "pred_vbs_ev": %s}]' "$(predicted '["run.02"]')" >pred.json
    evaluate
    refused "pred.json: 1 of 2 videos have no prediction, the first is v_a_seg_0_10 (ann_idx 0)"
    evaluate --max-missing 1
    expect_status 0
    [[ $stderr == "teg-vidsitu-eval: warning: pred.json: 1 of 2 videos have no prediction and do not count" ]]
    [ "$(value missing/0)" = v_a_seg_0_10 ]
    [ "$(value vidsitu/events)" = 5 ]
    [ "$(value vidsitu/min_agree_2/acc)" = 1.0 ]
    evaluate --max-missing 1 --print none
    expect_status 0
    [ -z "$output" ]
}

@test "of several predictions for a video the first counts, with a warning" {
    sed -i "s/]$/,{\"ann_idx\": 0, \"pred_vbs_ev\": $(predicted '["x"]')}]/" pred.json
    evaluate
    expect_status 0
    [[ $stderr == *"warning: pred.json: 1 entries are for videos that have one already; the first counts" ]]
    [ "$(value n_repeated)" = 1 ]
    [ "$(value vidsitu/official/acc)" = 1.0 ]
}

@test "what the official code cannot evaluate is refused, with file and place" {
    sed -i 's/"ann_idx": 0/"ann_idx": 2/' pred.json
    evaluate
    refused "pred.json: entry 2: ann_idx is 2, but the split has 2 videos"
    sed -i 's/"ann_idx": 2/"ann_idx": 0/; s/"run.02"/9/' pred.json
    evaluate
    refused "pred.json: entry 1: pred_vbs_ev: 0: 0: expected a string"
    sed -i 's/\[9\]/["a"]/' pred.json
    sed -i 's/"talk.01",//2' ann/vinfo_files/vinfo_valid_lb.json
    sed -i 's/"Ev1":\["walk.01",[^]]*\]/"Ev1":["walk.01"]/' ann/vinfo_files/vinfo_valid_lb.json
    evaluate
    refused "ann/vinfo_files/vinfo_valid_lb.json: v_a_seg_0_10: Ev1: 1 verbs, not at least 9"
    sed -i 's/"vid_seg_int": "v_a_seg_0_10"/"vid_seg_int": "v_b_seg_5_15"/' ann/vinfo_files/vinfo_valid_lb.json
    evaluate
    refused "ann/vinfo_files/vinfo_valid_lb.json: entry 2: v_b_seg_5_15 is described twice"
    sed -i 's/v_b_seg_5_15/v_c_seg_5_15/g' ann/vinfo_files/vinfo_valid_lb.json
    evaluate
    refused "ann/vinfo_files/vinfo_valid_lb.json: no entry for v_a_seg_0_10"
    echo '["v_a_seg_0_10", "v_a_seg_0_10"]' >ann/split_files/vseg_split_valid_lb.json
    evaluate
    refused "ann/split_files/vseg_split_valid_lb.json: an id is there twice"
    echo '[]' >ann/split_files/vseg_split_valid_lb.json
    evaluate
    refused "ann/split_files/vseg_split_valid_lb.json: no ids"
    evaluate --annotations absent
    refused "absent: holds no vseg_split_valid_lb.json"
}

@test "metrics replace metrics, other files with --force only" {
    local kept=(teg-vidsitu-eval --predictions pred.json --annotations ann)
    printf 'thoughts of mine\n' >notes
    left_alone notes "${kept[@]}" -o notes
    cp pred.json other.json
    left_alone other.json "${kept[@]}" -o other.json
    : >metrics.json
    for _ in 1 2; do
        evaluate
        expect_status 0
    done
    sed 's/teg-vidsitu-eval/teg-ava-eval/' metrics.json >ava.json
    left_alone ava.json "${kept[@]}" -o ava.json
    evaluate -o notes --force
    expect_status 0
    cmp notes metrics.json
}

@test "an output that cannot be written" {
    tool teg-vidsitu-eval --predictions pred.json --annotations ann -o absent/m.json
    expect_error 1 "absent/m.json"
    run bash -c "'$TEG_BIN/teg-vidsitu-eval' --predictions pred.json --annotations ann -o metrics.json >/dev/full"
    expect_status 1
}

@test "the metrics fit their schema" {
    python3 -c 'import jsonschema' 2>/dev/null || skip "Python's jsonschema is not installed"
    evaluate
    expect_status 0
    [ "$(python3 "$BATS_TEST_DIRNAME/../schema/validate.py" --kind metrics metrics.json)" = "ok metrics.json" ]
}
