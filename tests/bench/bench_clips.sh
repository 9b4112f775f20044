#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reading clips from a frames store (decompression and row differences) against bare ZSTD_decompressDCtx on the same
# records, and rendering them, against the same augmentation in PyTorch where that is installed. One core each.
set -eu -o pipefail

videos=$TMPDIR/videos
mkdir "$videos"
if [ -d ../shared/data/long ]; then
    cp ../shared/data/long/torchcodec/nasa_13013.mp4 ../shared/data/long/firefox_wpt/movie_300.mp4 "$videos"
else
    "$TEG_BIN/teg-synth" -q --dataset events --videos 4 --size 256 -o "$TMPDIR/synth"
    videos=$TMPDIR/synth/videos
fi
"$TEG_BIN/teg-index" --quiet --videos "$videos" -o "$TMPDIR/index.lmdb"
"$TEG_BIN/teg-decode" --quiet --index "$TMPDIR/index.lmdb" -o "$TMPDIR/frames.lmdb"

read -r -a peers <<<"$(python3 tests/bench/peer_render.py 2>/dev/null || echo)"
"$TEG_BIN/tests/bench/bench_clips" "$TMPDIR/frames.lmdb" "${peers[@]}"
