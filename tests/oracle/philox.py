# SPDX-License-Identifier: Apache-2.0
"""The random numbers of common/base/rng.h in NumPy: Philox 4x32-10 (Salmon et al. 2011), from (seed, stream, item)."""
import numpy as np

MASK = np.uint64(0xffffffff)


def rng_u32(seed, stream, item, n):
    """The first n numbers of a generator."""
    blocks = -(-n // 4)
    word = lambda x: np.full(blocks, x & 0xffffffff, np.uint64)
    c = [np.arange(blocks, dtype=np.uint64), word(stream), word(item), word(item >> 32)]
    k = [seed & 0xffffffff, seed >> 32]
    for _ in range(10):
        p, q = np.uint64(0xd2511f53) * c[0], np.uint64(0xcd9e8d57) * c[2]
        c = [q >> np.uint64(32) ^ c[1] ^ np.uint64(k[0]), q & MASK, p >> np.uint64(32) ^ c[3] ^ np.uint64(k[1]), p & MASK]
        k = [(k[0] + 0x9e3779b9) & 0xffffffff, (k[1] + 0xbb67ae85) & 0xffffffff]
    return np.stack(c, 1).ravel()[:n]


def rng_f64(seed, stream, item, n):
    """The first n numbers of a generator in [0, 1)."""
    words = rng_u32(seed, stream, item, 2 * n).reshape(n, 2)
    return ((words[:, 1] << np.uint64(32) | words[:, 0]) >> np.uint64(11)).astype(np.float64) * 2.0**-53
