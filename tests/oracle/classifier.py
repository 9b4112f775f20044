#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Classifiers behind features by PyTorch's autograd in float64.

Features, weights and dropout follow from seeds as in tests/unit/test_classifier.c. Writes classifier_classify.npy and
classifier_boundary.npy: loss, number of right examples, scores, gradients of weight and bias, and of each part of each
clip's features (the same for all steps of the part).
"""
import os
import numpy as np
import torch
from philox import rng_f64, rng_u32

N, STEPS, CHANNELS, RATE = 3, 4, 512, 0.5
SEED, FIRST_ITEM, STREAM_DROPOUT = 9, 6, 0x6470
HERE = os.path.dirname(os.path.abspath(__file__))


def uniform(stream, *shape):
    x = rng_f64(1, stream, 0, int(np.prod(shape))) - 0.5
    return torch.tensor(x.astype(np.float32).astype(np.float64).reshape(shape), requires_grad=True)


def main():
    for name, parts, classes in (("classify", 1, 5), ("boundary", 2, 2)):
        features, w, b = uniform(1, N, STEPS, CHANNELS), uniform(2, classes, parts * CHANNELS), uniform(3, classes)
        row_weight = uniform(4, N).detach() + 1
        drawn = np.stack([rng_u32(SEED, STREAM_DROPOUT, FIRST_ITEM + i, parts * CHANNELS) for i in range(N)])
        kept = torch.tensor((drawn >= RATE * 2**32) / (1 - RATE))
        x = features.reshape(N, parts, STEPS // parts, CHANNELS).mean(2).reshape(N, -1)
        logits = torch.nn.functional.linear(x * kept, w, b)
        target = torch.arange(N) * 2 % classes
        loss = (row_weight * torch.nn.functional.cross_entropy(logits, target, reduction="none")).sum() / N
        loss.backward()
        right = (logits.argmax(1) == target).sum()
        d_features = features.grad.reshape(N, parts, STEPS // parts, CHANNELS)[:, :, 0]
        out = [loss, right, logits, w.grad, b.grad, d_features]
        np.save(f"{HERE}/classifier_{name}.npy", np.concatenate([v.detach().double().numpy().ravel() for v in out]))


main()
