#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pre-training by several processes: on a machine with several GPUs one for each, and as many times the batch; else two on half
# of the processors each, with the same batch. The limit is one process: as many times what it does, or what it does with all
# processors. Clips a second of the log, the median of the steps behind the first three; runs of both kinds take turns.
set -eu -o pipefail

command -v mpirun >/dev/null || { echo "mpirun is not installed" >&2 && exit 0; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
rounds=${ROUNDS:-3}
gpus=$({ nvidia-smi -L 2>/dev/null || true; } | wc -l)
if [ "$gpus" -ge 2 ]; then
    device=cuda precision=bf16 n=$gpus batch=32 long=32 short=16 size=224 factor=$gpus
else
    device=cpu precision=f32 n=2 batch=8 long=16 short=8 size=112 factor=1
fi

cd "$TMPDIR"
"$TEG_BIN/teg-synth" -q --dataset events --videos $((batch * factor)) --events 2 --frames 160 --size $((size * 8 / 7)) -o synth >&2
"$TEG_BIN/teg-index" -q --format annotations --annotations synth/annotations.jsonl --videos synth/videos -o index.lmdb >&2
"$TEG_BIN/teg-decode" -q --index index.lmdb -o frames.lmdb >&2
"$TEG_BIN/teg-sample" -q --index index.lmdb --frames frames.lmdb --strategy contained --labels none --long ${long}x4 \
    --short ${short}x2 --epochs 100 -o samples.lmdb >&2

# train PROCESSES BATCH: clips a second of each step behind the third.
train() {
    local launcher=()
    [ "$1" = 1 ] || launcher=(mpirun -n "$1")
    "${launcher[@]}" "$TEG_BIN/teg-train" -q --frames frames.lmdb --samples samples.lmdb --model r3d50 --crop-size $size \
        --precision $precision --device $device --batch "$2" --log-every 1 --stop-at 7 --log "log.$1" --force -o model.safetensors \
        >&2 2>"said.$1" || grep -q 'stopped: after step 7' "said.$1" || { cat "said.$1" >&2 && exit 1; }
    jq 'select(.step > 3).clips_per_second' "log.$1"
    rm -f model.safetensors* "log.$1"
}

median() {
    sort -g "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

for _ in $(seq "$rounds"); do
    train "$n" $((batch * factor)) >>several
    train 1 "$batch" >>one
done
awk -v name="$n processes, r3d50 $precision" -v n="$(median several)" -v one="$(median one)" -v factor="$factor" \
    'BEGIN { printf "%s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / 2, factor * one / 2 }'
