#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load support

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
}

# Makes index.lmdb and frames.lmdb; see helper_videos.c for the words.
stores() {
    "$TEG_BIN/tests/cli/helper_videos" "$@"
}

# sample STRATEGY OUT [OPTION...] from the stores of the folder.
sample() {
    local strategy=$1 out=$2
    shift 2
    tool teg-sample --frames frames.lmdb --index index.lmdb --strategy "$strategy" -o "$out" "$@"
}

# sample that must succeed.
samples() {
    sample "$@"
    expect_status 0
}

# sample that must fail with a status and words on stderr, and leave no output.
refused() {
    local status_wanted=$1 words=$2
    shift 2
    sample "$@"
    expect_status "$status_wanted"
    # shellcheck disable=SC2154 # run sets it
    [[ $stderr == "teg-sample: error: "*"$words"* ]] || { echo "$stderr" >&2 && return 1; }
    [ ! -e "$2" ]
}

# Runs Python lines on `rows`, the table of an epoch, `ids` and `meta`: rows FILE EPOCH LINES.
rows() {
    need_program python3
    local status=0
    python3 - "$1" "$2" <<PYTHON || status=$?
import io, json, sys
try:
    import lmdb, numpy, zstandard
except ImportError:
    sys.exit(99)
txn = lmdb.open(sys.argv[1], subdir=False, readonly=True, lock=False).begin()
data = zstandard.ZstdDecompressor().decompress(txn.get(b'epoch/%08d' % int(sys.argv[2])))
rows = numpy.load(io.BytesIO(data))
ids, meta = json.loads(txn.get(b'videos')), json.loads(txn.get(b'!meta'))
$3
PYTHON
    [ "$status" -ne 99 ] || skip "no lmdb, numpy, zstandard for Python"
    return "$status"
}

@test "six lines of Python read a table" {
    stores . id=v,count=20
    samples contained samples.lmdb --epochs 2
    rows samples.lmdb 1 'assert meta["schema"] == "samples"' # or skip
    run python3 - <<'PYTHON'
import io, lmdb, numpy, zstandard
env = lmdb.open('samples.lmdb', subdir=False, readonly=True, lock=False)
value = env.begin().get(b'epoch/00000001')
data = zstandard.ZstdDecompressor().decompress(value)
rows = numpy.load(io.BytesIO(data))
print(rows.dtype.names[:3], len(rows), sorted(rows['video'][::2]) == list(range(20)))
PYTHON
    [ "$output" = "('video', 'example', 'start') 40 True" ]
}

@test "contained: the short clip lies in the long one, in long and in short videos" {
    stores . id=long,count=50 id=mid,count=50,frames=100 id=one,count=50,frames=1
    samples contained s.lmdb --epochs 20
    rows s.lmdb 19 '
a, b = rows[0::2], rows[1::2]
assert (a["role"] == 0).all() and (b["role"] == 1).all() and (a["video"] == b["video"]).all()
assert (b["start"] >= a["start"]).all() and (b["start"] + 15 * 2 <= a["start"] + 31 * 4).all()
assert (a["start"] >= 0).all() and set(a["edge"]) == {0} and ids[0] == "long000000"
n = numpy.array([300 if i.startswith("long") else 100 if i.startswith("mid") else 1 for i in ids])[a["video"]]
assert (a["start"] < numpy.where(n > 124, n - 124, n)).all()
assert meta["count"] == 20 and meta["complete"] and meta["summary"]["videos"] == 150
assert meta["summary"]["videos_shorter_than_a_clip"] == 100 and meta["summary"]["rows"] == 300
assert meta["settings"]["long"] == {"length": 32, "stride": 4} and meta["settings"]["seed"] == 0'
}

@test "the four cells of the strategy table and cvrl" {
    stores . id=v,count=200
    samples random ss.lmdb --long 16x2 --short 16x2 --epochs 1
    samples random ls.lmdb --long 32x4 --short 16x2 --epochs 1
    samples contained ssc.lmdb --long 16x2 --short 16x2 --epochs 1
    samples contained lsc.lmdb --epochs 1
    samples cvrl cvrl.lmdb --epochs 1
    rows ssc.lmdb 0 'assert (rows["start"][0::2] == rows["start"][1::2]).all()'
    rows ss.lmdb 0 'd = abs(rows["start"][0::2] - rows["start"][1::2]); assert 70 < d.mean() < 110'
    rows ls.lmdb 0 'assert (rows["start"][1::2] < rows["start"][0::2]).any()'
    rows cvrl.lmdb 0 'assert set(rows["length"]) == {16} and set(rows["stride"]) == {2}
d = abs(rows["start"][0::2] - rows["start"][1::2]); assert 70 < d.mean() < 110 and d.max() < 270'
}

