#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Stores in shards: teg-decode and teg-extract write them, every tool reads them as the store in one file.

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    mkdir "$BATS_FILE_TMPDIR/whole" "$BATS_FILE_TMPDIR/set"
    cd "$BATS_FILE_TMPDIR/whole" || return
    small_videos --events 4 --seed 2 # of which no label is in the validation videos alone
    cd ../set || return
    cp ../whole/index.lmdb .
    local i
    for i in 1 2 3; do
        "$TEG_BIN/teg-decode" -q --index index.lmdb --videos ../whole/synth/videos --shard $i/3 -o frames.lmdb &
    done
    wait
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    mkdir whole set
    ln -s "$BATS_FILE_TMPDIR"/whole/*.lmdb whole
    ln -s "$BATS_FILE_TMPDIR"/set/*.lmdb* set
    videos=$BATS_FILE_TMPDIR/whole/synth/videos
}

# in_both TOOL [OPTION...]: runs it where the store is whole and where it is in shards; both must succeed.
in_both() {
    local folder
    for folder in whole set; do
        cd "$folder" || return
        tool "$@"
        expect_status 0 || return
        cd .. || return
    done
}

# Fails unless two stores are the same, `!meta` and all records.
same() {
    tool teg-inspect diff "$1" "$2"
    expect_status 0 && [ -z "$output" ]
}

# decode SHARD OUT [OPTION...]
decode() {
    tool teg-decode --index whole/index.lmdb --videos "$videos" --shard "$1" -o "$2" "${@:3}"
}

small_model=(--model r3d-tiny --crop-size 16 --batch 4 --head-width 8 --head-dim 8 --head-layers 1 --threads 1)

@test "a set is the store in one file" {
    [ "$(cd set && echo frames.lmdb*)" = "frames.lmdb.1-of-3 frames.lmdb.2-of-3 frames.lmdb.3-of-3" ]
    same whole/frames.lmdb set/frames.lmdb
    diff <("$TEG_BIN/teg-inspect" ls whole/frames.lmdb) <("$TEG_BIN/teg-inspect" ls set/frames.lmdb) >ls.diff || true
    [ "$(grep '^[<>]' ls.diff)" = "> shards    3" ]
    diff <("$TEG_BIN/teg-inspect" ls -l whole/frames.lmdb) <("$TEG_BIN/teg-inspect" ls -l set/frames.lmdb)
    tool teg-inspect verify set/frames.lmdb
    expect_status 0
    [ "$output" = "set/frames.lmdb: good: frames, 8 videos in 328 records, 3 shards" ]
    cmp <("$TEG_BIN/teg-inspect" show whole/frames.lmdb '!meta') <("$TEG_BIN/teg-inspect" show set/frames.lmdb '!meta')
}

@test "each shard is a store, of videos in turn" {
    local n
    for n in 1 2 3; do
        tool teg-inspect verify set/frames.lmdb.$n-of-3
        expect_status 0
        "$TEG_BIN/teg-inspect" ls set/frames.lmdb.$n-of-3 | grep -x " *shard = $n/3"
        "$TEG_BIN/tests/cli/helper_dump" set/frames.lmdb.$n-of-3 status | sed '/!meta/d' | cut -f 1 >ids.$n
    done
    "$TEG_BIN/tests/cli/helper_dump" whole/frames.lmdb status | sed '/!meta/d' | cut -f 1 >ids
    diff ids <(paste -d '\n' ids.1 ids.2 ids.3 | sed '/^$/d')
    python3 -c 'import lmdb, numpy, zstandard' 2>/dev/null || skip "Python's lmdb, numpy or zstandard is not installed"
    python3 "$root/tests/cli/read_stores.py" check set/frames.lmdb.{1,2,3}-of-3
}

@test "what is made from a set has the same bytes" {
    in_both teg-sample --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 --short 8x2 --labels none \
        --epochs 2 -o samples.lmdb
    cmp whole/samples.lmdb set/samples.lmdb
    in_both teg-train --frames frames.lmdb --samples samples.lmdb "${small_model[@]}" -o model.safetensors
    cmp whole/model.safetensors set/model.safetensors
    in_both teg-extract --model model.safetensors --frames frames.lmdb --index index.lmdb --clip 8x2 --crop-size 16 \
        --threads 2 -o events.lmdb
    cmp whole/events.lmdb set/events.lmdb
    id=$(cd whole && "$TEG_BIN/tests/cli/helper_dump" frames.lmdb status | sed -n '3s/\t.*//p')
    in_both teg-inspect preview frames.lmdb "$id" -o sheet.png
    cmp whole/sheet.png set/sheet.png
    in_both teg-inspect export frames.lmdb "$id/00000007" --npy frame.npy
    cmp whole/frame.npy set/frame.npy
}

