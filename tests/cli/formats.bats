#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teg-index on the layouts of data sets as they were released.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    SHARED=$(realpath -m "$SHARED")
    TEG_BIN=$(realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    mkdir videos annotations
}

records() {
    "$TEG_BIN/tests/cli/helper_dump" "$@"
}

# A member of !meta's settings.
setting() {
    records "$1" | sed -n "1s/.*\"settings\":{\(.*\)},\"inputs\".*/\1/p" | grep -o "\"$2\":\(\[[^]]*\]\|[^,}]*\)" |
        cut -d: -f2-
}

# index FORMAT ANNOTATIONS [OPTION...]: writes index.lmdb, which must succeed.
index() {
    local format=$1 annotations=$2
    shift 2
    tool teg-index --format "$format" --annotations "$annotations" --videos videos --force "$@" -o index.lmdb
    expect_status 0
}

# The lines of a file as the elements of a JSON array.
as_array() {
    sed 's/.*/"&"/' "$1" | paste -sd, | sed 's/.*/[&]/'
}

@test "kinetics: the validation list of Kinetics-400, a renamed folder, a bad and missing files" {
    need_shared fixtures/kinetics/kinetics-400_val.csv
    need_shared fixtures/video/mm_demo.mp4
    row=$(grep '^"arm wrestling"' "$SHARED/fixtures/kinetics/kinetics-400_val.csv" | head -n 1)
    IFS=, read -r _ id start end _ <<<"$row"
    clip=$(printf '%s_%06d_%06d' "$id" "$start" "$end")
    mkdir -p videos/val/arm_wrestling videos/abseiling
    cp "$SHARED/fixtures/video/mm_demo.mp4" "videos/val/arm_wrestling/$clip.mp4"
    echo words >videos/abseiling/0wR5jVB-WPk_000417_000427.mkv
    index kinetics "$SHARED/fixtures/kinetics/kinetics-400_val.csv" -v
    [[ "$stderr" == *"note: videos: 19906 listed, 1 found, 19904 missing, 1 bad; 400 classes"* ]]
    [[ "$stderr" == *"note: split val: 19906 listed, 1 found, 19904 missing, 1 bad"* ]]
    n=$(grep -c '^"arm wrestling"' "$SHARED/fixtures/kinetics/kinetics-400_val.csv")
    [[ "$stderr" == *"class arm wrestling: $n listed, 1 found, $((n - 1)) missing, 0 bad"* ]]
    records index.lmdb class split path status reason >records
    [ "$(grep -c . records)" -eq 19906 ]
    grep -qxF -- "$clip	arm wrestling	val	val/arm_wrestling/$clip.mp4	ok	-" records
    grep -q "^0wR5jVB-WPk_000417_000427	abseiling	val	abseiling/0wR5jVB-WPk_000417_000427.mkv	bad	cannot be opened" records
    [ "$(grep -c '	missing$' records)" -eq 19904 ]
    # Programs number the names in byte order, which is the official order.
    cut -f 2 records | LC_ALL=C sort -u | cmp - "$SHARED/fixtures/kinetics/label_map_k400.txt"
    tool teg-index --format kinetics --annotations "$SHARED/fixtures/kinetics/kinetics-400_val.csv" --videos videos \
        --max-bad 19904 --force -o index.lmdb
    expect_status 1
    [[ "$stderr" == *"19905 of 19906 videos are bad or missing, --max-bad is 19904"* ]]
}

