/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `render` as the kernels compute it: the same steps on the same numbers as the rows
 * of the CPU, so that both give the same bits. Plain C, for tests. Only the rows and columns under
 * the crop box go to the device, as pictures of their own:
 *
 *     render_crop_init(&crop, pixels, augment);
 *     render_crop_pack(&crop, picture, packed);                host; crop.frame_bytes each
 *
 * On the device a thread walks down a column of the output, RENDER_RUN pixels at a time:
 *
 *     struct render_walk w = render_walk(&crop, packed, &columns[x]);
 *     render_resized(&crop, &plan->yuv, &w, &rows[y], run);
 *     render_jitter(plan, plan->n_ops, mean, run);
 */
#ifndef TEG_KERNELS_CUDA_RENDER_PIXEL_H
#define TEG_KERNELS_CUDA_RENDER_PIXEL_H

#include <string.h>

#include "kernels/backend.h"
#include "kernels/elem.h"
#include "kernels/render.h"

/* The crop box within a stored picture, and how its part is packed. */
struct render_crop {
    int stored_width, stored_height;
    int first_column, first_row; /* of the picture; the column is even */
    int width, height;           /* packed luma columns (even), luma rows */
    int inset;                   /* crop box's first column within the packed ones: 0 or 1 */
    int odd;                     /* 1: the first luma row is the second of its chroma row */
    size_t frame_bytes;
};

static inline void render_crop_init(struct render_crop *c, const struct clip_pixels *p,
                                    const struct clip_augment *a)
{
    c->stored_width = p->stored_width;
    c->stored_height = p->stored_height;
    c->inset = a->crop_x % 2;
    c->odd = a->crop_y % 2;
    c->first_column = a->crop_x - c->inset;
    c->first_row = a->crop_y;
    c->width = (a->crop_w + c->inset + 1) / 2 * 2;
    c->height = a->crop_h;
    int chroma_rows = (c->height + c->odd + 1) / 2;
    c->frame_bytes = (size_t)c->width * (size_t)(c->height + chroma_rows);
}

/* Luma rows, then chroma rows. */
static inline void render_crop_pack(const struct render_crop *c, const uint8_t *picture,
                                    uint8_t *to)
{
    size_t stride = (size_t)c->stored_width, width = (size_t)c->width;
    const uint8_t *luma = picture + (size_t)c->first_row * stride + c->first_column;
    const uint8_t *chroma =
        picture + (size_t)(c->stored_height + c->first_row / 2) * stride + c->first_column;
    for (int y = 0; y < c->height; y++, luma += stride, to += width)
        memcpy(to, luma, width);
    for (int y = 0; y < (c->height + c->odd + 1) / 2; y++, chroma += stride, to += width)
        memcpy(to, chroma, width);
}

/* -- resizing -- */

/* Pixels one below the other that are computed together: what is decided per clip is then decided
 * once for all of them. */
enum { RENDER_RUN = 4 };

/* A column of the output on its way down: its two columns of the packed picture, and the two rows
 * between which it is, converted and resampled. */
struct render_walk {
    const uint8_t *packed;
    int luma[2], chroma[2]; /* of a packed row */
    float t;
    int row[2]; /* of the crop box; -1 none */
    struct elem_rgb pixel[2];
};

TEG_HD struct render_walk render_walk(const struct render_crop *c, const uint8_t *packed,
                                      const struct render_position *x)
{
    int low = x->low + c->inset, high = x->high + c->inset;
    struct elem_rgb none = {0.0f, 0.0f, 0.0f};
    struct render_walk w = {packed, {low, high}, {low & ~1, high & ~1},
                            x->t,   {-1, -1},    {none, none}};
    return w;
}

/* `luma` and the pair at `chroma`, which is at an even address, converted. */
TEG_HD struct elem_rgb render_source(const struct elem_yuv *m, const uint8_t *luma,
                                     const uint8_t *chroma)
{
    uint16_t pair;
    memcpy(&pair, __builtin_assume_aligned(chroma, sizeof pair), sizeof pair);
    struct elem_rgb colour = elem_chroma((float)(pair & 0xff), (float)(pair >> 8), *m);
    float light = elem_luma((float)*luma, *m);
    struct elem_rgb p = {elem_clip(light + colour.r), elem_clip(light + colour.g),
                         elem_clip(light + colour.b)};
    return p;
}

TEG_HD struct elem_rgb render_lerp(struct elem_rgb a, struct elem_rgb b, float t)
{
    struct elem_rgb p = {elem_lerp(a.r, b.r, t), elem_lerp(a.g, b.g, t), elem_lerp(a.b, b.b, t)};
    return p;
}

/* Row y of the crop box at the column. Offsets within a packed picture fit an int. */
TEG_HD struct elem_rgb render_resampled(const struct render_crop *c, const struct elem_yuv *m,
                                        const struct render_walk *w, int y)
{
    const uint8_t *luma = w->packed + y * c->width;
    const uint8_t *chroma = w->packed + (c->height + ((y + c->odd) >> 1)) * c->width;
    return render_lerp(render_source(m, luma + w->luma[0], chroma + w->chroma[0]),
                       render_source(m, luma + w->luma[1], chroma + w->chroma[1]), w->t);
}

/* The next RENDER_RUN pixels, at `rows` of the output: along the rows first, then between them.
 * Rows come in rising order, so most have been resampled for the pixel above. */
