/* SPDX-License-Identifier: Apache-2.0 */
/* BN + ReLU + max pooling 1x3x3 in one pass, spatial means, and their gradients. */
#include "kernels/cpu/cpu.h"

enum { NOT_POSITIVE = 255 };

struct window {
    size_t y0, y1, x0, x1; /* rows and columns of the input under one output, clipped */
    size_t top, left;      /* position 0 of the window, plus one (so that it is never negative) */
};

CPU_INLINE struct window window_at(size_t oy, size_t ox, size_t height, size_t width)
{
    struct window w = {.top = 2 * oy, .left = 2 * ox};
    w.y0 = oy ? 2 * oy - 1 : 0;
    w.x0 = ox ? 2 * ox - 1 : 0;
    w.y1 = 2 * oy + 2 < height ? 2 * oy + 2 : height;
    w.x1 = 2 * ox + 2 < width ? 2 * ox + 2 : width;
    return w;
}

/* The first maximum over the window of relu(c * scale + shift), channels c .. c + 15. */
CPU_INLINE void window_max16(const struct norm_pool_args *a, size_t plane, const struct window *w,
                             size_t out, size_t c, enum dtype t)
{
    vec16 scale = *(const vec16 *)(a->scale + c), shift = *(const vec16 *)(a->shift + c);
    vec16 best = {0};
    vec16u arg = (vec16u){0} + NOT_POSITIVE;
    for (size_t y = w->y0; y < w->y1; y++)
        for (size_t x = w->x0; x < w->x1; x++) {
            size_t at = ((plane * a->height + y) * a->width + x) * a->channels + c;
            uint32_t position = (uint32_t)((y + 1 - w->top) * 3 + (x + 1 - w->left));
            vec16 v = vec16_load(a->c, at, t) * scale + shift;
            vec16u more = (vec16u)(v > best);
            arg = (more & position) | (~more & arg);
            best = (vec16)((more & (vec16u)v) | (~more & (vec16u)best));
        }
    vec16_store(a->y, out * a->channels + c, best, t);
    if (a->arg)
        *(vec16b *)(a->arg + out * a->channels + c) = __builtin_convertvector(arg, vec16b);
}

CPU_INLINE void window_max1(const struct norm_pool_args *a, size_t plane, const struct window *w,
                            size_t out, size_t c, enum dtype t)
{
    float best = 0.0f;
    uint8_t arg = NOT_POSITIVE;
    for (size_t y = w->y0; y < w->y1; y++)
        for (size_t x = w->x0; x < w->x1; x++) {
            size_t at = ((plane * a->height + y) * a->width + x) * a->channels + c;
            float v = elem_affine(elem_load(a->c, at, t), a->scale[c], a->shift[c]);
            if (v > best) {
                best = v;
                arg = (uint8_t)((y + 1 - w->top) * 3 + (x + 1 - w->left));
            }
        }
    elem_store(a->y, out * a->channels + c, best, t);
    if (a->arg)
        a->arg[out * a->channels + c] = arg;
}

CPU_INLINE void pool_plane(const struct norm_pool_args *a, size_t plane, enum dtype t)
{
    size_t height = (a->height - 1) / 2 + 1, width = (a->width - 1) / 2 + 1;
    for (size_t oy = 0; oy < height; oy++)
        for (size_t ox = 0; ox < width; ox++) {
            struct window w = window_at(oy, ox, a->height, a->width);
            size_t out = (plane * height + oy) * width + ox, c = 0;
            for (; c + 16 <= a->channels; c += 16)
                window_max16(a, plane, &w, out, c, t);
            for (; c < a->channels; c++)
                window_max1(a, plane, &w, out, c, t);
        }
}

CPU_CLONES static void pool_plane_f32(const struct norm_pool_args *a, size_t plane)
{
    pool_plane(a, plane, DTYPE_F32);
}

CPU_CLONES static void pool_plane_bf16(const struct norm_pool_args *a, size_t plane)
{
    pool_plane(a, plane, DTYPE_BF16);
}

int cpu_norm_pool(struct backend *b, const struct norm_pool_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t p = 0; p < a->planes; p++) {
        if (a->dtype == DTYPE_F32)
            pool_plane_f32(a, p);
        else
            pool_plane_bf16(a, p);
    }
    return 0;
}

/*
 * Gathering instead of scattering: an input pixel lies under at most 2 x 2 windows, and gets the
 * gradient of those whose maximum it is. Every element of g is written once.
 */
struct covering { /* the windows over pixel (y, x): first and last of each direction */
    size_t oy0, oy1, ox0, ox1, height, width;
};

CPU_INLINE struct covering covering_at(const struct pool_grad_args *a, size_t y, size_t x)
{
    struct covering k = {.height = (a->height - 1) / 2 + 1, .width = (a->width - 1) / 2 + 1};
    k.oy0 = y / 2;
    k.ox0 = x / 2;
    k.oy1 = (y + 1) / 2 < k.height ? (y + 1) / 2 : k.height - 1;
    k.ox1 = (x + 1) / 2 < k.width ? (x + 1) / 2 : k.width - 1;
    return k;
}

