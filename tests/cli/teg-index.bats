#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load support

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    "$TEG_BIN/teg-synth" --quiet --dataset events --videos 8 --frames 30 --size 32 -o data ||
        "$TEG_BIN/teg-synth" --quiet --dataset events --videos 8 --frames 30 --size 32 --codec mpeg4 -o data
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    SHARED=$(realpath -m "$SHARED")
    TEG_BIN=$(realpath "$TEG_BIN")
    cp -r "$BATS_FILE_TMPDIR/data/videos" "$BATS_FILE_TMPDIR/data/annotations.jsonl" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return
}

records() {
    "$TEG_BIN/tests/cli/helper_dump" "$@"
}

# The one video file whose name has this in it.
find_video() {
    find videos -name "*$1*" | head -n 1
}

@test "folders are splits and classes" {
    tool teg-index --videos videos -o index.lmdb
    expect_status 0
    [ -z "$output" ]
    [[ "$stderr" == *"videos: 8 listed, 8 found, 0 missing, 0 bad; "*" classes"* ]]
    [[ "$stderr" == *"split train: 6 listed, 6 found, 0 missing, 0 bad"* ]]
    [ "$(records index.lmdb split | cut -f 2 | sort | uniq -c | xargs)" = "6 train 2 val" ]
    while IFS=$'\t' read -r id path class size fps frames verified status; do
        [ "$id.mp4" = "$path" ]
        [ "$class" = "$(basename "$(dirname "$path")")" ]
        [ "$size $fps $frames $verified $status" = "32 30/1 30 false ok" ]
    done < <(records index.lmdb path class width fps n_frames verified status)
}

@test "the same bytes for any number of threads; every frame counted with --verify" {
    for threads in 1 2 5; do
        tool teg-index --verify --threads $threads --videos videos -o "$threads.lmdb"
        expect_status 0
    done
    cmp 1.lmdb 2.lmdb
    cmp 1.lmdb 5.lmdb
    [ "$(records 1.lmdb n_frames verified | cut -f 2,3 | sort -u)" = "30	true" ]
}

@test "a folder that is passed over, by whichever path: its videos, and what else is in it" {
    tool teg-index --videos videos -o before.lmdb
    mkdir videos/out
    cp "$(find_video train-00000)" videos/out/copy.mp4
    echo words >videos/out/words.txt
    ln -s videos/out link
    for folder in videos/out link videos/../videos/out/; do
        tool teg-index --videos videos --exclude $folder --force -o after.lmdb
        expect_status 0
        cmp before.lmdb after.lmdb
    done
    tool teg-index --videos videos --force -o after.lmdb
    [[ $stderr == *"1 files passed over"*"videos: 9 listed"* ]]
    tool teg-index --videos videos --exclude nowhere -o x.lmdb
    expect_status 1
    [[ $stderr == *"nowhere: No such file"* ]]
}

@test "hidden files and folders are not looked at, unless listed" {
    tool teg-index --videos videos -o without.lmdb
    a=$(find_video train-00000)
    mkdir -p videos/.hid/deep
    cp "$a" videos/.hid/deep/x.mp4
    cp "$a" videos/.hidden.mp4
    cp "$a" "${a%/*}/._x.mp4"
    : >videos/.DS_Store
    tool teg-index --videos videos -o with.lmdb
    expect_status 0
    cmp with.lmdb without.lmdb
    printf '.hidden.mp4,x\n' >list.csv
    tool teg-index --format list --annotations list.csv --videos videos -o list.lmdb
    expect_status 0
    [[ $stderr == *"videos: 1 listed, 1 found"* ]]
}

@test "annotations carry events" {
    tool teg-index --format annotations --annotations annotations.jsonl --videos videos -o index.lmdb
    expect_status 0
    records index.lmdb >records
    while IFS= read -r line; do
        id=$(sed 's/.*"path":"\([^"]*\)\.mp4".*/\1/' <<<"$line")
        events=$(sed 's/.*\("events":\[[^]]*\]\).*/\1/' <<<"$line")
        grep -F "$id	" records | grep -qF "$events"
    done <annotations.jsonl
}

@test "a list gives class and split; a split file overrides" {
    a=$(find_video train-00000) b=$(find_video train-00001)
    printf 'path,label,split\n%s,"one, two",train\n%s,three,train\n' "${a#videos/}" "${b#videos/}" >list.csv
    printf '%s validation\nnowhere.mp4 test\n' "${b#videos/}" >split.txt
    tool teg-index --format list --annotations list.csv --split split.txt --videos videos -o index.lmdb
    expect_status 0
    [[ "$stderr" == *"split.txt: 1 lines name videos that are not there, the first is nowhere.mp4"* ]]
    [ "$(records index.lmdb class split | cut -f 2,3 | sort)" = "$(printf 'one, two\ttrain\nthree\tval')" ]
}

