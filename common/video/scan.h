/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a video file is, for the index: the first frame is decoded, the rest of the file read
 * through for its timestamps (or decoded, too).
 */
#ifndef TEG_VIDEO_SCAN_H
#define TEG_VIDEO_SCAN_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/store/index.h"
#include "common/video/reader.h"

struct scan_options {
    double time_limit; /* see reader.h */
    bool verify;       /* decode every frame */
};

/*
 * Fills width, height, rotation, fps, n_frames, duration, codec, variable_rate, verified, ok and
 * reason of `v` from the file at `path`. A file that gives no frame is not an error: ok is false
 * and `reason` says why. One that gives some but is damaged stays ok, with a reason. Negative only
 * when memory or files are exhausted, which says nothing on this one.
 *
 * The rate is constant where every timestamp lies within half a frame of it. Otherwise
 * variable_rate is set and fps is the rate to resample at: the container's finest one where that is
 * up to half as much again as the average, else the average.
 */
int scan_video(struct video *v, const char *path, const struct scan_options *options,
               struct err *e);

/* The rule above on n timestamps (sorted here); sets fps_num, fps_den, variable_rate and duration
 * of `v`. */
void scan_rate(struct video *v, const struct reader_info *info, int64_t *times, size_t n);

#endif
