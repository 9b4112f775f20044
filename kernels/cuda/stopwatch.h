/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long something takes on the backend's stream, started as the steps of a training are: from a
 * recording (recording.h), so that the host's time for starting kernels does not count.
 *
 *     struct stopwatch w;
 *     stopwatch_init(&w, b, &e);
 *     float ms = stopwatch_time(&w, INFINITY, run, user);
 *     stopwatch_release(&w);
 */
#ifndef TEG_KERNELS_CUDA_STOPWATCH_H
#define TEG_KERNELS_CUDA_STOPWATCH_H

#include <cuda_runtime.h>

#include "kernels/backend.h"

struct stopwatch {
    struct backend *backend;
    cudaEvent_t begin, end;
};

int stopwatch_init(struct stopwatch *w, struct backend *b, struct err *e);
void stopwatch_release(struct stopwatch *w); /* also one that is all zeros */

/* Milliseconds of a run, as the mean of some; `run` ran before. Infinite where one fails, or the
 * first takes longer than `hopeless`. What cannot be recorded counts for a thousand times slower.
 */
float stopwatch_time(const struct stopwatch *w, float hopeless,
                     int (*run)(void *user, struct err *e), void *user);

#endif
