#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes made-up ground truth and predictions of Kinetics-GEBD's size and shape: gt.json and pred.json into DIR.

usage: make_gebd.py DIR [VIDEOS [SEED]]      20000 videos of ten seconds by default, five raters each
"""
import json
import math
import os
import random
import sys

FPS = (25.0, 30.0, 29.97, 15.0)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def rater(rng, moments, duration):
    """What one person marks: most of the video's moments, a little off, and some of their own."""
    times = [t + rng.gauss(0, 0.2) for t in moments if rng.random() < 0.8]
    times += [rng.uniform(0.3, duration - 0.3) for _ in range(rng.randrange(3))]
    return sorted(round(min(max(t, 0.3), duration - 0.3), 6) for t in times)


def video(rng, name):
    duration, fps = round(rng.uniform(9.5, 10.1), 3), rng.choice(FPS)
    n_frames = int(duration * fps)
    moments = [rng.uniform(0.5, duration - 0.5) for _ in range(rng.randrange(1, 9))]
    raters = [rater(rng, moments, duration) for _ in range(5)]
    truth = {
        "num_frames": n_frames,
        "path_video": f"abseiling/{name}_000001_000011.mp4",
        "fps": fps,
        "video_duration": duration,
        "path_frame": f"abseiling/{name}_000001_000011",
        "f1_consis": [rng.random() for _ in raters],
        "f1_consis_avg": rng.uniform(0.25, 1),
        "substages_myframeidx": [[float(min(n_frames - 1, math.floor(t * fps))) for t in r] for r in raters],
        "substages_timestamps": raters,
    }
    return truth, rater(rng, moments, duration)


def main(folder, n_videos="20000", seed="1"):
    rng = random.Random(int(seed))
    truth, found = {}, {}
    while len(truth) < int(n_videos):
        name = "".join(rng.choices(LETTERS, k=11))
        truth[name], found[name] = video(rng, name)
    for name, value in (("gt.json", truth), ("pred.json", found)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(value, file)


main(*sys.argv[1:])
