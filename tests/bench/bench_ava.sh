#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# AVA's metric on as many frames as its validation set has, 57,000 with ten predictions each, against the same in Python
# and numpy, in rows a second. The time of a whole run: reading, matching, ranking. A row counts only where both find the
# same mAP. FRAMES and ROWS (of a frame) change the size.
set -eu -o pipefail

frames=${FRAMES:-57000}
rows=${ROWS:-10}
peer=tests/bench/peer_ava.py
python3 -c 'import numpy' || { echo "not measured: Python's numpy, which makes the input too, is not installed" >&2 && exit 0; }
python3 "$peer" make "$TMPDIR" "$frames" "$rows" 1
total=$(cat "$TMPDIR"/*.csv | wc -l)

# Appends the seconds of a run of ours to the file.
run_ours() {
    local start=$EPOCHREALTIME
    "$TEG_BIN/teg-ava-eval" --predictions "$TMPDIR/predictions.csv" --annotations "$TMPDIR/annotations.csv" \
        --labels "$TMPDIR/labels.pbtxt" --rules "$1" --print none -o "$TMPDIR/metrics.json"
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }' >>"$TMPDIR/ours"
}

median() {
    sort -g "$1" | awk '{ s[NR] = $1 } END { print s[int((NR + 1) / 2)] }'
}

for rules in slowfast activitynet; do
    rm -f "$TMPDIR/ours" "$TMPDIR/peer"
    for _ in 1 2 3 4 5; do
        run_ours $rules
        python3 "$peer" $rules "$TMPDIR" >"$TMPDIR/answer"
        sed -n 1p "$TMPDIR/answer" >>"$TMPDIR/peer"
    done
    awk -v ours="$("$TEG_BIN/teg-inspect" show "$TMPDIR/metrics.json" mAP)" -v peer="$(sed -n 2p "$TMPDIR/answer")" \
        'BEGIN { d = ours - peer; exit d > 1e-12 || d < -1e-12 }' || { echo "$rules: another mAP than the peer" >&2 && exit 1; }
    mine=$(median "$TMPDIR/ours")
    theirs=$(median "$TMPDIR/peer")
    echo "$rules: $total rows, ours $mine s, peer $theirs s" >&2
    awk -v name="AVA mAP, $rules" -v n="$total" -v a="$mine" -v b="$theirs" \
        'BEGIN { printf "%s\trows/s\t%.0f\t%.0f\t10\t-\n", name, n / a, n / b }'
done