@test "uniform: clips by crops, with the class as target" {
    stores . id=a/1,class=zebra,frames=200 id=b/1,class=ant,frames=63 id=c/1,frames=10
    samples uniform s.lmdb --clip 32x2 --clips 10 --crops 3
    [ "$("$TEG_BIN/teg-inspect" show s.lmdb classes | tr -d ' \n')" = '["ant","zebra"]' ]
    rows s.lmdb 0 '
assert len(rows) == 90 and (rows["role"] == 2).all()
assert list(rows["target"][::30]) == [1, 0, -1]
assert list(rows["clip"][:6]) == [0, 0, 0, 1, 1, 1] and list(rows["view"][:6]) == [0, 1, 2, 0, 1, 2]
assert list(rows["start"][:30:3]) == [137 * i // 9 for i in range(10)]
assert (rows["start"][30:] == 0).all() and list(rows["crop_x"][:3]) == [0, 42, 84]
assert (rows["crop_w"] == 256).all() and not rows["flip"].any()
assert meta["summary"]["clips_without_target"] == 10'
    samples uniform c.lmdb --clips 1 --crop-fraction 0.875
    rows c.lmdb 0 'assert list(rows[["crop_x", "crop_y", "crop_w", "crop_h"]][0]) == [58, 16, 224, 224]
assert rows["start"][0] == 68'
}

@test "events: one clip centred on each, with its label as target" {
    stores . id=a,events=walk@0-2+run@2-4+@4-6,frames=180 id=b id=c,events=eat@8-12+eat@1.3013-1.3013,fps=30000/1001
    samples events s.lmdb --clip 32x2
    rows s.lmdb 0 '
assert list(rows["video"]) == [0, 0, 0, 2, 2] and list(rows["clip"]) == [0, 1, 2, 0, 1]
assert list(rows["target"]) == [2, 1, -1, 0, 0] and set(rows["edge"]) == {1}
assert list(rows["start"]) == [30 - 31, 90 - 31, 150 - 31, 299 - 31, 39 - 31]
assert meta["summary"]["videos_without_clips"] == 1 and ids == ["a", "b", "c"]'
}

@test "events: several random crops of each" {
    stores . id=a,count=20,events=walk@0-2+run@2-4,frames=120
    samples events s.lmdb --augment linear --crops 4
    rows s.lmdb 0 '
assert len(rows) == 160 and list(rows["clip"][:8]) == [0] * 4 + [1] * 4 and list(rows["view"][:5]) == [0, 1, 2, 3, 0]
assert (rows["start"] == numpy.where(rows["clip"], 90, 30) - 31).all() and 0.3 < rows["flip"].mean() < 0.7
assert len(set(zip(rows["crop_x"], rows["crop_y"], rows["crop_w"], rows["crop_h"]))) > 150
assert meta["settings"]["augment"]["crops"] == 4'
}

@test "labels of events for clips in other places: the first event at the centre" {
    stores . id=a,frames=180,events=walk@0-2+run@2-4+eat@3-4.5
    samples window s.lmdb --step 30 --labels events
    rows s.lmdb 0 'assert list(rows["target"]) == [2, 2, 1, 1, 0, -1]'
    samples events c.lmdb --labels class
    rows c.lmdb 0 'assert list(rows["target"]) == [-1, -1, -1]'
}

@test "window: boundaries within the tolerance are targets" {
    stores . id=a,frames=50,fps=25,boundaries=0.4/1/1.9,consistency=0.1+0.8+0.8 id=b,frames=4,fps=25
    samples window s.lmdb --labels boundaries
    [ "$("$TEG_BIN/teg-inspect" show s.lmdb classes | tr -d '\n')" = '[  "no boundary",  "boundary"]' ]
    rows s.lmdb 0 '
assert len(rows) == 17 + 2 and list(rows["start"][:3]) == [-15, -12, -9]
near = [abs((3 * i + 0.5) / 25 - 1) < 0.15 for i in range(17)]
assert list(rows["target"][:17]) == near and sum(near) == 3 and list(rows["target"][17:]) == [-1, -1]'
    samples window b.lmdb --labels boundaries --balance --augment linear --epochs 4
    rows b.lmdb 3 'assert list(rows["target"]) == [1, 0] * 3 and (rows["video"] == 0).all()'
    samples window e.lmdb --step 10 --labels boundaries --tolerance 0.5
    rows e.lmdb 0 'assert list(rows["target"]) == [0, 0, 1, 1, 0, -1]'
}

@test "window: those inside the video alone, with the numbers they have among all" {
    stores . id=a,frames=250,fps=25,boundaries=0.4/1/1.9 id=b,frames=32 id=c,frames=31
    samples window s.lmdb --inside
    [[ $stderr == *"note: 1 of 3 videos have no room for a window (--inside)"* ]]
    [[ $stderr != *"repeating frames"* ]]
    rows s.lmdb 0 '
assert list(rows["video"]) == [0] * 73 + [1] and list(rows["clip"]) == [*range(5, 78), 5]
assert list(rows["start"]) == [*range(0, 219, 3), 0] and meta["settings"]["inside"] is True
assert meta["summary"]["videos_without_clips"] == 1 and meta["summary"]["videos_shorter_than_a_clip"] == 0'
    samples window all.lmdb
    rows all.lmdb 0 'assert list(rows["video"]) == [0] * 84 + [1] * 11 + [2] * 11'
    refused 1 "no video has room for a window (--inside)" window none.lmdb --inside --clip 200x2
    # Longer than a window, but none is centred where it would fit.
    stores . id=d,frames=50,fps=25
    refused 1 "no video has room for a window (--inside)" window none.lmdb --inside --clip 16x2 --step 40
}

@test "dense: consecutive clips cover the video" {
    stores . id=a,frames=150,class=x
    samples dense s.lmdb --clip 32x2
    rows s.lmdb 0 'assert list(rows["start"]) == [0, 64, 86] and list(rows["clip"]) == [0, 1, 2]'
}

@test "single: random clips for fine-tuning" {
    stores . id=a,class=x,count=30 id=b,class=y,count=30
    samples single s.lmdb --clips 2 --epochs 3 --seed 4
    rows s.lmdb 2 '
assert len(rows) == 120 and sorted(set(rows["target"])) == [0, 1] and len(set(rows["start"])) > 30
assert sorted(zip(rows["video"], rows["clip"])) == [(v, c) for v in range(60) for c in range(2)]
assert 0.3 < rows["flip"].mean() < 0.7 and not rows["jitter"].any() and (rows["blur"] == 0).all()'
}

@test "augmentation options" {
    stores . id=v,count=400
    samples contained s.lmdb --epochs 1 --flip-probability 0 --jitter-probability 1 --brightness 0.1 \
        --contrast 0 --saturation 0.5 --hue 0.5 --grey-probability 1 --blur-probability 1,0 --blur-sigma 1,1.5 \
        --solarise-probability 0,1 --crop-area 0.5,0.6 --crop-aspect 1,1.1
    rows s.lmdb 0 '
a, b = rows[0::2], rows[1::2]
assert not rows["flip"].any() and rows["jitter"].all() and rows["grey"].all()
assert abs(rows["brightness"] - 1).max() <= 0.1 and (rows["contrast"] == 1).all()
assert 0.4 < abs(rows["saturation"] - 1).max() <= 0.5 and 0.4 < abs(rows["hue"]).max() <= 0.5
assert a["blur"].min() >= 1 and a["blur"].max() <= 1.5 and not b["blur"].any()
assert b["solarise"].all() and not a["solarise"].any()
area = rows["crop_w"].astype(int) * rows["crop_h"] / (340 * 256)
assert area.min() > 0.49 and area.max() < 0.61
aspect = rows["crop_w"] / rows["crop_h"]; assert aspect.min() > 0.99 and aspect.max() < 1.11
assert meta["settings"]["augment"]["crop_area"] == [0.5, 0.6]'
    samples uniform n.lmdb --augment none
    rows n.lmdb 0 'assert list(rows[["crop_x", "crop_y", "crop_w", "crop_h"]][0]) == [0, 0, 340, 256]'
}

@test "splits" {
    stores . id=a,split=train,count=3 id=b,split=val,count=2 id=c
    samples uniform train.lmdb --split train --clips 1
    rows train.lmdb 0 'assert len(rows) == 3 and ids == ["a000000", "a000001", "a000002"]'
    samples uniform val.lmdb --split val --clips 1
    rows val.lmdb 0 'assert len(rows) == 2'
    samples uniform all.lmdb --split all --clips 1
    rows all.lmdb 0 'assert len(rows) == 6'
    refused 1 "index.lmdb, split test: no video to sample from" uniform test.lmdb --split test
}

@test "videos without frames are left out, named and counted" {
    stores . id=a,count=5 id=bad,bad=unreadable id=cut,broken=truncated,frames=7 id=gone,frames=none \
        id=zero,frames=0,broken=corrupt
    refused 1 "frames.lmdb: bad: unreadable (3 of 9 videos cannot be used; see --max-bad)" uniform s.lmdb
    refused 1 "3 of 9" uniform s.lmdb --max-bad 2
    samples uniform s.lmdb --max-bad 3
    [[ $stderr == *"bad: left out: unreadable"*"gone: left out: not in the frames store"* ]]
    [[ $stderr == *"zero: left out: corrupt"*"3 of 9 videos left out"* ]]
    rows s.lmdb 0 'assert ids[-1] == "cut" and len(ids) == 6
assert meta["summary"]["partial_videos"] == 1
assert meta["summary"]["left_out"] == [{"id": "bad", "reason": "unreadable"},
    {"id": "gone", "reason": "not in the frames store"}, {"id": "zero", "reason": "corrupt"}]'
}

@test "stores that do not belong together are refused" {
    stores --other . id=a
    refused 1 "frames.lmdb was made from index 01234567, but index.lmdb is" uniform s.lmdb
}

@test "inputs that are not what they should be" {
    refused 1 "index.lmdb" uniform s.lmdb
    stores . id=a
    tool teg-sample --frames index.lmdb --index index.lmdb --strategy uniform -o s.lmdb
    expect_status 1
    [[ $stderr == *"index.lmdb"*"frames"* ]]
    stores .
    refused 1 "index.lmdb: no video to sample from" uniform s.lmdb
    stores . id=a
    refused 1 "index.lmdb: no video has events" events s.lmdb
    refused 1 "index.lmdb: nothing to balance" window s.lmdb --labels boundaries --balance
    refused 1 "a table holds at most" uniform s.lmdb --clips 1000000 --crops 100
    refused 1 "nowhere/s.lmdb.part: No such file or directory" uniform nowhere/s.lmdb
}

@test "wrong usage" {
    stores . id=a
    refused 2 "--strategy: expected one of contained, random, cvrl" unifrom s.lmdb
    refused 2 "--augment: expected one of" uniform s.lmdb --augment strong
    refused 2 "--labels: expected one of" uniform s.lmdb --labels clas
    refused 2 "--split: expected one of" uniform s.lmdb --split valid
    refused 2 "--clip: want LENGTHxSTRIDE, as in 32x4, not \"32\"" uniform s.lmdb --clip 32
    refused 2 "--long: 0x4" contained s.lmdb --long 0x4
    refused 2 "--step means nothing with --strategy uniform" uniform s.lmdb --step 3
    refused 2 "--inside means nothing with --strategy uniform" uniform s.lmdb --inside
    refused 2 "--clip means nothing with --strategy contained" contained s.lmdb --clip 32x2
    refused 2 "--shuffle means nothing with --strategy single" single s.lmdb --shuffle
    refused 2 "--crops means nothing with --augment none" uniform s.lmdb --crops 3 --augment none
    refused 2 "--crops means nothing with --strategy contained" contained s.lmdb --crops 3
    refused 2 "--crop-area means nothing with --augment test" uniform s.lmdb --crop-area 0.3,1
    refused 2 "--crop-area: expected MIN,MAX, got '0.3'" single s.lmdb --crop-area 0.3
    refused 2 "--crop-area" single s.lmdb --crop-area 0.3,
    refused 2 "--crop-area" single s.lmdb --crop-area 0.3,0.5,1
    refused 2 "crop area: want 0 < MIN <= MAX, not 0.9,0.3" single s.lmdb --crop-area 0.9,0.3
    refused 2 "--flip-probability: expected" single s.lmdb --flip-probability 1.5
    refused 2 "--blur-probability" contained s.lmdb --blur-probability ,1
    refused 2 "--seed" contained s.lmdb --seed -1
    refused 2 "--epochs" contained s.lmdb --epochs 0
    refused 2 "a short clip of 16x9 is not contained in a long one of 32x4" contained s.lmdb --short 16x9
    refused 2 "cvrl takes two clips of one shape" cvrl s.lmdb --long 32x4
    refused 2 "only boundaries labels can be balanced" window s.lmdb --balance
    refused 2 "events labels need a strategy with fixed clips" single s.lmdb --labels events
    refused 2 "unexpected argument 'x'" uniform s.lmdb x
    tool teg-sample --frames frames.lmdb --index index.lmdb -o s.lmdb
    expect_status 2
    [[ $stderr == *"--strategy is missing"* ]]
}

@test "the log says what was written" {
    stores . id=v,count=10
    samples contained s.lmdb --epochs 3 --log log.jsonl
    grep -q '"event":"sampled","videos":10,"rows":20,"epochs":3,"seconds":' log.jsonl
    [[ $stderr == *"teg-sample: note: 10 videos, 20 rows an epoch, 3 epochs"* ]]
}

@test "the same bytes with any number of threads" {
    stores . id=v,count=300 id=w,count=100,frames=40
    for threads in 1 2 7; do
        samples contained $threads.lmdb --epochs 30 --seed 5 --threads $threads
    done
    cmp 1.lmdb 2.lmdb
    cmp 1.lmdb 7.lmdb
    samples contained other.lmdb --epochs 30 --seed 6
    run ! cmp 1.lmdb other.lmdb
}

@test "more epochs begin with the same epochs" {
    stores . id=v,count=50
    samples cvrl short.lmdb --epochs 2
    samples cvrl long.lmdb --epochs 5
    rows short.lmdb 1 'short = rows
txn = lmdb.open("long.lmdb", subdir=False, readonly=True, lock=False).begin()
data = zstandard.ZstdDecompressor().decompress(txn.get(b"epoch/00000001"))
assert (short == numpy.load(io.BytesIO(data))).all()'
}

@test "killed and run again: the same file" {
    stores . id=v,count=1000
    local options=(--frames frames.lmdb --index index.lmdb --strategy contained --epochs 800 --seed 3)
    tool teg-sample "${options[@]}" -o whole.lmdb
    expect_status 0
    local kills=0 pid
    while [ ! -e killed.lmdb ]; do
        "$TEG_BIN/teg-sample" "${options[@]}" -o killed.lmdb 2>/dev/null &
        pid=$!
        sleep "$(awk "BEGIN { print 0.1 * ($kills + 1) }")"
        ! kill -KILL "$pid" 2>/dev/null || kills=$((kills + 1))
        wait "$pid" || true
    done
    [ "$kills" -ge 1 ]
    cmp whole.lmdb killed.lmdb
    [ ! -e killed.lmdb.part ]
}

@test "a .part begun with other options is not gone on with, unless by force" {
    stores . id=v,count=2000
    "$TEG_BIN/teg-sample" --frames frames.lmdb --index index.lmdb --strategy contained --epochs 99999 -o s.lmdb &
    local pid=$!
    until [ -s s.lmdb.part ] && [ "$(stat -c %s s.lmdb.part)" -gt 1000000 ]; do sleep 0.05; done
    kill -TERM "$pid"
    wait "$pid" || true
    refused 1 "s.lmdb.part was begun in another way" contained s.lmdb --epochs 2
    samples contained s.lmdb --epochs 2 --force
    [ ! -e s.lmdb.part ]
    sample contained s.lmdb --epochs 2
    expect_status 1
    [[ $stderr == *"s.lmdb: exists already"* ]]
}

@test "short videos and clips without targets are told of" {
    stores . id=long,class=a id=short,class=a,frames=20
    samples window s.lmdb --labels boundaries
    [[ $stderr == *"warning: no clip has a target: index.lmdb has no boundaries for these videos"* ]]
    [[ $stderr == *"note: 1 of 2 videos are shorter than a clip and fill it by repeating frames"* ]]
    samples uniform u.lmdb --clip 4x2 --labels events
    [[ $stderr == *"warning: no clip has a target: index.lmdb has no labels of events for these videos"* ]]
    [[ $stderr != *"shorter than a clip"* ]]
    samples uniform c.lmdb --clip 4x2
    [[ $stderr != *target* ]]
}

@test "how the command was spelt does not matter to the store" {
    stores . id=v,count=2
    identity() { "$TEG_BIN/teg-inspect" ls "$1" | sed -n 's/^identity *//p'; }
    tool teg-sample --frames frames.lmdb --index index.lmdb --strategy single --epochs 2 --seed 7 -o a.lmdb
    expect_status 0
    tool teg-sample -o b.lmdb --seed 7 --epochs 2 --strategy single --index index.lmdb --frames frames.lmdb
    expect_status 0
    cmp a.lmdb b.lmdb
    tool teg-sample -o c.lmdb --seed 7 --epochs 2 --strategy single --index index.lmdb --frames frames.lmdb --clips 1
    expect_status 0
    [ "$(identity a.lmdb)" = "$(identity c.lmdb)" ]
}