TEG_HD void render_resized(const struct render_crop *c, const struct elem_yuv *m,
                           struct render_walk *w, const struct render_position *rows,
                           struct elem_rgb run[RENDER_RUN])
{
    for (int k = 0; k < RENDER_RUN; k++) {
        int low = rows[k].low, high = rows[k].high;
        if (low != w->row[0])
            w->pixel[0] = low == w->row[1] ? w->pixel[1] : render_resampled(c, m, w, low);
        if (high != w->row[1])
            w->pixel[1] = high == low ? w->pixel[0] : render_resampled(c, m, w, high);
        w->row[0] = low;
        w->row[1] = high;
        run[k] = render_lerp(w->pixel[0], w->pixel[1], rows[k].t);
    }
}

/* -- colours -- */

TEG_HD struct elem_rgb render_brightness(struct elem_rgb p, float factor)
{
    struct elem_rgb q = {elem_brightness(p.r, factor), elem_brightness(p.g, factor),
                         elem_brightness(p.b, factor)};
    return q;
}

TEG_HD struct elem_rgb render_contrast(struct elem_rgb p, float factor, const float mean[3])
{
    struct elem_rgb q = {elem_contrast(p.r, factor, mean[0]), elem_contrast(p.g, factor, mean[1]),
                         elem_contrast(p.b, factor, mean[2])};
    return q;
}

/* Operations [0, n) of the jitter on a run; `mean` where the contrast turns. */
TEG_HD void render_jitter(const struct render_plan *plan, size_t n, const float mean[3],
                          struct elem_rgb run[RENDER_RUN])
{
    for (int i = 0; i < (int)n; i++) {
        enum render_op op = plan->op[i];
        float factor = plan->factor[op];
        if (op == RENDER_BRIGHTNESS) {
            for (int k = 0; k < RENDER_RUN; k++)
                run[k] = render_brightness(run[k], factor);
        } else if (op == RENDER_CONTRAST) {
            for (int k = 0; k < RENDER_RUN; k++)
                run[k] = render_contrast(run[k], factor, mean);
        } else if (op == RENDER_SATURATION) {
            for (int k = 0; k < RENDER_RUN; k++)
                run[k] = elem_saturation(run[k], factor);
        } else {
            for (int k = 0; k < RENDER_RUN; k++)
                run[k] = elem_hue(run[k], factor);
        }
    }
}

TEG_HD void render_grey(struct elem_rgb run[RENDER_RUN])
{
    for (int k = 0; k < RENDER_RUN; k++)
        run[k].r = run[k].g = run[k].b = elem_grey(run[k]);
}

/* -- blur -- */

/* Before a loop over taps: four at a time, so that a window of values moves by names alone. */
#ifdef __CUDA_ARCH__
#define RENDER_UNROLL _Pragma("unroll 4")
#else
#define RENDER_UNROLL
#endif

/* RENDER_RUN pixels' values of one channel. */
struct render_values {
    float v[RENDER_RUN];
} __attribute__((aligned(16)));

/* Values at `at` blurred along the x axis, where pixels lie 3 apart; within plan->radius of it are
 * pixels, or zeros for what is outside of the picture. */
TEG_HD struct render_values render_blurred_across(const struct render_plan *plan,
                                                  const struct render_values *at)
{
    struct render_values sum = *at;
    for (int k = 0; k < RENDER_RUN; k++)
        sum.v[k] = plan->tap[0] * sum.v[k];
    for (int d = 1; d <= (int)plan->radius; d++) {
        struct render_values before = at[-3 * d], behind = at[3 * d];
        for (int k = 0; k < RENDER_RUN; k++)
            sum.v[k] = elem_tap(sum.v[k], before.v[k], behind.v[k], plan->tap[d]);
    }
    return sum;
}

/* A column of values, `step` apart. */
struct render_column {
    const float *first;
    int size, step;
};

/* Neighbours in a column that are blurred together, so that each is fetched once for all sums that
 * it is in. */
enum { RENDER_DOWN = 8 };

/* sum = values y .. y + RENDER_DOWN - 1 blurred along the column, zeros outside of it, which the
 * caller may know not to be reached: `inside`. */
TEG_HD void render_blurred_down(const struct render_plan *plan, const struct render_column *c,
                                int y, bool inside, float sum[RENDER_DOWN])
{
    enum { LAST = RENDER_DOWN - 1 };
    float before[RENDER_DOWN], behind[RENDER_DOWN];
    const float *up = c->first + y * c->step, *down = up;
    for (int k = 0; k < RENDER_DOWN; k++, down += c->step) {
        before[k] = behind[k] = inside || y + k < c->size ? *down : 0.0f;
        sum[k] = plan->tap[0] * before[k];
    }
    RENDER_UNROLL
    for (int d = 1; d <= (int)plan->radius; d++) {
        up -= c->step;
        for (int k = 0; k < LAST; k++) {
            before[LAST - k] = before[LAST - k - 1];
            behind[k] = behind[k + 1];
        }
        before[0] = inside || y >= d ? *up : 0.0f;
        behind[LAST] = inside || y + LAST + d < c->size ? *down : 0.0f;
        down += c->step;
        for (int k = 0; k < RENDER_DOWN; k++)
            sum[k] = elem_tap(sum[k], before[k], behind[k], plan->tap[d]);
    }
}

#endif
