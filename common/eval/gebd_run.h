/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What teg-gebd-eval does: files in, metrics out.
 *
 *     struct gebd_options o = gebd_defaults();
 *     o.annotations = "gt.json"; o.predictions = "pred.json"; o.out = "metrics.json";
 *     gebd_run(&o, ui, &metrics, &e);
 *     gebd_print(stdout, metrics);
 */
#ifndef TEG_EVAL_GEBD_RUN_H
#define TEG_EVAL_GEBD_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/eval/gebd_eval.h"
#include "common/eval/gebd_group.h"

struct gebd_options {
    const char *annotations;
    const char *predictions, *scores; /* one of them, the other NULL */
    enum gebd_rules rules;
    enum gebd_unit unit; /* of `predictions`; scores give seconds */
    double downsample;   /* frames of a unit, with GEBD_FRAMES */
    enum gebd_grouping grouping;
    double score_threshold;
    size_t n_threads;
    const char *out;            /* metrics, JSON (schemas/metrics.schema.json) */
    const char *per_video;      /* TSV, or NULL */
    size_t threshold;           /* which of gebd_thresholds it is for */
    const char *plot, *plot_id; /* PNG of one video; or NULL */
    const char *frames;         /* frames store for its thumbnails, or NULL */
    bool force;                 /* outputs may replace files that are no earlier outputs */
    struct json *argv;          /* borrowed; goes into the metrics */
};

struct gebd_options gebd_defaults(void);

/* Runs it all; `metrics` is the caller's, also written to options->out. */
int gebd_run(const struct gebd_options *options, struct ui *ui, struct json **metrics,
             struct err *e);

/* The table for people. */
void gebd_print(FILE *out, const struct json *metrics);

#endif
