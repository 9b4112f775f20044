#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Frames a second of teg-decode (decode, scale to short side 256, compress, write) against ffmpeg that decodes
# and scales the same files and throws the pictures away: one process a file with one thread each on all
# processors, and one file after the other with ffmpeg's own threads; the better of the two counts. The limit is
# bare decoding, as teg-index --verify does it.
set -eu -o pipefail

shared=../shared/data
n_runs=5
n_threads=$(nproc)
wanted=0.8
scale="scale=w='if(gt(min(iw,ih),256),if(gt(iw,ih),-2,256),iw)':h='if(gt(min(iw,ih),256),if(gt(iw,ih),256,-2),ih)'"

# Seconds that a command takes.
seconds() {
    local start=$EPOCHREALTIME
    "$@" >&2
    awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
}

ffmpeg_processes() { # DIR
    find "$1" -type f -print0 | sort -z |
        xargs -0 -P "$n_threads" -I '{}' ffmpeg -nostdin -v error -threads 1 -i '{}' -an -vf "$scale" -f null -
}

ffmpeg_threads() { # DIR
    find "$1" -type f -print0 | sort -z |
        xargs -0 -I '{}' ffmpeg -nostdin -v error -i '{}' -an -vf "$scale" -f null -
}

ours() { # DIR
    rm -f "$TMPDIR/frames.lmdb"
    "$TEG_BIN/teg-decode" --quiet --index "$TMPDIR/index.lmdb" -o "$TMPDIR/frames.lmdb"
}

bare() { # DIR
    "$TEG_BIN/teg-index" --quiet --verify --videos "$1" --force -o "$TMPDIR/verified.lmdb"
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

frames() { # INDEX
    "$TEG_BIN/teg-decode" --index "$TMPDIR/index.lmdb" -o "$TMPDIR/frames.lmdb" 2>&1 |
        sed -n 's/.* \([0-9]*\) frames, .*/\1/p'
}

measure() { # NAME DIR
    local name=$1 dir=$2 n i
    "$TEG_BIN/teg-index" --quiet --videos "$dir" --force -o "$TMPDIR/index.lmdb"
    n=$(frames)
    rm -f "$TMPDIR"/*.seconds
    for ((i = 0; i < n_runs; i++)); do
        seconds ours "$dir" >>"$TMPDIR/ours.seconds"
        seconds bare "$dir" >>"$TMPDIR/bare.seconds"
        if command -v ffmpeg >/dev/null; then
            seconds ffmpeg_processes "$dir" >>"$TMPDIR/processes.seconds"
            seconds ffmpeg_threads "$dir" >>"$TMPDIR/threads.seconds"
        fi
    done
    for i in ours bare processes threads; do
        [ ! -e "$TMPDIR/$i.seconds" ] || echo "$i $(median <"$TMPDIR/$i.seconds")"
    done | awk -v name="$name" -v n="$n" -v wanted="$wanted" -v OFS='\t' '
        { rate[$1] = n / $2; print $1, rate[$1] " frames/s" >"/dev/stderr" }
        END {
            peer = "-"
            if ("threads" in rate)
                peer = rate["threads"] > rate["processes"] ? rate["threads"] : rate["processes"]
            print "decode " name, "frames/s", rate["ours"], peer, wanted, rate["bare"]
        }'
    rm -f "$TMPDIR/frames.lmdb"
}

# Without the shared clips: generated ones.
generate() {
    "$TEG_BIN/teg-synth" --quiet --dataset events --videos 64 --frames 300 --size 320 --seed 1 -o "$TMPDIR/synth"
    measure generated "$TMPDIR/synth/videos"
}

if [ -d "$shared/long" ]; then
    measure "long clips" "$shared/long"
    measure "short clips" "$shared/labelled/surv_fight"
else
    generate
fi
