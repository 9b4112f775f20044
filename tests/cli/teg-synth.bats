#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load support

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    codec=h264
    tool teg-synth --dataset events --videos 1 --frames 20 -o probe
    [[ "$stderr" != *"cannot write h264" ]] || codec=mpeg4
    rm -rf probe
}

# synth DIR [OPTION...]: a small data set, by the codec there is.
synth() {
    local folder=$1
    shift
    tool teg-synth --dataset events --videos 6 --frames 40 --size 32 --codec "$codec" -o "$folder" "$@"
    expect_status 0
}

@test "the same options give the same bytes, whatever the number of threads" {
    synth a --threads 1
    synth b --threads 4
    [ "$(find a -name '*.mp4' | wc -l)" -eq 6 ]
    diff -r a b
    synth c --seed 2
    run ! cmp a/annotations.jsonl c/annotations.jsonl
}

@test "nothing is left half done" {
    synth a
    [ -z "$(find a -name '*.tmp')" ]
    [ "$(find a -type f | wc -l)" -eq 8 ]
}

@test "an interrupted run goes on: what exists stays, the rest comes" {
    synth a
    cp -r a b
    victim=$(find b -name 'train-00002.mp4')
    kept=$(find b -name 'train-00001.mp4')
    rm "$victim" b/annotations.jsonl
    touch -d '2001-01-01' "$kept"
    synth b
    diff -r a b
    [ "$(date -r "$kept" +%Y)" -eq 2001 ]
}

@test "a folder of other options is refused, with the first difference" {
    synth a
    run --separate-stderr "$TEG_BIN/teg-synth" --dataset events --videos 6 --frames 44 --size 32 \
        --codec "$codec" -o a
    expect_status 1
    [[ "$stderr" == "teg-synth: error: a/settings.json: frames is 40, now 44 is asked for"* ]]
}

@test "files are what they say: codec, size, rate, frames, key frames" {
    need_program ffprobe
    synth a --fps 30000/1001 --gop 16
    for f in a/videos/*/*/*.mp4; do
        probe=$(ffprobe -v error -count_frames -select_streams v -show_entries \
            stream=codec_name,width,height,r_frame_rate,nb_read_frames -of csv=p=0 "$f")
        [ "$probe" = "$codec,32,32,30000/1001,40" ]
        keys=$(ffprobe -v error -select_streams v -show_entries packet=flags -of csv=p=0 "$f" | grep -n K)
        [ "$(echo "$keys" | cut -d: -f1 | tr '\n' ' ')" = "1 17 33 " ]
    done
    [ -z "$(ffprobe -v error -show_entries format_tags=creation_time,encoder -of csv=p=0:nk=1 "$f" | tr -d ',\n')" ]
}

@test "the pictures survive the encoding" {
    need_program ffmpeg
    synth a --videos 2
    synth b --videos 2 --quality 1
    for f in a/videos/*/*/*.mp4; do
        psnr=$(ffmpeg -hide_banner -i "$f" -i "b/${f#a/}" -lavfi psnr -f null - 2>&1 |
            sed -n 's/.*PSNR.* average:\([0-9]*\).*/\1/p')
        [ "$psnr" -ge 32 ]
    done
}

@test "annotations: every video that exists, both splits, events without gaps" {
    need_program python3
    synth a --videos 12 --val-fraction 0.25 --events 4
    python3 - <<'PY'
import glob, json
videos = [json.loads(line) for line in open("a/annotations.jsonl")]
assert sorted(v["path"] for v in videos) == sorted(p[len("a/videos/"):] for p in glob.glob("a/videos/*/*/*.mp4"))
assert [v["split"] for v in videos] == ["train"] * 9 + ["val"] * 3
for v in videos:
    assert v["path"].split("/")[:2] == [v["split"], v["class"]]
    ev = v["events"]
    assert len(ev) == 4 and ev[0]["start"] == 0 and abs(ev[3]["end"] - 40 / 30) < 1e-9
    assert all(a["end"] == b["start"] and a["label"] != b["label"] for a, b in zip(ev, ev[1:]))
PY
}

@test "of 400 videos, scene and events are balanced and independent" {
    need_program python3
    tool teg-synth --dataset events --videos 400 --val-fraction 0 --annotations-only -o a
    expect_status 0
    [ ! -e a/videos ]
    python3 - <<'PY'
import collections, json
videos = [json.loads(line) for line in open("a/annotations.jsonl")]
assert set(collections.Counter(v["class"] for v in videos).values()) == {40}
pairs = collections.Counter((v["class"], e["label"]) for v in videos for e in v["events"])
rows, columns = collections.Counter(), collections.Counter()
for (row, column), n in pairs.items():
    rows[row] += n
    columns[column] += n
assert len(rows) == 10 and len(columns) == 8 and sum(pairs.values()) == 2000
chi = sum((pairs[r, c] - rows[r] * columns[c] / 2000) ** 2 / (rows[r] * columns[c] / 2000) for r in rows for c in columns)
assert chi < 103.4, chi  # the 99.9 % point of 63 degrees of freedom
assert all(abs(n - 250) < 50 for n in columns.values()), columns
PY
}

@test "wrong usage ends with status 2 and says why" {
    tool teg-synth -o a
    expect_status 2
    [[ "$stderr" == *"--dataset is missing"* ]]
    tool teg-synth --dataset cats -o a
    expect_status 2
    [[ "$stderr" == *"there is no data set 'cats'"* ]]
    tool teg-synth --dataset events
    expect_status 2
    tool teg-synth --dataset events -o a --shapes 9
    expect_status 2
    [[ "$stderr" == *"--shapes"* ]]
    tool teg-synth --dataset events -o a rest
    expect_status 2
    [ ! -e a ]
}

@test "numbers that do not go together are refused before anything is written" {
    tool teg-synth --dataset events -o a --frames 19
    expect_status 1
    [ "$stderr" = "teg-synth: error: --frames: 19 are too few for 5 events: each needs 4" ]
    tool teg-synth --dataset events -o a --size 47
    expect_status 1
    [[ "$stderr" == *"--size: 47 is odd"* ]]
    [ ! -e a ]
}

@test "a folder that cannot be written is an error" {
    touch file
    tool teg-synth --dataset events --videos 1 --annotations-only -o file/a
    expect_status 1
    [[ "$stderr" == "teg-synth: error: "*"file"* ]]
}
