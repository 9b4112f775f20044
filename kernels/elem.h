/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every per-element formula, once, for host and device; forward beside backward. Compiled without
 * contraction (-ffp-contract=off, --fmad=false), so both sides compute the same bits.
 */
#ifndef TEG_KERNELS_ELEM_H
#define TEG_KERNELS_ELEM_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define TEG_HD static inline __host__ __device__
#else
#define TEG_HD static inline __attribute__((always_inline))
#endif

/* -- bfloat16: the upper half of a float32, rounded to nearest even -- */

TEG_HD float bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

TEG_HD uint16_t f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    uint32_t quiet_nan = (u >> 16) | 0x40u;
    return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
}

/* -- batch normalisation and ReLU -- */

TEG_HD float elem_affine(float x, float scale, float shift)
{
    return x * scale + shift;
}

TEG_HD float elem_relu(float x)
{
    return x > 0.0f ? x : 0.0f;
}

/* Gradient through a ReLU whose output was (or whose input is) `at`. */
TEG_HD float elem_relu_grad(float dy, float at)
{
    return at > 0.0f ? dy : 0.0f;
}

/* dc = a g + (b (c - mean) + k): the gradient of batch normalisation with its channel constants. */
TEG_HD float elem_norm_grad(float g, float centred, float a, float b, float k)
{
    return a * g + (b * centred + k);
}

/*
 * -- exp of a float32, for loops that vectorise: within 1 unit in the last place; 0 below -87.3,
 * infinite above 88.3. Its selections are integer masks because conditional expressions become
 * branches. --
 */

TEG_HD float elem_exp(float x)
{
    const float round_shift =
        12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    float shifted = x * 1.44269504f + round_shift;
    float n = shifted - round_shift;
    float r = x - n * 0.693359375f; /* ln 2 in two parts, the first short enough to be exact here */
    r = r + n * 2.12194440e-4f;
    float p = 1.3814539e-3f; /* (exp(r) - 1 - r) / r^2, minimax on |r| <= ln 2 / 2, error 3e-9 */
    p = p * r + 8.3687454e-3f;
    p = p * r + 4.1668389e-2f;
    p = p * r + 1.6666521e-1f;
    p = p * r + 4.9999994e-1f;
    float y = p * (r * r) + r + 1.0f;
    uint32_t bits, exponent;
    memcpy(&bits, &y, sizeof bits);
    memcpy(&exponent, &shifted, sizeof exponent);
    bits += exponent << 23; /* times 2^n */
    uint32_t in_range = 0u - (uint32_t)((x >= -87.3f) & (x <= 88.3f));
    uint32_t above = 0u - (uint32_t)(x > 88.3f), is_nan = 0u - (uint32_t)(x != x);
    bits = (bits & in_range) | (0x7f800000u & above) | (0x7fc00000u & is_nan);
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* -- SGD with momentum (RECIPE section 3): v = momentum v + (g + decay w); w = w - lr v -- */

TEG_HD float elem_momentum(float velocity, float grad, float param, float momentum, float decay)
{
    return momentum * velocity + (grad + decay * param);
}

TEG_HD float elem_sgd(float param, float velocity, float lr)
{
    return param - lr * velocity;
}

#endif