@test "bad and missing files stay in the index with their reason" {
    a=$(find_video train-00000)
    : >videos/empty.mp4
    head -c 100 "$a" >videos/cut.mp4
    echo words >videos/words.avi
    echo words >videos/words.txt
    tool teg-index --videos videos -o folder.lmdb
    expect_status 0
    [[ "$stderr" == *"1 files passed over"* ]]
    [[ "$stderr" == *"videos: 11 listed, 8 found, 0 missing, 3 bad"* ]]
    records folder.lmdb status reason >reasons
    grep -q '^empty	bad	empty file$' reasons
    grep -q '^cut	bad	cannot be opened: moov atom not found$' reasons
    grep -q '^words	bad	cannot be opened: Invalid data' reasons
    mkfifo videos/pipe.mp4
    printf 'empty.mp4,x\ngone.mp4,x\npipe.mp4,x\n%s,x\n' "${a#videos/}" >list.csv
    tool teg-index --format list --annotations list.csv --videos videos --max-bad 2 -o list.lmdb
    expect_status 1
    [[ "$stderr" == *"list.lmdb: 3 of 4 videos are bad or missing, --max-bad is 2"* ]]
    [[ "$(records list.lmdb | head -n 1)" == *'"summary":{"found":1,"missing":1,"bad":2,'*'"complete":true'* ]]
    [ "$(records list.lmdb reason | grep gone)" = "gone	missing" ]
    [ "$(records list.lmdb reason | grep pipe)" = "pipe	not a regular file" ]
    tool teg-index --format list --annotations list.csv --videos videos --max-bad 3 --force -o list.lmdb
    expect_status 0
}

@test "a shortage of files ends the run, whatever file is next, and makes no video bad" {
    "$TEG_BIN/teg-index" -q --videos videos -o whole.lmdb
    local n n_refused=0 status
    for n in {3..30}; do
        status=0
        rm -f few.lmdb*
        (ulimit -n $n && exec "$TEG_BIN/teg-index" -q --videos videos -o few.lmdb) 2>err || status=$?
        if [ $status = 0 ]; then
            cmp few.lmdb whole.lmdb
            break
        fi
        [ ! -e few.lmdb ]
        n_refused=$((n_refused + $(grep -c 'error: .*mp4: cannot be opened: Too many open files' err || true)))
    done
    [[ $status = 0 && $n_refused -gt 0 ]]
}

@test "wrong usage" {
    for arguments in "" "--videos videos" "-o x.lmdb" "--format nothing --videos videos -o x.lmdb" \
        "--format list --videos videos -o x.lmdb" "--max-bad -1 --videos videos -o x.lmdb" \
        "--time-limit 0 --videos videos -o x.lmdb" "--videos videos -o x.lmdb more"; do
        # shellcheck disable=SC2086 # the arguments are words
        tool teg-index $arguments
        expect_status 2
        [[ "$stderr" == "teg-index: error: "* ]]
        [ ! -e x.lmdb ]
    done
}

@test "errors name the file and the line" {
    printf '{"path": "a.mp4"}\n{"path": "b.mp4", "events": [{"start": 2, "end": 1}]}\n' >bad.jsonl
    tool teg-index --format annotations --annotations bad.jsonl --videos videos -o x.lmdb
    expect_status 1
    [ "$stderr" = "teg-index: error: bad.jsonl: line 2: event 1: 2..1 is no interval" ]
    printf 'a.mp4,x\nb.mp4,y,nowhere\n' >bad.csv
    tool teg-index --format list --annotations bad.csv --videos videos -o x.lmdb
    expect_status 1
    [ "$stderr" = "teg-index: error: bad.csv:2: split nowhere is none of train, val, test" ]
    printf 'path,label\na.mp4,x\nb.mp4,x\n./a.mp4,y\n' >twice.csv
    tool teg-index --format list --annotations twice.csv --videos videos -o x.lmdb
    expect_error 1 "twice.csv:4: a.mp4: listed twice, in line 2 already"
    printf '{"path": "a.mp4"}\n\n{"path": "a.mp4"}\n' >twice.jsonl
    tool teg-index --format annotations --annotations twice.jsonl --videos videos -o x.lmdb
    expect_error 1 "twice.jsonl: line 3: a.mp4: listed twice, in line 1 already"
    mkdir none
    tool teg-index --videos none -o x.lmdb
    expect_status 1
    [[ "$stderr" == *"none: no video files among 0 files"* ]]
    tool teg-index --videos nowhere -o x.lmdb
    expect_status 1
    [[ "$stderr" == *nowhere* ]]
    [ ! -e x.lmdb ]
}

