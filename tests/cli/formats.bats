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
