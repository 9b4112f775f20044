/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where clips start. A clip of `length` frames, `stride` apart, has the span (length - 1) * stride;
 * all positions are stored frames. Pair strategies draw a long and a short clip of a video
 * (pre-training), `single` draws one clip, the fixed plans (uniform, events, window, dense) list
 * the same clips always.
 *
 *     strategy_pair(STRATEGY_CONTAINED, shape, n_frames, &rng, start);   // long, short
 *
 * Videos too short for a clip (n_frames <= span): the clip starts anywhere in the video and wraps
 * around (SAMPLE_WRAP). Positions stay unwrapped, start + t * stride, so that the times of two
 * clips of such a video still compare: `contained` holds for them as for any other.
 */
#ifndef TEG_SAMPLING_STRATEGY_H
#define TEG_SAMPLING_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/rng.h"
#include "common/store/samples.h"

enum strategy {
    STRATEGY_CONTAINED, /* long anywhere, short inside its span (TeG) */
    STRATEGY_RANDOM,    /* long and short anywhere, independent */
    STRATEGY_CVRL,      /* two clips of one shape, their distance's density falling linearly */
    STRATEGY_SINGLE,    /* n_clips clips a video, anywhere, independent */
    STRATEGY_UNIFORM,   /* n_clips clips a video, evenly spaced */
    STRATEGY_EVENTS,    /* one clip centred on each event */
    STRATEGY_WINDOW,    /* one clip centred on every step-th frame */
    STRATEGY_DENSE,     /* consecutive clips that cover the video */
    STRATEGY_KEYFRAMES, /* one clip centred on each key frame that shows somebody */
};
extern const char *const strategy_names[]; /* in the order of the enum, NULL-ended */

bool strategy_is_pair(enum strategy s);  /* contained, random, cvrl */
bool strategy_is_fixed(enum strategy s); /* uniform, events, window, dense, keyframes: no draw */
enum sample_edge strategy_edge(enum strategy s); /* SAMPLE_CLAMP for events, window, keyframes */

enum { CLIP_MAX_LENGTH = 4096, CLIP_MAX_STRIDE = 4096 };

struct clip_shape {
    uint16_t length, stride; /* both at least 1 */
};

/* Reads "32x4": 32 frames, 4 apart. */
int clip_shape_parse(const char *text, struct clip_shape *out, struct err *e);

/* Frames between the first and the last frame of a clip. */
static inline int64_t clip_span(struct clip_shape c)
{
    return (int64_t)(c.length - 1) * c.stride;
}

/*
 * The centre of a clip is the mean position of its frames, half frames included: of 16 frames 2
 * apart, the 16th frame of the window of 32 that they cover.
 */
static inline double clip_centre(struct clip_shape c, int64_t start)
{
    return (double)start + 0.5 * (double)clip_span(c);
}

/* Start of a clip uniform over the starts at which it fits, or over all frames where none does. */
int64_t strategy_start(struct clip_shape shape, int64_t n_frames, struct rng *r);

/*
 * Starts of the two clips of a pair; shape[0] and start[0] belong to the long clip, whose draw
 * comes first, so that contained and random agree on it.
 * - contained: start[1] uniform in start[0] .. start[0] + span(long) - span(short), not empty.
 * - random: two independent strategy_start.
 * - cvrl: equal shapes; with m the number of starts that fit and u uniform, the starts are
 *   floor(m * (1 - sqrt(1 - u))) apart, the earlier one uniform over what is left, the order drawn;
 *   two independent starts where the video is too short. (As in CVRL's public code.)
 */
void strategy_pair(enum strategy s, const struct clip_shape shape[2], int64_t n_frames,
                   struct rng *r, int64_t start[2]);

/* A fixed plan, or the number of draws of `single`. */
struct clip_plan {
    enum strategy strategy;
    struct clip_shape shape;
    int64_t n_clips; /* uniform, single */
    int64_t step;    /* window: frames between centres */
    bool inside;     /* window: those that lie wholly in the video */
};

/* Clips of a video of n_frames > 0 frames and n_moments events or key frames. */
size_t clip_plan_count(const struct clip_plan *p, int64_t n_frames, size_t n_moments);

/* Number of the first clip: 0, but of windows inside their video that of the first that is. */
size_t clip_plan_first(const struct clip_plan *p);

/*
 * Start of the clip with number `clip` of a fixed plan.
 * - uniform: from 0 to the last start that fits, evenly, rounded down; one clip: the middle.
 * - events, keyframes: centred on frame `centre`, put into the video first; other plans ignore
 *   `centre`.
 * - window: centred on frame clip * step; may begin before or end behind the video (SAMPLE_CLAMP),
 *   unless it is to be inside: of the length * stride frames from its start on none is missing.
 * - dense: clip * length * stride; the last one moved back to end with the video.
 */
int64_t clip_plan_start(const struct clip_plan *p, int64_t n_frames, size_t clip, int64_t centre);

#endif
