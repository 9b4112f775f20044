#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Expected results of the probes, in float64 straight from RECIPE section 4.

Writes probe_features.npy [20 videos, 3 clips, 2 views, 3 steps, 10 channels] and, for the class of the video
(number % 4) and the label of the event ((number + clip) % 3), the averaged scores of the 8 test videos (the first
12 are for training): probe_{class,events}_{linear,centred,logistic,knn}.npy, centred being linear on centred
features; and probe_similarity.npy, the mean cosine matrix of the test videos' clips followed by the cosines within
and between videos. tests/unit/test_probe.c replays them. The SGD has one batch of all clips, so that no order of
examples matters.
"""
import os

import numpy as np

N_TRAIN, N_TEST, N_CLIPS, N_VIEWS, N_STEPS, N_CHANNELS = 12, 8, 3, 2, 3, 10
EPOCHS, WARMUP, LR, MOMENTUM, DECAY = 60, 5, 3.0, 0.9, 1e-3
L2 = 0.01
NEIGHBOURS, TEMPERATURE = 7, 0.2


def make_features():
    rng = np.random.default_rng(5)
    video = np.arange(N_TRAIN + N_TEST)
    scenes, kinds = rng.standard_normal((4, N_CHANNELS)), rng.standard_normal((3, N_CHANNELS))
    x = 2.0 * rng.standard_normal((len(video), N_CLIPS, N_VIEWS, N_STEPS, N_CHANNELS))
    x += scenes[video % 4][:, None, None, None]
    x += kinds[(video[:, None] + np.arange(N_CLIPS)) % 3][:, :, None, None]
    return (x + 0.7).astype(np.float32)


def rows_and_labels(features, of_events):
    """Rows [n, C] in the order video, clip, view; label and decision of each; number of classes."""
    x = features.astype(float).mean(axis=3)
    video, clip, _ = np.indices(x.shape[:3])
    label = (video + clip) % 3 if of_events else video % 4
    decision = video * N_CLIPS + clip if of_events else video
    return x.reshape(-1, N_CHANNELS), label.ravel(), decision.ravel(), 3 if of_events else 4


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def with_ones(x):
    return np.hstack([x, np.ones((len(x), 1))])


def learning_rate(step):
    cosine = lambda t: LR * 0.5 * (1 + np.cos(np.pi * t / EPOCHS))
    return cosine(WARMUP) * step / WARMUP if step < WARMUP else cosine(step)


def fit_linear(x, label, n_classes):
    x, target = with_ones(x), np.eye(n_classes)[label]
    w, v, decay = np.zeros((x.shape[1], n_classes)), 0, np.full((x.shape[1], 1), DECAY)
    decay[-1] = 0
    for step in range(EPOCHS):
        gradient = x.T @ (softmax(x @ w) - target) / len(x)
        v = MOMENTUM * v + gradient + decay * w
        w = w - learning_rate(step) * v
    return w


def fit_logistic(x, label, n_classes):
    """Newton's method on the whole Hessian; the bias's direction common to all classes is pinned to its start."""
    x, target = with_ones(x), np.eye(n_classes)[label]
    n, c = x.shape
    penalty = np.full(c, L2)
    penalty[-1] = 0
    w = np.zeros((c, n_classes))
    for _ in range(100):
        p = softmax(x @ w)
        gradient = x.T @ (p - target) / n + penalty[:, None] * w
        weight = np.einsum("nk,kl->nkl", p, np.eye(n_classes)) - np.einsum("nk,nl->nkl", p, p)
        hessian = np.einsum("ni,nj,nkl->ikjl", x, x, weight).reshape(c * n_classes, -1) / n
        hessian += np.diag(np.repeat(penalty, n_classes))
        w = w - (np.linalg.pinv(hessian, rcond=1e-12) @ gradient.ravel()).reshape(w.shape)
    assert np.abs(gradient).max() < 1e-12
    return w


def votes(train, label, x, n_classes):
    cosine = x @ train.T
    scores = np.zeros((len(x), n_classes))
    for i, row in enumerate(cosine):
        nearest = np.argsort(-row, kind="stable")[:NEIGHBOURS]
        weight = np.exp(row[nearest] / TEMPERATURE)
        np.add.at(scores[i], label[nearest], weight / weight.sum())
    return scores


def averaged(scores, decision):
    decision = decision - decision.min()
    return np.stack([scores[decision == d].mean(axis=0) for d in np.unique(decision)])


def similarity(features):
    moments = features.astype(float).mean(axis=(2, 3))
    u = moments / np.linalg.norm(moments, axis=2, keepdims=True)
    matrices = np.einsum("vic,vjc->vij", u, u)
    other = ~np.eye(N_CLIPS, dtype=bool)
    within = np.mean([m[other].mean() for m in matrices])
    flat = u.reshape(-1, N_CHANNELS)
    owner = np.repeat(np.arange(len(u)), N_CLIPS)
    between = (flat @ flat.T)[owner[:, None] != owner].mean()
    return np.concatenate([matrices.mean(axis=0).ravel(), [within, between]])


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    save = lambda name, array: np.save(os.path.join(folder, f"probe_{name}.npy"), array)
    features = make_features()
    save("features", features)
    save("similarity", similarity(features[N_TRAIN:]))
    for kind, of_events in (("class", False), ("events", True)):
        x, label, decision, n = rows_and_labels(features, of_events)
        cut = N_TRAIN * N_CLIPS * N_VIEWS
        train, test, centre = unit(x[:cut]), unit(x[cut:]), x[:cut].mean(axis=0)
        centred_train, centred_test = unit(x[:cut] - centre), unit(x[cut:] - centre)
        results = {
            "centred": softmax(with_ones(centred_test) @ fit_linear(centred_train, label[:cut], n)),
            "linear": softmax(with_ones(test) @ fit_linear(train, label[:cut], n)),
            "logistic": softmax(with_ones(test) @ fit_logistic(train, label[:cut], n)),
            "knn": votes(train, label[:cut], test, n),
        }
        for name, scores in results.items():
            save(f"{kind}_{name}", averaged(scores, decision[cut:]))


if __name__ == "__main__":
    main()