@test "kinetics: a folder of files, splits by column or by the file's name" {
    printf 'label,youtube_id,time_start,time_end,split\n"a b",-x,1,11,train\n' >annotations/train.csv
    printf 'youtube_id,time_start,time_end\n_y,0,10\n' >annotations/kinetics_test.csv
    index kinetics annotations
    [ "$(records index.lmdb class split path)" = "$(printf '%s\n' '-x_000001_000011	a b	train	a b/-x_000001_000011.mp4' \
        '_y_000000_000010	-	test	_y_000000_000010.mp4')" ]
    rm annotations/*
    tool teg-index --format kinetics --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "annotations: holds no file *.csv"
    tool teg-index --format kinetics --annotations nowhere.csv --videos videos -o none.lmdb
    expect_error 1 "nowhere.csv: No such file"
    tool teg-index --format kinetics --fold 2 --annotations annotations --videos videos -o none.lmdb
    expect_error 2 "--fold means nothing to --format kinetics"
}

@test "ucf101: official numbers, three divisions, HandstandPushups in every spelling" {
    need_shared fixtures/ucf101/label_map.txt
    mkdir annotations/ucfTrainTestlist videos/HandStandPushups
    awk '{ printf "%d %s\r\n", NR, $0 }' "$SHARED/fixtures/ucf101/label_map.txt" >annotations/ucfTrainTestlist/classInd.txt
    for fold in 1 2 3; do
        printf 'HandstandPushups/v_HandStandPushups_g08_c01.avi 37\r\nYoYo/v_YoYo_g0%d_c01.avi 101\r\n' $fold \
            >annotations/ucfTrainTestlist/trainlist0$fold.txt
        printf 'HandstandPushups/v_HandStandPushups_g01_c0%d.avi\r\n' $fold >annotations/ucfTrainTestlist/testlist0$fold.txt
    done
    echo words >videos/HandStandPushups/v_HandstandPushups_g08_c01.avi
    index ucf101 annotations --fold 2
    [ "$(setting index.lmdb classes)" = "$(as_array "$SHARED/fixtures/ucf101/label_map.txt")" ]
    [ "$(setting index.lmdb fold)" = 2 ]
    [ "$(records index.lmdb class split path)" = "$(printf '%s\n' \
        'v_HandStandPushups_g01_c02	HandstandPushups	test	HandstandPushups/v_HandStandPushups_g01_c02.avi' \
        'v_HandStandPushups_g08_c01	HandstandPushups	train	HandStandPushups/v_HandstandPushups_g08_c01.avi' \
        'v_YoYo_g02_c01	YoYo	train	YoYo/v_YoYo_g02_c01.avi')" ]
    # A copy with the class renamed and numbers in the test list gives the same labels.
    sed -i 's/HandstandPushups/HandStandPushups/' annotations/ucfTrainTestlist/*
    sed -i 's/\r$/ 37\r/' annotations/ucfTrainTestlist/testlist02.txt
    records index.lmdb class split >official
    index ucf101 annotations/ucfTrainTestlist --fold 2
    records index.lmdb class split | cmp - official
    rm annotations/ucfTrainTestlist/testlist02.txt
    tool teg-index --format ucf101 --fold 2 --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "annotations: holds no testlist02.txt"
}

@test "hmdb51: classes in official order, odd names, unused videos without a split" {
    need_shared fixtures/hmdb51/label_map.txt
    mkdir annotations/testTrainMulti_7030_splits videos/wave
    while read -r class; do
        printf '%s_1.avi 1 \n%s_2.avi 2 \n%s_3.avi 0 \n' "a&b!#;(c)[d]_$class" "$class" "$class" \
            >"annotations/testTrainMulti_7030_splits/${class}_test_split3.txt"
    done <"$SHARED/fixtures/hmdb51/label_map.txt"
    echo words >'videos/wave/a&b!#;(c)[d]_wave_1.avi'
    index hmdb51 annotations --fold 3
    [[ "$stderr" == *"videos: 153 listed, 0 found, 152 missing, 1 bad; 51 classes"* ]]
    [[ "$stderr" == *"split none: 51 listed"*"split test: 51 listed"*"split train: 51 listed"* ]]
    records index.lmdb class | cut -f 2 | LC_ALL=C sort -u | cmp - "$SHARED/fixtures/hmdb51/label_map.txt"
    records index.lmdb path split status | grep -qxF -- 'wave/a&b!#;(c)[d]_wave_1	wave/a&b!#;(c)[d]_wave_1.avi	train	bad'
    tool teg-index --format hmdb51 --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "holds no file *_test_split1.txt"
}

# refused_class FORMAT PLACE: a class of the annotations is refused, naming the place; removes them.
refused_class() {
    local format=$1 place=$2
    tool teg-index --format "$format" --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "$place: " || return 1
    [[ $stderr == *": class is not UTF-8" || $stderr == *": class holds a control character" ]] || return 1
    rm annotations/*
}

@test "a class that no table can hold: the file and the line are named" {
    local bad
    for bad in 'a\tb' 'a\xe9'; do
        printf "label,youtube_id,time_start,time_end\nrun,x,0,10\n$bad,y,0,10\n" >annotations/train.csv
        refused_class kinetics "annotations/train.csv: line 3"
        printf "1 Run\n2 $bad\n" | tr '\t' '\001' >annotations/classInd.txt
        refused_class ucf101 "annotations/classInd.txt: line 2"
        printf 'x.avi 1\n' >"annotations/$(printf "$bad" | tr '\t' '\001')_test_split1.txt" || continue
        refused_class hmdb51 "_test_split1.txt: line 1"
    done
}

@test "ssv2: all labels have their official numbers; both ways to name the files" {
    need_shared fixtures/ssv2/label_map.txt
    awk 'BEGIN { printf "{" } { printf "%s\"%s\":\"%d\"", (NR > 1 ? "," : ""), $0, NR - 1 } END { print "}" }' \
        "$SHARED/fixtures/ssv2/label_map.txt" >annotations/something-something-v2-labels.json
    printf '[{"id":"78687","label":"holding potato","template":"Holding [something] next to [something]"}]' \
        >annotations/something-something-v2-train.json
    printf '[{"id":"3","template":"Approaching [something] with your camera"}]' \
        >annotations/something-something-v2-validation.json
    printf '[{"id":"1420"}]' >annotations/something-something-v2-test.json
    echo words >videos/3.mp4
    index ssv2 annotations
    [ "$(setting index.lmdb classes)" = "$(as_array "$SHARED/fixtures/ssv2/label_map.txt")" ]
    [ "$(records index.lmdb class split path)" = "$(printf '%s\n' '1420	-	test	1420.webm' \
        '3	Approaching something with your camera	val	3.mp4' \
        '78687	Holding something next to something	train	78687.webm')" ]
    mkdir annotations/labels
    for f in labels train validation; do
        mv annotations/something-something-v2-$f.json annotations/labels/$f.json
    done
    rm annotations/*.json
    index ssv2 annotations
    [[ "$stderr" == *"no something-something-v2-test.json: the index has no split test"* ]]
    [ "$(records index.lmdb split | cut -f 2 | xargs)" = "val train" ]
    printf '[{"id":"1","template":"Eating [something]"}]' >annotations/labels/train.json
    tool teg-index --format ssv2 --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "annotations/labels/train.json: entry 1: id 1: 'Eating something' is not among the labels"
}

@test "diving48: numbers of the vocabulary, ids that begin with a hyphen" {
    need_shared fixtures/diving48/label_map.txt
    awk -F+ 'BEGIN { printf "[" } { printf "%s[\"%s\"", (NR > 1 ? "," : ""), $1
        for (i = 2; i <= NF; i++) printf ",\"%s\"", $i
        printf "]" } END { print "]" }' "$SHARED/fixtures/diving48/label_map.txt" >annotations/Diving48_vocab.json
    printf '[{"vid_name":"-mmq0PT-u8k_00155","label":0,"start_frame":0,"end_frame":48}]' >annotations/Diving48_V2_train.json
    printf '[{"vid_name":"_u_00001","label":47}]' >annotations/Diving48_V2_test.json
    mkdir videos/rgb
    echo words >videos/rgb/-mmq0PT-u8k_00155.mp4
    index diving48 annotations
    [ "$(setting index.lmdb classes)" = "$(as_array "$SHARED/fixtures/diving48/label_map.txt")" ]
    [ "$(records index.lmdb class split path status)" = "$(printf '%s\n' \
        '-mmq0PT-u8k_00155	Back+15som+05Twis+FREE	train	rgb/-mmq0PT-u8k_00155.mp4	bad' \
        '_u_00001	Reverse+Dive+NoTwis+TUCK	test	rgb/_u_00001.mp4	bad')" ]
}

# Lays the real files of VidSitu out as the data set does; the vocabulary as JSON.
vidsitu_files() {
    local from=$SHARED/fixtures/vidsitu
    need_shared fixtures/vidsitu/vinfo_valid_lb.json
    need_program python3
    mkdir annotations/split_files annotations/vinfo_files vsitu_vocab
    ln -s "$from"/vseg_split_*.json annotations/split_files/
    ln -s "$from/vinfo_valid_lb.json" annotations/vinfo_files/
    python3 - "$from/verb_id_vocab.pkl" >vsitu_vocab/verb_id_vocab.json <<'PY'
import json, pickle, sys

class Anything:
    pass

class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return Anything

words = Unpickler(open(sys.argv[1], "rb")).load()
json.dump({"symbols": words.symbols, "count": words.count}, sys.stdout)
PY
}

@test "vidsitu: all real files, ten annotations an event, the vocabulary of 1560" {
    vidsitu_files
    echo words >videos/v__bUaFRyP80A_seg_10_20.mp4
    index vidsitu annotations
    [[ "$stderr" == *"split train: 23550 of 23550 videos have no verbs"* ]]
    [[ "$stderr" == *"videos: 26227 listed, 0 found, 26226 missing, 1 bad; 0 classes, 6620 events"* ]]
    [[ "$stderr" == *"split test: 1353 listed"*"split train: 23550 listed"*"split val: 1324 listed"* ]]
    records index.lmdb >records
    python3 - "$SHARED/fixtures/vidsitu/vinfo_valid_lb.json" <<'PY'
import collections, json, sys
lines = [line.split("\t") for line in open("records", encoding="utf-8")]
meta, videos = json.loads(lines[0][1]), {name: json.loads(text) for name, text in lines[1:]}
labels = meta["settings"]["labels"]
assert len(labels) == 1560 and labels[:5] == ["<s>", "<pad>", "</s>", "<unk>", "speak.01"]
n_unknown = 0
for info in json.load(open(sys.argv[1])):
    events = videos[info["vid_seg_int"]]["events"]
    assert [(e["start"], e["end"]) for e in events] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]
    for i, event in enumerate(events):
        verbs = info["vbid_lst"][f"Ev{i + 1}"]
        assert event["labels"] == verbs
        most = collections.Counter(verbs[:10]).most_common(1)[0][0]
        assert event["label"] == (most if most in labels else "<unk>")
        n_unknown += sum(verb not in labels for verb in verbs)
assert n_unknown == 122, n_unknown
PY
}

@test "vidsitu: verbs of the training split, the first row of a video; what is not there" {
    vidsitu_files
    mkdir annotations/vseg_ann_files
    python3 - "$SHARED/fixtures/vidsitu/vseg_split_train_lb.json" >annotations/vseg_ann_files/vsann_train_lb.json <<'PY'
import json, sys
def row(name, verb):
    return {f"Ev{i}": {"vid_uid": "u", "vid_seg_int": name, "Verb": "x", "VerbID": verb, "Arg_List": {"Arg0": 0},
                       "Args": {"Arg0": "man"}, **({} if i == 3 else {"EvRel": "Causes"})} for i in range(1, 6)}
names = json.load(open(sys.argv[1]))
json.dump([row(name, "talk.01") for name in names] + [row(names[0], "walk.01"), row("v_x_seg_0_10", "no.01")], sys.stdout)
PY
    index vidsitu annotations
    [[ "$stderr" != *"split train: "*" have no verbs"* ]]
    [[ "$stderr" == *"vsann_train_lb.json: 1 entries are about videos outside split train"* ]]
    [[ "$stderr" == *"0 classes, 124370 events"* ]]
    [ "$(records index.lmdb split events | grep '	train	' | cut -f 3 | sort | uniq -c | xargs | cut -d' ' -f 1)" = 23550 ]
    rm vsitu_vocab/verb_id_vocab.json
    tool teg-index --format vidsitu --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "annotations: holds no verb_id_vocab.json"
}

@test "gebd: prepared ground truth, in a file or a folder; raw annotations are prepared" {
    need_shared golden/gebd/r100/gt.json
    need_program python3
    cp "$SHARED/golden/gebd/r100/gt.json" annotations/k400_mr345_val_min_change_duration0.3.json
    printf '{"-aaaaaaaaaa": {"substages_timestamps": [[1.5]], "f1_consis": [NaN], "f1_consis_avg": NaN,
        "path_video": "air_drumming/-aaaaaaaaaa_000001_000011.mp4"}}' >annotations/k400_mr345_train_min_change_duration0.3.json
    mkdir "videos/air drumming"
    echo words >"videos/air drumming/-aaaaaaaaaa_000001_000011.mkv"
    index gebd annotations
    [[ "$stderr" == *"videos: 6 listed, 0 found, 5 missing, 1 bad; "* ]]
    records index.lmdb >records
    python3 - annotations/*_val_*.json <<'PY'
import json, sys
videos = dict(line.rstrip("\n").split("\t") for line in open("records", encoding="utf-8"))
truth = json.load(open(sys.argv[1]))
assert truth
for name, entry in truth.items():
    video = json.loads(videos[name])
    assert video["extra"] == {"boundaries": entry["substages_timestamps"], "consistency": entry["f1_consis"],
                              "consistency_mean": entry["f1_consis_avg"]}
    assert video["split"] == "val" and video["class"] == entry["path_video"].split("/")[0]
odd = json.loads(videos["-aaaaaaaaaa"])
assert odd["path"] == "air drumming/-aaaaaaaaaa_000001_000011.mkv" and odd["split"] == "train"
assert odd["extra"] == {"boundaries": [[1.5]], "consistency": [None], "consistency_mean": None}
PY
    local raw=$SHARED/golden/gebd_prepare/p000/raw.json
    "$TEG_BIN/teg-gebd-eval" -q --prepare "$raw" -o prepared.json
    "$TEG_BIN/teg-index" -q --format gebd --annotations "$raw" --videos videos -o raw.lmdb 2>/dev/null
    records raw.lmdb >records
    python3 - "$raw" prepared.json <<'PY'
import json, sys
videos = dict(line.rstrip("\n").split("\t") for line in open("records", encoding="utf-8"))
raw, prepared = (json.load(open(name)) for name in sys.argv[1:])
assert raw and prepared
for name in raw:
    extra = json.loads(videos[name]).get("extra", {})
    assert extra.get("boundaries") == prepared.get(name, {}).get("substages_timestamps"), name
PY
    tool teg-index --format gebd --annotations "$SHARED/golden/gebd/r100/gt.pkl" --videos videos -o none.lmdb
    expect_error 1 "gt.pkl: a pickle, not JSON"
}

# Numbers and names of the actions of index.lmdb, tabs between.
actions() {
    records index.lmdb | head -n 1 | grep -o '{"id":[0-9]*,"name":"[^"]*"}' | sed 's/{"id":\([0-9]*\),"name":"\(.*\)"}/\1\t\2/'
}

@test "ava: actions are called as any label map calls them, those that are scored first, or by their numbers" {
    printf 'a,0902,0,0,1,1,80,1\na,0902,0,0,1,1,16,1\n' >annotations/ava_val_v2.2.csv
    index ava annotations
    [[ "$stderr" == *"note: no label map: the actions are called by their numbers"* ]]
    actions | cmp - <(seq 80 | sed 's/.*/&\taction &/')
    records index.lmdb extra | grep -q '"labels":\[16,80\]'
    seq 80 | sed 's/.*/label {\n  name: "all &"\n  label_id: &\n  label_type: PERSON_MOVEMENT\n}/' \
        >annotations/ava_action_list_v2.2.pbtxt
    index ava annotations
    [[ "$stderr" != *"no label map"* ]]
    actions | cmp - <(seq 80 | sed 's/.*/&\tall &/')
    printf 'item {\n  name: "scored"\n  id: 80\n}\n' >annotations/ava_action_list_v2.1_for_activitynet_2018.pbtxt
    index ava annotations
    actions | cmp - <(seq 79 | sed 's/.*/&\tall &/' && printf '80\tscored\n')
    printf '00g,17.000000,0,0,1,1,16\n' >annotations/kinetics_val_v1.0.csv
    index ava-kinetics annotations
    actions | cmp - <(seq 79 | sed 's/.*/&\tall &/' && printf '80\tscored\n')
    index ava annotations/ava_val_v2.2.csv
    actions | cmp - <(seq 80 | sed 's/.*/&\taction &/')
    sed -i 's/id: 80/id: 81/' annotations/ava_action_list_v2.1_for_activitynet_2018.pbtxt
    tool teg-index --format ava --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "ava_action_list_v2.1_for_activitynet_2018.pbtxt: line 3: id: "
}

