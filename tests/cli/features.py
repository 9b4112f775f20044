#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at features from outside.

usage: features.py same A B TOLERANCE         arrays of two embeddings stores; a dense one is averaged over time
                                              where the other is pooled
       features.py torch MODEL FRAMES SAMPLES SIZE TOLERANCE STORE...
                                              against PyTorch on clips that the oracle renders
       features.py scores MODEL FRAMES SAMPLES SIZE TOLERANCE STORE...
                                              the same for class scores

Prints the largest difference; status 1 where it is above TOLERANCE (a share of the largest feature), 99 where a
module is missing.
"""
import io
import json
import os
import sys

try:
    import lmdb
    import numpy as np
    import zstandard
except ImportError:
    sys.exit(99)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))


class Store:
    def __init__(self, path):
        self.transaction = lmdb.open(path, subdir=False, readonly=True, lock=False).begin()

    def json(self, key):
        return json.loads(self.transaction.get(key.encode()))

    def array(self, key):
        return np.load(io.BytesIO(zstandard.decompress(self.transaction.get(key.encode()))))

    def arrays(self):
        """Key -> array of each clip, in key order."""
        keys = [bytes(k).decode() for k, v in self.transaction.cursor() if v[:1] not in b"{["]
        return {key: self.array(key).astype(np.float64) for key in keys}


def difference(a, b):
    """Largest difference of two dictionaries of arrays, as a share of the largest number."""
    assert a and a.keys() == b.keys(), "other clips"
    most, largest = 0.0, 0.0
    for key, x in a.items():
        y = b[key]
        if x.ndim != y.ndim:
            x, y = [z.mean(0) if z.ndim == 2 else z for z in (x, y)]
        assert x.shape == y.shape and np.isfinite(x).all() and np.isfinite(y).all()
        most, largest = max(most, abs(x - y).max()), max(largest, abs(x).max())
    return most / largest


def clip(frames, ids, row, size):
    """The clip of a row of a sample table as the oracle renders it: [T, size, size, 3]."""
    from augment import CASE, render
    name = ids[row["video"]]
    info = frames.json(name)
    times = int(row["start"]) + int(row["stride"]) * np.arange(int(row["length"]))
    times = np.clip(times, 0, info["n_frames"] - 1) if row["edge"] else times % info["n_frames"]
    pictures = [np.cumsum(frames.array(f"{name}/{t:08d}"), axis=0, dtype=np.uint8) for t in times]
    case = np.zeros((), CASE)
    for column in set(CASE.names) & set(row.dtype.names):
        case[column] = row[column]
    case["width"], case["height"], case["size"] = info["width"], info["height"], size
    case["matrix"] = ("bt601", "bt709", "bt2020").index(info["matrix"])
    case["full_range"] = info["range"] == "full"
    return render(np.stack(pictures), case)


def scores(model, features):
    """Those of the classifier: each part of the clip averaged, side by side, times the weights."""
    from safetensors import safe_open
    with safe_open(model, "pt") as f:
        weight, bias = f.get_tensor("classifier.weight"), f.get_tensor("classifier.bias")
    parts = weight.shape[1] // features.shape[1]
    return weight @ features.reshape(parts, -1, features.shape[1]).mean(1).ravel() + bias


def by_pytorch(command, model, frames_path, samples_path, size):
    try:
        import torch
        from r3d import load
    except ImportError:
        sys.exit(99)
    frames, samples = Store(frames_path), Store(samples_path)
    ids, rows = samples.json("videos"), samples.array("epoch/00000000")
    net, found, seen = load(model).eval(), {}, {}
    for row in sorted(rows, key=lambda r: (r["video"], r["clip"], r["view"], r["example"], r["role"])):
        pixels = torch.from_numpy(clip(frames, ids, row, size).astype(np.float32))
        with torch.no_grad():
            features = net(pixels.permute(3, 0, 1, 2)[None])[0]
            features = scores(model, features) if command == "scores" else features
        name = ids[row["video"]]
        found[f"{name}/{seen.get(name, 0):08d}"] = features.double().numpy()
        seen[name] = seen.get(name, 0) + 1
    return found


def main(command, *arguments):
    if command == "same":
        a, b, tolerance = arguments
        results = [difference(Store(a).arrays(), Store(b).arrays())]
    else:
        *inputs, size, tolerance = arguments[:5]
        features = by_pytorch(command, *inputs, int(size))
        results = [difference(features, Store(path).arrays()) for path in arguments[5:]]
    print(*results)
    sys.exit(int(max(results) > float(tolerance)))


main(*sys.argv[1:])
