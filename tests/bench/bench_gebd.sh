#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boundary scores of made-up predictions the size of Kinetics-GEBD's validation set, 20,000 videos with five raters at
# ten distances, from JSON to metrics; against the same evaluation in plain Python. Both must give the same numbers.
set -eu -o pipefail

videos=${VIDEOS:-20000}
ours=$TMPDIR/ours.json
python3 tests/bench/make_gebd.py "$TMPDIR" "$videos"
cd "$TMPDIR"

# Appends the seconds that a command takes to the file $1.
timed() {
    local times=$1 start=$EPOCHREALTIME
    shift
    "$@"
    awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { print end - start }' >>"$times"
}

evaluate() {
    "$TEG_BIN/teg-gebd-eval" -q --annotations gt.json --predictions pred.json --rules challenge --print none -o "$ours"
}

peer() {
    python3 "$OLDPWD/tests/oracle/gebd.py" gt.json pred.json challenge >peer.json
}

median() {
    sort -g "$1" | awk '{ s[NR] = $1 } END { print s[int((NR + 1) / 2)] }'
}

evaluate
for _ in 1 2 3 4 5; do
    timed ours.times evaluate
    timed peer.times peer
done
python3 -c '
import json, sys
ours, peer = (json.load(open(name)) for name in sys.argv[1:])
sys.exit(any(ours[name] != peer[name] for name in peer))' "$ours" peer.json
echo "seconds: ours $(median ours.times), peer $(median peer.times)" >&2
awk -v videos="$videos" -v ours="$(median ours.times)" -v peer="$(median peer.times)" 'BEGIN {
    printf "boundary scores\tvideos/s\t%.1f\t%.1f\t5\t-\n", videos / ours, videos / peer
}'
