#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The action transformer by PyTorch's autograd in float64, from RECIPE's description (AVA-Kinetics).

Feature maps, weights and dropout follow from seeds as in tests/unit/test_localizer.c. A gradient is kept as its norm and
its products with 16 vectors of random signs, as in backbone.py. Writes localizer.npy: the loss, the scores, then a row of
norm and products for the map's gradient and for each parameter's, in the order of their names.
"""
import os
import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, gelu, layer_norm, linear
from philox import rng_f64, rng_u32

N, T, H, W, C, BOXES, CLASSES, D = 2, 3, 2, 4, 512, 2, 5, 128
LAYERS, HEADS, RATE, SEED, FIRST_ITEM, STREAM_DROPOUT, SIGNS = 3, 3, 0.5, 9, 6, 0x6470, 16
BOX = [[0.1, 0.2, 0.7, 0.9], [0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 0.6, 0.5], [0.0, 0.0, 1.0, 1.0]]
HERE = os.path.dirname(os.path.abspath(__file__))


def uniform(stream, scale, *shape):
    x = (rng_f64(1, stream, 0, int(np.prod(shape))) - 0.5) * scale
    return torch.tensor(x.astype(np.float32).astype(np.float64).reshape(shape), requires_grad=True)


def shapes():
    m = C + 16
    for axis, n in (("time", 1), ("space", 2)):
        yield f"position.{axis}.0", (4, n)
        yield f"position.{axis}.1", (8, 4)
    for layer in range(LAYERS):
        for head in range(HEADS):
            name = f"decoder.{layer}.{head}"
            yield f"{name}.query", (D, m if layer == 0 else HEADS * D)
            yield f"{name}.norm", (D,)
            yield f"{name}.key", (D, m)
            yield f"{name}.value", (D, m)
            yield f"{name}.ffn.0", (D, D)
            yield f"{name}.ffn.1", (D, D)
    yield "classifier", (CLASSES, HEADS * D)


def parameters():
    """Uniform in a range of 4 / sqrt(inputs); gammas are 1 more."""
    p = {}
    for i, (name, shape) in enumerate(shapes()):
        scale = 4 / np.sqrt(shape[-1]) if len(shape) == 2 else 0.5
        p[f"{name}.weight"], p[f"{name}.bias"] = uniform(100 + 2 * i, scale, *shape), uniform(101 + 2 * i, 0.5, shape[0])
    return p


def signs(n):
    i = np.arange(n, dtype=np.uint64) + np.uint64(1)
    with np.errstate(over="ignore"):
        h = i * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(31)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(29)
    return np.stack([1.0 - 2.0 * ((h >> np.uint64(k)) & np.uint64(1)).astype(np.float64) for k in range(SIGNS)])


def sample(image, y, x):
    """image [H, W, M] at real coordinates, beyond the edge the edge."""
    y, x = min(max(y, 0.0), H - 1.0), min(max(x, 0.0), W - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1, fy, fx = min(y0 + 1, H - 1), min(x0 + 1, W - 1), y - y0, x - x0
    return ((image[y0, x0] * (1 - fx) + image[y0, x1] * fx) * (1 - fy) +
            (image[y1, x0] * (1 - fx) + image[y1, x1] * fx) * fy)


def pooled(image, box):
    left, top, right, bottom = [float(np.float32(v)) for v in box]
    cells = [sample(image, (top + (bottom - top) * (i + 0.5) / 4) * H, (left + (right - left) * (k + 0.5) / 4) * W)
             for i in range(4) for k in range(4)]
    return torch.stack(cells).max(0).values


def mlp(p, name, x):
    hidden = linear(x, p[f"{name}.0.weight"], p[f"{name}.0.bias"]).relu()
    return linear(hidden, p[f"{name}.1.weight"], p[f"{name}.1.bias"])


def forward(p, features, dropout=True):
    t, y, x = np.meshgrid(np.arange(T) - (T - 1) / 2, np.arange(H) - (H - 1) / 2, np.arange(W) - (W - 1) / 2, indexing="ij")
    time = mlp(p, "position.time", torch.tensor(t[..., None]))
    space = mlp(p, "position.space", torch.tensor(np.stack([y, x], -1)))
    memory = torch.cat([features, time.expand(N, -1, -1, -1, -1), space.expand(N, -1, -1, -1, -1)], -1)
    query = torch.stack([torch.stack([pooled(memory[i].mean(0), BOX[i * BOXES + k]) for k in range(BOXES)]) for i in range(N)])
    memory = memory.reshape(N, T * H * W, -1)
    for layer in range(LAYERS):
        heads = []
        for head in range(HEADS):
            w = lambda unit, z: linear(z, p[f"decoder.{layer}.{head}.{unit}.weight"], p[f"decoder.{layer}.{head}.{unit}.bias"])
            q, k, v = w("query", query), w("key", memory), w("value", memory)
            a = (q @ k.transpose(1, 2) / np.sqrt(D)).softmax(-1) @ v + q
            norm = f"decoder.{layer}.{head}.norm"
            a = layer_norm(a, (D,), p[f"{norm}.weight"] + 1, p[f"{norm}.bias"], 1e-6)
            heads.append(w("ffn.1", gelu(w("ffn.0", a))))
        query = torch.cat(heads, -1)
    drawn = np.stack([rng_u32(SEED, STREAM_DROPOUT, FIRST_ITEM + i, HEADS * D) for i in range(N * BOXES)])
    kept = torch.tensor((drawn >= RATE * 2**32) / (1 - RATE)).reshape(N, BOXES, -1) if dropout else 1.0
    return linear(query * kept, p["classifier.weight"], p["classifier.bias"])


def main():
    features, p = uniform(1, 2, N, T, H, W, C), parameters()
    logits = forward(p, features)
    target = torch.tensor([[float(i * 7 % 3 == 0) for i in range(N * BOXES * CLASSES)]], dtype=torch.float64).reshape(N, BOXES, -1)
    loss = binary_cross_entropy_with_logits(logits, target, reduction="sum") / (N * BOXES * CLASSES)
    loss.backward()
    rows = [g.numpy().ravel() for g in [features.grad] + [p[k].grad for k in sorted(p)]]
    table = [np.concatenate([[np.linalg.norm(g)], signs(g.size) @ g]) for g in rows]
    np.save(f"{HERE}/localizer.npy", np.concatenate([[loss.item()], logits.detach().numpy().ravel(), np.ravel(table)]))


main()
