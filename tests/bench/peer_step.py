#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same training step in PyTorch: same model, heads, objective, batch, precision and threads, channels_last_3d.

    peer_step.py MODEL f32|bf16|tf32 BATCH LONG SHORT SIZE ROUNDS THREADS [cpu|cuda [forward]]

Prints: seconds of a step (median), memory in MB. On a GPU: compiled, with tuned cuDNN, and the memory that the device has in
use while steps run, but for what tuning took. $PEER_TUNING: how many of cuDNN's choices are tried, 0 for all (10). With
"forward": of the features of the long clips alone, as they are extracted.
"""
import os
import resource
import sys
import time
import numpy as np
import torch
from torch import nn
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from r3d import R3D, STAGES  # noqa: E402

TAU = 0.1


class Head(nn.Module):
    def __init__(self, width, dim=128, hidden=3):
        super().__init__()
        self.hidden = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width, momentum=0.003), nn.ReLU())
                                    for _ in range(hidden))
        self.last = nn.Linear(width, dim)

    def forward(self, x):  # [N, T, C]
        n, t, c = x.shape
        x = x.reshape(n * t, c)
        for layer in self.hidden:
            x = layer(x)
        return self.last(x).reshape(n, t, -1).float()


def aggregate(z, k):
    n, t, d = z.shape
    return nn.functional.normalize(z.reshape(n, t // k, k, d).mean(2), dim=-1)


def contrast(zs, zl, ks, kl):
    us, ul = aggregate(zs, ks), aggregate(zl, kl)
    n, ns, _ = us.shape
    nl = ul.shape[1]
    centre = lambda start, stride, k, m: start + stride * (2 * k * torch.arange(m, device=zs.device) + k - 0.5)
    match = (centre(0, 2, ks, ns)[:, None] - centre(0, 4, kl, nl)[None]).abs().argmin(1)
    target = (torch.arange(n, device=zs.device)[:, None] * nl + match[None]).reshape(-1)
    return nn.functional.cross_entropy(us.flatten(0, 1) @ ul.flatten(0, 1).T / TAU, target)


def main(name, precision, batch, long, short, size, rounds, threads, device="cpu", what="step"):
    gpu = device == "cuda"
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.benchmark_limit = int(os.environ.get("PEER_TUNING", 10))
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.set_default_device(device)
    width, blocks = STAGES[name]
    channels = 32 * width
    net = R3D(width, blocks).to(memory_format=torch.channels_last_3d)
    heads = nn.ModuleDict({"fine": Head(channels), "persistent": Head(channels)})
    optimizer = torch.optim.SGD([*net.parameters(), *heads.parameters()], lr=1e-3, momentum=0.9, weight_decay=1e-6, fused=True)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32  # as ours
    clips = {t: torch.rand(batch, 3, t, size, size).to(dtype, memory_format=torch.channels_last_3d) for t in (long, short)}

    def forward():
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            features = {t: net(x) for t, x in clips.items()}
            z = {(h, t): head(features[t]) for h, head in heads.items() for t in clips}
        return (0.9 * contrast(z["fine", short], z["fine", long], 2, 1)
                + 0.1 * contrast(z["persistent", short], z["persistent", long], short // 2, long // 2))

    @torch.no_grad()
    def features():
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            return net(clips[long])

    if what == "forward":
        net.eval()
    chosen = features if what == "forward" else forward
    loss = torch.compile(chosen) if gpu else chosen

    def step():
        if what == "forward":
            loss()
            if gpu:
                torch.cuda.synchronize()
            return
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()
        if gpu:
            torch.cuda.synchronize()

    begin = time.perf_counter()
    try:
        step()
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # what cannot be compiled is measured as it is
        if not gpu:
            raise
        print("the peer could not be compiled: %.300s" % error, file=sys.stderr)
        loss = chosen
        step()
    if gpu:
        print("torch %s, CUDA %s, cuDNN %s, %s, first step %.0f s" % (
            torch.__version__, torch.version.cuda, torch.backends.cudnn.version(),
            "not compiled" if loss is chosen else "compiled", time.perf_counter() - begin), file=sys.stderr)
        for _ in range(3):
            step()
        torch.cuda.empty_cache()  # what tuning took
        step()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    if gpu:
        free, total = torch.cuda.mem_get_info()
        peak = (total - free) / 1e6
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("%.6f %.1f" % (np.median(times), peak))


main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:9]), *sys.argv[9:])
