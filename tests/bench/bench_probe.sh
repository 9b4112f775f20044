#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linear classifiers on 100,000 features of 2048 channels and 100 classes, from memory: the recipe's SGD against the
# same in PyTorch, in clips and epochs a second; and fits to the optimum
# against scikit-learn and PyTorch, which take most of half an hour.
# A row counts only where our accuracy is at least the peer's less one point. The limit is the arithmetic of the
# two products of every step at the peak of the processor.
set -eu -o pipefail

clips=${CLIPS:-100000}
epochs=20
iterations=60
fits=${FITS:-1} # of minutes each
ours=$TEG_BIN/tests/bench/bench_probe
"$ours" make "$TMPDIR" "$clips"

# run NAME COMMAND...: appends "seconds accuracy" to the file NAME.
run() {
    local name=$1
    shift
    "$@" "$TMPDIR" >>"$TMPDIR/$name" || echo "$name: not measured" >&2
}

peer() {
    run "$1" python3 -W ignore tests/bench/peer_probe.py "$1" "$2"
}

# Median seconds and the last accuracy of a file, nothing where it is empty.
median() {
    [ -s "$TMPDIR/$1" ] || return 0
    sort -g "$TMPDIR/$1" | awk '{ s[NR] = $1; a = $2 } END { print s[int((NR + 1) / 2)], a }'
}

# row NAME UNIT WORK LIMIT OURS PEER: WORK divided by the seconds is the rate.
row() {
    local mine theirs
    mine=$(median "$5")
    theirs=$(median "$6")
    echo "$1: ours $mine, peer $theirs (seconds, accuracy)" >&2
    awk -v name="$1" -v unit="$2" -v work="$3" -v limit="$4" -v ours="$mine" -v peer="$theirs" 'BEGIN {
        split(ours, o, " "); n = split(peer, p, " ")
        if (n && o[2] < p[2] - 0.01) { print name ": less accurate than the peer" >"/dev/stderr"; exit 1 }
        printf "%s\t%s\t%.1f\t%s\t1\t%s\n", name, unit, work / o[1], n ? sprintf("%.1f", work / p[1]) : "-", limit
    }'
}

for _ in 1 2 3 4 5; do
    run linear-f32 "$ours" linear f32 $epochs
    run linear-bf16 "$ours" linear bf16 $epochs
    peer torch $epochs
done
for ((i = 0; i < fits; i++)); do
    run logistic-f32 "$ours" logistic f32 $iterations
    peer sklearn $iterations
    peer torch-lbfgs $iterations
done

best=sklearn
if [ -s "$TMPDIR/torch-lbfgs" ]; then
    best=$({ echo "$(median sklearn) sklearn" && echo "$(median torch-lbfgs) torch-lbfgs"; } | sort -g | awk 'NR == 1 { print $3 }')
fi
row "probe, SGD" clips/s $((clips * epochs)) "$("$ours" limit f32)" linear-f32 torch
row "probe, SGD, bfloat16" clips/s $((clips * epochs)) "$("$ours" limit bf16)" linear-bf16 torch
row "probe, to the optimum" fits/h 3600 - logistic-f32 "$best"
