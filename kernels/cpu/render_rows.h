/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner loops of the renderer, one picture row each, compiled for several instruction sets. A
 * "planar" row is float [3, n]: n red, n green, n blue values. Formulas are those of elem.h.
 */
#ifndef TEG_KERNELS_CPU_RENDER_ROWS_H
#define TEG_KERNELS_CPU_RENDER_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/elem.h"

/*
 * n (even) pixels of an NV12 picture, from an even column on -> RGB planes row_stride(n) apart;
 * what lies between n and the stride is overwritten.
 */
enum { ROW_BLOCK = 64 };
static inline size_t row_stride(size_t n)
{
    return (n + ROW_BLOCK - 1) / ROW_BLOCK * ROW_BLOCK;
}
struct row_yuv {
    const uint8_t *luma;   /* [n] */
    const uint8_t *chroma; /* [n]: n / 2 pairs */
    size_t n;
};
void row_convert(const struct row_yuv *in, const struct elem_yuv *m, float *rgb);

/*
 * Horizontal resampling of three planes `stride` apart to a planar row: output column i lies
 * between input columns low[i] and high[i], at t[i] of the way.
 */
struct row_columns {
    const int *low, *high;
    const float *t;
    size_t n;
};
void row_resample(const float *in, size_t stride, const struct row_columns *columns, float *rgb);

void row_lerp(const float *a, const float *b, float t, size_t n, float *out);
void row_brightness(float *x, size_t n, float factor);
void row_contrast(float *x, size_t n, float factor, float mean);
void row_saturation(float *rgb, size_t n, float factor); /* planar, in place */
void row_hue(float *rgb, size_t n, float sixths);        /* planar, in place */
void row_grey(float *rgb, size_t n);                     /* planar, in place */
void row_solarise(float *x, size_t n);
double row_sum(const float *x, size_t n); /* float64, in an order that depends on n only */

/* Blur: out = weight * in; out += weight * (a + b). */
void row_scale(const float *in, size_t n, float weight, float *out);
void row_tap(const float *a, const float *b, size_t n, float weight, float *out);

/* planar -> [n, 3] */
void row_store_f32(const float *rgb, size_t n, float *out);
void row_store_bf16(const float *rgb, size_t n, uint16_t *out);

#endif
