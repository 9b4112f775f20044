/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many videos to packed frame records, on several threads, handed over in the order of the videos
 * and their frames: the result never depends on the number of threads. A file is decoded by one
 * thread at a time; threads that find no file to decode (the queue is full, or the last long video
 * runs) scale and compress for the others. What waits to be handed over is bounded, however long a
 * video is.
 */
#ifndef TEG_VIDEO_PIPELINE_H
#define TEG_VIDEO_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/frames.h"
#include "common/video/decode.h"

/* Bytes of packed frames that may wait, whatever the number of threads, and more for each of them.
 */
enum { PIPELINE_QUEUE_BYTES = 48 << 20, PIPELINE_QUEUE_BYTES_PER_THREAD = 16 << 20 };

struct pipeline_job {
    const struct decode_request *videos;
    size_t n_videos;
    size_t n_threads;
    struct decode_settings settings;
    int level; /* zstd */
    /* Both are called on the caller's thread. A record of stored frame `frame`, in frame order: */
    int (*frame)(void *user, size_t video, int64_t frame, const struct blob *value, struct err *e);
    /* Behind the last frame of a video: */
    int (*end)(void *user, size_t video, const struct frames_info *info, struct err *e);
    void *user;
};

/* ERR_STOPPED after a stop request (stop.h). */
int pipeline_run(const struct pipeline_job *job, struct err *e);

#endif
