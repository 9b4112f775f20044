/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the sample table become rendered clips: the frames of a clip are read (decompressed, row
 * differences undone), and one operation of the backend makes [T, S, S, 3] of them. One handle
 * serves one thread.
 *
 *     struct clips_options o = {.crop_size = 224, .dtype = DTYPE_F32};
 *     clips_open(&c, frames, backend, &o, &e);
 *     clips_read(c, video, &row, pixels, &e);
 *     clips_close(c);
 *
 * The last pictures stay in memory (twice as many as the longest clip has), so a frame that the
 * next clip needs too is decompressed once: short clips inside long ones, several crops of one
 * clip, overlapping windows.
 */
#ifndef TEG_NN_CLIPS_H
#define TEG_NN_CLIPS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/frames.h"
#include "common/store/samples.h"
#include "kernels/backend.h"

struct clips_options {
    size_t crop_size; /* S: clips are S x S */
    enum dtype dtype; /* DTYPE_F32 or DTYPE_BF16 */
};

struct clips;
/* Makes a frames handle of its own (close before `frames`); `b` is borrowed, its threads render. */
int clips_open(struct clips **c, struct frames *frames, struct backend *b,
               const struct clips_options *o, struct err *e);
void clips_close(struct clips *c);

/*
 * Renders row `s` of video number `video` of the frames store (s->video is not looked at) into
 * `pixels`, device memory [s->length, S, S, 3]. Errors name the video.
 */
int clips_read(struct clips *c, size_t video, const struct sample *s, void *pixels, struct err *e);

/* The first half alone: the clip's pictures, NV12 [3H/2, W] each; borrowed until the next call. */
int clips_pictures(struct clips *c, size_t video, const struct sample *s,
                   struct clip_pixels *pixels, struct err *e);

/* Bytes of one rendered clip. */
size_t clips_bytes(const struct clips_options *o, size_t length);

/* Frames decompressed so far. */
uint64_t clips_n_decompressed(const struct clips *c);

/* For each of n ids its number in `frames`, or -1. Caller frees; NULL when memory is exhausted. */
long *clips_find_videos(const struct frames *frames, const char *const *ids, size_t n,
                        struct err *e);

#endif
