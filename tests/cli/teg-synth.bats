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

@test "two at once: the second is refused and the first undisturbed" {
    need_program flock
    synth a
    cp -r a whole
    rm "$(find a -name 'train-00002.mp4')"
    run --separate-stderr flock a/.lock "$TEG_BIN/teg-synth" --dataset events --videos 6 --frames 40 --size 32 --codec "$codec" -o a
    expect_error 1 "a/.lock: another process is writing it"
    [ "$(find a -name '*.mp4' | wc -l)" -eq 5 ]
    synth a
    diff -r a whole
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

# The codec that a data set's files are to have here: the default one where FFmpeg has it.
codec_of() {
    case $1 in
    ucf101 | hmdb51) echo mpeg4 ;;
    ssv2) echo vp9 ;;
    *) echo "$codec" ;;
    esac
}

@test "every official layout: real files, an index without a gap, the same bytes again" {
    local set folder
    for set in kinetics ucf101 hmdb51 ssv2 diving48 vidsitu gebd ava ava-kinetics; do
        set -- --videos 6 --size 32 --fps 6 --frames 60 --gop 6 --codec "$(codec_of "$set")"
        tool teg-synth --dataset "$set" "$@" -o "$set"
        if [[ "$stderr" == *"cannot write vp9"* ]]; then
            echo "# $set: $stderr" >&3
            continue
        fi
        expect_status 0
        [ "$(find "$set/videos" -type f | wc -l)" -eq 6 ]
        tool teg-synth --dataset "$set" "$@" --threads 1 -o again
        diff -r "$set" again
        rm -r again
        tool teg-index --format "$set" --videos "$set/videos" --annotations "$set/annotations" --verify --max-bad 0 \
            -o "$set.lmdb"
        expect_status 0
        [[ "$stderr" == *"videos: 6 listed, 6 found, 0 missing, 0 bad"* ]] || { echo "$set: $stderr" && return 1; }
        [ "$("$TEG_BIN/tests/cli/helper_dump" "$set.lmdb" width fps n_frames reason | cut -f 2- | sort -u)" = "32	6/1	60	-" ]
    done
    # What makes readers stumble is there.
    find kinetics/videos -name '-*' | grep -q .
    grep -q $'\r$' ucf101/annotations/trainlist01.txt
    find hmdb51/videos -name '*&*' | grep -q .
    grep -q '^"grating 1' kinetics/annotations/kinetics-400_train.csv
    grep -q '"clip_name":NaN' vidsitu/annotations/vinfo_files/vinfo_valid_lb.json
}

@test "official layouts of one split only can be indexed, too" {
    local set share
    for set in kinetics ucf101 hmdb51 ssv2 diving48 vidsitu gebd ava ava-kinetics; do
        for share in 0 1; do
            tool teg-synth --dataset "$set" --videos 4 --val-fraction $share --codec "$(codec_of "$set")" --annotations-only -o a
            [[ "$stderr" != *"cannot write"* ]] || break
            expect_status 0
            mkdir a/videos
            tool teg-index --format "$set" --videos a/videos --annotations a/annotations -o a.lmdb
            expect_status 0
            [[ "$stderr" == *"videos: 4 listed, 0 found, 4 missing, 0 bad"* ]]
            rm -r a a.lmdb
        done
    done
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
    expect_status 2
    [[ "$stderr" == "teg-synth: error: --frames: 19 are too few for 5 events: each needs 4"* ]]
    tool teg-synth --dataset events -o a --size 47
    expect_status 2
    [[ "$stderr" == *"--size: 47 is odd"* ]]
    tool teg-synth --dataset ssv2 --codec h264 -o a
    expect_status 2
    [[ "$stderr" == "teg-synth: error: --codec: the files of ssv2, .webm, cannot hold h264"* ]]
    tool teg-synth --dataset vidsitu --frames 150 -o a
    expect_status 2
    [[ "$stderr" == "teg-synth: error: --frames: a video of VidSitu lasts 10 s, not 5"* ]]
    [ ! -e a ]
}

@test "a folder that cannot be written is an error" {
    touch file
    tool teg-synth --dataset events --videos 1 --annotations-only -o file/a
    expect_status 1
    [[ "$stderr" == "teg-synth: error: "*"file"* ]]
}
