/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long something takes on the backend's stream.
 *
 *     struct stopwatch w;
 *     stopwatch_init(&w, b, &e);
 *     float ms = stopwatch_time(&w, 3, run, user);
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

/* Milliseconds of one of `repeats` runs; infinite where one returns false or fails. */
float stopwatch_time(const struct stopwatch *w, int repeats, bool (*run)(void *user), void *user);

#endif
