#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# On annotations in every official layout, a perfect prediction scores 100 %, and one that is shuffled among the videos chance.

bats_require_minimum_version 1.5.0
load ../cli/support

setup() {
    TEG_BIN=$(realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
}

# world SET VIDEOS [OPTION...]: a small set with its index, SET.lmdb; skips where its files cannot be written.
world() {
    tool teg-synth --dataset "$1" --videos "$2" --size 16 -o "$1" "${@:3}"
    [[ $stderr != *"cannot write"* ]] || skip "$stderr"
    expect_status 0
    tool teg-index -q --format "$1" --videos "$1/videos" --annotations "$1/annotations" --max-bad 0 -o "$1.lmdb"
    expect_status 0
}

# Features that are the class of a video, of the video itself or of the one SHIFT lines on: classes INDEX SHIFT OUT
classes() {
    "$TEG_BIN/tests/cli/helper_dump" "$1" split class | sort -t $'\t' -k 2,2 -s | awk -F '\t' -v shift="$2" '
        $2 != "-" { id[++m] = $1; class[m] = $3; if (!($3 in number)) number[$3] = n++ }
        END {
            print "{"
            for (i = 1; i <= m; i++) {
                printf("%s\"%s\": [{\"centre\": 1, \"clip\": 0, \"view\": 0, \"values\": [", i > 1 ? "," : "", id[i])
                shown = number[class[(i - 1 + shift) % m + 1]]
                for (k = 0; k < n; k++) printf "%s%d", k ? "," : "", k == shown
                print "]}]"
            }
            print "}"
        }' >features.json
    "$TEG_BIN/tests/cli/helper_embeddings" features.json "$3"
}

# value FILE PATH
value() {
    "$TEG_BIN/teg-inspect" show "$1" "$2"
}

# Fails unless a < b.
less() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }' || { echo "$1 is not below $2" >&2 && return 1; }
}

@test "classes of videos: Kinetics, UCF101, HMDB51, Something-Something v2, Diving48" {
    [ -x "$TEG_BIN/tests/cli/helper_embeddings" ] || skip "the helper programs are not built"
    local set
    for set in kinetics ucf101 hmdb51 ssv2 diving48; do
        world $set 120 --frames 20
        classes $set.lmdb 0 perfect.lmdb
        tool teg-probe --embeddings perfect.lmdb --index $set.lmdb --labels class --method logistic -o perfect.json
        expect_status 0
        [ "$(value perfect.json top1)" = 1.0 ] || { echo "$set: $(value perfect.json top1)" >&2 && return 1; }
        classes $set.lmdb 7 shuffled.lmdb
        tool teg-probe --embeddings shuffled.lmdb --index $set.lmdb --labels class --method logistic -o shuffled.json
        expect_status 0
        less "$(value shuffled.json top1)" 0.35 || { echo "$set" >&2 && return 1; }
        rm ./*.json perfect.lmdb shuffled.lmdb
    done
}

@test "events of VidSitu" {
    tool teg-synth --dataset vidsitu --videos 40 --annotations-only -o vidsitu
    expect_status 0
    local info=vidsitu/annotations/vinfo_files/vinfo_valid_lb.json
    # What most annotators said of each event; five guesses, all the same.
    sed 's/:NaN/:null/g' $info | jq -c --slurpfile split vidsitu/annotations/split_files/vseg_split_valid_lb.json \
        '[.[] | .vid_seg_int as $id | {ann_idx: ($split[0] | index($id)),
            pred_vbs_ev: [.vbid_lst[] | group_by(.) | max_by(length)[0] | [., ., ., ., .]]}]' >perfect.json
    jq -c '[.[].ann_idx] as $to | [to_entries[] | {ann_idx: $to[(.key + 1) % ($to | length)], pred_vbs_ev: .value.pred_vbs_ev}]' \
        perfect.json >shuffled.json
    for kind in perfect shuffled; do
        tool teg-vidsitu-eval --predictions $kind.json --annotations vidsitu/annotations -o $kind.metrics
        expect_status 0
    done
    [ "$(value perfect.metrics vidsitu/min_agree_2/Per_Ev_Top_1)" = 1.0 ]
    [ "$(value perfect.metrics vidsitu/official/Per_Ev_Top_1)" = 1.0 ]
    less "$(value shuffled.metrics vidsitu/min_agree_2/Per_Ev_Top_1)" 0.6
}

@test "boundaries of Kinetics-GEBD" {
    tool teg-synth --dataset gebd --videos 200 --annotations-only -o gebd
    expect_status 0
    local truth=gebd/annotations/k400_mr345_val_min_change_duration0.3.json
    jq -c 'map_values(.substages_timestamps[0])' $truth >perfect.json
    # Boundaries are nearly at the same times in all videos: half an event away there are none.
    jq -c 'map_values([.substages_timestamps[0][] - 0.5])' $truth >shuffled.json
    for rules in challenge notebook; do
        for kind in perfect shuffled; do
            tool teg-gebd-eval --predictions $kind.json --unit seconds --annotations $truth --rules $rules -o $kind.metrics
            expect_status 0
        done
        [ "$(value perfect.metrics thresholds/0/f1)" = 1.0 ]
        less "$(value shuffled.metrics thresholds/0/f1)" 0.2
    done
}

@test "people of AVA and AVA-Kinetics" {
    local set truth
    for set in ava ava-kinetics; do
        tool teg-synth --dataset $set --videos 24 --frames 240 --annotations-only -o $set
        expect_status 0
        truth=$set/annotations/ava_val_v2.2.csv
        awk -F, -v OFS=, '{ print $1, $2, $3, $4, $5, $6, $7, 1 }' $truth >perfect.csv
        # The boxes stay, the actions are those of the row one on.
        awk -F, -v OFS=, '{ row[NR] = $1 OFS $2 OFS $3 OFS $4 OFS $5 OFS $6; action[NR] = $7 }
            END { for (i = 1; i <= NR; i++) print row[i], action[(i + 4) % NR + 1], 1 }' $truth >shuffled.csv
        for kind in perfect shuffled; do
            tool teg-ava-eval --predictions $kind.csv --annotations $truth --rules activitynet -o $kind.json \
                --labels $set/annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt
            expect_status 0
        done
        [ "$(value perfect.json mAP)" = 1.0 ]
        less "$(value shuffled.json mAP)" 0.5
    done
}
