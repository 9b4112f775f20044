/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts between shots, as PySceneDetect's ContentDetector finds them: a frame that differs from the
 * one before it by a mean of at least `threshold` in hue, saturation and value (8 bits each, as
 * OpenCV has them) begins a shot, unless fewer than `min_scene` frames have passed since the last
 * one began.
 */
#ifndef TEG_EVAL_DETECT_SHOTS_H
#define TEG_EVAL_DETECT_SHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/store/frames.h"

struct shots_options {
    double threshold;
    int64_t min_scene; /* stored frames */
};

/* The cuts of a video in seconds, as a JSON array; NULL on failure. */
struct json *shots_detect(struct frames *f, size_t video, const struct shots_options *o,
                          struct err *e);

/* Pixels of RGB [n, 3] as hue (0..179), saturation, value in three planes [3, n]. */
void shots_hsv(const uint8_t *rgb, size_t n, uint8_t *hsv);
/* Mean difference of two pictures of n pixels, [3, n] each. */
double shots_difference(const uint8_t *a, const uint8_t *b, size_t n);

/* Goes through the frames of a video; begin with {0}. True where a shot begins. */
struct shots_filter {
    int64_t last; /* first frame of the shot so far */
};
bool shots_is_cut(struct shots_filter *f, int64_t frame, double difference,
                  const struct shots_options *o);

#endif
