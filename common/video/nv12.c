/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/nv12.h"

#include <string.h>

int nv12_even(int n)
{
    return n + (n & 1);
}

size_t nv12_bytes(int width, int height)
{
    return (size_t)nv12_even(width) * (size_t)nv12_even(height) / 2 * 3;
}

void nv12_pad(uint8_t *picture, int width, int height)
{
    size_t stride = (size_t)nv12_even(width);
    if (width & 1)
        for (int y = 0; y < height; y++)
            picture[(size_t)y * stride + stride - 1] = picture[(size_t)y * stride + stride - 2];
    if (height & 1)
        memcpy(picture + (size_t)height * stride, picture + (size_t)(height - 1) * stride, stride);
}

/* Where the samples of one plane go: sample (x, y) to to[base + x * step_x + y * step_y], in
 * samples. */
struct turn {
    ptrdiff_t base, step_x, step_y;
};

static struct turn turn_of(int width, int height, int degrees, ptrdiff_t stride)
{
    if (degrees == 90)
        return (struct turn){height - 1, stride, -1};
    if (degrees == 180)
        return (struct turn){(height - 1) * stride + width - 1, -1, -stride};
    if (degrees == 270)
        return (struct turn){(width - 1) * stride, -stride, 1};
    return (struct turn){0, 1, stride};
}

static void turn_bytes(const uint8_t *from, int width, int height, struct turn t, uint8_t *to)
{
    size_t stride = (size_t)nv12_even(width);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            to[t.base + x * t.step_x + y * t.step_y] = from[(size_t)y * stride + (size_t)x];
}

static void turn_pairs(const uint8_t *from, int width, int height, struct turn t, uint8_t *to)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            memcpy(to + 2 * (t.base + x * t.step_x + y * t.step_y),
                   from + 2 * ((size_t)y * (size_t)width + (size_t)x), 2);
}

void nv12_rotate(const uint8_t *from, int width, int height, int degrees, uint8_t *to)
{
    int upright = degrees == 0 || degrees == 180;
    int to_width = upright ? width : height, to_height = upright ? height : width;
    int chroma_width = nv12_even(width) / 2, chroma_height = nv12_even(height) / 2;
    ptrdiff_t stride = nv12_even(to_width);
    size_t luma_from = (size_t)nv12_even(width) * (size_t)nv12_even(height);
    size_t luma_to = (size_t)stride * (size_t)nv12_even(to_height);
    turn_bytes(from, width, height, turn_of(width, height, degrees, stride), to);
    turn_pairs(from + luma_from, chroma_width, chroma_height,
               turn_of(chroma_width, chroma_height, degrees, stride / 2), to + luma_to);
    nv12_pad(to, to_width, to_height);
}

void nv12_from_planes(const struct nv12_planes *from, int width, int height, uint8_t *to)
{
    size_t stride = (size_t)nv12_even(width), pairs = stride / 2;
    int chroma_height = nv12_even(height) / 2;
    uint8_t *chroma = to + stride * (size_t)nv12_even(height);
    for (int y = 0; y < height; y++)
        memcpy(to + (size_t)y * stride, from->y + y * from->y_stride, (size_t)width);
    for (int y = 0; y < chroma_height; y++) {
        const uint8_t *u = from->u + y * from->u_stride, *v = from->v + y * from->v_stride;
        uint8_t *row = chroma + (size_t)y * stride;
        for (size_t x = 0; x < pairs; x++) {
            row[2 * x] = u[x];
            row[2 * x + 1] = v[x];
        }
    }
    nv12_pad(to, width, height);
}
