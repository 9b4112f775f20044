/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of Philox4x32-10 (Salmon et al. 2011, section 4.3), for host and device, so that a
 * kernel finds any number of a generator of rng.h by itself: number i of (seed, stream, item) is
 * out[i % 4] of
 *
 *     key = {seed, seed >> 32}, counter = {i / 4, stream, item, item >> 32}
 */
#ifndef TEG_BASE_PHILOX_H
#define TEG_BASE_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define PHILOX_FUNCTION static inline __host__ __device__
#else
#define PHILOX_FUNCTION static inline
#endif

PHILOX_FUNCTION void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53 * c0;
        uint64_t p1 = (uint64_t)0xcd9e8d57 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

#endif
