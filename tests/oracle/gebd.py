#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boundary scores of both rules, written as plainly as possible: what teg-gebd-eval is held to, and its peer in
benchmarks. Prints the members mean_* and thresholds of its metrics.

usage: gebd.py GT.json PRED.json challenge|notebook [DOWNSAMPLE]
"""
import json
import sys

THRESHOLDS = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]


def ratios(tp, positives, detections):
    recall = tp / positives if positives else 1
    precision = tp / detections if detections else 0
    f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0
    return precision, recall, f1


def matched(boundaries, detections, limit):
    """Every boundary takes the nearest detection that is left, if it is near enough."""
    left, tp = list(detections), 0
    for boundary in boundaries:
        if not left:
            break
        distances = [abs(boundary - at) for at in left]
        nearest = distances.index(min(distances))
        if distances[nearest] <= limit:
            del left[nearest]
            tp += 1
    return tp


def best(raters, detections, limit):
    """True positives and boundaries of the rater with the highest F1, the first one of equals."""
    results = []
    for boundaries in raters:
        tp = matched(boundaries, detections, limit)
        results.append((ratios(tp, len(boundaries), len(detections))[2], tp, len(boundaries)))
    f1 = [result[0] for result in results]
    return results[f1.index(max(f1))][1:]


def evaluate(truth, predictions, threshold, rules, downsample):
    tp = positives = detected = 0
    for name, video in truth.items():
        if video["f1_consis_avg"] < 0.3:
            continue
        if rules == "challenge":
            raters, length = video["substages_timestamps"], video["video_duration"]
            last, found = length, predictions.get(name, [])
        else:
            raters, length = video["substages_myframeidx"], video["num_frames"]
            if name not in predictions:
                continue
            last, found = length - 1, [at * downsample for at in predictions[name]]
        found = [at for at in found if 0 <= at <= last]
        if not found:
            positives += len(raters[0])
            continue
        detected += len(found)
        more_tp, more_positives = best(raters, found, threshold * length)
        tp += more_tp
        positives += more_positives
    precision, recall, f1 = ratios(tp, positives, detected)
    return {"rel_dis": threshold, "tp": tp, "n_positive": positives, "n_detected": detected,
            "precision": precision, "recall": recall, "f1": f1}


def mean(values):
    """As NumPy adds ten numbers."""
    v = values
    return (((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])) + v[8] + v[9]) / 10


def main(truth, predictions, rules, downsample="3"):
    with open(truth, encoding="utf-8") as file:
        truth = json.load(file)
    with open(predictions, encoding="utf-8") as file:
        predictions = json.load(file)
    rows = [evaluate(truth, predictions, threshold, rules, float(downsample)) for threshold in THRESHOLDS]
    means = {f"mean_{name}": mean([row[name] for row in rows]) for name in ("precision", "recall", "f1")}
    print(json.dumps({**means, "thresholds": rows}))


main(*sys.argv[1:])