CPU_INLINE vec16 window_grad16(const struct pool_grad_args *a, size_t at, uint32_t position,
                               enum dtype t)
{
    vec16 d = vec16_load(a->dy, at, t);
    if (a->dy2)
        d += vec16_load(a->dy2, at, t);
    vec16u arg = __builtin_convertvector(*(const vec16b *)(a->arg + at), vec16u);
    return (vec16)((vec16u)d & (vec16u)(arg == position));
}

CPU_INLINE float window_grad1(const struct pool_grad_args *a, size_t at, uint32_t position,
                              enum dtype t)
{
    float d = elem_load(a->dy, at, t);
    if (a->dy2)
        d += elem_load(a->dy2, at, t);
    return a->arg[at] == position ? d : 0.0f;
}

CPU_INLINE void pool_grad_pixel(const struct pool_grad_args *a, size_t plane, size_t y, size_t x,
                                enum dtype t)
{
    struct covering k = covering_at(a, y, x);
    size_t to = ((plane * a->height + y) * a->width + x) * a->channels, c = 0;
    for (; c < a->channels; c += c + 16 <= a->channels ? 16 : 1) {
        vec16 g = {0};
        float g1 = 0.0f;
        bool whole = c + 16 <= a->channels;
        for (size_t oy = k.oy0; oy <= k.oy1; oy++)
            for (size_t ox = k.ox0; ox <= k.ox1; ox++) {
                size_t at = ((plane * k.height + oy) * k.width + ox) * a->channels + c;
                uint32_t position = (uint32_t)((y + 1 - 2 * oy) * 3 + (x + 1 - 2 * ox));
                if (whole)
                    g += window_grad16(a, at, position, t);
                else
                    g1 += window_grad1(a, at, position, t);
            }
        if (whole)
            vec16_store(a->g, to + c, g, t);
        else
            elem_store(a->g, to + c, g1, t);
    }
}

CPU_CLONES static void pool_grad_row_f32(const struct pool_grad_args *a, size_t plane, size_t y)
{
    for (size_t x = 0; x < a->width; x++)
        pool_grad_pixel(a, plane, y, x, DTYPE_F32);
}

CPU_CLONES static void pool_grad_row_bf16(const struct pool_grad_args *a, size_t plane, size_t y)
{
    for (size_t x = 0; x < a->width; x++)
        pool_grad_pixel(a, plane, y, x, DTYPE_BF16);
}

int cpu_pool_grad(struct backend *b, const struct pool_grad_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t row = 0; row < a->planes * a->height; row++) {
        if (a->dtype == DTYPE_F32)
            pool_grad_row_f32(a, row / a->height, row % a->height);
        else
            pool_grad_row_bf16(a, row / a->height, row % a->height);
    }
    return 0;
}

/* -- spatial mean -- */

CPU_INLINE void mean_row(const void *x, enum dtype t, size_t r, size_t inner, size_t channels,
                         float *y)
{
    float *to = y + r * channels;
    memset(to, 0, channels * sizeof *to);
    for (size_t i = 0; i < inner; i++)
        for (size_t c = 0; c < channels; c++)
            to[c] += elem_load(x, (r * inner + i) * channels + c, t);
    float factor = 1.0f / (float)inner;
    for (size_t c = 0; c < channels; c++)
        to[c] *= factor;
}

CPU_CLONES static void mean_row_f32(const void *x, size_t r, size_t inner, size_t channels,
                                    float *y)
{
    mean_row(x, DTYPE_F32, r, inner, channels, y);
}

CPU_CLONES static void mean_row_bf16(const void *x, size_t r, size_t inner, size_t channels,
                                     float *y)
{
    mean_row(x, DTYPE_BF16, r, inner, channels, y);
}

int cpu_mean_inner(struct backend *b, const void *x, enum dtype dtype, const size_t shape[3],
                   float *y)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t r = 0; r < shape[0]; r++) {
        if (dtype == DTYPE_F32)
            mean_row_f32(x, r, shape[1], shape[2], y);
        else
            mean_row_bf16(x, r, shape[1], shape[2], y);
    }
    return 0;
}

CPU_INLINE void mean_grad_row(const float *dy, void *dx, enum dtype t, size_t r,
                              const size_t shape[3])
{
    size_t inner = shape[1], channels = shape[2];
    float factor = 1.0f / (float)inner;
    for (size_t i = 0; i < inner; i++)
        for (size_t c = 0; c < channels; c++)
            elem_store(dx, (r * inner + i) * channels + c, dy[r * channels + c] * factor, t);
}

CPU_CLONES static void mean_grad_row_f32(const float *dy, void *dx, size_t r, const size_t shape[3])
{
    mean_grad_row(dy, dx, DTYPE_F32, r, shape);
}

CPU_CLONES static void mean_grad_row_bf16(const float *dy, void *dx, size_t r,
                                          const size_t shape[3])
{
    mean_grad_row(dy, dx, DTYPE_BF16, r, shape);
}

int cpu_mean_inner_grad(struct backend *b, const float *dy, void *dx, enum dtype dtype,
                        const size_t shape[3])
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t r = 0; r < shape[0]; r++) {
        if (dtype == DTYPE_F32)
            mean_grad_row_f32(dy, dx, r, shape);
        else
            mean_grad_row_bf16(dy, dx, r, shape);
    }
    return 0;
}
