/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers along a video: one a window, at the window's centre.
 *
 *     gebd_series_reserve(&memory, n_clips, &e);
 *     gebd_series_add(&memory, &window, clip, value, &e);     once a clip of a store, in its order
 *     struct gebd_series s = {memory.time, memory.score, window.n_windows};
 */
#ifndef TEG_EVAL_GEBD_SERIES_H
#define TEG_EVAL_GEBD_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/embeddings.h"

struct gebd_series {
    const double *time, *score; /* [n] in the order of time */
    size_t n;
};

/* Memory of a series; zero-initialise it. */
struct gebd_series_memory {
    double *time, *score;
    size_t cap;
};
int gebd_series_reserve(struct gebd_series_memory *m, size_t n, struct err *e);
void gebd_series_release(struct gebd_series_memory *m);

/* The last window of a series under construction; zero-initialise it. */
struct gebd_window {
    size_t n_windows, n_views;
    uint32_t clip;
};
/* Views of a window follow each other and are averaged; windows come in the order of time. */
int gebd_series_add(struct gebd_series_memory *m, struct gebd_window *w,
                    const struct embedding_clip *clip, double value, struct err *e);

#endif
