#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training steps of r3d50 on a GPU, 32 + 16 frames of 224 pixels, features of clips of 32 frames, and the loader. Limit
# of "gpu": the step's arithmetic at the peak that the device reaches in a product of matrices; of "gpu two terms", the
# same step: that, or the way of its tensors through memory, layer by layer, and the normalisations' way besides; of "gpu
# convolutions": its convolutions alone as bare cuDNN calls; of "gpu layers", these and the linear layers of its heads.
# Peer: the same in PyTorch, compiled, with channels_last_3d, autocast, a fused optimiser and tuned cuDNN. BATCH and MICRO
# set the size of ours, PEER_BATCH that of the peer, which has no micro-batches; FRAMES names a frames store for the
# loader, PARTS some of "step families features loader tf32". The log says what the time of one step goes to.
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
parts=${PARTS:-step families features loader tf32}
bin=$TEG_BIN/tests/bench

# The device's memory in use by process $1, in MB, at most, until it ends.
watch_memory() {
    local most=0 now
    while kill -0 "$1" 2>/dev/null; do
        now=$(nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | head -n 1)
        [ "$now" -gt "$most" ] && most=$now
        sleep 0.2
    done
    echo "$most"
}

# step PRECISION
step() {
    local precision=$1 ours conv linear flops peak limit memory peer peer_memory=- peer_rate=-
    PLANS=$TMPDIR/plans.$precision "$bin/bench_step" r3d50 "$precision" "$batch" 32 16 224 "$rounds" "$threads" cuda "$micro" >"$TMPDIR/step" &
    memory=$(watch_memory $!)
    wait $!
    read -r ours conv linear _ flops peak limit <"$TMPDIR/step"
    if read -r peer peer_memory < <(python3 tests/bench/peer_step.py r3d50 "$precision" "$peer_batch" 32 16 224 "$rounds" \
        "$threads" cuda 2>>"$TMPDIR/peer.log"); then
        peer_rate=$(awk "BEGIN { print $peer_batch / $peer }")
    fi
    awk -v name="$precision" -v n="$batch" -v t="$ours" -v c="$conv" -v l="$linear" -v f="$flops" \
        -v k="$peak" -v two="$limit" -v p="$peer_rate" 'BEGIN {
            printf "gpu %s\tpairs/s\t%.3f\t%s\t1.5\t%.3f\n", name, n / t, p, n / (f / k)
            printf "gpu two terms %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / two
            printf "gpu convolutions %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / c
            printf "gpu layers %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / (c + l)
        }'
    echo "$precision, batch $batch in micro-batches of $micro: step $ours s, convolutions $conv s, linear layers $linear s," \
        "$memory MB of the device; the peer, batch $peer_batch: $peer_memory MB" >&2
}

# What the time of a step goes to.
families() {
    printf '\n%s:\n' "$1" >&2
    PLANS=$TMPDIR/plans.$1 "$bin/bench_step" r3d50 "$1" "$batch" 32 16 224 0 "$threads" cuda "$micro" |
        awk -F '\t' 'BEGIN { format = "%-26s %6s %10s %6s %8s %8s\n"; printf format, "family", "calls", "ms", "%", "TFLOP/s", "GB/s" }
                     { printf format, substr($1, 3), $2, $3, $4, $5, $6 }' >&2
}

forward() {
    local seconds flops peak peer peer_rate=-
    read -r seconds flops peak < <(PLANS=$TMPDIR/plans.$1 "$bin/bench_device" forward r3d50 "$1" 64 32 224 "$rounds" "$threads" cuda)
    if read -r peer _ < <(python3 tests/bench/peer_step.py r3d50 "$1" 64 32 16 224 "$rounds" "$threads" cuda forward \
        2>>"$TMPDIR/peer.log"); then
        peer_rate=$(awk "BEGIN { print 64 / $peer }")
    fi
    awk -v name="gpu features $1" -v t="$seconds" -v f="$flops" -v k="$peak" -v p="$peer_rate" \
        'BEGIN { printf "%s\tclips/s\t%.3f\t%s\t1.5\t%.3f\n", name, 64 / t, p, 64 / (f / k) }'
}

loader() {
    local pairs frames
    read -r pairs frames < <("$bin/bench_device" loader "$FRAMES" bf16 64 32 16 224 20 "$threads" cuda)
    printf 'gpu loader\tpairs/s\t%s\t-\t-\t-\n' "$pairs"
    echo "the loader, $threads threads: $pairs pairs of $frames frames a second" >&2
}

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader >&2
for part in $parts; do
    case $part in
    step) step bf16 ;;
    families) families bf16 ;;
    features) forward bf16 ;;
    loader) [ -z "${FRAMES:-}" ] || loader ;;
    tf32) step tf32 ;;
    *)
        echo "bench_gpu.sh: PARTS: no part is called $part" >&2
        exit 2
        ;;
    esac
done
if [ -s "$TMPDIR/peer.log" ]; then
    tail -n 20 "$TMPDIR/peer.log" >&2
fi
