#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AVA's metric in Python and numpy, restated from RECIPE section 4 and the rules of the two official programs.

usage: peer_ava.py make DIR FRAMES ROWS SEED    writes annotations.csv, predictions.csv (ROWS a frame), labels.pbtxt
       peer_ava.py slowfast|activitynet DIR     prints the seconds, then mAP and the AP of each class, one a line
"""
import csv
import heapq
import os
import sys
import time
from collections import defaultdict

import numpy as np

N_CLASSES, N_SCORED, CAPACITY = 80, 60, 50


def make(folder, n_frames, n_rows, seed):
    """Annotated boxes at random, predictions around them; scores of two digits, so that many are equal."""
    rng = np.random.default_rng(seed)
    path = lambda name: os.path.join(folder, name)
    scored = np.sort(rng.permutation(np.arange(1, N_CLASSES + 1))[:N_SCORED])
    with open(path("labels.pbtxt"), "w", encoding="utf-8") as file:
        for k in scored:
            file.write(f'item {{\n  name: "action {k}"\n  id: {k}\n}}\n')
    with open(path("annotations.csv"), "w", encoding="utf-8") as truth, \
            open(path("predictions.csv"), "w", encoding="utf-8") as guess:
        for i in range(n_frames):
            frame = f"video{i // 897:06d},{902 + i % 897:04d}"
            low = rng.uniform(0, 0.6, (3, 2))
            boxes = np.hstack([low, low + rng.uniform(0.2, 0.4, (3, 2))])
            actions = rng.integers(1, N_CLASSES + 1, (3, 2))
            if i % 50:
                for person, box in enumerate(boxes):
                    for action in actions[person]:
                        truth.write("%s,%.3f,%.3f,%.3f,%.3f,%d,%d\n" % (frame, *box, action, person))
            near = rng.integers(0, 3, n_rows)
            moved = boxes[near] + rng.normal(0, 0.03, (n_rows, 4))
            label = np.where(rng.uniform(size=n_rows) < 0.5, actions[near, rng.integers(0, 2, n_rows)],
                             rng.integers(1, N_CLASSES + 1, n_rows))
            score = rng.integers(0, 101, n_rows) / 100
            for k in range(n_rows):
                guess.write("%s,%.3f,%.3f,%.3f,%.3f,%d,%.2f\n" % (frame, *moved[k], label[k], score[k]))


def read_labels(path):
    ids = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(("  id:", "  label_id:")):
                ids.append(int(line.split()[-1]))
    return sorted(set(ids))


def read_rows(path, ids, activitynet, capacity=0):
    """Frames in the order of their first row of a scored class: lists of (score, class, y1, x1, y2, x2); all frames."""
    frames, named, scored = defaultdict(list), set(), set(ids)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            key = (row[0], "%.6f" % float(row[1]) if activitynet else int(row[1]))
            named.add(key)
            if len(row) == 2 or int(row[6]) not in scored:
                continue
            x1, y1, x2, y2 = map(float, row[2:6])
            entry = (float(row[7]), int(row[6]), y1, x1, y2, x2)
            kept = frames[key]
            if not activitynet:
                kept.append(entry)
            elif not capacity or len(kept) < capacity:
                heapq.heappush(kept, entry)
            elif entry[0] > kept[0][0]:
                heapq.heapreplace(kept, entry)
    if activitynet:
        frames = {key: sorted(kept, key=lambda entry: -entry[0]) for key, kept in frames.items()}
    return frames, named


def overlaps(a, b):
    """Intersection over union of boxes [n, 4] and [m, 4], each (y1, x1, y2, x2)."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    both = np.maximum(sides, 0).prod(axis=2)
    area = lambda box: (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    return both / (area(a)[:, None] + area(b)[None] - both)


def match(predicted, annotated):
    """Which of the boxes of one class and frame are right."""
    right = np.zeros(len(predicted), bool)
    if len(annotated) == 0:
        return right
    iou = overlaps(predicted, annotated)
    best, taken = iou.argmax(axis=1), set()
    for i, k in enumerate(best):
        if iou[i, k] >= 0.5 and k not in taken:
            taken.add(k)
            right[i] = True
    return right


def average_precision(score, right, n_boxes):
    order = np.argsort(score, kind="stable")[::-1]
    hits = np.cumsum(right[order])
    recall = np.concatenate([[0], hits / n_boxes, [1]])
    precision = np.concatenate([[0], hits / np.arange(1, len(hits) + 1), [0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return np.sum(np.diff(recall) * envelope[1:])


def evaluate(folder, rules):
    path = lambda name: os.path.join(folder, name)
    activitynet = rules == "activitynet"
    ids = read_labels(path("labels.pbtxt"))
    truth, named = read_rows(path("annotations.csv"), ids, activitynet)
    guess, _ = read_rows(path("predictions.csv"), ids, activitynet, CAPACITY)
    n_boxes, scores, rights = defaultdict(int), defaultdict(list), defaultdict(list)
    for entries in truth.values():
        for entry in entries:
            n_boxes[entry[1]] += 1
    for key, entries in guess.items():
        if activitynet and key not in named:
            continue
        rows = np.array(entries)
        rows = rows[(rows[:, 2] < rows[:, 4]) & (rows[:, 3] < rows[:, 5])]
        marks = np.array(truth.get(key, [])).reshape(-1, 6)
        for k in np.unique(rows[:, 1]):
            mine = rows[rows[:, 1] == k]
            scores[k].append(mine[:, 0])
            rights[k].append(match(mine[:, 2:], marks[marks[:, 1] == k, 2:]))
    result = {}
    for k in ids:
        if not n_boxes[k]:
            result[k] = np.nan
        elif not scores[k]:
            result[k] = 0.0
        else:
            result[k] = average_precision(np.concatenate(scores[k]), np.concatenate(rights[k]), n_boxes[k])
    return result


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], *map(int, sys.argv[3:6]))
        return
    start = time.perf_counter()
    result = evaluate(sys.argv[2], sys.argv[1])
    print(f"{time.perf_counter() - start:.3f}")
    print(repr(float(np.nanmean(list(result.values())))))
    for ap in result.values():
        print(repr(float(ap)))


main()
