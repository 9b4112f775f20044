#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    small_videos
    sample contained pairs.lmdb --long 8x4 --short 8x2 --epochs 10
    sample contained mixed.lmdb --long 16x2 --short 8x2 --epochs 2
    sample uniform uniform.lmdb --clip 8x2 --clips 9
    "$TEG_BIN/teg-train" -q --frames frames.lmdb --samples pairs.lmdb --model r3d-tiny --crop-size 16 --batch 4 \
        --head-width 8 --head-dim 8 --head-layers 1 --lr 0.1 --threads 1 -o model.safetensors
    "$TEG_BIN/teg-extract" -q "${small[@]}" --samples uniform.lmdb -o whole.lmdb
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb "$BATS_FILE_TMPDIR"/*.safetensors .
}

# sample STRATEGY OUT [OPTION...]
sample() {
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy "$1" -o "$2" "${@:3}"
}

small=(--model model.safetensors --frames frames.lmdb --crop-size 16 --threads 1 --batch 4)

# extract OUT [OPTION...]: OUT.lmdb; later options win.
extract() {
    tool teg-extract "${small[@]}" -o "$1.lmdb" "${@:2}"
}

# extract that must succeed.
extracted() {
    extract "$@"
    expect_status 0
    [ -z "$output" ]
}

# extract that must fail with words on stderr and leave nothing behind: refused STATUS WORDS [OPTION...]
refused() {
    extract refused "${@:3}"
    expect_error "$1" "$2" || return 1
    [ "$(echo refused*)" = "refused*" ] || { echo "$2: files were left" >&2 && return 1; }
}

# Fails unless the arrays of two stores are equal to a tolerance: features A B TOLERANCE.
features() {
    need_program python3
    local status=0
    python3 "$root/tests/cli/features.py" same "$1.lmdb" "$2.lmdb" "$3" || status=$?
    [ "$status" -ne 99 ] || skip "no lmdb, numpy, zstandard for Python"
    return "$status"
}

# Fails unless two stores differ in their `!meta` at most.
same_records() {
    tool teg-inspect diff "$1.lmdb" "$2.lmdb"
    [[ $stderr == *" members of !meta, 0 records, 0 and 0 only in one" ]] || expect_status 0
}

# setting STORE NAME
setting() {
    "$TEG_BIN/teg-inspect" show "$1.lmdb" '!meta' | jq -c ".settings.$2"
}

@test "usage errors: status 2, one line and a hint" {
    local arguments
    while IFS='|' read -r arguments expected; do
        # shellcheck disable=SC2086 # a list of words
        refused 2 "$expected" $arguments
    done <<END
--strategy random|--strategy: expected one of uniform, events, window, dense; got 'random'
--clip 8|--clip: want LENGTHxSTRIDE, as in 32x4, not "8"
--clip 0x1|--clip: 0x1: expected an integer from 1 to 4096, got '0'
--clips 0|--clips: expected an integer from 1
--form flat|--form: expected one of pooled, dense, logits; got 'flat'
--type double|--type: expected one of float16, float32; got 'double'
--crop-size 8|--crop-size: expected an integer from 16 to 2048, got '8'
--batch 0|--batch: expected an integer from 1 to 65536, got '0'
--precision f16|--precision: expected one of f32, bf16, tf32; got 'f16'
--device gpu|--device: expected one of auto, cpu, cuda; got 'gpu'
--epoch -1|--epoch: expected an integer
--epoch 1|--epoch belongs to --samples
--samples uniform.lmdb --index index.lmdb|--index, --strategy, --clip and --clips do not go with --samples
--samples uniform.lmdb --clips 3|--index, --strategy, --clip and --clips do not go with --samples
extra|unexpected argument: extra
END
    tool teg-extract --model model.safetensors --frames frames.lmdb
    expect_error 2 "--model, --frames and --output are needed"
}

@test "the same command gives the same bytes" {
    extracted a --samples uniform.lmdb --log log.jsonl
    cmp a.lmdb whole.lmdb
    [[ $stderr == "teg-extract: note: 72 clips of 8 videos, "*" a second" ]]
    tool teg-inspect verify a.lmdb
    expect_status 0
    [[ $(cat log.jsonl) == '{"event":"extracted","videos":8,"clips":72,"seconds":'* ]]
}

@test "the network's input is as large as in training where nothing else is said" {
    tool teg-extract --model model.safetensors --frames frames.lmdb --samples uniform.lmdb --threads 1 --batch 4 -o a.lmdb
    expect_status 0
    same_records a whole
    sed 's/crop_size/crop_none/' model.safetensors >silent
    tool teg-extract --model silent --frames frames.lmdb --samples uniform.lmdb -o b.lmdb
    expect_error 1 "silent: does not say what clips it was trained on (--crop-size)"
}

@test "features are those of PyTorch" {
    need_program python3
    extracted pooled --samples pairs.lmdb --type float32 --crop-size 32
    extracted dense --samples pairs.lmdb --type float32 --crop-size 32 --form dense
    # Clips of the pre-training, with all its changes of colour.
    status=0
    OMP_NUM_THREADS=1 python3 "$root/tests/cli/features.py" torch model.safetensors frames.lmdb pairs.lmdb 32 1e-4 \
        pooled.lmdb dense.lmdb || status=$?
    [ "$status" -ne 99 ] || skip "no PyTorch, safetensors, lmdb, numpy, zstandard for Python"
    expect_status 0
}

@test "pooled is the mean of dense over time" {
    extracted dense --samples uniform.lmdb --form dense --type float32
    extracted pooled --samples uniform.lmdb --type float32
    features dense pooled 1e-6
    [ "$("$TEG_BIN/teg-inspect" ls --long dense.lmdb | grep -c 'float32 *\[4,512\]')" -eq 72 ]
    [ "$("$TEG_BIN/teg-inspect" ls --long pooled.lmdb | grep -c 'float32 *\[512\]')" -eq 72 ]
}

@test "float16 is float32, rounded" {
    extracted single --samples uniform.lmdb --type float32
    features single whole 0.0005
    run ! features single whole 0.00001
    [ "$("$TEG_BIN/teg-inspect" ls --long whole.lmdb | grep -c 'float16 *\[512\]')" -eq 72 ]
}

@test "bfloat16 is near" {
    extracted f32 --samples uniform.lmdb --type float32 --crop-size 32
    extracted bf16 --samples uniform.lmdb --type float32 --crop-size 32 --precision bf16
    features f32 bf16 0.05
    run ! features f32 bf16 0.00001
}

@test "a plan of its own gives what an equal samples store gives" {
    extracted plan --strategy uniform --clip 8x2 --clips 9
    features plan whole 0
    extracted labelled --index index.lmdb --strategy uniform --clip 8x2 --clips 9
    same_records labelled whole
    sample events events.lmdb --clip 8x2
    extracted table --samples events.lmdb
    extracted default --index index.lmdb --clip 8x2
    same_records default table
    [ "$(setting default plan.strategy)" = '"events"' ]
    sample dense dense.lmdb --clip 16x1
    extracted table2 --samples dense.lmdb
    extracted dense2 --index index.lmdb --strategy dense --clip 16x1
    same_records dense2 table2
}

@test "the plan where nothing is said" {
    extracted all
    [ "$(setting all plan.strategy)$(setting all plan.clips)$(setting all plan.clip)" = \
        '"uniform"10{"length":32,"stride":2}' ]
    extracted events --index index.lmdb
    [ "$(setting events plan.strategy)" = '"events"' ]
    [ "$("$TEG_BIN/teg-inspect" show events.lmdb '!meta' | jq -r '.inputs | keys | join(" ")')" = "frames index model" ]
    extracted window --strategy window
    [ "$(setting window plan.clip)" = '{"length":16,"stride":2}' ]
    refused 1 "strategy events needs the index that lists them (--index)" --strategy events
    refused 1 "strategy events has no number of clips (--clips)" --index index.lmdb --clips 3
}

@test "killed at any moment and started again: the same bytes" {
    local pid
    RANDOM=2
    for _ in {1..20}; do
        unleaked "$TEG_BIN/teg-extract" -q "${small[@]}" --samples uniform.lmdb -o a.lmdb 2>error &
        pid=$!
        sleep 0."$(printf %03d $((RANDOM % 300)))"
        kill -KILL $pid 2>killed || true
        wait $pid 2>killed || true
        [ ! -s error ]
        [ ! -e a.lmdb ] || { cmp a.lmdb whole.lmdb && rm a.lmdb; }
    done
    [ -e a.lmdb ] || extracted a --samples uniform.lmdb
    cmp a.lmdb whole.lmdb
}

# In float32, where batches cut in another way than those of a whole run would show.
@test "Ctrl-C keeps what is done and says how to go on" {
    local signal
    sample uniform plan.lmdb --clip 8x2 --clips 600
    extracted many --samples plan.lmdb --batch 7 --type float32
    for signal in INT TERM; do
        env --default-signal=INT "$TEG_BIN/teg-extract" "${small[@]}" --batch 7 --type float32 --samples plan.lmdb \
            -o $signal.lmdb 2>error &
        while [ "$(stat -c %s $signal.lmdb.part 2>error.stat || echo 0)" -lt 100000 ]; do sleep 0.02; done
        kill -$signal $!
        status=0
        wait $! || status=$?
        expect_status 1
        [[ $(cat error) == "teg-extract: stopped: after "*" of 4800 clips; the same command goes on" ]]
        [ "$(echo $signal.*)" = "$signal.lmdb.part" ]
        extracted $signal --samples plan.lmdb --batch 7 --type float32
        [[ $stderr == "teg-extract: note: going on behind "*" of 4800 clips"* ]]
        cmp $signal.lmdb many.lmdb
    done
}

@test "threads and batches change the last digit at most" {
    extracted one --samples uniform.lmdb --type float32 --crop-size 32
    for options in "--threads 2" "--batch 1" "--batch 5" "--batch 100"; do
        # shellcheck disable=SC2086 # a list of words
        extracted other --samples uniform.lmdb --type float32 --crop-size 32 $options --force
        features one other 0.00001
        [ "$options" = "--threads 2" ] || [ "$(setting other batch)" = "${options#--batch }" ]
    done
}

@test "clips of several lengths" {
    extracted pooled --samples mixed.lmdb --epoch 1
    [ "$("$TEG_BIN/teg-inspect" ls pooled.lmdb | awk '$1 == "records" { print $2 }')" -eq 24 ]
    refused 1 "mixed.lmdb: epoch 1: clips of 16 and of 8 frames cannot share a dense store; take --form pooled" \
        --samples mixed.lmdb --epoch 1 --form dense
    extracted long --strategy uniform --clip 17x1 --clips 2 --form dense
    [ "$("$TEG_BIN/teg-inspect" ls --long long.lmdb | grep -c 'float16 *\[9,512\]')" -eq 16 ]
    extracted picture --strategy uniform --clip 1x1 --clips 2 --form dense
    [ "$("$TEG_BIN/teg-inspect" ls --long picture.lmdb | grep -c 'float16 *\[1,512\]')" -eq 16 ]
}

@test "times and labels of the clips" {
    extracted events --index index.lmdb --clip 8x2
    local video
    video=$("$TEG_BIN/teg-inspect" ls events.lmdb | awk '$1 == "keys" { print $2 }')
    "$TEG_BIN/teg-inspect" show events.lmdb "$video" >clips
    jq -e '.clips | length == 2 and map(.clip) == [0, 1]' clips
    jq -e '.clips | map((.end - .start) * 30 - 15 | fabs < 1e-9) | all' clips
    jq -e '.clips | map((.start + .end) / 2 - .centre | fabs < 1e-9) | all' clips
}

@test "inputs that do not fit" {
    mkdir other
    (cd other && small_videos --seed 2)
    refused 1 "uniform.lmdb was made from frames " --samples uniform.lmdb --frames other/frames.lmdb
    refused 1 "frames.lmdb was made from index " --index other/index.lmdb
    refused 1 "index.lmdb: holds index, not frames" --frames index.lmdb
    refused 1 "frames.lmdb: holds frames, not samples" --samples frames.lmdb
    refused 1 "frames.lmdb: holds frames, not index" --index frames.lmdb
    refused 1 "none.lmdb: no such file" --frames none.lmdb
    refused 1 "pairs.lmdb: no epoch 10: there are 10, the first is 0 (--epoch)" --samples pairs.lmdb --epoch 10
    "$TEG_BIN/teg-index" -q --videos "$BATS_FILE_TMPDIR/synth/videos" -o plain.lmdb
    "$TEG_BIN/teg-decode" -q --index plain.lmdb -o plain_frames.lmdb
    refused 1 "plain.lmdb: no video has events" --frames plain_frames.lmdb --index plain.lmdb --strategy events
}

@test "models that are none" {
    head -c 1000 model.safetensors >header
    head -c 1000000 model.safetensors >tensors
    head -c 100000 /dev/urandom >noise
    sed 's/"model":/"nodel":/' model.safetensors >stranger
    sed 's/r3d-tiny/r3d-huge/g' model.safetensors >huge
    refused 1 "header: not a safetensors file, or cut off" --model header
    refused 1 "tensors: tensor '" --model tensors
    cp model.safetensors zeroed
    dd if=/dev/zero of=zeroed bs=4096 seek=100 count=1 conv=notrunc status=none
    refused 1 "zeroed: damaged: tensors and texts do not sum up to the hash in __metadata__" --model zeroed
    tool teg-inspect verify zeroed
    expect_error 1 "zeroed: damaged: tensors and texts do not sum up to the hash in __metadata__"
    refused 1 "noise: not a safetensors file" --model noise
    refused 1 "stranger: not a model of teg-train: its metadata has no member" --model stranger
    refused 1 "huge: model r3d-huge: unknown; one of r3d50, r3d-tiny" --model huge
    refused 1 "frames.lmdb: not a safetensors file" --model frames.lmdb
    refused 1 "none: No such file or directory" --model none
    refused 1 "model.optimizer.safetensors: tensor stem.conv.weight of r3d-tiny is missing" \
        --model model.optimizer.safetensors
}

@test "a model whose header has any length" {
    need_program python3
    python3 - <<'PYTHON'
import struct
data = open("model.safetensors", "rb").read()
length = struct.unpack("<Q", data[:8])[0]
with open("odd", "wb") as odd:
    odd.write(struct.pack("<Q", length + 1) + data[8:8 + length] + b" " + data[8 + length:])
PYTHON
    extracted a --model odd --samples uniform.lmdb
    same_records a whole
}

@test "features that are no numbers" {
    need_program python3
    python3 - <<'PYTHON'
import json, struct
def poke(name, tensor, value):
    data = bytearray(open("model.safetensors", "rb").read().replace(b'"content":', b'"contend":', 1))
    length = struct.unpack("<Q", data[:8])[0]
    at = 8 + length + json.loads(data[8:8 + length])[tensor]["data_offsets"][0]
    data[at:at + 4] = struct.pack("<f", value)
    open(name, "wb").write(data)
poke("nan", "stem.conv.weight", float("nan"))
poke("large", "res5.0.bn3.bias", 1e6)
PYTHON
    refused 1 "nan: tensor stem.conv.weight: number 0 is not finite" --model nan --samples uniform.lmdb
    extract b --model large --samples uniform.lmdb
    expect_error 1 "does not fit into float16"
    extracted c --model large --samples uniform.lmdb --type float32
}

@test "a device that is absent" {
    extract a --device cuda
    [ "$status" -ne 0 ] || skip "there is a CUDA device"
    expect_error 1 "device cuda: "
    [[ $stderr == *"--device cpu"* ]]
}

@test "outputs that cannot be written" {
    extract whole --samples uniform.lmdb
    expect_error 1 "whole.lmdb: exists already; remove it or give --force"
    extract absent/a
    expect_error 1 "absent/a.lmdb.part: No such file or directory"
    extract a --log absent/log
    expect_error 1 "absent/log: No such file or directory"
    cp --remove-destination "$(realpath whole.lmdb)" copy.lmdb
    extracted copy --samples uniform.lmdb --type float32 --force
    run ! cmp -s copy.lmdb whole.lmdb
}

@test "an output begun in another way is refused, with the first difference" {
    local begun='a.lmdb.part was begun in another way; give --force to begin anew, or remove it'
    trap '' XFSZ
    ulimit -S -f 60 # KiB
    extract a --samples uniform.lmdb
    ulimit -S -f unlimited
    expect_error 1 "a.lmdb.part: "
    cp a.lmdb.part kept
    sed 's/"step":"20"/"step":"21"/; s/"content":/"contend":/' model.safetensors >other
    while IFS='|' read -r options expected; do
        # shellcheck disable=SC2086 # a list of words
        extract a $options
        expect_error 1 "$begun: $expected"
        cmp a.lmdb.part kept
    done <<END
--samples uniform.lmdb --type float32|settings
--samples uniform.lmdb --batch 3|settings
--samples uniform.lmdb --crop-size 32|settings
--samples uniform.lmdb --model other|inputs
--samples pairs.lmdb|inputs
END
    extracted a --samples uniform.lmdb
    cmp a.lmdb whole.lmdb
}

@test "a full disk: what is done stays, and the run goes on later" {
    mkdir disk
    mount -t tmpfs -o size=64k tmpfs disk 2>/dev/null || skip "no file system can be mounted"
    extract disk/a --samples uniform.lmdb
    local first=$status message=$stderr
    cp disk/a.lmdb.part a.lmdb.part
    umount disk
    [ "$first" -eq 1 ]
    [[ $message == "teg-extract: error: disk/a.lmdb.part: "*"disk full"* ]]
    extracted a --samples uniform.lmdb
    cmp a.lmdb whole.lmdb
}
