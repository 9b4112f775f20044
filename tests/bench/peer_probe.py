#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The probes of PyTorch and scikit-learn on the features of bench_probe, for bench_probe.sh.

usage: peer_probe.py torch|sklearn|torch-lbfgs EPOCHS DIR     prints seconds and accuracy on the last eleventh
"""
import math
import os
import sys
import time

import numpy as np

BATCH, LR, MOMENTUM, L2 = 1024, 32.0, 0.9, 1e-6


def learning_rate(step, warmup, total):
    cosine = lambda t: LR * 0.5 * (1 + math.cos(math.pi * t / total))
    return cosine(warmup) * step / warmup if step < warmup else cosine(step)


def fit_torch(x, y, epochs):
    """The recipe's SGD, as people write it."""
    import torch
    x, y = torch.from_numpy(x), torch.from_numpy(y).long()
    model = torch.nn.Linear(x.shape[1], int(y.max()) + 1)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    batches = len(x) // BATCH
    step = 0
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for i in range(batches):
            rows = order[i * BATCH:(i + 1) * BATCH]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, epochs // 20 * batches, epochs * batches)
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            step += 1
    weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
    return lambda test: test @ weight.T + bias


def fit_torch_lbfgs(x, y, epochs):
    import torch
    x, y = torch.from_numpy(x), torch.from_numpy(y).long()
    model = torch.nn.Linear(x.shape[1], int(y.max()) + 1)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=epochs, history_size=10, tolerance_grad=1e-5,
                                  line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y) + 0.5 * L2 * model.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    weight, bias = model.weight.detach().numpy(), model.bias.detach().numpy()
    return lambda test: test @ weight.T + bias


def fit_sklearn(x, y, epochs):
    """The same objective: scikit-learn's C is one over clips times L2."""
    from sklearn.linear_model import LogisticRegression
    model = LogisticRegression(C=1 / (L2 * len(x)), solver="lbfgs", max_iter=epochs, tol=1e-5)
    model.fit(x, y)
    return model.decision_function


def main():
    method, epochs, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    x, y = (np.load(os.path.join(folder, name)) for name in ("x.npy", "y.npy"))
    n = len(x) - len(x) // 11
    fit = {"torch": fit_torch, "torch-lbfgs": fit_torch_lbfgs, "sklearn": fit_sklearn}[method]
    start = time.perf_counter()
    predict = fit(x[:n], y[:n], epochs)
    seconds = time.perf_counter() - start
    print(f"{seconds:.4f} {np.mean(predict(x[n:]).argmax(axis=1) == y[n:]):.4f}")


main()
