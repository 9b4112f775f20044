#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the detectors of event boundaries are held to: OpenCV's hue, saturation and value of colours, and the boundaries
that SciPy's filters give for sequences of errors (PA). Writes detect_*.npy beside itself.

    detect_rgb [N, 3] u1, detect_hsv [N, 3] u1
    detect_errors [K, L] f8, detect_windows [K] i8 (how many of L count), detect_peaks [K, 16] i2 (-1 behind the last)
"""
import os

import cv2
import numpy as np
from scipy import ndimage

SMOOTH, SCALE = 5, 15
LENGTHS = (2, 3, 7, 40, 83, 84, 150, 250)


def save(name, array):
    np.save(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"detect_{name}.npy"), array)


def colours(rng):
    steps = np.array([0, 1, 2, 85, 127, 128, 254, 255], np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    return np.concatenate([grid, rng.integers(0, 256, (1500, 3), np.uint8)])


def errors(rng, n):
    """A slow wave with sudden moments and noise."""
    t = np.arange(n)
    x = 1 + 0.3 * np.sin(t / 9) + 0.05 * rng.standard_normal(n)
    for moment in rng.integers(0, n, 1 + n // 40):
        x += 2 * np.exp(-0.5 * ((t - moment) / 3) ** 2)
    return x


def peaks(x):
    signal = ndimage.gaussian_filter1d(-x, SMOOTH)
    slope = np.gradient(ndimage.gaussian_laplace(signal, SCALE, mode="nearest"))
    found = []
    for i in range(len(x) - 1):
        if slope[i] >= 0 and slope[i + 1] <= 0:
            found.append(i + 1 if slope[i] > -slope[i + 1] else i)
    return found


def main():
    rng = np.random.default_rng(7)
    rgb = colours(rng)
    save("rgb", rgb)
    save("hsv", cv2.cvtColor(rgb[None], cv2.COLOR_RGB2HSV)[0])
    lengths = np.array(LENGTHS * 3)
    x, found = np.zeros((len(lengths), max(LENGTHS))), np.full((len(lengths), 16), -1, np.int16)
    for k, n in enumerate(lengths):
        x[k, :n] = errors(rng, n)
        p = peaks(x[k, :n])
        found[k, :len(p)] = p
    save("errors", x)
    save("windows", lengths)
    save("peaks", found)


main()
