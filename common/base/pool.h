/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbered work items on several threads, results handed over in order: what comes out never
 * depends on the number of threads.
 *
 *     struct pool_job job = {.n_items = n, .n_threads = 4, .work = decode_one, .emit = write_one,
 * .user = &d}; pool_run(&job, &e);
 */
#ifndef TEG_BASE_POOL_H
#define TEG_BASE_POOL_H

#include <stddef.h>

#include "common/base/err.h"

struct pool_job {
    size_t n_items;
    size_t n_threads; /* at least 1; work runs on threads of its own, emit on the caller's */
    size_t window;    /* items computed ahead of the next to be emitted; 0 means 2 * n_threads */
    /* Computes item `item` on thread `thread` (0 .. n_threads-1) and leaves its result. */
    int (*work)(void *user, size_t item, size_t thread, void **result, struct err *e);
    /* Takes the results over in the order of the items. */
    int (*emit)(void *user, size_t item, void *result, struct err *e);
    /* Frees a result that will not be emitted (an earlier item failed); may be NULL. */
    void (*discard)(void *user, void *result);
    void *user;
};

/*
 * Runs the job. The first failing item (in item order) ends it: its error is returned, later
 * results are discarded. A stop request (stop.h) ends it with ERR_STOPPED after the items under
 * way.
 */
int pool_run(const struct pool_job *job, struct err *e);

/* Processors this process may use (affinity and cgroup quota), at least 1. */
size_t pool_n_processors(void);

#endif
