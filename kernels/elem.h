/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every per-element formula, once, for host and device; forward beside backward. Compiled without
 * contraction (-ffp-contract=off, --fmad=false), so both sides compute the same bits.
 */
#ifndef TEG_KERNELS_ELEM_H
#define TEG_KERNELS_ELEM_H

#include <math.h>
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

/* NaN stays NaN, so that it is noticed. */
TEG_HD float elem_relu(float x)
{
    return x < 0.0f ? 0.0f : x;
}

/* Gradient through a ReLU whose output was (or whose input is) `at`. */
TEG_HD float elem_relu_grad(float dy, float at)
{
    return at > 0.0f ? dy : 0.0f;
}

/* Bit i of a mask. */
TEG_HD unsigned elem_bit(const uint8_t *mask, size_t i)
{
    return mask[i / 8] >> i % 8 & 1u;
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

/* -- dropout: `drawn` are 32 random bits -- */

TEG_HD uint32_t elem_dropout_limit(float rate)
{
    return (uint32_t)((double)rate * 4294967296.0);
}

TEG_HD float elem_dropout(float x, uint32_t drawn, uint32_t limit, float scale)
{
    return drawn < limit ? 0.0f : x * scale;
}

/* -- GELU: x Phi(x), with the error function -- */

TEG_HD float elem_gelu(float x)
{
    return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}

TEG_HD float elem_gelu_grad(float dy, float x)
{
    float density = 0.39894228f * expf(-0.5f * x * x);
    return dy * (0.5f * (1.0f + erff(x * 0.70710678f)) + x * density);
}

/* -- sigmoid cross-entropy: log(1 + exp(x)) - target x, without overflow -- */

TEG_HD float elem_sigmoid(float x)
{
    float e = expf(-fabsf(x));
    return x >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
}

TEG_HD float elem_sigmoid_xent(float x, float target)
{
    return (x > 0.0f ? x : 0.0f) - x * target + log1pf(expf(-fabsf(x)));
}

/* -- bilinear samples along one axis of `size` numbers -- */

struct elem_taps {
    size_t low, high;
    float share; /* of the higher one */
};

/* Middle of cell `i` of `grid` in a range from..to, given as shares of the axis. */
TEG_HD struct elem_taps elem_roi_taps(float from, float to, size_t i, size_t grid, size_t size)
{
    float length = (float)size, cell = (to - from) * length / (float)grid;
    float at = from * length + ((float)i + 0.5f) * cell;
    struct elem_taps t = {0, 0, 0.0f};
    at = at > 0.0f ? at : 0.0f;
    t.low = (size_t)at;
    if (t.low >= size - 1) {
        t.low = t.high = size - 1;
        return t;
    }
    t.high = t.low + 1;
    t.share = at - (float)t.low;
    return t;
}

/* The four numbers around a sample, of channel 0, and their shares. */
struct elem_corners {
    size_t at[4];
    float share[4];
};

/* Middle of a cell of grid x grid in a box (left, top, right, bottom as shares) of a map of `shape`
 * [height, width, channels]. */
TEG_HD struct elem_corners elem_roi_corners(const float *box, size_t cell, size_t grid,
                                            const size_t *shape)
{
    struct elem_taps x = elem_roi_taps(box[0], box[2], cell % grid, grid, shape[1]);
    struct elem_taps y = elem_roi_taps(box[1], box[3], cell / grid, grid, shape[0]);
    size_t low = y.low * shape[1], high = y.high * shape[1], channels = shape[2];
    struct elem_corners c = {{(low + x.low) * channels, (low + x.high) * channels,
                              (high + x.low) * channels, (high + x.high) * channels},
                             {(1.0f - y.share) * (1.0f - x.share), (1.0f - y.share) * x.share,
                              y.share * (1.0f - x.share), y.share * x.share}};
    return c;
}

/* -- pixels (RECIPE section 3, "Augmentation"): RGB in [0, 1] -- */

struct elem_rgb {
    float r, g, b;
};

TEG_HD float elem_max(float a, float b)
{
    return a > b ? a : b;
}

TEG_HD float elem_min(float a, float b)
{
    return a < b ? a : b;
}

TEG_HD float elem_clip(float x)
{
    return elem_min(elem_max(x, 0.0f), 1.0f);
}

/* What 8-bit Y'CbCr of one matrix and range is multiplied with. */
struct elem_yuv {
    float y_zero, y_scale;
    float r_v, g_u, g_v, b_u;
};

TEG_HD float elem_luma(float y, struct elem_yuv m)
{
    return (y - m.y_zero) * m.y_scale;
}

/* The part that a chroma pair adds to the luma of its four pixels. */
TEG_HD struct elem_rgb elem_chroma(float u, float v, struct elem_yuv m)
{
    float cb = u - 128.0f, cr = v - 128.0f;
    struct elem_rgb c = {cr * m.r_v, cb * m.g_u + cr * m.g_v, cb * m.b_u};
    return c;
}

TEG_HD float elem_lerp(float a, float b, float t)
{
    return a + (b - a) * t;
}

/* Colour jitter; each result is clipped. Factors are >= 0. */
TEG_HD float elem_brightness(float x, float factor)
{
    return elem_clip(x * factor);
}

TEG_HD float elem_contrast(float x, float factor, float mean)
{
    return elem_clip((x - mean) * factor + mean);
}

TEG_HD float elem_max3(struct elem_rgb p)
{
    return elem_max(elem_max(p.r, p.g), p.b);
}

TEG_HD float elem_min3(struct elem_rgb p)
{
    return elem_min(elem_min(p.r, p.g), p.b);
}

/*
 * The S of HSV times `factor`, at most 1, back to RGB. Hue and value stay, so every channel's
 * distance from the value V scales by the same S'/S = min(factor, 1/S), S = (V - min) / V; no hue
 * is computed.
 */
TEG_HD struct elem_rgb elem_saturation(struct elem_rgb p, float factor)
{
    float v = elem_max3(p);
    float range = v - elem_min3(p);
    float limit = v / (range > 0.0f ? range : 1.0f);
    float k = elem_min(factor, limit);
    struct elem_rgb q = {elem_clip(v - (v - p.r) * k), elem_clip(v - (v - p.g) * k),
                         elem_clip(v - (v - p.b) * k)};
    return q;
}

/*
 * The H of HSV moved by `sixths` of the circle, 0 <= sixths < 6. With the hue h in sixths, red
 * falls short of V by range * (2 - |h - 3|), green by range * (|h - 2| - 1), blue by range * (|h -
 * 4| - 1), factors clipped to [0, 1].
 */
TEG_HD struct elem_rgb elem_hue(struct elem_rgb p, float sixths)
{
    float v = elem_max3(p);
    float range = v - elem_min3(p);
    float side = v == p.r ? p.g - p.b : v == p.g ? p.b - p.r : p.r - p.g;
    float base = v == p.r ? 0.0f : v == p.g ? 2.0f : 4.0f;
    float h = side / (range > 0.0f ? range : 1.0f) + base + sixths; /* -1 <= h < 11 */
    h = h >= 6.0f ? h - 6.0f : h;
    h = h < 0.0f ? h + 6.0f : h;
    struct elem_rgb q = {elem_clip(v - range * elem_clip(2.0f - fabsf(h - 3.0f))),
                         elem_clip(v - range * elem_clip(fabsf(h - 2.0f) - 1.0f)),
                         elem_clip(v - range * elem_clip(fabsf(h - 4.0f) - 1.0f))};
    return q;
}

TEG_HD float elem_grey(struct elem_rgb p)
{
    return elem_clip(0.2989f * p.r + 0.5870f * p.g + 0.1140f * p.b);
}

TEG_HD float elem_solarise(float x)
{
    return x >= 0.5f ? 1.0f - x : x;
}

/* Two taps of a symmetric filter at equal distance from its centre. */
TEG_HD float elem_tap(float sum, float a, float b, float weight)
{
    return sum + weight * (a + b);
}

#endif
