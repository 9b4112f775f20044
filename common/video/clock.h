/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts frames with timestamps on a constant rate. Tick n = 0, 1, ... of the clock looks at the time
 * (n + 1/2) / rate after the first frame and shows the frame on display then: the last one whose
 * time is not later. Looking at the middle of a tick makes a constant-rate video come out frame by
 * frame although its timestamps are rounded (to milliseconds, say), lets a lost frame be replaced
 * by the one before it, and keeps every event at its time to half a frame.
 *
 *     struct clock c;
 *     clock_init(&c, &rates);
 *     for each frame: n = clock_add(&c, its timestamp);  // ticks that show the frame BEFORE this
 * one n = clock_end(&c, 0);                              // ticks that show the last frame
 *
 * Time zero is the first frame, whatever its timestamp. A frame without timestamp comes one frame
 * after the one before it. A step back of at most a second takes the place of the frame before it
 * (time stands still, the later frame is shown); a larger step back, or one of more than a minute
 * ahead, is a break in the timestamps, and time goes on one frame later. Arithmetic is exact.
 */
#ifndef TEG_VIDEO_CLOCK_H
#define TEG_VIDEO_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_NO_TIME INT64_MIN

enum { CLOCK_MAX_BACK = 1, CLOCK_MAX_AHEAD = 60 }; /* seconds */

struct clock_rates {
    int64_t unit_num,
        unit_den; /* seconds of one timestamp unit; each below 2^31, like all of these */
    int64_t source_num, source_den; /* frames a second of the source: how long one frame lasts */
    int64_t num, den;               /* ticks a second */
};

struct clock {
    struct clock_rates rates;
    bool started;
    int64_t shift;   /* timestamp + shift = units since the first frame */
    int64_t last;    /* time of the newest frame, units since the first */
    int64_t n_ticks; /* ticks given out */
    int64_t n_breaks;
};

void clock_init(struct clock *c, const struct clock_rates *rates);
/* Number of ticks that show the frame before this one (0 for the first frame). */
int64_t clock_add(struct clock *c, int64_t timestamp);
/* Number of ticks that show the last frame, which lasts `duration` units, or one frame where that
 * is more; a video has one tick at least. 0 where no frame was added. */
int64_t clock_end(struct clock *c, int64_t duration);

/* Whether n ascending timestamps come out frame by frame at rates->num / rates->den. */
bool clock_fits(const struct clock_rates *rates, const int64_t *timestamps, size_t n);

#endif
