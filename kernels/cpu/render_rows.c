/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cpu/render_rows.h"

#include <string.h>

#include "kernels/cpu/clones.h"

/* ROW_BLOCK pixels: with constant trip counts no scalar remainder is left. */
static inline __attribute__((always_inline)) void convert_block(const uint8_t *restrict luma,
                                                                const uint8_t *restrict chroma,
                                                                const struct elem_yuv *m,
                                                                float *restrict rgb, size_t stride)
{
    const struct elem_yuv k = *m;
    float *restrict r = rgb, *restrict g = rgb + stride, *restrict b = rgb + 2 * stride;
    float c_r[ROW_BLOCK], c_g[ROW_BLOCK], c_b[ROW_BLOCK];
    for (size_t i = 0; i < ROW_BLOCK; i += 2) {
        struct elem_rgb c = elem_chroma(chroma[i], chroma[i + 1], k);
        c_r[i] = c_r[i + 1] = c.r;
        c_g[i] = c_g[i + 1] = c.g;
        c_b[i] = c_b[i + 1] = c.b;
    }
    for (size_t i = 0; i < ROW_BLOCK; i++) {
        float y = elem_luma(luma[i], k);
        r[i] = elem_clip(y + c_r[i]);
        g[i] = elem_clip(y + c_g[i]);
        b[i] = elem_clip(y + c_b[i]);
    }
}

CPU_CLONES void row_convert(const struct row_yuv *in, const struct elem_yuv *m, float *restrict rgb)
{
    size_t stride = row_stride(in->n), whole = in->n / ROW_BLOCK * ROW_BLOCK;
    for (size_t i = 0; i < whole; i += ROW_BLOCK)
        convert_block(in->luma + i, in->chroma + i, m, rgb + i, stride);
    if (whole < in->n) {
        uint8_t luma[ROW_BLOCK] = {0}, chroma[ROW_BLOCK] = {0};
        memcpy(luma, in->luma + whole, in->n - whole);
        memcpy(chroma, in->chroma + whole, in->n - whole);
        convert_block(luma, chroma, m, rgb + whole, stride);
    }
}

CPU_CLONES void row_resample(const float *restrict in, size_t stride,
                             const struct row_columns *columns, float *restrict rgb)
{
    const int *restrict low = columns->low, *restrict high = columns->high;
    const float *restrict t = columns->t;
    size_t n = columns->n;
    const float *restrict in_g = in + stride, *restrict in_b = in + 2 * stride;
    float *restrict r = rgb, *restrict g = rgb + n, *restrict b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++) {
        r[i] = elem_lerp(in[low[i]], in[high[i]], t[i]);
        g[i] = elem_lerp(in_g[low[i]], in_g[high[i]], t[i]);
        b[i] = elem_lerp(in_b[low[i]], in_b[high[i]], t[i]);
    }
}

CPU_CLONES void row_lerp(const float *restrict a, const float *restrict b, float t, size_t n,
                         float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = elem_lerp(a[i], b[i], t);
}

CPU_CLONES void row_brightness(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        x[i] = elem_brightness(x[i], factor);
}

CPU_CLONES void row_contrast(float *x, size_t n, float factor, float mean)
{
    for (size_t i = 0; i < n; i++)
        x[i] = elem_contrast(x[i], factor, mean);
}

CPU_CLONES void row_saturation(float *rgb, size_t n, float factor)
{
    float *restrict r = rgb, *restrict g = rgb + n, *restrict b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++) {
        struct elem_rgb p = {r[i], g[i], b[i]};
        p = elem_saturation(p, factor);
        r[i] = p.r;
        g[i] = p.g;
        b[i] = p.b;
    }
}

CPU_CLONES void row_hue(float *rgb, size_t n, float sixths)
{
    float *restrict r = rgb, *restrict g = rgb + n, *restrict b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++) {
        struct elem_rgb p = {r[i], g[i], b[i]};
        p = elem_hue(p, sixths);
        r[i] = p.r;
        g[i] = p.g;
        b[i] = p.b;
    }
}

CPU_CLONES void row_grey(float *rgb, size_t n)
{
    float *restrict r = rgb, *restrict g = rgb + n, *restrict b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++) {
        struct elem_rgb p = {r[i], g[i], b[i]};
        r[i] = g[i] = b[i] = elem_grey(p);
    }
}

CPU_CLONES void row_solarise(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = elem_solarise(x[i]);
}

CPU_CLONES double row_sum(const float *x, size_t n)
{
    enum { LANES = 16 };
    double lane[LANES] = {0}, sum = 0.0;
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += (double)x[i + j];
    for (size_t j = 0; j < n % LANES; j++)
        lane[j] += (double)x[whole + j];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

CPU_CLONES void row_scale(const float *restrict in, size_t n, float weight, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = weight * in[i];
}

CPU_CLONES void row_tap(const float *a, const float *b, size_t n, float weight, float *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = elem_tap(out[i], a[i], b[i], weight);
}

CPU_CLONES void row_store_f32(const float *restrict rgb, size_t n, float *restrict out)
{
    const float *restrict r = rgb, *restrict g = rgb + n, *restrict b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++) {
        out[3 * i] = r[i];
        out[3 * i + 1] = g[i];
        out[3 * i + 2] = b[i];
    }
}

CPU_CLONES void row_store_bf16(const float *restrict rgb, size_t n, uint16_t *restrict out)
{
    const float *restrict r = rgb, *restrict g = rgb + n, *restrict b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++) {
        out[3 * i] = f32_to_bf16(r[i]);
        out[3 * i + 1] = f32_to_bf16(g[i]);
        out[3 * i + 2] = f32_to_bf16(b[i]);
    }
}
