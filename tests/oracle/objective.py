#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Losses of equations 1 to 4 and their gradients by PyTorch's autograd in float64.

Written from the equations alone. Writes objective_input.npy (projected steps of the short and long clips, one head
after the other), objective_rows.npy (start and stride of the clips) and, for each kind of negatives,
objective_{all,other}.npy: total, loss of each part, mean positive and negative cosine of each, then the gradients in the
order of the input.
"""
import os
import numpy as np
import torch

N, STEPS_SHORT, STEPS_LONG, DIM, TAU = 6, 8, 16, 12, 0.1
PARTS = [(0, 2, 1, 0.9), (1, STEPS_SHORT, STEPS_LONG, 0.1)]  # head, k_short, k_long, weight
HERE = os.path.dirname(os.path.abspath(__file__))


def aggregate(z, k):
    n, t, d = z.shape
    m = z.reshape(n, t // k, k, d).mean(2)
    return m / m.norm(dim=-1, keepdim=True)


def frame_index(start, stride, steps, k):
    frames = start + stride * np.arange(2 * steps)
    return frames.reshape(steps // k, 2 * k).mean(1)


def part_loss(zs, zl, rows, k, negatives):
    us, ul = aggregate(zs, k[0]), aggregate(zl, k[1])
    losses, positive, negative = [], [], []
    for v in range(N):
        own = frame_index(*rows[v, 0], STEPS_LONG, k[1])
        for i, at in enumerate(frame_index(*rows[v, 1], STEPS_SHORT, k[0])):
            j = int(np.argmin(np.abs(own - at)))  # the first minimum
            sim = torch.stack([us[v, i] @ u for w in range(N) for u in ul[w]])
            keep = np.ones(len(sim), bool)
            if negatives == "other":
                keep[v * len(own):(v + 1) * len(own)] = False
            keep[v * len(own) + j] = True
            pos = sim[v * len(own) + j]
            losses.append(torch.logsumexp(sim[torch.tensor(keep)] / TAU, 0) - pos / TAU)
            keep[v * len(own) + j] = False
            positive.append(pos)
            negative.append(sim[torch.tensor(keep)].mean())
    return [torch.stack(x).mean() for x in (losses, positive, negative)]


def main():
    rng = np.random.default_rng(3)
    rows = np.zeros((N, 2, 2), np.int32)  # video; long, short; start, stride
    rows[:, 0, 1], rows[:, 1, 1] = 4, 2
    rows[:, 0, 0] = rng.integers(0, 40, N)
    rows[:, 1, 0] = rows[:, 0, 0] + rng.integers(0, 4 * 31 - 2 * 15 + 1, N)
    short = rng.normal(size=(2, N, STEPS_SHORT, DIM)).astype(np.float32)
    long = rng.normal(size=(2, N, STEPS_LONG, DIM)).astype(np.float32)
    np.save(f"{HERE}/objective_rows.npy", rows)
    np.save(f"{HERE}/objective_input.npy", np.concatenate([short.ravel(), long.ravel()]))
    for negatives in ("all", "other"):
        zs = torch.tensor(short, dtype=torch.float64, requires_grad=True)
        zl = torch.tensor(long, dtype=torch.float64, requires_grad=True)
        parts = [part_loss(zs[h], zl[h], rows, (ks, kl), negatives) for h, ks, kl, _ in PARTS]
        total = sum(w * p[0] for (_, _, _, w), p in zip(PARTS, parts))
        total.backward()
        scalars = [total.item()] + [x.item() for p in parts for x in p]
        np.save(f"{HERE}/objective_{negatives}.npy",
                np.concatenate([scalars, zs.grad.numpy().ravel(), zl.grad.numpy().ravel()]))


main()