@test "embeddings in shards: the same store and the same metrics" {
    local n
    in_both teg-sample --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 --short 8x2 --labels none \
        -o samples.lmdb
    "$TEG_BIN/teg-train" -q --frames whole/frames.lmdb --samples whole/samples.lmdb "${small_model[@]}" -o model.safetensors
    # One clip a batch: as many in a shard as in the whole.
    extract=(teg-extract --model model.safetensors --index whole/index.lmdb --clip 8x2 --crop-size 16 --threads 1 --batch 1)
    tool "${extract[@]}" --frames whole/frames.lmdb -o whole/events.lmdb
    expect_status 0
    for n in 1 2 3; do
        tool "${extract[@]}" --frames set/frames.lmdb --shard $n/3 -o set/events.lmdb
        expect_status 0
        tool teg-inspect verify set/events.lmdb.$n-of-3
        expect_status 0
    done
    same whole/events.lmdb set/events.lmdb
    in_both teg-probe --embeddings events.lmdb --index index.lmdb --labels events --method knn --predictions p.jsonl \
        -o metrics.json
    cmp whole/metrics.json set/metrics.json
    cmp whole/p.jsonl set/p.jsonl
}

@test "bad and missing videos are counted over all shards" {
    local n
    cp -r "$videos" videos
    truncate -s 100 "$(find videos -name 'val-00001.mp4')"
    rm set/frames.lmdb.* whole/frames.lmdb
    videos=videos
    decode 1/3 set/frames.lmdb
    expect_status 1
    [[ $stderr == *"1 of 3 videos below videos are bad, --max-bad is 0; set/frames.lmdb.1-of-3.part is complete"* ]]
    for n in 1 2 3; do
        decode $n/3 set/frames.lmdb --max-bad 1
        expect_status 0
    done
    tool teg-decode --index whole/index.lmdb --videos videos --max-bad 1 -o whole/frames.lmdb
    expect_status 0
    same whole/frames.lmdb set/frames.lmdb
    [[ "$("$TEG_BIN/teg-inspect" show set/frames.lmdb '!meta')" == *'"bad": 1'* ]]
    in_both teg-sample --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 --short 8x2 --labels none \
        --max-bad 1 -o samples.lmdb
    cmp whole/samples.lmdb set/samples.lmdb
    "$TEG_BIN/teg-train" -q --frames whole/frames.lmdb --samples whole/samples.lmdb "${small_model[@]}" --epochs 0 \
        -o model.safetensors
    cp model.safetensors whole
    in_both teg-sample --index index.lmdb --frames frames.lmdb --strategy events --clip 8x2 --max-bad 1 -o plan.lmdb
    extract=(teg-extract --model model.safetensors --crop-size 16 --threads 1 --batch 1)
    tool "${extract[@]}" --frames whole/frames.lmdb --samples whole/plan.lmdb -o whole/clips.lmdb
    expect_status 0
    for n in 1 2; do
        tool "${extract[@]}" --frames set/frames.lmdb --samples set/plan.lmdb --shard $n/2 -o set/clips.lmdb
        expect_status 0
    done
    same whole/clips.lmdb set/clips.lmdb
    in_both teg-probe --embeddings clips.lmdb --index index.lmdb --labels events --method knn --max-missing 1 -o metrics.json
    cmp whole/metrics.json set/metrics.json
    [ "$("$TEG_BIN/teg-inspect" show set/metrics.json n_missing)" = 1 ]
}

@test "more shards than videos" {
    local n
    rm set/frames.lmdb.*
    for n in {1..10}; do
        decode "$n/10" set/frames.lmdb
        expect_status 0
    done
    same whole/frames.lmdb set/frames.lmdb
    tool teg-inspect verify set/frames.lmdb.10-of-10
    expect_status 0
    [ "$output" = "set/frames.lmdb.10-of-10: good: frames, 0 videos in 0 records" ]
    in_both teg-sample --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 --short 8x2 --labels none \
        -o samples.lmdb
    "$TEG_BIN/teg-train" -q --frames set/frames.lmdb --samples set/samples.lmdb "${small_model[@]}" --epochs 0 -o m.safetensors
    tool teg-extract --model m.safetensors --frames set/frames.lmdb --crop-size 16 --clip 8x2 --shard 9/9 -o e.lmdb
    expect_status 0
    [ "$("$TEG_BIN/teg-inspect" verify e.lmdb.9-of-9)" = "e.lmdb.9-of-9: good: embeddings, 0 videos in 0 records" ]
    rm set/frames.lmdb.*
    decode 1/1 set/frames.lmdb
    expect_status 0
    same whole/frames.lmdb set/frames.lmdb
}

