#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backbones in float64 by PyTorch: outputs, running statistics and all gradients, in training and inference mode.

    backbone.py BUILD      (BUILD holds tests/unit/helper_model, which writes the weights)

A gradient of 31 million numbers is kept as its norm and its products with 16 vectors of random signs: the mean square of
the differences of such products is the square of the norm of the difference of the gradients. Writes, for each backbone,
backbone_NAME_input.npy (uint8 pixels, [N, T, S, S, 3]), backbone_NAME_upstream.npy (int8 gradient of the output) and
backbone_NAME_{train,inference}.npy: one row a tensor (output, then gradients by name, then for train running statistics by
name) of norm, relative error of PyTorch in float32, in bfloat16, and the products.
"""
import os
import subprocess
import sys
import tempfile
import numpy as np
import torch
from r3d import load

HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = {"r3d-tiny": (4, 8, 48), "r3d50": (4, 8, 64)}
SIGNS = 16


def signs(n):
    """[SIGNS, n] of +-1 from a multiplicative hash of the position."""
    i = np.arange(n, dtype=np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        h = i * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(31)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(29)
    return np.stack([1.0 - 2.0 * ((h >> np.uint64(k)) & np.uint64(1)).astype(np.float64) for k in range(SIGNS)])


def smooth_pixels(rng, n, t, s):
    """Drifting waves: what neighbouring pixels of a video have in common, without which normalisation is ill-conditioned."""
    at = np.stack(np.meshgrid(np.arange(t), np.arange(s), np.arange(s), indexing="ij"), -1).astype(float)
    out = np.zeros((n, t, s, s, 3))
    for v in range(n):
        for c in range(3):
            for _ in range(6):
                wave = rng.uniform(-0.4, 0.4, 3)
                out[v, ..., c] += rng.normal() * np.sin(at @ wave + rng.uniform(0, 6.28))
    return np.clip(np.round(127.5 + 60 * out / out.std()), 0, 255).astype(np.uint8)


def run(path, pixels, upstream, train, dtype):
    net = load(path).to(dtype).train(train)
    x = torch.tensor(pixels.astype(np.float32) / np.float32(255)).to(dtype).permute(0, 4, 1, 2, 3)
    y = net.map(x)
    (y * torch.tensor(upstream).to(dtype).permute(0, 4, 1, 2, 3)).sum().backward()
    out = [("output", y.detach().permute(0, 2, 3, 4, 1))]
    out += sorted((k, p.grad) for k, p in net.named_parameters())
    if train:
        out += sorted((k, b) for k, b in net.named_buffers() if "running" in k)
    return [v.double().numpy().ravel() for _, v in out]


def main(build):
    rng = np.random.default_rng(11)
    for name, (n, t, s) in SHAPES.items():
        pixels = smooth_pixels(rng, n, t, s)
        channels = 2048 if name == "r3d50" else 512
        side = -(-s // 32)
        upstream = rng.integers(-100, 101, (n, t // 2, side, side, channels)).astype(np.int8)
        np.save(f"{HERE}/backbone_{name}_input.npy", pixels)
        np.save(f"{HERE}/backbone_{name}_upstream.npy", upstream)
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/m.safetensors"
            subprocess.run([f"{build}/tests/unit/helper_model", name, "7", path], check=True)
            for mode in ("train", "inference"):
                want = run(path, pixels, upstream, mode == "train", torch.float64)
                rows = [[np.linalg.norm(w)] for w in want]
                for dtype in (torch.float32, torch.bfloat16):
                    for row, w, g in zip(rows, want, run(path, pixels, upstream, mode == "train", dtype)):
                        row.append(np.linalg.norm(g - w) / np.linalg.norm(w))
                for row, w in zip(rows, want):
                    row.extend(signs(w.size) @ w)
                table = np.array(rows)
                np.save(f"{HERE}/backbone_{name}_{mode}.npy", table)
                print(name, mode, "float32 at most %.1e, median %.1e" % (table[:, 1].max(), np.median(table[:, 1])),
                      "bfloat16 at most %.1e, median %.1e" % (table[:, 2].max(), np.median(table[:, 2])))


main(sys.argv[1])
