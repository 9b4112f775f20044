/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `render` one pixel at a time, as the kernels compute it: the same steps on the same
 * numbers as the rows of the CPU, so that both give the same bits. Plain C, for tests. Only the
 * rows and columns under the crop box go to the device, as pictures of their own:
 *
 *     render_crop_init(&crop, pixels, augment);
 *     render_crop_pack(&crop, picture, packed);                host; crop.frame_bytes each
 *     struct elem_rgb p = render_resized(&crop, &yuv, packed, &at);      device, per output pixel
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

/* Pixel of the crop box, converted. */
TEG_HD struct elem_rgb render_source(const struct render_crop *c, const struct elem_yuv *m,
                                     const uint8_t *packed, int x, int y)
{
    int column = x + c->inset;
    const uint8_t *luma = packed + (size_t)y * (size_t)c->width + column;
    const uint8_t *chroma =
        packed + (size_t)(c->height + (y + c->odd) / 2) * (size_t)c->width + column / 2 * 2;
    struct elem_rgb colour = elem_chroma((float)chroma[0], (float)chroma[1], *m);
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

/* Where an output pixel lies in the crop box. */
struct render_at {
    struct render_position x, y;
};

/* Along the rows first, then between them. */
TEG_HD struct elem_rgb render_resized(const struct render_crop *c, const struct elem_yuv *m,
                                      const uint8_t *packed, const struct render_at *at)
{
    struct elem_rgb low = render_lerp(render_source(c, m, packed, at->x.low, at->y.low),
                                      render_source(c, m, packed, at->x.high, at->y.low), at->x.t);
    struct elem_rgb high =
        render_lerp(render_source(c, m, packed, at->x.low, at->y.high),
                    render_source(c, m, packed, at->x.high, at->y.high), at->x.t);
    return render_lerp(low, high, at->y.t);
}

/* Operations [0, n) of the jitter; `mean` where the contrast turns. */
TEG_HD struct elem_rgb render_jitter(const struct render_plan *plan, size_t n, const float mean[3],
                                     struct elem_rgb p)
{
    for (size_t i = 0; i < n; i++) {
        enum render_op op = plan->op[i];
        float factor = plan->factor[op];
        if (op == RENDER_BRIGHTNESS) {
            p.r = elem_brightness(p.r, factor);
            p.g = elem_brightness(p.g, factor);
            p.b = elem_brightness(p.b, factor);
        } else if (op == RENDER_CONTRAST) {
            p.r = elem_contrast(p.r, factor, mean[0]);
            p.g = elem_contrast(p.g, factor, mean[1]);
            p.b = elem_contrast(p.b, factor, mean[2]);
        } else if (op == RENDER_SATURATION) {
            p = elem_saturation(p, factor);
        } else {
            p = elem_hue(p, factor);
        }
    }
    return p;
}

/*
 * Value `at` of a line of `size` pixels, blurred along the line; `step` elements lie between the
 * pixels, and zeros outside.
 */
struct render_line {
    const float *pixel; /* the pixel itself */
    long at, size;
    size_t step;
};

TEG_HD float render_blurred(const struct render_plan *plan, const struct render_line *l)
{
    float sum = plan->tap[0] * l->pixel[0];
    for (long d = 1; d <= (long)plan->radius; d++) {
        float before = l->at >= d ? *(l->pixel - (size_t)d * l->step) : 0.0f;
        float behind = l->at + d < l->size ? l->pixel[(size_t)d * l->step] : 0.0f;
        sum = elem_tap(sum, before, behind, plan->tap[d]);
    }
    return sum;
}

#endif
