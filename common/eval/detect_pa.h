/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PA, Kinetics-GEBD's predictability assessment without parameters to learn (FORMATS 2.6): where
 * the features before the centre of a window say least about those behind it, there is a boundary.
 * The error of a window is the mean squared difference of the two halves' mean features; boundaries
 * are the peaks of its smoothed Laplacian of Gaussian.
 */
#ifndef TEG_EVAL_DETECT_PA_H
#define TEG_EVAL_DETECT_PA_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/eval/gebd_series.h"
#include "common/store/embeddings.h"

struct pa_options {
    double smooth, scale; /* standard deviations of the two filters, in windows */
};

/* Memory of one thread; zero-initialise it. */
struct pa_memory {
    float *steps; /* [T', C] */
    struct gebd_series_memory series;
};
void pa_release(struct pa_memory *m);

/* The boundaries of a video in seconds, as a JSON array; NULL on failure. */
struct json *pa_detect(struct embeddings *m, size_t video, const struct pa_options *o,
                       struct pa_memory *memory, struct err *e);

/* Positions of the boundaries in the errors of n windows, ascending, into out [n]. */
int pa_boundaries(const double *error, size_t n, const struct pa_options *o, size_t *out,
                  size_t *n_out, struct err *e);

#endif
