/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/planar.h"

#include <string.h>

static void split_bytes(const uint8_t *restrict pairs, size_t n, uint8_t *restrict u,
                        uint8_t *restrict v)
{
    for (size_t i = 0; i < n; i++) {
        u[i] = pairs[2 * i];
        v[i] = pairs[2 * i + 1];
    }
}

static void copy_words(const uint16_t *restrict from, size_t n, int shift, uint16_t *restrict to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint16_t)(from[i] >> shift);
}

static void split_words(const uint16_t *restrict pairs, size_t n, int shift, uint16_t *restrict u,
                        uint16_t *restrict v)
{
    for (size_t i = 0; i < n; i++) {
        u[i] = (uint16_t)(pairs[2 * i] >> shift);
        v[i] = (uint16_t)(pairs[2 * i + 1] >> shift);
    }
}

void planar_split(const struct planar_source *from, const struct planar_planes *to)
{
    size_t width = (size_t)from->width, pairs = (width + 1) / 2;
    for (int y = 0; y < from->height; y++) {
        const uint8_t *row = from->luma + y * from->luma_stride;
        uint8_t *out = to->plane[0] + y * to->stride[0];
        if (from->shift == 0)
            memcpy(out, row, width);
        else
            copy_words((const uint16_t *)row, width, from->shift, (uint16_t *)out);
    }
    for (int y = 0; y < (from->height + 1) / 2; y++) {
        const uint8_t *row = from->chroma + y * from->chroma_stride;
        uint8_t *u = to->plane[1] + y * to->stride[1], *v = to->plane[2] + y * to->stride[2];
        if (from->shift == 0)
            split_bytes(row, pairs, u, v);
        else
            split_words((const uint16_t *)row, pairs, from->shift, (uint16_t *)u, (uint16_t *)v);
    }
}
