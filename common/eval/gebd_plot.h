/* SPDX-License-Identifier: Apache-2.0 */
/* One video as a picture: a line of time with frames, scores, predictions, and each rater's
 * boundaries in a row. */
#ifndef TEG_EVAL_GEBD_PLOT_H
#define TEG_EVAL_GEBD_PLOT_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/eval/gebd_eval.h"
#include "common/eval/gebd_scores.h"

struct gebd_plot {
    const struct gebd_request *request;
    struct gebd_scores *scores; /* or NULL */
    double score_threshold;
    const char *frames; /* frames store, or NULL */
    const char *id;     /* of the video */
    size_t threshold;   /* which of gebd_thresholds the bands around boundaries show */
};

int gebd_plot_write(const struct gebd_plot *plot, const char *path, struct err *e);

#endif