@test "a killed shard goes on and ends with the same bytes" {
    local i delay n_kills=0
    RANDOM=11
    args=(--quiet --index whole/index.lmdb --videos "$videos" --fps 300 --shard 2/3 -o frames.lmdb)
    start=$EPOCHREALTIME
    "$TEG_BIN/teg-decode" "${args[@]}"
    microseconds=$(((${EPOCHREALTIME/./} - ${start/./}) / 8 + 20000))
    mv frames.lmdb.2-of-3 expected
    for ((i = 0; i < 8; i++)); do
        delay=$((RANDOM * microseconds / 16384 + 1000))
        killed_after "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))" \
            "$TEG_BIN/teg-decode" "${args[@]}" --threads $((1 + i % 2)) || n_kills=$((n_kills + 1))
        rm -f frames.lmdb.2-of-3
    done
    echo "$n_kills runs killed"
    [ "$n_kills" -gt 2 ]
    "$TEG_BIN/teg-decode" "${args[@]}"
    cmp frames.lmdb.2-of-3 expected
    [ "$(echo frames.lmdb*)" = frames.lmdb.2-of-3 ]
}

@test "what is missing is named, with what to do" {
    read_set() {
        tool teg-sample --index whole/index.lmdb --frames set/frames.lmdb --strategy uniform -o x.lmdb
        [ ! -e x.lmdb ]
    }
    rm set/frames.lmdb.2-of-3
    read_set
    expect_error 1 "set/frames.lmdb: 1 of 3 shards are missing: frames.lmdb.2-of-3; run teg-decode with --shard 2/3"
    mkdir other
    decode 2/3 other/frames.lmdb --short-side 8
    expect_status 0
    mv other/frames.lmdb.2-of-3 set/frames.lmdb.2-of-3.part # as one that was begun with other settings
    read_set
    expect_error 1 "frames.lmdb.2-of-3 (there is its .part); run teg-decode with --shard 2/3"
    decode 2/3 set/frames.lmdb
    expect_error 1 "frames.lmdb.2-of-3.part was begun in another way; give --force to begin anew, or remove it: settings.short_side"
    decode 2/3 set/frames.lmdb --short-side 16 --force
    expect_status 0
    read_set
    expect_error 1 "set/frames.lmdb.1-of-3 and set/frames.lmdb.2-of-3 are not shards of one store: settings.short_side is 256"
    decode 2/3 set/frames.lmdb --force
    expect_status 0
    same whole/frames.lmdb set/frames.lmdb
    cp set/frames.lmdb.2-of-3 set/frames.lmdb.1-of-2
    read_set
    expect_error 1 "set/frames.lmdb: there are shards of two sets, frames.lmdb."
    mv set/frames.lmdb.1-of-2 set/frames.lmdb.1-of-2.bak
    same whole/frames.lmdb set/frames.lmdb
    cp --remove-destination set/frames.lmdb.1-of-3 set/frames.lmdb.2-of-3
    read_set
    expect_error 1 "set/frames.lmdb.2-of-3: holds shard 1/3, not 2/3 as its name says"
}

@test "a store in one file is read in place of shards" {
    decode 1/2 whole/frames.lmdb
    expect_error 1 "whole/frames.lmdb: exists already and is read in place of any shards; remove it, or give --force"
    cp set/frames.lmdb.1-of-3 set/frames.lmdb
    tool teg-inspect verify set/frames.lmdb
    expect_status 0
    [ "$output" = "set/frames.lmdb: good: frames, 3 videos in 123 records" ]
}

@test "damage is named with its file" {
    cp --remove-destination "$(realpath set/frames.lmdb.3-of-3)" set/frames.lmdb.3-of-3
    chmod u+w set/frames.lmdb.3-of-3
    key=$("$TEG_BIN/tests/cli/helper_dump" set/frames.lmdb.3-of-3 status | sed -n '2s/\t.*//p')/00000005
    python3 - "$key" <<'END' || skip "python3 is not installed"
import sys
path = "set/frames.lmdb.3-of-3"
data = bytearray(open(path, "rb").read())
frame = data.find(b"\x28\xb5\x2f\xfd", data.find(sys.argv[1].encode()))
data[frame + 40] ^= 0xff
open(path, "wb").write(data)
END
    tool teg-inspect verify set/frames.lmdb
    expect_status 1
    [[ "$output" == "set/frames.lmdb.3-of-3: "* ]]
    [[ "$stderr" == *"1 of 328 records are bad"* ]]
    truncate -s 5000 set/frames.lmdb.3-of-3
    tool teg-inspect ls set/frames.lmdb
    expect_error 1 "set/frames.lmdb.3-of-3: truncated"
}

@test "wrong usage" {
    local shard
    for shard in 0/2 3/2 1 1/ 1/2/3 01/2 1/10000 a/b; do
        decode "$shard" x.lmdb
        expect_error 2 "--shard: want I/N with 1 <= I <= N <= 9999, as in 2/8, not \"$shard\""
        tool teg-extract --model m --frames set/frames.lmdb --shard "$shard" -o x.lmdb
        expect_error 2 "--shard: want I/N with 1 <= I <= N <= 9999, as in 2/8, not \"$shard\""
    done
    [ "$(echo x.lmdb*)" = "x.lmdb*" ]
}
