#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whether the numbers are right is checked in tests/unit (objective, step, backbone); here is how the tool behaves.

bats_require_minimum_version 1.5.0
load support

setup_file() {
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    cd "$BATS_FILE_TMPDIR" || return
    small_videos
    pairs contained samples.lmdb --long 8x4 --short 8x2 --epochs 10
    train_quietly -o whole.safetensors --log whole.jsonl
}

setup() {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    TEG_BIN=$(cd "$root" && realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    ln -s "$BATS_FILE_TMPDIR"/*.lmdb .
    ln -s "$BATS_FILE_TMPDIR"/whole.* .
}

# pairs STRATEGY OUT [OPTION...]
pairs() {
    "$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy "$1" --labels none -o "$2" "${@:3}"
}

# 20 steps of 4 examples; later options win.
small=(--frames frames.lmdb --samples samples.lmdb --model r3d-tiny --crop-size 16 --batch 4 --head-width 8
    --head-dim 8 --head-layers 1 --threads 1 --log-every 3)

train_quietly() {
    "$TEG_BIN/teg-train" -q "${small[@]}" "$@"
}

# The same in the background, to be killed by its $!.
start() {
    exec "$TEG_BIN/teg-train" "${small[@]}" "$@"
}

# train OUT [OPTION...]: OUT.safetensors.
train() {
    tool teg-train "${small[@]}" -o "$1.safetensors" "${@:2}"
}

# train that must succeed.
trained() {
    train "$@"
    expect_status 0
    [ -z "$output" ]
}

# train that must fail with words on stderr, and leave nothing behind: refused STATUS WORDS [OPTION...]
refused() {
    train refused "${@:3}"
    expect_error "$1" "$2" || return 1
    ! compgen -G 'refused*' || { echo "$2: files were left" >&2 && return 1; }
}

# Fails unless the models' and the optimisers' files are the same.
same_as() {
    cmp "$1.safetensors" "$2.safetensors"
    cmp "$1.optimizer.safetensors" "$2.optimizer.safetensors"
}

# What of a log is the same in every run.
of_the_method() {
    jq -c 'del(.clips_per_second, .waiting_share, .peak_share)' "$1"
}

value() {
    "$TEG_BIN/teg-inspect" show "$1" "$2"
}

@test "usage errors: status 2, one line and a hint" {
    local arguments
    while IFS='|' read -r arguments expected; do
        # shellcheck disable=SC2086 # a list of words
        refused 2 "$expected" $arguments
    done <<END
--task detect|--task: expected one of pretrain, classify, supervised, boundary, localize; got 'detect'
--model resnet|--model: expected one of r3d50, r3d-tiny; got 'resnet'
--objective moco|--objective: "moco" is not teg-fg, teg-ps, cvrl or HEAD:K_SHORT,K_LONG,WEIGHT;...
--objective fine:0,1,1|--objective: steps: expected an integer from 1
--objective teg-ps --alpha 0.5|--alpha and --objective exclude each other
--alpha 1.5|--alpha: expected a number from 0 to 1, got '1.5'
--alpha 1 --aggregate 2|--aggregate: "2" is not KS,KL
--aggregate 2,1|--aggregate belongs to --alpha
--negatives none|--negatives: expected one of all, other; got 'none'
--crop-size 4096|--crop-size: expected an integer from 16 to 2048, got '4096'
--precision f16|--precision: expected one of f32, bf16, tf32; got 'f16'
--device gpu|--device: expected one of auto, cpu, cuda; got 'gpu'
--batch 0|--batch: expected an integer from 1 to 1048576, got '0'
--batch 6 --micro-batch 4|--micro-batch 4 does not divide --batch 6
--batch 1|--batch 1: an example needs others to be told from
--lr -1|--lr: expected a number from 0 to 1e+06, got '-1'
--lr nan|--lr: expected a number
--momentum 1|--momentum: expected a number from 0 to 0.99999, got '1'
--trust 0.1|--trust belongs to --optimizer lars
--stop-at 0|--stop-at: expected an integer of at least 1, got '0'
--log-every 0|--log-every: expected an integer of at least 1, got '0'
extra|unexpected argument: extra
--speed 3|unrecognized option '--speed'
END
    tool teg-train --frames frames.lmdb -o refused.safetensors
    expect_error 2 "--frames, --samples and --output are needed"
}

@test "the same command gives the same bytes" {
    trained a --log a.jsonl
    same_as a whole
    diff <(of_the_method a.jsonl) <(of_the_method whole.jsonl)
    [ "$(echo a.*)" = "a.jsonl a.optimizer.safetensors a.safetensors" ]
}

@test "stopped and gone on with: the same bytes, every record once" {
    train a --log a.jsonl --stop-at 10
    expect_status 1
    [ "$stderr" = "teg-train: stopped: after step 10 of 20; the same command goes on" ]
    [ "$(echo a.*)" = "a.jsonl a.safetensors.part" ]
    train a --log a.jsonl --stop-at 10
    expect_status 0
    [ "$stderr" = "teg-train: note: going on at step 10 of 20" ]
    same_as a whole
    diff <(of_the_method a.jsonl) <(of_the_method whole.jsonl)
    [ "$(echo a.*)" = "a.jsonl a.optimizer.safetensors a.safetensors" ]
}

@test "killed at any moment and started again: the same bytes" {
    local pid
    RANDOM=1
    for _ in {1..20}; do
        unleaked "$TEG_BIN/teg-train" "${small[@]}" -q -o a.safetensors --log a.jsonl --checkpoint-minutes 0 2>error &
        pid=$!
        sleep 0."$(printf %03d $((RANDOM % 400)))"
        kill -KILL $pid 2>killed || true
        wait $pid 2>killed || true
        [ ! -s error ]
        [ ! -e a.safetensors ] || { same_as a whole && rm a.*; }
    done
    [ -e a.safetensors ] || trained a --log a.jsonl --checkpoint-minutes 0
    same_as a whole
    diff <(of_the_method a.jsonl) <(of_the_method whole.jsonl)
}

@test "Ctrl-C leaves a checkpoint and says how to go on" {
    local signal step
    pairs contained long.lmdb --long 8x4 --short 8x2 --epochs 10000
    for signal in INT TERM; do
        env --default-signal=INT "$TEG_BIN/teg-train" "${small[@]}" --samples long.lmdb --log-every 1 \
            --log $signal.jsonl --force -o $signal.safetensors 2>error &
        while [ ! -s $signal.jsonl ]; do sleep 0.05; done
        kill -$signal $!
        status=0
        wait $! || status=$?
        expect_status 1
        step=$(wc -l <$signal.jsonl)
        [ "$(cat error)" = "teg-train: stopped: after step $step of 20000; the same command goes on" ]
        [ "$(echo $signal.*)" = "$signal.jsonl $signal.safetensors.part" ]
        train $signal --samples long.lmdb --log-every 1 --log $signal.jsonl --force --stop-at $((step + 2))
        [[ $stderr == *"note: going on at step $step of 20000"* ]]
        [ "$(wc -l <$signal.jsonl)" -eq $((step + 2)) ]
    done
}

@test "the log fits its schema, steps follow each other" {
    [ "$(jq -r .step whole.jsonl | xargs)" = "3 6 9 12 15 18 20" ]
    [ "$(jq -r '.parts | map(.head) | join(",")' whole.jsonl | sort -u)" = fine,persistent ]
    jq -e 'select(.step == 20) | .epoch == 10' whole.jsonl
    # The loss is the weighted sum of its parts; its rate rises for 2.5 epochs and falls to nearly 0.
    jq -e '(.loss - 0.9 * .parts[0].loss - 0.1 * .parts[1].loss) | fabs < 1e-5' whole.jsonl
    jq -es 'map(.lr) | .[0] < .[1] and .[1] > .[6] and .[6] < 0.00002' whole.jsonl
    python3 -c 'import jsonschema' 2>/dev/null || skip "Python's jsonschema is not installed"
    split -l 1 whole.jsonl line.
    python3 "$root/tests/schema/validate.py" --kind train-log line.* >verdicts
    [ "$(grep -c '^ok' verdicts)" -eq 7 ] || { cat verdicts && return 1; }
}

@test "what the model's metadata says" {
    need_program python3
    python3 - whole.safetensors whole.optimizer.safetensors <<'PYTHON'
import json, struct, sys
def header(path):
    with open(path, "rb") as f:
        return json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
model, optimizer = header(sys.argv[1]), header(sys.argv[2])
meta = model.pop("__metadata__")
assert meta["format"] == "pt" and meta["step"] == "20"
assert json.loads(meta["model"]) == {"backbone": "r3d-tiny", "heads": ["fine", "persistent"], "head_width": 8,
                                     "head_dim": 8, "head_layers": 1}
settings, inputs = json.loads(meta["settings"]), json.loads(meta["inputs"])
assert settings["objective"] == "fine:2,1,0.9;persistent:all,all,0.1" and settings["steps"] == 20
assert settings["lr"] == 0.32 * 4 / 1024 and settings["warmup_steps"] == 5 and "trust" not in settings
assert set(inputs) == {"frames", "samples"} and all(len(v) == 32 for v in inputs.values())
assert {t["dtype"] for t in model.values()} == {"F32"} and model["stem.conv.weight"]["shape"] == [16, 3, 5, 7, 7]
optimizer.pop("__metadata__")
trained = {name for name in model if "running" not in name}
assert set(optimizer) == {"velocity." + name for name in trained}
assert all(optimizer["velocity." + name]["shape"] == model[name]["shape"] for name in trained)
PYTHON
}

@test "an untrained model follows from the seed" {
    local name
    trained a --epochs 0 --log a.jsonl
    trained b --epochs 0
    trained c --epochs 0 --seed 1
    same_as a b
    [ ! -s a.jsonl ]
    run ! cmp -s a.safetensors c.safetensors
    for name in a c; do
        [ "$(value $name.safetensors stem.bn.weight | sed -n 2p)" = "min 1, max 1, mean 1, deviation 0" ]
    done
}

@test "objectives by their long and their short names" {
    trained long --objective 'fine:2,1,0.9;persistent:all,all,0.1' --epochs 2
    trained alpha --alpha 0.9 --epochs 2
    trained short --epochs 2
    same_as long short
    same_as alpha short
    trained persistent --alpha 0 --epochs 2
    trained ps --objective teg-ps --epochs 2
    same_as persistent ps
    trained pyramid --objective 'a:1,2,0.5;a:4,4,0.25;b:all,2,0.25' --epochs 2
    "$TEG_BIN/teg-inspect" ls --long pyramid.safetensors | grep -q ' b\.1\.linear\.weight$'
}

@test "settings that change the result" {
    local base
    trained base --epochs 3
    base=base.safetensors
    while read -r name options; do
        # shellcheck disable=SC2086 # a list of words
        trained "$name" --epochs 3 --log "$name.jsonl" $options
        ! cmp -s "$name.safetensors" $base || { echo "$options changed nothing" >&2 && return 1; }
        [ "$(wc -l <"$name.jsonl")" -eq 2 ]
    done <<END
negatives --negatives other
alpha --alpha 0.5 --aggregate 1,1
temperature --temperature 0.5
bf16 --precision bf16 --crop-size 32
lars --optimizer lars
trust --optimizer lars --trust 0.01
micro --micro-batch 2
warmup --warmup-epochs 0
momentum --momentum 0
decay --weight-decay 0.01
lr --lr 0.01
crop --crop-size 32
heads --head-layers 2
END
    trained whole_batch --epochs 3 --micro-batch 4
    cmp whole_batch.safetensors $base
    trained again --epochs 3 --recompute
    cmp again.safetensors $base
    trained room_for_all --epochs 3 --micro-batch auto
    [[ $stderr != *"batch normalisation"* ]]
    cmp room_for_all.safetensors $base
}

@test "micro-batches as large as fit" {
    # Address space stands for memory: enough for half of the activations.
    if ldd "$TEG_BIN/teg-train" | grep -q asan; then skip "ASan needs the address space"; fi
    pairs contained large.lmdb --long 32x1 --short 16x1 --epochs 1
    local big=(--samples large.lmdb --crop-size 256 --batch 8)
    (ulimit -v 1800000 && train none "${big[@]}" && [[ $stderr == *"out of memory"* ]])
    (ulimit -v 1800000 && train a "${big[@]}" --micro-batch auto && [[ $stderr == *"note: micro-batches of "*": the largest that fit into memory"* ]])
}

@test "a run goes on with the micro-batches that it began with, and a checkpoint that is dropped is told of" {
    trained whole_run --batch 8 --micro-batch 4
    train a --batch 8 --micro-batch 4 --stop-at 3
    trained a --batch 8 --micro-batch auto
    same_as whole_run a
    train b --batch 8 --micro-batch 4 --stop-at 3
    trained b --batch 8 --micro-batch 2 --force
    [[ $stderr == *"warning: a checkpoint is dropped: b.safetensors.part: "*"micro_batch 4, this run has 2"* ]]
}

@test "a batch larger than the memory: micro-batches" {
    trained a --batch 8 --micro-batch 4 --log a.jsonl
    [ "$(grep -c "warning: batch normalisation is over micro-batches of 4, not the batch of 8" <<<"$stderr")" = 1 ]
    [ "$(wc -l <a.jsonl)" -eq 4 ]
    train b --batch 8 --micro-batch 4 --stop-at 5
    trained b --batch 8 --micro-batch 4
    same_as a b
}

@test "examples that fill no batch are told of" {
    trained a --batch 3 --epochs 1
    [[ $stderr == *"teg-train: note: 2 examples of every epoch are less than a batch and not trained"* ]]
    trained b --batch 4 --epochs 1
    [[ $stderr != *"less than a batch"* ]]
}

@test "two clips of one shape: cvrl" {
    pairs cvrl cvrl.lmdb --long 8x2 --short 8x2 --epochs 2
    trained a --samples cvrl.lmdb --objective cvrl --temperature 0.1
    [ "$(value a.safetensors persistent.0.linear.weight | head -n 1)" = "float32 [8,512]" ]
}

@test "weights of another model to start from" {
    trained same --init whole.safetensors --epochs 0
    tool teg-inspect diff same.safetensors whole.safetensors
    [[ $stderr == *" differ: 4 members of __metadata__, 0 records, 0 and 0 only in one" ]]
    trained new --init whole.safetensors --objective other:1,1,1 --head-dim 16 --epochs 0
    [ "$(value new.safetensors res5.0.bn3.running_var)" = "$(value whole.safetensors res5.0.bn3.running_var)" ]
    [ "$(value new.safetensors other.1.linear.weight | head -n 1)" = "float32 [16,8]" ]
    train begun --stop-at 5
    trained from_checkpoint --init begun.safetensors.part --epochs 0
    refused 1 "whole.safetensors: its head fine has 1 hidden layers of width 8 and 8 outputs, not 1, 8 and 9" \
        --init whole.safetensors --head-dim 9
    refused 1 "whole.safetensors: it is an r3d-tiny, not an r3d50 (--model)" --init whole.safetensors --model r3d50
}

@test "inputs that do not fit" {
    pairs single single.lmdb --clip 8x2 --epochs 1
    mkdir other
    (cd other && small_videos --seed 2)
    refused 1 "single.lmdb: row 0 of epoch 0 is not half of a long-short pair" --samples single.lmdb
    refused 1 "samples.lmdb was made from frames " --frames other/frames.lmdb
    refused 1 "index.lmdb: holds index, not frames" --frames index.lmdb
    refused 1 "frames.lmdb: holds frames, not samples" --samples frames.lmdb
    refused 1 "none.lmdb: no such file" --frames none.lmdb
    refused 1 "samples.lmdb: an epoch has 8 examples, fewer than one batch of 9 (--batch)" --batch 9
    refused 1 "samples.lmdb: 10 epochs, 11 wanted (--epochs)" --epochs 11
    refused 1 "a warm-up of 10 epochs leaves nothing of 10 (--warmup-epochs)" --warmup-epochs 10
    refused 1 "fine: short clip: aggregation over 3 steps does not divide the 4 steps of a clip" --objective fine:3,1,1
    refused 1 "persistent: long clip: aggregation over 8 steps does not divide the 4 steps of a clip" \
        --objective persistent:4,8,1
}

@test "models that are none" {
    head -c 1000 whole.safetensors >header
    head -c 1000000 whole.safetensors >tensors
    : >empty
    refused 1 "header: not a safetensors file, or cut off" --init header
    refused 1 "tensors: tensor '" --init tensors
    cp whole.safetensors zeroed
    dd if=/dev/zero of=zeroed bs=4096 seek=100 count=1 conv=notrunc status=none
    refused 1 "zeroed: damaged: tensors and texts do not sum up to the hash in __metadata__" --init zeroed
    sed 's/"content":/"contend":/' zeroed >unhashed
    trained unhashed_start --init unhashed --epochs 0
    refused 1 "empty: not a safetensors file" --init empty
    refused 1 "frames.lmdb: not a safetensors file" --init frames.lmdb
    refused 1 "none: No such file or directory" --init none
    refused 1 ".: Is a directory" --init .
    refused 1 "whole.optimizer.safetensors: tensor stem.conv.weight of r3d-tiny is missing" \
        --init whole.optimizer.safetensors
}

@test "a device that is absent" {
    "$TEG_BIN/teg-train" --help >/dev/null
    train a --device cuda --epochs 0
    [ "$status" -ne 0 ] || skip "there is a CUDA device"
    expect_error 1 "device cuda: "
    [[ $stderr == *"--device cpu"* ]]
}

@test "more memory than the machine has" {
    if ldd "$TEG_BIN/teg-train" | grep -q asan; then skip "ASan has limits of its own"; fi
    local gib batch # a pair of 8k frames of 2048 pixels takes 6.5k GiB
    gib=$(awk '/^MemTotal/ { print int($2 / 1048576) + 1 }' /proc/meminfo)
    local k=$((gib / 40 + 1))
    batch=$(awk "BEGIN { print int($gib / (6.5 * $k)) + 1 }")
    pairs contained long.lmdb --long $((8 * k))x1 --short $((8 * k))x1 --epochs 1
    refused 1 "GiB of memory are needed, there are " --device cpu --samples long.lmdb --crop-size 2048 --batch "$batch" --alpha 0
    [[ $stderr == *"(a smaller --micro-batch, --batch or --crop-size)" ]]
}

@test "an output that exists is kept" {
    train whole
    expect_error 1 "whole.safetensors: exists already; remove it or give --force"
    cp "$(realpath whole.safetensors)" a.safetensors
    train a --lr 0.1 --stop-at 3
    expect_status 1
    train a --lr 0.1 --stop-at 3 --force
    [ "$stderr" = "teg-train: stopped: after step 3 of 20; the same command goes on" ]
    cmp a.safetensors whole.safetensors
    trained a --lr 0.1 --force
    [ "$stderr" = "teg-train: note: going on at step 3 of 20" ]
    run ! cmp -s a.safetensors whole.safetensors
}

@test "a checkpoint of another run is refused, with the first difference" {
    local begun='a.safetensors.part: cannot go on from this checkpoint (--force starts anew): it was begun with'
    train a --init whole.safetensors --stop-at 3
    cp a.safetensors.part kept
    while IFS='|' read -r options expected; do
        # shellcheck disable=SC2086 # a list of words
        train a $options
        expect_error 1 "$begun $expected"
        cmp a.safetensors.part kept
    done <<END
--init whole.safetensors --lr 0.5|lr 0.00125, this run has 0.5
--init whole.safetensors --batch 2|batch 4, this run has 2
--init whole.safetensors --alpha 0.8|objective "fine:2,1,0.9;persistent:all,all,0.1", this run has "fine:2,1,0.8;
--init whole.safetensors --precision bf16|precision "f32", this run has "bf16"
--init whole.safetensors --optimizer lars|optimizer "sgd", this run has "lars"
--init whole.safetensors --head-width 9 --objective new:1,1,1|objective "fine:
--init kept|init "
--lr 0.00125|init "
END
    [[ $stderr == *", this run has unset" ]]
    trained a --init whole.safetensors --lr 0.5 --force
    trained b --init whole.safetensors --lr 0.5
    same_as a b
}

@test "a checkpoint that is damaged is refused, and --force drops it" {
    local kept
    train kept --stop-at 3
    kept=kept.safetensors.part
    while IFS='|' read -r damage expected; do
        $damage $kept >a.safetensors.part
        train a
        expect_error 1 "a.safetensors.part: $expected"
        trained a --force
        same_as a whole
        rm a.safetensors
    done <<'END'
head -c 100|not a safetensors file, or cut off
head -c 1000000|tensor 'res5.0.conv1.weight': bytes
head -c 0|not a safetensors file
tail -c 1000000|not a safetensors file
sed s/"step":"3"/"step":"-"/|cannot go on from this checkpoint (--force starts anew): step: expected an integer
sed s/"steps_per_epoch\\":2/"steps_per_epoch\\":3/|cannot go on from this checkpoint (--force starts anew): it was begun with
sed s/"log_bytes":"0"/"log_bytes":"x"/|cannot go on from this checkpoint (--force starts anew): log_bytes: expected an int
sed s/"window":"\[0/"window":"{0/|cannot go on from this checkpoint (--force starts anew): window: 1:
sed s/"window":"\[0,0.0,/"window":"[0,000,/|cannot go on from this checkpoint
sed s/"window":"\[0,/"window":"[-,/|cannot go on from this checkpoint
sed s/"step":"3"/"step":"4"/|cannot go on from this checkpoint (--force starts anew): damaged: tensors and texts do not
sed s/"velocity.stem.bn.bias"/"velocity.stem.bn.bia_"/|cannot go on from this checkpoint (--force starts anew): tensor velocity.stem.bn.bias is missing
END
}

@test "one run at a time" {
    local pid
    pairs contained long.lmdb --long 8x4 --short 8x2 --epochs 10000
    start -q --samples long.lmdb --log a.jsonl -o a.safetensors 2>error &
    pid=$!
    while [ ! -s a.jsonl ]; do sleep 0.05; done
    train a --samples long.lmdb
    kill -KILL $pid
    wait $pid || true
    expect_error 1 "a.safetensors.lock: another process is writing it"
    train a --samples long.lmdb --stop-at 1 # what a killed run leaves is no hindrance
    expect_status 1
    [ ! -e a.safetensors.lock ]
}

@test "outputs that cannot be written fail before the training" {
    mkdir folder.safetensors
    train absent/a
    expect_error 1 "absent/a.safetensors.lock: No such file or directory"
    echo of another run >kept.jsonl
    refused 1 "aggregation over 3 steps" --objective fine:3,1,1 --log kept.jsonl
    [ "$(cat kept.jsonl)" = "of another run" ]
    train folder --force
    expect_error 1 "folder.safetensors: is a folder"
    train a --log absent/a.jsonl
    expect_error 1 "absent/a.jsonl: No such file or directory"
    [ "$(echo ./*.lock ./a.*)" = "./*.lock ./a.*" ]
    local why="Permission denied"
    mkdir -m 555 locked
    if [ "$(id -u)" -eq 0 ]; then
        mount -t tmpfs -o ro tmpfs locked 2>/dev/null || skip "root writes into any folder"
        why="Read-only file system"
    fi
    train locked/a
    if [ "$(id -u)" -eq 0 ]; then umount locked; fi
    expect_error 1 "locked/a.safetensors.lock: $why"
}

@test "a full disk: the old checkpoint stays, and the run goes on later" {
    mkdir disk
    mount -t tmpfs -o size=7m tmpfs disk 2>/dev/null || skip "no file system can be mounted"
    train disk/a --stop-at 3 --log disk/a.jsonl # one checkpoint fits, two do not
    local first=$status files second message same=no
    cp disk/a.safetensors.part kept
    train disk/a --stop-at 6 --log disk/a.jsonl
    second=$status
    message=$stderr
    files=$(echo disk/a.*)
    ! cmp disk/a.safetensors.part kept || same=yes
    umount disk
    [ "$first $second $same" = "1 1 yes" ]
    [[ $message == *"teg-train: error: disk/a.safetensors.part: No space left on device" ]]
    [ "$files" = "disk/a.jsonl disk/a.safetensors.part" ]
    mv kept a.safetensors.part
    trained a
    same_as a whole
}

@test "files that may not grow: the old checkpoint stays, and the run goes on later" {
    trap '' XFSZ
    ulimit -S -f 1000 # KiB
    train a --stop-at 3
    expect_error 1 "a.safetensors.part: File too large"
    [ ! -e a.safetensors.part ]
    ulimit -S -f unlimited
    train a --stop-at 3
    cp a.safetensors.part kept
    ulimit -S -f 1000
    train a --stop-at 6
    ulimit -S -f unlimited
    [[ $stderr == *"teg-train: error: a.safetensors.part: File too large" ]]
    cmp a.safetensors.part kept
    [ "$(echo a.*)" = a.safetensors.part ]
    trained a
    same_as a whole
}

@test "a log that cannot be written ends the run" {
    refused 1 "/dev/full: No space left on device" --log /dev/full
    trained a --log /dev/stderr --checkpoint-minutes 0 --epochs 1
    [[ $stderr == '{"step":2,'* ]]
    train b --log b.jsonl --stop-at 3
    yes '{"step": 1, "loss": 2.25, "clips_per_second": 2.5}' | head -n 40 >b.jsonl
    train b --log b.jsonl
    expect_status 1
    [[ $stderr == *"b.jsonl: not the log that the checkpoint was written with"*"(--log)" ]]
    [ "$(wc -l <b.jsonl)" -eq 40 ]
    rm b.jsonl
    trained b --log b.jsonl
    [ "$(jq -r .step b.jsonl | head -n 1)" = 6 ]
    same_as b whole
}

@test "a loss that is no number ends the run" {
    train a --lr 1e6 --momentum 0.99 --warmup-epochs 0 --temperature 0.0001
    expect_error 1 "not finite"
    [[ $stderr == *"step "* ]]
}

@test "a log is never begun over another file" {
    cp samples.lmdb copy.lmdb
    tool teg-train --frames frames.lmdb --samples samples.lmdb --log samples.lmdb -o m.safetensors
    expect_error 1 "samples.lmdb: --samples and --log are the same file"
    train m --log copy.lmdb
    expect_status 1
    [[ "$stderr" == *"copy.lmdb: is there and no log of JSON Lines"* ]]
    cmp samples.lmdb copy.lmdb
}
