#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training steps of r3d50 on a GPU, 32 + 16 frames of 224 pixels, features of clips of 32 frames, the loader, and steps
# whose clips come from it. Limit of "gpu": the step's arithmetic at the peak that the device reaches in a product of
# matrices; of "gpu two terms", the same step: that, or the way of its tensors through memory, layer by layer, and the
# normalisations' way besides; of "gpu convolutions": its convolutions alone as bare cuDNN calls; of "gpu layers", these and
# the linear layers of its heads; of "gpu step with the loader": the step on clips that are there already. Peer: the same in
# PyTorch, compiled, with channels_last_3d, autocast, a fused optimiser and tuned cuDNN.
#
# PARTS names some of "step families features loader train tf32"; families says what the time of one step goes to, and its
# memory. BATCH and MICRO set the size of ours, PEER_BATCH that of the peer, which has no micro-batches, TF32_BATCH that of
# both in tf32; FRAMES names a frames store for the loader, else one is made. What was measured and compiled is kept in $KEPT
# for the next run. Every part has its time: PEER_SECONDS (240) for the peer, OUR_SECONDS (240) for ours.
set -u -o pipefail

if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "no NVIDIA driver is running: nothing is measured" >&2
    exit 0
fi
threads=$(nproc)
rounds=${ROUNDS:-7}
batch=${BATCH:-64}
tf32_batch=${TF32_BATCH:-32} # float32 takes twice the memory
parts=${PARTS:-step families features loader train tf32}
bin=$TEG_BIN/tests/bench
kept=${KEPT:-$TEG_BIN/bench-kept}
mkdir -p "$kept"
export TORCHINDUCTOR_CACHE_DIR=$kept/inductor TRITON_CACHE_DIR=$kept/triton

# ours PRECISION PROGRAM ARGUMENT...
ours() {
    PLANS=$kept/plans.$1 timeout -k 10 "${OUR_SECONDS:-240}" "$bin/$2" "${@:3}"
}

# peer ARGUMENT...: its answer, or "- -"; what it says goes to the log.
peer() {
    local answer
    if answer=$(timeout -k 10 "${PEER_SECONDS:-240}" python3 tests/bench/peer_step.py "$@" 2>"$TMPDIR/peer.log") &&
        [ "$answer" ]; then
        tail -n 3 "$TMPDIR/peer.log" >&2
        echo "$answer"
    else
        echo "the peer gave no answer within ${PEER_SECONDS:-240} s:" >&2
        tail -n 20 "$TMPDIR/peer.log" >&2
        echo "- -"
    fi
}

# rate N SECONDS
rate() {
    if [ "$2" = - ]; then echo -; else awk "BEGIN { print $1 / $2 }"; fi
}

# step PRECISION BATCH MICRO PEER_BATCH
step() {
    local seconds conv linear flops peak limit peer_seconds peer_memory answer
    answer=$(ours "$1" bench_step r3d50 "$1" "$2" 32 16 224 "$rounds" "$threads" cuda "$3") || return
    read -r seconds conv linear _ flops peak limit <<<"$answer"
    echo "$1, batch $2 in micro-batches of $3: step $seconds s, convolutions $conv s, linear layers $linear s," \
        "limit of two terms $limit s, $flops TFLOP at $peak a second" >&2
    read -r peer_seconds peer_memory < <(peer r3d50 "$1" "$4" 32 16 224 "$rounds" "$threads" cuda)
    echo "$1: the peer, batch $4: step $peer_seconds s, $peer_memory MB of the device" >&2
    awk -v name="$1" -v n="$2" -v t="$seconds" -v c="$conv" -v l="$linear" -v f="$flops" \
        -v k="$peak" -v two="$limit" -v p="$(rate "$4" "$peer_seconds")" 'BEGIN {
            printf "gpu %s\tpairs/s\t%.3f\t%s\t1.5\t%.3f\n", name, n / t, p, n / (f / k)
            printf "gpu two terms %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / two
            printf "gpu convolutions %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / c
            printf "gpu layers %s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / (c + l)
        }'
}

