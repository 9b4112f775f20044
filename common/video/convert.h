/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoded frames of any pixel format to the NV12 pictures of the frames store: 8 bits, 4:2:0,
 * scaled, turned upright. Samples keep the matrix and range they were coded with, which the store
 * records. Only RGB is converted: to limited range, with the matrix that a picture of its size
 * would have.
 *
 * Scaling is swscale's bicubic filter: it widens with the factor, so nothing aliases; it keeps more
 * detail than area averaging; and it is what the field's data sets were prepared with. The
 * exact-rounding code paths give the same bytes on every processor, at the same speed.
 */
#ifndef TEG_VIDEO_CONVERT_H
#define TEG_VIDEO_CONVERT_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/store/frames.h"

struct AVFrame;

/*
 * Sets width, height, stored_width, stored_height, matrix and full_range of `info` for a video that
 * begins with `first`. The short side becomes `short_side` (the other one the nearest even number)
 * where it is longer; nothing is enlarged; 0 keeps the size.
 */
void convert_plan(const struct AVFrame *first, int short_side, int rotation,
                  struct frames_info *info);

struct converter; /* one per thread; remembers the scalers of the last few sources */
int converter_new(struct converter **c, struct err *e);
void converter_free(struct converter *c);

struct convert_target {
    const struct frames_info *info;
    int rotation; /* degrees clockwise */
};
/* `frame` of any size into `picture`, nv12_bytes(info->width, info->height) bytes. */
int converter_run(struct converter *c, const struct AVFrame *frame,
                  const struct convert_target *target, uint8_t *picture, struct err *e);

#endif
