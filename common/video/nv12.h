/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures as the frames store keeps them: NV12, [3H/2, W] bytes, H luma rows, then H/2 rows of
 * interleaved Cb Cr. H and W are the true size rounded up to even numbers; the added row and column
 * repeat their neighbours (chroma has a sample there anyway).
 */
#ifndef TEG_VIDEO_NV12_H
#define TEG_VIDEO_NV12_H

#include <stddef.h>
#include <stdint.h>

int nv12_even(int n);                     /* n rounded up to an even number */
size_t nv12_bytes(int width, int height); /* of a picture of this true size */

/* Fills the row and column that rounding up added; rows are nv12_even(width) bytes apart. */
void nv12_pad(uint8_t *picture, int width, int height);

/* Turns `from` of true size width x height clockwise by 0, 90, 180 or 270 degrees into `to`,
 * padding included. */
void nv12_rotate(const uint8_t *from, int width, int height, int degrees, uint8_t *to);

struct nv12_planes { /* planar 4:2:0: chroma planes of half the size, rounded up */
    const uint8_t *y, *u, *v;
    ptrdiff_t y_stride, u_stride, v_stride;
};
/* A planar picture of true size width x height, packed and padded. */
void nv12_from_planes(const struct nv12_planes *from, int width, int height, uint8_t *to);

#endif