@test "--videos is a folder, whatever the format" {
    printf 'a.mp4,x\n' >list.csv
    echo words >file
    local format
    for format in folder "list --annotations list.csv" "annotations --annotations annotations.jsonl" \
        "kinetics --annotations list.csv"; do
        # shellcheck disable=SC2086 # the format is words
        tool teg-index --format $format --videos file --max-bad 100 -o x.lmdb
        expect_error 1 "file: not a folder"
        # shellcheck disable=SC2086
        tool teg-index --format $format --videos nowhere --max-bad 100 -o x.lmdb
        expect_error 1 "nowhere: No such file or directory"
        [ ! -e x.lmdb ]
    done
}

@test "an index is not replaced without --force" {
    tool teg-index --videos videos -o index.lmdb
    expect_status 0
    cp index.lmdb before
    tool teg-index --videos videos/train -o index.lmdb
    expect_status 1
    cmp index.lmdb before
    tool teg-index --videos videos/train --force -o index.lmdb
    expect_status 0
    [ "$(records index.lmdb path | wc -l)" -eq 6 ]
}

@test "an index is written where links lead; folders and pipes are refused before the work" {
    mkdir -p far folder
    mkfifo pipe
    ln -sf far/real.lmdb link.lmdb
    ln -sf pipe piped
    for i in 1 2; do # the second time there is one
        tool teg-index --videos videos --force -o link.lmdb
        expect_status 0
        [[ -L link.lmdb && -f far/real.lmdb && ! -e far/real.lmdb.part ]]
    done
    for name in link.lmdb far/real.lmdb; do # videos are found from where it is
        tool teg-decode -q --index $name --short-side 32 --force -o frames.lmdb
        expect_status 0
    done
    tool teg-index -q --videos videos --force -o folder
    expect_error 1 "folder: is a folder"
    [ ! -e folder.part ]
    for name in pipe piped; do
        tool teg-index -q --videos videos --force -o $name
        expect_error 1 "$name: is a device or a pipe"
        [[ -p pipe && ! -e pipe.part ]]
    done
}

@test "a killed run goes on and ends with the same bytes" {
    mkdir many
    for i in $(seq 400); do
        cp "$(find_video "train-0000$((i % 6))")" "many/$i.mp4"
    done
    tool teg-index --verify --videos many -o whole.lmdb
    expect_status 0
    cp whole.lmdb whole
    rm whole.lmdb
    killed=0
    for i in $(seq 40); do
        [ ! -e whole.lmdb ] || break
        if ! killed_after "0.$(printf %02d $((5 + i * 2)))" "$TEG_BIN/teg-index" --quiet --verify --videos many -o whole.lmdb; then
            killed=$((killed + 1))
        fi
    done
    [ -e whole.lmdb ] || "$TEG_BIN/teg-index" --verify --videos many -o whole.lmdb
    [ "$killed" -gt 0 ]
    cmp whole.lmdb whole
}

# Leaves an index of the folder many half made.
leave_unfinished() {
    "$TEG_BIN/teg-index" --quiet --verify --threads 1 --videos many -o i.lmdb &
    pid=$!
    while [ "$(stat -c %s i.lmdb.part 2>/dev/null || echo 0)" -lt 20000 ]; do sleep 0.01; done
    kill -TERM $pid
    ! wait $pid
    [ ! -e i.lmdb ]
}

@test "an unfinished index is gone on with for the same files only" {
    mkdir many
    for i in $(seq 1000 1319); do
        cp "$(find_video "train-0000$((i % 6))")" "many/n$i.mp4"
    done
    for change in "rm many/n1000.mp4" "mv many/n1318.mp4 many/a.mp4" "touch many/n1001.mp4"; do
        leave_unfinished
        tool teg-index --verify --videos many -o i.lmdb
        expect_status 0
        [[ "$stderr" == *"going on behind "*" of "*" videos"* ]]
        rm i.lmdb
        leave_unfinished
        $change
        tool teg-index --verify --videos many -o i.lmdb
        expect_error 1 "i.lmdb.part was begun in another way; give --force to begin anew, or remove it: what it is made from has changed"
        tool teg-index --verify --videos many --force -o i.lmdb
        expect_status 0
        [ "$(records i.lmdb path | wc -l)" -eq "$(find many -type f | wc -l)" ]
        [ "$(echo i.lmdb*)" = i.lmdb ]
        rm i.lmdb
    done
}

@test "the bytes of an index do not depend on the times of the files" {
    tool teg-index --videos videos -o i.lmdb
    expect_status 0
    find videos -type f -exec touch -d 2001-01-01 {} +
    tool teg-index --videos videos -o j.lmdb
    expect_status 0
    cmp i.lmdb j.lmdb
}

