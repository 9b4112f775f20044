#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rows a second of teg-sample, the store included. The limit is one thread that compresses and writes a table
# that is drawn already.
set -eu -o pipefail
cd "$TMPDIR"

n_videos=20000
"$TEG_BIN/tests/cli/helper_videos" . id=v,count=$n_videos

# Seconds that a command takes.
seconds() {
    local start=$EPOCHREALTIME
    "$@" >&2
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}

# Median of the numbers on stdin.
median() {
    sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}

# A row of the table: row STRATEGY ROWS_A_VIDEO EPOCHS. Opening the stores is part of the time.
row() {
    local strategy=$1 epochs=$3 rows=$(($2 * n_videos * $3)) ours=() limit=()
    for _ in 0 1 2 3 4 5; do # the first one warms up
        ours+=("$(seconds "$TEG_BIN/teg-sample" --quiet --force --frames frames.lmdb --index index.lmdb \
            --strategy "$strategy" --epochs "$epochs" -o "$strategy.lmdb")")
        limit+=("$("$TEG_BIN/tests/bench/bench_sample_limit" "$strategy.lmdb" limit.lmdb "$epochs")")
    done
    printf '%s\trows/s\t%.0f\t-\t-\t%.0f\n' "sample, $strategy" \
        "$(printf '%s\n' "${ours[@]:1}" | median | awk -v n="$rows" '{ print n / $1 }')" \
        "$(printf '%s\n' "${limit[@]:1}" | median)"
}

row contained 2 50
row uniform 10 10
