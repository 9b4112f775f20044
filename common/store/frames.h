/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames store (schema "frames"): key `<id>` holds JSON, key `<id>/<8 digits>` one frame as
 * uint8 [3H/2, W]: Y'CbCr 4:2:0 in NV12 order (H luma rows, then H/2 rows of interleaved Cb Cr),
 * every row stored as its difference from the row above (mod 256). H and W are even; a picture of
 * odd size is padded by one replicated row or column, and `width`, `height` give its true size. See
 * schemas/frames.md.
 */
#ifndef TEG_STORE_FRAMES_H
#define TEG_STORE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/codec.h"
#include "common/store/store.h"

#define FRAMES_SCHEMA "frames"
enum { FRAMES_VERSION = 1, FRAMES_MAX_SIDE = 16384 };

enum color_matrix { COLOR_BT601, COLOR_BT709, COLOR_BT2020 };

struct frames_info {
    int width, height;               /* true picture size, after rotation and scaling */
    int stored_width, stored_height; /* both even: width, height rounded up (not in the record) */
    int64_t n_frames;                /* stored frames: keys 0 .. n_frames-1 */
    int64_t fps_num, fps_den;        /* of the stored frames (frame step included) */
    int64_t frame_step;              /* every n-th frame of the clock was stored */
    enum color_matrix matrix;
    bool full_range;  /* luma 0..255 instead of 16..235 */
    bool ok;          /* false: decoding failed part-way; n_frames frames were kept (maybe 0) */
    char reason[256]; /* "" where there is nothing to say */
};

struct json *frames_info_to_json(const struct frames_info *info);
int frames_info_from_json(struct frames_info *info, const struct json *j, struct err *e);

/* Seconds in the middle of the interval that a stored frame stands for, where the decoder looked
 * for it; `position` may be between two frames. */
static inline double frames_seconds(const struct frames_info *info, double position)
{
    return (position + 0.5) * ((double)info->fps_den / (double)info->fps_num);
}

/* "<id>/<frame, 8 digits>" into key (STORE_MAX_KEY + 1 bytes). */
int frames_key(char *key, const char *id, int64_t frame, struct err *e);

/* rows * stride bytes: row differences in place, and back. `stride` = stored_width. */
void frames_difference(uint8_t *picture, size_t n_rows, size_t stride);
void frames_undo_difference(uint8_t *picture, size_t n_rows, size_t stride);

/* Packs one NV12 picture [3H/2, W] (tight rows; overwritten by its differences) into a value. */
int frames_pack(struct codec *c, uint8_t *picture, int stored_width, int stored_height,
                struct buf *out, struct err *e);

/* Reader: one per thread. */
struct frames;
int frames_open(struct frames **f, const char *path, struct err *e);
int frames_share(struct frames **copy, struct frames *f, struct err *e);
void frames_close(struct frames *f);
struct store *frames_store(struct frames *f);
/* Ids in key order, loaded at open (shared by copies). */
size_t frames_n_videos(const struct frames *f);
const char *frames_id(const struct frames *f, size_t video);
const struct frames_info *frames_video(const struct frames *f, size_t video);
long frames_find(const struct frames *f, const char *id); /* -1 where absent */
/* One frame, differences undone, into `picture` [3H/2, W] of the video's stored size. */
int frames_read(struct frames *f, size_t video, int64_t frame, uint8_t *picture, struct err *e);

#endif
