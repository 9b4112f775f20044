#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the commands print is checked in tests/unit/test_inspect.c; here is how the tool behaves.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    helper=$TEG_BIN/tests/unit/helper_store
    model m.safetensors '\0\0\200\077'
}

# model FILE BYTES: one tensor "w", float32, [2,1]; BYTES are its last element.
model() {
    local header='{"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}'
    { printf '%b\0\0\0\0\0\0\0' "\\x$(printf %x ${#header})"; printf '%s\0\0\0\0%b' "$header" "$2"; } >"$1"
}

# store FILE N: N records that are neither JSON nor arrays.
store() {
    [ -x "$helper" ] || skip "the helper programs are not built"
    "$helper" "$1" "$2" sorted
}

@test "usage errors: status 2, one line and a hint" {
    local arguments
    while IFS='|' read -r arguments expected; do
        # shellcheck disable=SC2086 # a list of words
        tool teg-inspect $arguments
        expect_status 2
        [ -z "$output" ]
        [ "${stderr%%$'\n'*}" = "teg-inspect: error: $expected" ]
        [ "$(wc -l <<<"$stderr")" -eq 2 ]
    done <<END
|a command is missing
look x|there is no command 'look'
ls|ls: a file is missing
ls a b|unexpected argument 'b'
diff a|diff: a file is missing
show a|show: a key is missing
export a b|export: --npy or --png is missing
export a --png b|export: a key is missing
ls a --npy b|--npy and --png belong to export
preview a|preview: -o is missing
preview -o b|preview: a file is missing
preview a b c -o d|unexpected argument 'c'
preview a -o b --aggregate 2|--aggregate: "2" is not KS,KL
preview a -o b --png c|--npy and --png belong to export
ls a --epoch 3|ls: an option of preview was given
ls --all a|--all belongs to show
verify --all a|--all belongs to show
show -l a b|-l belongs to ls
diff -l a b|-l belongs to ls
ls --deep a|unrecognized option '--deep'
END
}

