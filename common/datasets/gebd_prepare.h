/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinetics-GEBD's raw annotations become the ground truth that its evaluation works on, as the
 * data set's own notebook does it (FORMATS 2.2), with its quirks: they are in all published
 * numbers.
 *
 *     enum gebd_prepared what;
 *     struct json *video;
 *     gebd_prepare_video(raw_video, &video, &what, &e);    one video
 *     gebd_prepare(raw, &prepared, &counts, &e);           all of them
 *
 * Raw: {fps, video_duration, num_frames, path_video, f1_consis, f1_consis_avg,
 * substages_timestamps: a list for each rater of {start_time, end_time, label}}. Prepared: the same
 * with path_frame, and for each rater the times of the boundaries in seconds, ascending
 * (substages_timestamps), and in frames (substages_myframeidx).
 */
#ifndef TEG_DATASETS_GEBD_PREPARE_H
#define TEG_DATASETS_GEBD_PREPARE_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"

enum gebd_prepared {
    GEBD_PREPARED,
    GEBD_FEW_RATERS, /* left out: less than three */
    GEBD_INCOMPLETE, /* left out: fps, num_frames, video_duration or f1_consis_avg is not known */
    GEBD_PREPARED_N
};

/* *out is NULL for a video that is left out; else the caller's to free. */
int gebd_prepare_video(const struct json *raw, struct json **out, enum gebd_prepared *what,
                       struct err *e);

/* An object id -> raw video becomes id -> prepared video. counts [GEBD_PREPARED_N]. */
int gebd_prepare(const struct json *raw, struct json **out, size_t *counts, struct err *e);

#endif
