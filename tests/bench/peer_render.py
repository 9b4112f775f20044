#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clips per second of the same augmentation in PyTorch on one core: crop alone, then everything.

Starts from decoded RGB (no Y'CbCr to convert), 32 frames of 340x256 to 224x224, float32.
"""
import time

import torch
import torch.nn.functional as F


def crop(clip):
    x = clip[:, 0:204, 0:272].permute(0, 3, 1, 2).float() / 255
    return F.interpolate(x, (224, 224), mode="bilinear", align_corners=False).flip(3)


def hue_saturation(x, saturation, turn):
    value, low = x.amax(1), x.amin(1)
    span = value - low
    safe = span.clamp_min(1e-12)
    r, g, b = x.unbind(1)
    h = torch.where(value == r, (g - b) / safe, torch.where(value == g, (b - r) / safe + 2, (r - g) / safe + 4))
    s = (span / value.clamp_min(1e-12) * saturation).clamp(0, 1)
    h = h + 6 * turn
    k = (torch.tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1) + h[:, None]) % 6
    return value[:, None] * (1 - s[:, None] * torch.minimum(k, 4 - k).clamp(0, 1))


def everything(clip):
    x = (crop(clip) * 1.2).clamp(0, 1)
    mean = x.mean((0, 2, 3), keepdim=True)
    x = ((x - mean) * 0.8 + mean).clamp(0, 1)
    x = hue_saturation(x, 1.2, 0.1)
    x = (x * torch.tensor([0.2989, 0.5870, 0.1140]).view(1, 3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    tap = torch.exp(-torch.arange(-11.0, 12.0) ** 2 / 2)
    tap = (tap / tap.sum()).expand(3, 1, 1, 23)
    x = F.conv2d(x, tap, padding=(0, 11), groups=3)
    return F.conv2d(x, tap.transpose(2, 3), padding=(11, 0), groups=3)


def rate(function, clip):
    function(clip)
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        function(clip).permute(0, 2, 3, 1).contiguous()
        seconds.append(time.perf_counter() - begin)
    return 1 / sorted(seconds)[2]


torch.set_num_threads(1)
frames = torch.randint(0, 256, (32, 256, 340, 3), dtype=torch.uint8)
print(rate(crop, frames), rate(everything, frames))
