/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoded frames of one video file, one after another, with timestamps. A file is decoded by one
 * thread at a time (any thread, not always the same), so that what comes out of a damaged file does
 * not depend on the machine. Runs with FFmpeg 5.1 to 7.1.
 *
 *     struct reader_options o = {0};
 *     reader_open(&r, "clip.mp4", &o, &e);
 *     while ((rc = reader_next(r, frame, &e)) > 0)
 *         ... frame->pts in units of reader_info(r)->unit_num / unit_den seconds ...
 *     reader_close(r);
 *
 * Frames that an edit list cuts away are decoded but not returned. Packets the decoder refuses are
 * counted and passed over, as FFmpeg's own tools do; reader_damage has the first complaint.
 * Interlaced pictures stay as they are, and pixels that are not square too.
 */
#ifndef TEG_VIDEO_READER_H
#define TEG_VIDEO_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct AVFrame;
struct hardware;

enum { READER_TIME_LIMIT = 60, READER_MAX_PIXELS = 8192 * 4608 };

struct reader_options {
    double time_limit; /* seconds a call may take without giving a frame; 0: READER_TIME_LIMIT */
    struct hardware *hardware; /* hardware.h; NULL: the processor decodes; borrowed */
};

struct reader_info {
    int width, height;          /* as coded, before rotation */
    int rotation;               /* degrees clockwise to be applied for display: 0, 90, 180, 270 */
    bool mirrored;              /* the display matrix also mirrors, which nobody applies */
    int64_t unit_num, unit_den; /* seconds of one timestamp unit */
    int64_t rate_num, rate_den; /* the container's finest frame rate, 0/1 where unknown */
    int64_t average_num, average_den; /* its average frame rate, 0/1 where unknown */
    char codec[32];                   /* FFmpeg's name, "h264" */
};

struct reader;
/* ERR_SYSTEM where the file is not there or not given out, ERR_SHORTAGE where no file would be. */
int reader_open(struct reader **r, const char *path, const struct reader_options *options,
                struct err *e);
void reader_close(struct reader *r); /* NULL allowed */
const struct reader_info *reader_info(const struct reader *r);

/* The next frame into `frame` (from av_frame_alloc): 1, 0 at the end, negative when reading cannot
 * go on. Its `pts` is the display time, or CLOCK_NO_TIME. */
int reader_next(struct reader *r, struct AVFrame *frame, struct err *e);
/* How long a frame says that it lasts, in timestamp units; 0 unknown. */
int64_t reader_duration(const struct AVFrame *frame);

/*
 * After a failure, with the reader closed: ERR_SHORTAGE where there is no memory for decoding
 * pictures of this size (0 x 0: not known), so that nothing can be said on the file. FFmpeg has
 * many words for that, and asks for impossible amounts in broken files: memory itself is asked.
 */
int reader_check_memory(int width, int height, struct err *e);

/* Reads through what is left of the file without decoding. */
int reader_skip(struct reader *r, struct err *e);

/* Timestamps of the packets that went by so far, those cut away by an edit list left out, in file
 * order: display times, or decoding times where more packets have those. The caller may sort them;
 * valid until the next call. Kept for the first READER_MAX_TIMES packets; reader_n_packets counts
 * all. */
enum { READER_MAX_TIMES = 1 << 21 };
int64_t *reader_times(struct reader *r, size_t *n);
int64_t reader_n_packets(const struct reader *r);

/* Whether a device decodes the file, or nobody knows yet: what fails may be the device's fault. */
bool reader_on_hardware(const struct reader *r);

/* Packets and frames that were damaged so far; the first complaint ("" while 0), borrowed. */
int64_t reader_n_damaged(const struct reader *r);
const char *reader_damage(const struct reader *r);

#endif
