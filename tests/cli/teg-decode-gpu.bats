#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Videos decoded by a GPU. Without one, a stand-in for NVIDIA's libraries shows that its pictures are what is stored.

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    SHARED=$(realpath -m "$SHARED")
    TEG_BIN=$(realpath "$TEG_BIN")
    stand_in_source=$PWD/tests/emulator/emulated_nvdec.c
    cd "$BATS_TEST_TMPDIR" || return
}

# Small videos and their index.
videos() {
    "$TEG_BIN/teg-synth" --quiet --dataset events --videos 4 --frames 40 --size 64 -o data ||
        "$TEG_BIN/teg-synth" --quiet --dataset events --videos 4 --frames 40 --size 64 --codec mpeg4 -o data
    "$TEG_BIN/teg-index" --quiet --videos data/videos -o index.lmdb
}

# Libraries of NVIDIA's names, of which FFmpeg sees no others; a newer FFmpeg may want more of them.
stand_in() {
    need_program cc
    mkdir -p libraries
    cc -w -shared -fPIC "$stand_in_source" -o libraries/libcuda.so.1
    ln -sf libcuda.so.1 libraries/libnvcuvid.so.1
    LD_LIBRARY_PATH=$PWD/libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} run --separate-stderr \
        "$TEG_BIN/teg-decode" --quiet --device cuda --index index.lmdb "$@"
    [[ "$stderr" != *"Cannot load"* ]] || skip "the stand-in is too old: $stderr"
    expect_status 0
}

pictures() {
    "$TEG_BIN/tests/cli/helper_dump" --nv12 "$1" "$2"
}

# The numbers that the bytes of a picture take, and how often each.
numbers() {
    od -An -v -tu1 -w1 | sort -n | uniq -c | awk '{ print $2, $1 }'
}

@test "no driver: what helps, and nothing is left behind" {
    [ ! -e /dev/nvidiactl ] || skip "there is one"
    videos
    tool teg-decode --device cuda --index index.lmdb -o frames.lmdb
    expect_status 1
    [[ "$stderr" == *"device cuda: the GPU's video decoder cannot be opened: "*"; use --device cpu" ]]
    [ ! -e frames.lmdb.part ]
    tool teg-decode --device gpu --index index.lmdb -o frames.lmdb
    expect_status 2
    [[ "$stderr" == *"--device"*"cpu, cuda"* ]]
}

@test "a stand-in's pictures are stored, in the number and at the times of the file" {
    videos
    stand_in -o frames.lmdb
    [ "$stderr" = "" ]
    tool teg-decode --index index.lmdb -o cpu.lmdb
    for member in n_frames fps width height matrix range status; do
        [ "$("$TEG_BIN/tests/cli/helper_dump" frames.lmdb $member)" = "$("$TEG_BIN/tests/cli/helper_dump" cpu.lmdb $member)" ]
    done
    id=$("$TEG_BIN/tests/cli/helper_dump" frames.lmdb status | head -n 1 | cut -f 1)
    [ "$(pictures frames.lmdb "$id" | numbers)" = "99 163840
101 40960
150 40960" ]
    [ "$(pictures cpu.lmdb "$id" | numbers | wc -l)" -gt 3 ]
    [[ "$("$TEG_BIN/tests/cli/helper_dump" frames.lmdb | head -n 1)" == *'"device":"cuda"'* ]]
}

@test "what a GPU cannot decode the processor does" {
    need_program ffmpeg
    mkdir files
    ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=64x64:rate=10 -frames:v 5 -c:v ffv1 files/a.mkv
    ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=640x480:rate=10 -frames:v 5 -c:v mpeg4 files/large.mkv
    "$TEG_BIN/teg-index" --quiet --videos files -o index.lmdb
    stand_in -o frames.lmdb
    [[ "$stderr" == *"warning: the processor decoded 2 videos that the GPU's decoder does not take, or failed on"* ]]
    tool teg-decode --index index.lmdb -o cpu.lmdb
    for id in a large; do
        cmp <(pictures frames.lmdb $id) <(pictures cpu.lmdb $id)
    done
}

# A device that is lost takes no video with it: what it gave is kept, the rest is the processor's.
@test "where a GPU fails the processor goes on" {
    videos
    tool teg-decode --index index.lmdb -o cpu.lmdb
    id=$("$TEG_BIN/tests/cli/helper_dump" cpu.lmdb status | head -n 1 | cut -f 1)
    for what in COPIES PICTURES; do
        export EMULATED_$what=20 # within the first video
        stand_in --threads 1 -o frames-$what.lmdb
        unset EMULATED_$what
        [[ "$stderr" == *"warning: the processor decoded "*" that the GPU's decoder does not take, or failed on: "* ]]
        diff <("$TEG_BIN/tests/cli/helper_dump" frames-$what.lmdb n_frames status) <("$TEG_BIN/tests/cli/helper_dump" cpu.lmdb n_frames status)
        # 64 x 64 pictures of 6144 bytes: the first is the stand-in's, the last the processor's
        [ "$(pictures frames-$what.lmdb "$id" | head -c 4096 | numbers)" = "99 4096" ]
        cmp <(pictures frames-$what.lmdb "$id" | tail -c 6144) <(pictures cpu.lmdb "$id" | tail -c 6144)
    done
}

@test "an interrupted run goes on, with the same device" {
    videos
    stand_in -o whole.lmdb
    stand_in --max-bad 0 -o frames.lmdb
    cmp whole.lmdb frames.lmdb
    mv frames.lmdb frames.lmdb.part
    tool teg-decode --index index.lmdb -o frames.lmdb
    expect_status 1
    [[ "$stderr" == *"frames.lmdb.part"*device*cuda* ]]
}

@test "a GPU's pictures are the processor's" {
    need_shared data/odd
    tool teg-index --videos "$SHARED/data/odd/torchcodec" -o index.lmdb
    tool teg-decode --device cuda --max-bad 99 --index index.lmdb -o gpu.lmdb
    [ "$status" -eq 0 ] || skip "$(head -n 1 <<<"$stderr")"
    tool teg-decode --max-bad 99 --index index.lmdb -o cpu.lmdb
    for id in h265_video av1_video testsrc2_vp9; do
        cmp <(pictures gpu.lmdb $id) <(pictures cpu.lmdb $id)
    done
}
