#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training steps of r3d50 on a GPU, 32 + 16 frames of 224 pixels. Limit of "gpu": the step's arithmetic at the peak that
# the device reaches in a product of matrices; of "gpu convolutions", the same step: its convolutions alone as bare
# cuDNN calls; of "gpu layers", these and the linear layers of its heads. Peer: the same step in PyTorch, compiled, with
# channels_last_3d, autocast, a fused optimiser and tuned cuDNN. BATCH and MICRO set the size of ours, PEER_BATCH that of
# the peer, which has no micro-batches.
set -eu -o pipefail

if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "no NVIDIA driver is running: nothing is measured" >&2
    exit 0
fi
threads=$(nproc)
rounds=${ROUNDS:-7}
batch=${BATCH:-64}
micro=${MICRO:-$batch}
peer_batch=${PEER_BATCH:-$batch}

# rows PRECISION
rows() {
    local precision=$1 ours conv linear flops peak peer peer_memory=- peer_rate=-
    read -r ours conv linear _ flops peak < <("$TEG_BIN/tests/bench/bench_step" r3d50 "$precision" "$batch" 32 16 224 "$rounds" \
        "$threads" cuda "$micro")
    if read -r peer peer_memory < <(python3 tests/bench/peer_step.py r3d50 "$precision" "$peer_batch" 32 16 224 "$rounds" \
        "$threads" cuda 2>>"$TMPDIR/peer.log"); then
        peer_rate=$(awk "BEGIN { print $peer_batch / $peer }")
    fi
    awk -v name="r3d50 $precision 32+16 at 224" -v n="$batch" -v t="$ours" -v c="$conv" -v l="$linear" -v f="$flops" \
        -v k="$peak" -v p="$peer_rate" 'BEGIN {
            printf "gpu %s\tpairs/s\t%.3f\t%s\t1.5\t%.3f\n", name, n / t, p, n / (f / k)
            printf "gpu convolutions %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / c
            printf "gpu layers %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / (c + l)
        }'
    echo "$precision: step $ours s, convolutions $conv s, linear layers $linear s, the peer's memory $peer_memory MB" >&2
}

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader >&2
rows bf16
rows tf32
