#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Expected results of the renderer, in float64 straight from RECIPE section 3.

Writes augment_cases.npy (one row a case), augment_pictures.npy (NV12 bytes) and augment_expected.npy
(float32 values of the rows y % row_step == 0 of every output picture) beside itself. tests/ops/test_render.c
replays them. Every step is a plain matrix or a textbook formula, chosen to differ from how the library does it:
the colour matrix is the inverse of the forward one, resizing and blurring are dense matrices, HSV is computed.
"""
import itertools
import os

import numpy as np

LUMA_WEIGHTS = [(0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)]  # Kr, Kb of BT.601, BT.709, BT.2020

CASE = np.dtype([
    ("name", "S32"), ("picture_at", "<u4"), ("expected_at", "<u4"), ("n_frames", "<i4"), ("width", "<i4"),
    ("height", "<i4"), ("stored_width", "<i4"), ("stored_height", "<i4"), ("matrix", "<i4"),
    ("full_range", "<i4"), ("crop_x", "<i4"), ("crop_y", "<i4"), ("crop_w", "<i4"), ("crop_h", "<i4"),
    ("size", "<i4"), ("row_step", "<i4"), ("flip", "<i4"), ("jitter", "<i4"), ("grey", "<i4"),
    ("solarise", "<i4"), ("order", "<i4"), ("brightness", "<f4"), ("contrast", "<f4"), ("saturation", "<f4"),
    ("hue", "<f4"), ("blur", "<f4")])


def to_rgb(picture, height, width, matrix, full_range):
    """NV12 [3H/2, W] -> RGB [height, width, 3], the chroma sample shared by its 2x2 block."""
    stored_height = picture.shape[0] * 2 // 3
    luma = picture[:stored_height].astype(float)
    pairs = picture[stored_height:].reshape(stored_height // 2, -1, 2).astype(float)
    chroma = pairs.repeat(2, axis=0).repeat(2, axis=1)
    if full_range:
        y, c = luma / 255, (chroma - 128) / 255
    else:
        y, c = (luma - 16) / 219, (chroma - 128) / 224
    kr, kb = LUMA_WEIGHTS[matrix]
    weights = np.array([kr, 1 - kr - kb, kb])
    forward = np.stack([weights,
                        (np.array([0, 0, 1]) - weights) / (2 * (1 - kb)),
                        (np.array([1, 0, 0]) - weights) / (2 * (1 - kr))])
    ycc = np.stack([y, c[..., 0], c[..., 1]], axis=-1)
    rgb = ycc @ np.linalg.inv(forward).T
    return np.clip(rgb, 0, 1)[:height, :width]


def resize_matrix(n_in, n_out):
    weights = np.zeros((n_out, n_in))
    for i in range(n_out):
        at = (i + 0.5) * n_in / n_out - 0.5
        low = int(np.floor(at))
        weights[i, min(max(low, 0), n_in - 1)] += 1 - (at - low)
        weights[i, min(max(low + 1, 0), n_in - 1)] += at - low
    return weights


def to_hsv(x):
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    value, low = x.max(-1), x.min(-1)
    span = value - low
    safe = np.where(span > 0, span, 1)
    rc, gc, bc = (value - r) / safe, (value - g) / safe, (value - b) / safe
    hue = np.where(r == value, bc - gc, np.where(g == value, 2 + rc - bc, 4 + gc - rc)) / 6 % 1
    hue = np.where(span > 0, hue, 0)
    return hue, np.where(value > 0, span / np.where(value > 0, value, 1), 0), value


def from_hsv(hue, saturation, value):
    sector = np.floor(hue * 6)
    f = hue * 6 - sector
    p, q = value * (1 - saturation), value * (1 - saturation * f)
    t = value * (1 - saturation * (1 - f))
    v = value
    table = [(v, t, p), (q, v, p), (p, v, t), (p, q, v), (t, p, v), (v, p, q)]
    out = np.zeros(hue.shape + (3,))
    for i, channels in enumerate(table):
        out = np.where((sector % 6 == i)[..., None], np.stack(channels, -1), out)
    return out


def brightness(x, case):
    return x * float(case["brightness"])


def contrast(x, case):
    mean = x.mean(axis=(0, 1, 2))
    return (x - mean) * float(case["contrast"]) + mean


def saturation(x, case):
    h, s, v = to_hsv(x)
    return from_hsv(h, np.clip(s * float(case["saturation"]), 0, 1), v)


def hue(x, case):
    h, s, v = to_hsv(x)
    return from_hsv((h + float(case["hue"])) % 1, s, v)


ORDERS = list(itertools.permutations([brightness, contrast, saturation, hue]))


def blur_matrix(size, sigma):
    radius = size // 20
    d = np.arange(-radius, radius + 1)
    tap = np.exp(-d**2 / (2 * sigma**2))
    tap /= tap.sum()
    m = np.zeros((size, size))
    for i in range(size):
        for k, w in zip(d, tap):
            if 0 <= i + k < size:
                m[i, i + k] += w
    return m


def render(pictures, case):
    rows = resize_matrix(case["crop_h"], case["size"])
    columns = resize_matrix(case["crop_w"], case["size"])
    y, x = case["crop_y"], case["crop_x"]
    clip = []
    for picture in pictures:
        rgb = to_rgb(picture, case["height"], case["width"], case["matrix"], case["full_range"])
        box = rgb[y:y + case["crop_h"], x:x + case["crop_w"]]
        clip.append(np.einsum("ij,jkc,lk->ilc", rows, box, columns))
    out = np.stack(clip)
    if case["flip"]:
        out = out[:, :, ::-1]
    if case["jitter"]:
        for step in ORDERS[case["order"]]:
            out = np.clip(step(out, case), 0, 1)
    if case["grey"]:
        out = np.repeat(out @ np.array([[0.2989], [0.5870], [0.1140]]), 3, axis=-1)
    if case["blur"] > 0:
        m = blur_matrix(case["size"], float(case["blur"]))
        out = np.einsum("ij,tjkc,lk->tilc", m, out, m)
    if case["solarise"]:
        out = np.where(out >= 0.5, 1 - out, out)
    return out


class Table:
    def __init__(self):
        self.rng = np.random.default_rng(20211210)
        self.cases, self.pictures, self.expected = [], [], []

    def pictures_of(self, case, smooth):
        """Random bytes, or a smooth colourful scene with a little noise."""
        shape = (case["n_frames"], case["stored_height"] * 3 // 2, case["stored_width"])
        if not smooth:
            return self.rng.integers(0, 256, shape, dtype=np.uint8)
        t, y, x = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
        waves = 128 + 50 * np.sin(0.3 * x + t) + 50 * np.cos(0.45 * y - 0.2 * t)
        return np.clip(waves + self.rng.normal(0, 8, shape), 0, 255).astype(np.uint8)

    def add(self, name, width=16, height=12, n_frames=1, smooth=True, **settings):
        case = np.zeros((), CASE)
        case["name"], case["width"], case["height"], case["n_frames"] = name, width, height, n_frames
        case["stored_width"], case["stored_height"] = (width + 1) // 2 * 2, (height + 1) // 2 * 2
        case["crop_w"], case["crop_h"] = width, height
        case["size"], case["row_step"] = 10, 1
        for factor in ("brightness", "contrast", "saturation"):
            case[factor] = 1
        for key, value in settings.items():
            case[key] = value
        pictures = self.pictures_of(case, smooth)
        result = render(pictures, case)[:, ::int(case["row_step"])].astype(np.float32)
        case["picture_at"] = sum(p.size for p in self.pictures)
        case["expected_at"] = sum(p.size for p in self.expected)
        self.cases.append(case)
        self.pictures.append(pictures)
        self.expected.append(result)

    def save(self):
        folder = os.path.dirname(os.path.abspath(__file__))
        np.save(os.path.join(folder, "augment_cases.npy"), np.array(self.cases))
        for name in ("pictures", "expected"):
            flat = np.concatenate([p.ravel() for p in getattr(self, name)])
            np.save(os.path.join(folder, f"augment_{name}.npy"), flat)


def fill(table):
    box = dict(width=24, height=16, crop_x=3, crop_y=1, crop_w=16, crop_h=14)
    for matrix, full in itertools.product(range(3), (0, 1)):
        table.add(f"convert {matrix} {full}", width=16, height=16, size=16, matrix=matrix, full_range=full,
                  smooth=False)
    table.add("odd picture", width=15, height=11, smooth=False, size=7)
    table.add("odd picture identity", width=13, height=13, smooth=False, size=13)
    table.add("box to larger", size=23, **box)
    table.add("box to smaller", size=5, **box)
    table.add("box far smaller", width=64, height=48, crop_x=1, crop_w=61, crop_h=47, size=3)
    table.add("flip", size=11, flip=1, **box)
    table.add("flip identity", width=20, height=20, crop_x=5, crop_y=7, crop_w=9, crop_h=9, size=9, flip=1)
    table.add("one pixel", crop_x=15, crop_y=11, crop_w=1, crop_h=1, size=4)
    table.add("one column", crop_x=7, crop_w=1, size=6)
    table.add("to one pixel", size=1)
    for factor in (0, 0.2, 0.7, 1.8, 5):
        for op in ("brightness", "contrast", "saturation"):
            table.add(f"{op} {factor}", n_frames=2, size=8, jitter=1, **{op: factor})
    for turn in (-0.5, -0.2, 0.01, 0.2, 0.5, 1.3):
        table.add(f"hue {turn}", smooth=False, jitter=1, hue=turn)
    for order in range(24):
        table.add(f"order {order}", n_frames=2, size=9, jitter=1, order=order, brightness=1.5, contrast=1.6,
                  saturation=1.7, hue=-0.17)
    table.add("grey", smooth=False, grey=1)
    table.add("solarise", smooth=False, solarise=1)
    for size, sigma, step in ((19, 1.0, 4), (20, 2.0, 1), (43, 0.1, 6), (43, 1.3, 3), (66, 9.0, 6)):
        table.add(f"blur {size} {sigma}", blur=sigma, size=size, row_step=step)
    table.add("blur 224", blur=2.0, size=224, row_step=37, **box)
    every = dict(flip=1, jitter=1, grey=1, solarise=1, brightness=0.6, contrast=1.8, saturation=0.3, hue=0.2)
    table.add("whole chain", n_frames=3, size=41, row_step=4, blur=0.8, order=13, **every, **box)
    every["grey"] = 0
    table.add("chain in colour", n_frames=3, size=40, row_step=4, blur=1.9, order=22, matrix=1, **every, **box)
    table.add("chain at 112", n_frames=2, size=112, row_step=28, blur=1.1, order=9, matrix=2, full_range=1,
              **every, **box)


if __name__ == "__main__":
    cases = Table()
    fill(cases)
    cases.save()