# film SECONDS ID: a file that is so long.
film() {
    [ -e "$1" ] || "$TEG_BIN/teg-synth" -q --dataset events --videos 1 --val-fraction 0 --events 1 --fps 1 --frames "$1" \
        --size 16 --codec mpeg4 -o "$1"
    cp "$1"/videos/train/*/*.mp4 "videos/$2.mp4"
}

# starts FORMAT [OPTION...]: "ID START TIME ...", the times of the key frames, of every film.
starts() {
    index "$1" annotations "${@:2}"
    records index.lmdb extra | jq -Rr 'split("\t") | select(.[1] != null and .[1] != "-") | .[0] as $id | .[1] | fromjson |
        select(.video_start != null) | [$id, .video_start, .key_frames[].time] | join(" ")'
}

@test "ava: whole films and those that begin at second 900, told apart" {
    need_program jq
    local id set
    for id in cut early lost odd short whole; do
        printf '%s,0902,0,0,1,1,12,1\n%s,1798,0,0,1,1,12,1\n' $id $id
    done >annotations/ava_val_v2.2.csv
    printf 'early,0600,0,0,1,1,12,1\nbrief,0902,0,0,1,1,12,1\n' >>annotations/ava_val_v2.2.csv
    printf 'clip,17.000000,0,0,1,1,12\n' >annotations/kinetics_val_v1.0.csv
    film 1900 whole
    film 901 cut
    film 910 brief
    film 910 early
    film 1500 odd
    film 30 short
    film 1900 clip_000010_001910
    for set in ava ava-kinetics; do
        starts $set >found
        diff - found <<'END'
brief 900 2
cut 900 2 898
early 0 600 902 1798
lost 900 2 898
odd 900 2 898
short 900 2 898
whole 0 902 1798
END
        [[ "$stderr" == *" 2 whole films, 4 cut films, 2 outside of their video"* ]]
        [[ "$stderr" == *"warning: 2 events, boundaries or key frames lie behind the end of their video"* ]]
    done
    "$TEG_BIN/teg-inspect" show index.lmdb '!meta' | jq -e '.summary | .whole_films == 2 and .cut_films == 4'
    sed -i /0600/d annotations/ava_val_v2.2.csv
    starts ava-kinetics --video-start 0 >found
    [ "$(cut -d ' ' -f 2 found | sort -u)" = 0 ]
    [[ "$stderr" == *" 6 whole films, "* && "$stderr" != *"cut films"* ]]
    starts ava --video-start 900 >found
    grep -qx 'whole 900 2 898' found
    index ava annotations --threads 1
    mv index.lmdb one.lmdb
    index ava annotations --threads 3
    cmp one.lmdb index.lmdb
}

@test "ava: real rows, persons, excluded key frames, the label map, detections" {
    need_shared fixtures/ava/ava_sample.csv
    cp "$SHARED/fixtures/ava/ava_sample.csv" annotations/ava_train_v2.1.csv
    cp "$SHARED/fixtures/ava/ava_excluded_timestamps_sample.csv" annotations/ava_train_excluded_timestamps_v2.1.csv
    cp "$SHARED/fixtures/ava/ava_action_list_v2.1_for_activitynet_2018.pbtxt" annotations/
    printf '%s\n' '-5KQ66BBWC4,0902,0.326,0.185,0.470,0.887,,0.996382' '0f39OWEqJ24,0902,0.031,0.162,0.670,0.995,,0.5' >ava_test_predicted_boxes.csv
    echo words >videos/0f39OWEqJ24.mkv
    index ava annotations --detections ava_test_predicted_boxes.csv
    [[ "$stderr" == *"videos: 3 listed, 0 found, 2 missing, 1 bad; 0 classes, 4 key frames, 3 boxes"* ]]
    [ "$(setting index.lmdb video_start)" = "" ]
    # The map has 60 of the 80 actions; what it lacks is one of them all the same.
    actions >actions
    [ "$(cut -f 1 actions | xargs)" = "$(seq 80 | xargs)" ]
    [ "$(grep -c '	action [0-9]*$' actions)" = 20 ]
    grep -qx '16	action 16' actions
    grep -qx '1	bend/bow (at the waist)' actions
    records index.lmdb split path extra >records
    grep -qxF -- '-5KQ66BBWC4	test	-5KQ66BBWC4.mp4	{"key_frames":[{"time":2.0,"timestamp":"0902"}],"boxes":[{"time":2.0,"box":[0.326,0.185,0.47,0.887],"score":0.996382}],"video_start":900.0}' records
    grep -qxF '0f39OWEqJ24	train	0f39OWEqJ24.mkv	{"key_frames":[{"time":2.0,"timestamp":"0902"},{"time":3.0,"timestamp":"0903","excluded":true}],"boxes":[{"time":2.0,"box":[0.031,0.162,0.67,0.995],"labels":[12,17,79],"person":0},{"time":2.0,"box":[0.031,0.162,0.67,0.995],"score":0.5}],"video_start":900.0}' records
    grep -qxF '_-Z6wFjXtGQ	train	_-Z6wFjXtGQ.mp4	{"key_frames":[{"time":2.0,"timestamp":"0902","excluded":true}],"boxes":[],"video_start":900.0}' records
    index ava annotations --video-start 0
    records index.lmdb extra | grep -q '{"time":902.0,"timestamp":"0902"}.*"video_start":0.0}'
    [ "$(setting index.lmdb video_start)" = 0.0 ]
    tool teg-index --format ava --annotations annotations --videos videos --video-start 903 -o none.lmdb
    expect_error 1 "annotations/ava_train_v2.1.csv: 0f39OWEqJ24: 1 key frames lie before second 903, where the file begins: see --video-start"
    index ava "$SHARED/fixtures/ava/eval_detection_gt.csv" --video-start 1
    [ "$(records index.lmdb split | cut -f 2 | sort -u)" = "-" ]
    rm annotations/*.csv
    tool teg-index --format ava --annotations annotations --videos videos -o none.lmdb
    expect_error 1 "annotations: holds no ava_{train,val,test}_v2.{1,2}.csv"
}

@test "ava-kinetics: films and clips, key frames without boxes, times within the clip" {
    need_shared golden/ava/r04_kin/gt.csv
    cp "$SHARED/golden/ava/r04_kin/gt.csv" annotations/kinetics_val_v1.0.csv
    printf '00g-inkLork,5.016949\n-_77WAvZ_o,17.000000,0.308489,0.465223,0.530244,0.991838,12\n-_77WAvZ_o,90.000000\n' \
        >annotations/kinetics_train_v1.0.csv
    printf 'film,0904,0.002,0.118,0.714,0.977,12,1\n' >annotations/ava_val_v2.2.csv
    mkdir videos/walking
    for name in film -_77WAvZ_o_000012_000022 -_77WAvZ_o_000085_000087 -_77WAvZ_ox_000017_000027 walking/00g-inkLork; do
        echo words >"videos/$name.mp4"
    done
    index ava-kinetics annotations
    n=$(cut -d, -f1 annotations/kinetics_val_v1.0.csv | sort -u | wc -l)
    [[ "$stderr" == *"1 key frames lie outside the clip of their video"* ]]
    [[ "$stderr" == *"1 files have no seconds in their names"* ]]
    [[ "$stderr" == *"split train: 2 listed"*"split val: $((n + 1)) listed"* ]]
    records index.lmdb split path extra >records
    grep -qxF -- '-_77WAvZ_o	train	-_77WAvZ_o_000012_000022.mp4	{"key_frames":[{"time":5.0,"timestamp":"17.000000"}],"boxes":[{"time":5.0,"box":[0.308489,0.465223,0.530244,0.991838],"labels":[12]}]}' records
    grep -q '^film	val	film.mp4	{"key_frames":\[{"time":4.0,"timestamp":"0904"}\]' records
    grep -q '^00g-inkLork	train	walking/00g-inkLork.mp4	{"key_frames":\[{"time":5.016949' records
}