@test "a file that takes too long is given up" {
    need_shared data/long/libopenshot/sintel_trailer-720p.mp4
    printf 'sintel_trailer-720p.mp4,x\n' >list.csv
    tool teg-index --format list --annotations list.csv --videos "$SHARED/data/long/libopenshot" --time-limit 0.001 -o x.lmdb
    expect_status 0
    [ "$(records x.lmdb reason)" = "sintel_trailer-720p	no frame within the time limit of 0.001 s" ]
}

@test "index and files may move together" {
    mkdir a
    mv videos a
    tool teg-index --videos a/videos -o a/index.lmdb
    expect_status 0
    mv a b
    tool teg-decode --index b/index.lmdb -o frames.lmdb
    expect_status 0
}

@test "a closed standard error does not become the index" {
    echo x >videos/bad.mp4
    "$TEG_BIN/teg-index" --videos videos -o i.lmdb 2>&-
    tool teg-index --videos videos -o j.lmdb
    cmp i.lmdb j.lmdb
}

@test "events and boundaries behind the end of a video are counted" {
    a=$(find_video train-00000)
    printf '{"path":"%s","events":[{"start":0,"end":1.2},{"start":0,"end":1.6},{"start":1,"end":1}],"extra":{"boundaries":[[0.5,1.5]]}}\n' \
        "${a#videos/}" >a.jsonl
    tool teg-index --format annotations --annotations a.jsonl --videos videos -o i.lmdb
    expect_status 0
    [[ "$stderr" == *"3 events, 2 boundaries, 3 outside of their video"* ]]
    [[ "$stderr" == *"warning: 3 events, boundaries or key frames lie behind the end of their video"* ]]
}

@test "a split file may have a header" {
    a=$(find_video train-00000) b=$(find_video train-00001)
    printf 'Split,path\nval,%s\ntrain,%s\ntest,no.mp4\ntest,no2.mp4\n' "${a#videos/}" "${b#videos/}" >split.csv
    tool teg-index --split split.csv --videos videos -o index.lmdb
    expect_status 0
    [[ "$stderr" == *"2 lines name videos that are not there, the first is no.mp4"* ]]
    records index.lmdb path split | grep -q "${a#videos/}	val\$"
}

@test "files may be called anything" {
    a=$(find_video train-00000)
    mkdir -p $'odd/cl\nass' "odd/$(printf 'x%.0s' $(seq 200))/$(printf 'y%.0s' $(seq 200))"
    cp "$a" $'odd/cl\nass/a\nb.mp4'
    cp "$a" odd/!x.mp4
    cp "$a" "odd/$(printf 'x%.0s' $(seq 200))/$(printf 'y%.0s' $(seq 200))/$(printf 'z%.0s' $(seq 200)).mp4"
    : >odd/._x.mp4
    mkdir $'odd/\xe9' && cp "$a" $'odd/\xe9/a.mp4' || skip "this file system takes UTF-8 only"
    tool teg-index --videos odd --max-bad 1 -o index.lmdb
    expect_status 0
    [[ "$stderr" == *"4 listed, 3 found, 0 missing, 1 bad"* ]]
    records index.lmdb status reason class | grep -q "^%E9/a	bad	the name is not UTF-8: rename the file	%E9\$"
    records index.lmdb status | grep -q "^cl%0Aass/a%0Ab	ok\$"
    records index.lmdb status | grep -q "^%21x	ok\$"
    tool teg-decode --index index.lmdb --max-bad 1 -o frames.lmdb
    expect_status 0
    tool teg-inspect verify frames.lmdb
    expect_status 0
}

@test "the annotations are never overwritten" {
    tool teg-index --format annotations --annotations annotations.jsonl --videos videos -o annotations.jsonl --force
    expect_error 1 "--annotations and --output are the same file"
    tool teg-index --videos videos -o ''
    expect_error 2 "--output: nothing given"
}

@test "of very many bad videos the first hundred are named, with --verbose all" {
    mkdir none
    seq -f 'v%g.mp4,c' 130 | sed '1i path,label' >list.csv
    tool teg-index --format list --annotations list.csv --videos none -o a.lmdb
    [ "$(grep -c 'warning: v[0-9]*.mp4: missing' <<<"$stderr")" = 100 ]
    [[ $stderr == *"teg-index: warning: 30 more like these (--verbose says all)"* ]]
    tool teg-index --verbose --format list --annotations list.csv --videos none -o b.lmdb
    [ "$(grep -c 'warning: v[0-9]*.mp4: missing' <<<"$stderr")" = 130 ]
    [[ $stderr != *"more like these"* ]]
}
