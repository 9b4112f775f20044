/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures 4:2:0 as a GPU's decoder gives them, Cb and Cr side by side, turned into three planes,
 * as the processor's decoders give them. Chroma has half the size, rounded up.
 */
#ifndef TEG_VIDEO_PLANAR_H
#define TEG_VIDEO_PLANAR_H

#include <stddef.h>
#include <stdint.h>

struct planar_source {
    const uint8_t *luma, *chroma;
    ptrdiff_t luma_stride, chroma_stride; /* bytes */
    int width, height;                    /* of the luma */
    int shift; /* 0: samples of one byte; else of two, whose bits are moved down by so many */
};

struct planar_planes {
    uint8_t *plane[3];   /* luma, Cb, Cr; samples as wide as the source's */
    ptrdiff_t stride[3]; /* bytes */
};

/* Nothing beside the samples is read or written. */
void planar_split(const struct planar_source *from, const struct planar_planes *to);

#endif
