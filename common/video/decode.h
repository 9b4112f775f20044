/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One video as the frames store will hold it: which decoded frame is which stored frame, at a
 * constant rate (clock.h), every frame_step-th tick.
 *
 *     decoder_new(&d, &request, &e);
 *     while ((rc = decoder_next(d, frame, &range, &e)) > 0)
 *         ... `frame` is stored frame range.first .. range.end - 1 ...
 *     info = decoder_info(d);  // complete now
 *
 * A file that cannot be decoded, or not to its end, is no error: info->ok is false and its reason
 * says why. One that was replaced since the index was made is ok, too: its reason says what
 * differs.
 */
#ifndef TEG_VIDEO_DECODE_H
#define TEG_VIDEO_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/frames.h"

struct AVFrame;
struct hardware;

enum { DECODE_MAX_FRAMES = 100000000 }; /* frame numbers have 8 digits */

struct decode_settings {
    int short_side;            /* see convert_plan */
    int64_t fps_num, fps_den;  /* rate of the clock; fps_num 0: each video's own */
    int64_t frame_step;        /* every n-th tick is stored */
    double time_limit;         /* see reader.h */
    struct hardware *hardware; /* hardware.h; NULL: the processor decodes; borrowed */
};

struct decode_request {
    const char *path;
    const char *bad;          /* known to be bad (not opened): why; NULL mostly */
    int rotation;             /* degrees clockwise */
    int64_t fps_num, fps_den; /* of the file, as the index has it */
    bool variable_rate;
    int width, height; /* as coded, by the index; 0: unknown, and not compared */
    int64_t n_frames;  /* the same: of packets, or where `verified` of decoded frames */
    bool verified;
    int64_t n_done; /* stored frames that are not needed any more */
};

struct frame_range {
    int64_t first, end;
};

struct decoder;
/* Borrows both; the file is opened by the first decoder_next. */
int decoder_new(struct decoder **d, const struct decode_request *request,
                const struct decode_settings *settings, struct err *e);
void decoder_free(struct decoder *d); /* NULL allowed */

/* 1 a frame, 0 the end; ERR_SYSTEM where the file is not given out, ERR_SHORTAGE where memory or
 * files have run out: both say nothing on what is in it. */
int decoder_next(struct decoder *d, struct AVFrame *frame, struct frame_range *range,
                 struct err *e);

/* Sizes and colours once a frame was given; all of it after the end. */
const struct frames_info *decoder_info(const struct decoder *d);

#endif
