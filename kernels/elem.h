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
