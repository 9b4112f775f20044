#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes sampling_{contained,cvrl,single}.npy: two epochs of tables for 60 made-up videos.

A second implementation of common/sampling, written from its headers in plain Python; tests/unit/test_epoch.c
compares the tables byte by byte. Run in this folder, after a deliberate change of what a seed means.
"""
import math

import numpy as np

SEED, N_VIDEOS, N_EPOCHS = 2021, 60, 2
STREAM_ORDER, STREAM_CLIP, STREAM_VIEW = 0x100, 0x101, 0x102
M32, M64 = (1 << 32) - 1, (1 << 64) - 1

DTYPE = np.dtype([
    ('video', '<u4'), ('example', '<u4'), ('start', '<i4'), ('stride', '<u2'), ('length', '<u2'), ('clip', '<u4'),
    ('crop_x', '<u2'), ('crop_y', '<u2'), ('crop_w', '<u2'), ('crop_h', '<u2'), ('role', '|u1'), ('view', '|u1'),
    ('edge', '|u1'), ('flip', '|u1'), ('jitter', '|u1'), ('order', '|u1'), ('grey', '|u1'), ('solarise', '|u1'),
    ('brightness', '<f4'), ('contrast', '<f4'), ('saturation', '<f4'), ('hue', '<f4'), ('blur', '<f4'),
    ('target', '<i4'), ('weight', '<f4')])


class Rng:
    """Philox 4x32-10 with the counter (block, stream, item)."""

    def __init__(self, seed, stream, item):
        self.key, self.counter, self.words = (seed & M32, seed >> 32), [0, stream, item & M32, item >> 32], []

    def u32(self):
        if not self.words:
            (a, b, c, d), (k, m) = self.counter, self.key
            for _ in range(10):
                p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
                a, b, c, d = (q >> 32) ^ b ^ k, q & M32, (p >> 32) ^ d ^ m, p & M32
                k, m = (k + 0x9E3779B9) & M32, (m + 0xBB67AE85) & M32
            self.words = [a, b, c, d]
            self.counter[0] += 1
        return self.words.pop(0)

    def u64(self):
        low = self.u32()
        return self.u32() << 32 | low

    def f64(self):
        return (self.u64() >> 11) * 2.0 ** -53

    def uniform(self, low, high):
        return low + (high - low) * self.f64()

    def below(self, n):
        while True:
            product = self.u64() * n
            if (product & M64) >= (1 << 64) % n:
                return product >> 64

    def chance(self, p):
        return self.f64() < p

    def shuffled(self, n):
        order = list(range(n))
        for last in range(n - 1, 0, -1):
            i = self.below(last + 1)
            order[i], order[last] = order[last], order[i]
        return order


def span(shape):
    return (shape[0] - 1) * shape[1]


def n_starts(shape, n_frames):
    return n_frames - span(shape) if n_frames > span(shape) else n_frames


def starts(strategy, shapes, n_frames, r):
    long, short = shapes[0], shapes[-1]
    if strategy == 'cvrl' and n_frames > span(long):
        n = n_starts(long, n_frames)
        distance = int(n * (1 - math.sqrt(1 - r.f64())))
        earlier = r.below(n - distance)
        both = [earlier, earlier + distance]
        return both[::-1] if r.chance(0.5) else both
    first = r.below(n_starts(long, n_frames))
    if strategy == 'single':
        return [first]
    if strategy == 'contained':
        return [first, first + r.below(span(long) - span(short) + 1)]
    return [first, r.below(n_starts(short, n_frames))]


def crop(width, height, r):
    whole = width * height
    for _ in range(100):
        aspect = r.uniform(0.5, 2.0)
        low = max(1, round(math.sqrt(0.3 * whole / aspect)))
        high = min(round(math.sqrt(1.0 * whole / aspect)), height, math.ceil((width + 0.5) / aspect) - 1)
        if low > high:
            continue
        h = low + r.below(high - low + 1)
        w = round(h * aspect)
        x = r.below(width - w + 1)
        return x, r.below(height - h + 1), w, h
    return 0, 0, width, height


def augment(row, pretrain, r):
    row['flip'] = r.chance(0.5)
    jitter = r.chance(0.8 if pretrain else 0.0)
    factors = [r.uniform(1 - 0.8, 1 + 0.8) for _ in range(3)] + [r.uniform(-0.2, 0.2)]
    order = r.below(24)
    row['brightness'] = row['contrast'] = row['saturation'] = 1
    if jitter:
        row['jitter'], row['order'] = 1, order
        row['brightness'], row['contrast'], row['saturation'], row['hue'] = factors
    row['grey'] = r.chance(0.2 if pretrain else 0.0)
    blurred, sigma = r.chance(0.5 if pretrain else 0.0), r.uniform(0.1, 2.0)
    row['blur'] = sigma if blurred else 0
    row['solarise'] = r.chance(0.0)
    row['crop_x'], row['crop_y'], row['crop_w'], row['crop_h'] = crop(340, 256, r)


def make(strategy, shapes):
    pair, rows = strategy != 'single', []
    for epoch in range(N_EPOCHS):
        for example, video in enumerate(Rng(SEED, STREAM_ORDER, 2 * epoch).shuffled(N_VIDEOS)):
            item = epoch * N_VIDEOS + video
            at = starts(strategy, shapes, 20 + 7 * video, Rng(SEED, STREAM_CLIP, item))
            for k, start in enumerate(at):
                row = np.zeros((), DTYPE)
                row['video'], row['example'], row['start'] = video, example, start
                row['length'], row['stride'] = shapes[k]
                row['role'], row['target'], row['weight'] = k if pair else 2, video % 3, 1
                augment(row, pair, Rng(SEED, STREAM_VIEW, 2 * item + k))
                rows.append(row)
    np.save(f'sampling_{strategy}.npy', np.array(rows, DTYPE))


make('contained', [(32, 4), (16, 2)])
make('cvrl', [(16, 2), (16, 2)])
make('single', [(32, 2)])
