/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The people in clips that are centred on key frames: the boxes of a samples store, as the network
 * sees them through the crop of each clip.
 *
 *     clip_boxes_open(&x, samples, frames, &e);
 *     n = clip_boxes_of(x, row, &box);                   those of the clip of a row
 *     if (clip_boxes_in_crop(x, row, &box[i], place))    left, top, right, bottom of the crop
 *         ...
 *     clip_boxes_free(x);
 */
#ifndef TEG_NN_CLIP_BOXES_H
#define TEG_NN_CLIP_BOXES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/store/frames.h"
#include "common/store/samples.h"

struct clip_boxes;

/* Fails where the samples hold no boxes. Both stores are asked only here. */
int clip_boxes_open(struct clip_boxes **x, struct samples *s, const struct frames *frames,
                    struct err *e);
void clip_boxes_free(struct clip_boxes *x); /* NULL allowed */

/* Boxes of one clip at most; at least 1. */
size_t clip_boxes_most(const struct clip_boxes *x);
/* How many boxes the clip of a row has, and the first of them. */
size_t clip_boxes_of(const struct clip_boxes *x, const struct sample *row,
                     const struct sample_box **first);

/*
 * A box of the clip in shares 0..1 of the row's crop, after its flip: left, top, right, bottom.
 * What lies outside of the crop is cut off; false where nothing is left, and `place` lies on the
 * edge.
 */
bool clip_boxes_in_crop(const struct clip_boxes *x, const struct sample *row,
                        const struct sample_box *box, float place[4]);
/* The same in a picture of `size` pixels, width and height. */
bool clip_boxes_place(const double size[2], const struct sample *row, const struct sample_box *box,
                      float place[4]);

#endif
