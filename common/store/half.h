/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 binary16 ("<f2") to float32 and back, of finite numbers. */
#ifndef TEG_STORE_HALF_H
#define TEG_STORE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float half_to_f32(uint16_t h)
{
    /* Exponent and fraction in their new places; the multiplication mends the exponent's offset. */
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    x *= 0x1p112f;
    memcpy(&bits, &x, sizeof bits);
    bits |= sign | ((h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0);
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* To nearest, ties to even; numbers of magnitude 65520 and more become infinite. */
static inline uint16_t half_from_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits >= 0x47800000) /* 65536 */
        return sign | 0x7c00;
    if (bits < 0x38800000) { /* 2^-14, the least normal number: the sum below rounds at 2^-24 */
        memcpy(&x, &bits, sizeof x);
        x += 0.5f;
        memcpy(&bits, &x, sizeof bits);
        return sign | (uint16_t)(bits - 0x3f000000);
    }
    uint32_t odd = bits >> 13 & 1;
    return sign | (uint16_t)((bits - 0x38000000 + 0xfff + odd) >> 13);
}

#endif
