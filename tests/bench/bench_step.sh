#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training steps of both backbones in both precisions. Limit of "step": its convolutions alone as bare oneDNN calls; of
# "layers", the same step: these and the linear layers of its heads. Peer: the same step in PyTorch with
# channels_last_3d (bf16 by autocast). Peak memory is compared as 1000 / MB.
set -eu -o pipefail

threads=$(nproc)
rounds=${ROUNDS:-5}

# shape MODEL BATCH LONG SHORT SIZE
shape() {
    local precision ours conv linear memory peer peer_memory peer_rate=- peer_small=-
    for precision in f32 bf16; do
        read -r ours conv linear memory _ < <("$TEG_BIN/tests/bench/bench_step" "$1" "$precision" "$2" "$3" "$4" "$5" "$rounds" "$threads")
        if read -r peer peer_memory < <(python3 tests/bench/peer_step.py "$1" "$precision" "$2" "$3" "$4" "$5" "$rounds" "$threads" 2>>"$TMPDIR/peer.log"); then
            peer_rate=$(awk "BEGIN { print $2 / $peer }")
            peer_small=$(awk "BEGIN { print 1000 / $peer_memory }")
        fi
        awk -v name="step $1 $precision $3+$4 at $5" -v n="$2" -v t="$ours" -v c="$conv" -v p="$peer_rate" \
            'BEGIN { printf "%s\tpairs/s\t%.3f\t%s\t1.2\t%.3f\n", name, n / t, p, n / c }'
        awk -v name="layers $1 $precision $3+$4 at $5" -v n="$2" -v t="$ours" -v c="$conv" -v l="$linear" \
            'BEGIN { printf "%s\tpairs/s\t%.3f\t-\t-\t%.3f\n", name, n / t, n / (c + l) }'
        awk -v name="memory $1 $precision" -v m="$memory" -v p="$peer_small" \
            'BEGIN { printf "%s\t1000/MB\t%.4f\t%s\t1\t-\n", name, 1000 / m, p }'
    done
}

shape r3d50 8 16 8 112
shape r3d-tiny 32 32 16 48