@test "ls: a summary, or a line on every record" {
    tool teg-inspect ls m.safetensors
    expect_status 0
    [ "$output" = "model     safetensors
elements  2 in 8 bytes
records   1
keys      w" ]
    tool teg-inspect ls -l m.safetensors
    expect_status 0
    [ "$(awk 'NR == 2 { print $1, $2, $3, $4, $5 }' <<<"$output")" = "float32 [2,1] 8 8 w" ]
    tool teg-inspect ls --long m.safetensors
    expect_status 0
}

@test "show prints one record" {
    tool teg-inspect show m.safetensors w
    expect_status 0
    [ "$output" = "float32 [2,1]
min 0, max 1, mean 0.5, deviation 0.5
0
1" ]
    tool teg-inspect show m.safetensors v
    expect_status 1
    [ "$stderr" = "teg-inspect: error: m.safetensors: there is no tensor 'v'" ]
}

@test "show prints one value of a JSON file" {
    echo '{"top1": 0.25, "name": "a b", "list": [{"n": 3}, [true]], "a/b": 0}' >"$BATS_TEST_TMPDIR/m.json"
    value() {
        tool teg-inspect show "$BATS_TEST_TMPDIR/m.json" "$1"
        expect_status 0
        [ "$output" = "$2" ]
    }
    value top1 0.25
    value name 'a b'
    value list/0/n 3
    value list/1/0 true
    value list/1 '[
  true
]'
    tool teg-inspect show "$BATS_TEST_TMPDIR/m.json" /
    expect_status 0
    [ "$(printf '%s\n' "$output" | head -n 2)" = '{
  "top1": 0.25,' ]
    for path in top2 top1/x list/2 list/-1 list/x; do
        tool teg-inspect show "$BATS_TEST_TMPDIR/m.json" "$path"
        expect_status 1
        [[ $stderr == *"m.json: $path: there is no "* ]]
    done
    echo '{"top1": ' >"$BATS_TEST_TMPDIR/m.json"
    tool teg-inspect show "$BATS_TEST_TMPDIR/m.json" top1
    expect_status 1
    [[ $stderr == *"m.json:"* ]]
}

@test "export writes a file that NumPy reads" {
    tool teg-inspect export m.safetensors w --npy w.npy --png w.png
    expect_status 0
    [ -z "$output$stderr" ]
    [ "$(head -c 8 w.png | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]
    python3 -c 'import numpy' 2>/dev/null || skip "NumPy is not installed"
    [ "$(python3 -c 'import numpy; a = numpy.load("w.npy"); print(a.dtype, a.tolist())')" = "float32 [[0.0], [1.0]]" ]
}

@test "export leaves nothing behind where it fails" {
    mkdir full
    tool teg-inspect export m.safetensors w --npy /dev/full
    expect_status 1
    [[ "$stderr" == *"/dev/full: No space left on device" ]]
    tool teg-inspect export m.safetensors w --png full
    expect_status 1
    [[ "$stderr" == *"full: is a folder" ]]
    tool teg-inspect export m.safetensors w --npy none/w.npy
    expect_status 1
    [ -z "$(find . -name '*.tmp')" ]
}

# Width and height of a PNG file.
png_size() {
    [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]
    od -An -j 16 -N 8 --endian=big -tu4 "$1" | awk '{ print $1 "x" $2 }'
}

@test "preview draws frames of a video and the clips of an example" {
    local name
    for name in teg-synth teg-index teg-decode teg-sample; do
        [ -x "$TEG_BIN/$name" ] || skip "$name is not built"
    done
    "$TEG_BIN/teg-synth" -q --dataset events --videos 2 --events 2 --frames 40 --size 48 -o synth
    "$TEG_BIN/teg-index" -q --videos synth/videos -o index.lmdb
    "$TEG_BIN/teg-decode" -q --index index.lmdb -o frames.lmdb
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --long 8x4 \
        --short 8x2 --labels none --epochs 1 -o samples.lmdb
    local video
    video=$("$TEG_BIN/teg-inspect" show samples.lmdb videos | tr -d '[]", \n' | sed 's/\(train-[0-9]*\).*/\1/')

    tool teg-inspect preview frames.lmdb "$video" --tiles 3 -o video.png
    expect_status 0
    [ -z "$output$stderr" ]
    [ "$(png_size video.png)" = 716x310 ] # 3 tiles of 224
    tool teg-inspect preview samples.lmdb --frames frames.lmdb --example 1 --crop-size 100 -o example.png
    expect_status 0
    [ "$(png_size example.png)" = 846x764 ] # 8 tiles of 100, a line for each clip
    cp example.png before.png
    tool teg-inspect preview samples.lmdb --frames frames.lmdb --example 1 --crop-size 100 -o example.png
    cmp example.png before.png

    while IFS='|' read -r arguments expected; do
        # shellcheck disable=SC2086 # a list of words
        tool teg-inspect preview $arguments -o none.png
        expect_status 1
        [ "$stderr" = "teg-inspect: error: $expected" ] || { echo "$stderr" >&2 && return 1; }
        [ ! -e none.png ]
    done <<END
frames.lmdb|frames.lmdb: which video? give its id
frames.lmdb nobody|frames.lmdb: there is no video nobody
samples.lmdb|samples.lmdb: the frames store of these samples is missing (--frames)
samples.lmdb --frames frames.lmdb --example 7|samples.lmdb: epoch 0 has no example 7
samples.lmdb --frames frames.lmdb --aggregate 3,1|the short clip has 4 feature steps, which cannot be put together by 3
samples.lmdb x --frames frames.lmdb|samples.lmdb: a samples store shows examples, not video x
index.lmdb|index.lmdb: a store of schema index; frames and samples can be shown
END
}

@test "diff: status 1 and what differs" {
    tool teg-inspect diff m.safetensors m.safetensors
    expect_status 0
    [ -z "$output$stderr" ]
    model n.safetensors '\0\0\0\100'
    tool teg-inspect diff m.safetensors n.safetensors
    expect_status 1
    [ "$output" = "w: 1 of 2 elements differ, by 1 at most; first [1, 0]: 1 | 2" ]
    [[ "$stderr" == "teg-inspect: error: m.safetensors and n.safetensors differ: "* ]]
}

@test "stores of all kinds" {
    local kind
    [ -x "$TEG_BIN/tests/cli/helper_stores" ] || skip "the helper programs are not built"
    "$TEG_BIN/tests/cli/helper_stores" .
    for kind in index frames samples embeddings; do
        tool teg-inspect ls "$kind.lmdb"
        expect_status 0
        [ "${lines[0]}" = "store     $kind, version 1" ]
        tool teg-inspect ls --long "$kind.lmdb"
        expect_status 0
        tool teg-inspect verify "$kind.lmdb"
        expect_status 0
        [[ "$output" == "$kind.lmdb: good: $kind, "* ]]
        tool teg-inspect show "$kind.lmdb" '!meta'
        expect_status 0
        tool teg-inspect diff "$kind.lmdb" "$kind.lmdb"
        expect_status 0
    done
    tool teg-inspect show samples.lmdb epoch/00000000
    expect_status 0
    [[ "${lines[1]}" == *"  video  example  start  stride  length  clip  "* ]]
    tool teg-inspect export frames.lmdb a/00000000 --png a.png
    expect_status 0
    # Width and height stand at byte 16 of a PNG file.
    [ "$(od -An -tx1 -j 16 -N 8 a.png | tr -d ' ')" = 0000002100000016 ]
}

@test "a record that was damaged on the disk is found and named" {
    [ -x "$TEG_BIN/tests/cli/helper_stores" ] || skip "the helper programs are not built"
    "$TEG_BIN/tests/cli/helper_stores" .
    # Four bytes inside the first zstd frame of the file.
    local at
    at=$(LC_ALL=C grep -obUaP '\x28\xb5\x2f\xfd' frames.lmdb | head -n 1 | cut -d: -f1)
    printf '\x00\x00\x00\x00' | dd of=frames.lmdb bs=1 seek=$((at + 20)) conv=notrunc status=none
    tool teg-inspect verify frames.lmdb
    expect_status 1
    [[ "$output" =~ ^frames.lmdb:\ [a-z/0-9-]+/0000000[0-9]:\  ]]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$stderr" == "teg-inspect: error: frames.lmdb: 1 of "*" records are bad" ]]
}

@test "verify names every bad record" {
    store s.lmdb 100
    tool teg-inspect verify s.lmdb
    expect_status 1
    [ "${#lines[@]}" -eq 100 ]
    [ "$stderr" = "teg-inspect: error: s.lmdb: 100 of 100 records are bad" ]
}

@test "no file is too strange" {
    store s.lmdb 200
    local size at command
    size=$(stat -c %s s.lmdb)
    for at in 0 8 16 100 4095 4096 5000 $((size / 2)) $((size - 1)); do
        { head -c "$at" s.lmdb; printf x; tail -c +$((at + 2)) s.lmdb; } >flipped
        head -c "$at" s.lmdb >cut
        for command in ls 'ls -l' verify; do
            # shellcheck disable=SC2086 # a list of words
            tool teg-inspect $command flipped
            [ "$status" -le 1 ]
            # shellcheck disable=SC2086
            tool teg-inspect $command cut
            expect_status 1
            [[ "${stderr%%$'\n'*}" == "teg-inspect: error: cut: "* ]]
        done
    done
    for file in . /dev/null none "$BATS_TEST_FILENAME"; do
        tool teg-inspect ls "$file"
        expect_status 1
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
}

@test "what was found is worth nothing where it cannot be written" {
    run --separate-stderr sh -c '"$1" ls m.safetensors >/dev/full' sh "$TEG_BIN/teg-inspect"
    expect_status 1
    [ "$stderr" = "teg-inspect: error: standard output: No space left on device" ]
}

@test "what is shown is never overwritten" {
    cp m.safetensors kept
    tool teg-inspect export m.safetensors w --npy ./m.safetensors
    expect_error 1 "the argument and --npy are the same file"
    tool teg-inspect preview m.safetensors -o m.safetensors
    expect_error 1 "the argument and --output are the same file"
    cmp m.safetensors kept
    tool teg-inspect export m.safetensors w --npy w
    expect_status 0
    tool teg-inspect export m.safetensors w --npy w
    expect_status 0
}