# The device's memory in use by process $1, in MB, at most, until it ends.
watch_memory() {
    local most=0 now
    while kill -0 "$1" 2>/dev/null; do
        now=$(nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits | head -n 1)
        [ "$now" -gt "$most" ] && most=$now
        sleep 1
    done
    echo "$most"
}

# families PRECISION BATCH MICRO
families() {
    local memory status
    ours "$1" bench_step r3d50 "$1" "$2" 32 16 224 0 "$threads" cuda "$3" >"$TMPDIR/families" &
    memory=$(watch_memory $!)
    wait $!
    status=$?
    printf '\n%s, batch %s in micro-batches of %s: %s MB of the device\n' "$1" "$2" "$3" "$memory" >&2
    awk -F '\t' 'BEGIN { format = "%-26s %6s %10s %6s %8s %8s\n"; printf format, "family", "calls", "ms", "%", "TFLOP/s", "GB/s" }
                 { printf format, substr($1, 3), $2, $3, $4, $5, $6 }' "$TMPDIR/families" >&2
    return "$status"
}

# features PRECISION
features() {
    local seconds flops peak peer_seconds answer
    answer=$(ours "$1" bench_device forward r3d50 "$1" 64 32 224 "$rounds" "$threads" cuda) || return
    read -r seconds flops peak <<<"$answer"
    echo "$1, features of 64 clips: $seconds s" >&2
    read -r peer_seconds _ < <(peer r3d50 "$1" 64 32 16 224 "$rounds" "$threads" cuda forward)
    awk -v name="gpu features $1" -v t="$seconds" -v f="$flops" -v k="$peak" -v p="$(rate 64 "$peer_seconds")" \
        'BEGIN { printf "%s\tclips/s\t%.3f\t%s\t1.5\t%.3f\n", name, 64 / t, p, 64 / (f / k) }'
}

# A frames store of generated videos.
make_frames() {
    [ -e "$kept/frames.lmdb" ] ||
        { "$TEG_BIN/teg-synth" -q --dataset events --videos 16 --size 256 -o "$TMPDIR/synth" &&
            "$TEG_BIN/teg-index" -q --videos "$TMPDIR/synth/videos" -o "$TMPDIR/index.lmdb" &&
            "$TEG_BIN/teg-decode" -q --index "$TMPDIR/index.lmdb" -o "$kept/frames.lmdb"; }
}

loader() {
    local pairs frames answer
    [ "${FRAMES:-}" ] || make_frames || return
    answer=$(ours bf16 bench_device loader "${FRAMES:-$kept/frames.lmdb}" bf16 64 32 16 224 20 "$threads" cuda) || return
    read -r pairs frames <<<"$answer"
    printf 'gpu loader\tpairs/s\t%s\t-\t-\t-\n' "$pairs"
    echo "the loader, $threads threads: $pairs pairs of $frames frames a second" >&2
}

# train PRECISION BATCH MICRO: steps fed by the loader, at the probabilities of pre-training and with teg-train's threads.
train() {
    local with without waited answer
    [ "${FRAMES:-}" ] || make_frames || return
    answer=$(ours "$1" bench_train "${FRAMES:-$kept/frames.lmdb}" r3d50 "$1" "$2" 32 16 224 20 "$threads" cuda "$3") || return
    read -r with without waited <<<"$answer"
    awk -v name="gpu step with the loader" -v n="$2" -v t="$with" -v alone="$without" \
        'BEGIN { printf "%s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / alone }'
    echo "$1, batch $2 in micro-batches of $3: step with the loader $with s, of which it waits $waited s, without $without s" >&2
}

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader >&2
failed=0
for part in $parts; do
    case $part in
    step) step bf16 "$batch" "${MICRO:-$batch}" "${PEER_BATCH:-$batch}" ;;
    families) families bf16 "$batch" "${MICRO:-$batch}" ;;
    features) features bf16 ;;
    loader) loader ;;
    train) train bf16 "$batch" "${MICRO:-$batch}" ;;
    tf32) step tf32 "$tf32_batch" "$tf32_batch" "$tf32_batch" ;;
    *)
        echo "bench_gpu.sh: PARTS: no part is called $part" >&2
        exit 2
        ;;
    esac || { # the others may work
        echo "bench_gpu.sh: $part failed" >&2
        failed=1
    }
done
exit $failed
