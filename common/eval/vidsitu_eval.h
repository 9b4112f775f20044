/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VidSitu's verb metric of predictions in the official form against the official annotation files.
 *
 *     struct vidsitu_options o = {.predictions = "pred.json", .annotations = "vidsitu_annotations",
 *                                 .split = "valid", .out = "metrics.json"};
 *     vidsitu_run(&o, ui, &metrics, &e);
 *     vidsitu_eval_print(stdout, metrics);
 */
#ifndef TEG_EVAL_VIDSITU_EVAL_H
#define TEG_EVAL_VIDSITU_EVAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"

struct vidsitu_options {
    const char *predictions; /* JSON, see vidsitu_predictions.h */
    const char *annotations; /* folder with vseg_split_SPLIT_lb.json and vinfo_SPLIT_lb.json, or
                                with the folders that they are released in */
    const char *split;
    uint64_t max_missing; /* videos of the split that may lack predictions; they do not count */
    const char *out;      /* metrics, JSON (schemas/metrics.schema.json) */
    bool force;           /* it may replace a file that is no earlier output */
    struct json *argv;    /* borrowed; goes into the metrics */
};

/* `metrics` is the caller's, also written to options->out. */
int vidsitu_run(const struct vidsitu_options *options, struct ui *ui, struct json **metrics,
                struct err *e);
/* For people. */
void vidsitu_eval_print(FILE *out, const struct json *metrics);

#endif
