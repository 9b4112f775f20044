/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The official metric of AVA and AVA-Kinetics: frame-level mean average precision at IoU 0.5 of
 * predictions in a CSV file, under the rules of either official program.
 *
 *     struct ava_options o = {.predictions = "det.csv", .annotations = {"gt.csv"}, ...};
 *     ava_run(&o, ui, &metrics, &e);             writes metrics.json
 *     ava_print(stdout, metrics);
 */
#ifndef TEG_EVAL_AVA_H
#define TEG_EVAL_AVA_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/eval/ava_rows.h"

enum { AVA_MAX_FILES = 8 };

struct ava_options {
    const char *predictions; /* CSV, see ava_rows.h; or NULL */
    const char *scores;      /* in their place: an embeddings store, see ava_scores.h */
    const char *csv;         /* of `scores`: the same as a file of predictions to write; or NULL */
    const char *annotations[AVA_MAX_FILES]; /* CSV, read as one */
    size_t n_annotations;
    const char *labels;  /* pbtxt, see ava_labels.h */
    const char *exclude; /* CSV "video,timestamp"; SlowFast's rules only; or NULL */
    enum ava_rules rules;
    const char *out;   /* metrics, JSON (schemas/metrics.schema.json) */
    bool force;        /* outputs may replace files that are no earlier outputs */
    struct json *argv; /* borrowed; goes into the metrics */
};

/* `metrics` is the caller's, also written to options->out. */
int ava_run(const struct ava_options *options, struct ui *ui, struct json **metrics, struct err *e);

/* The table for people, a line a class. */
void ava_print(FILE *out, const struct json *metrics);

#endif
