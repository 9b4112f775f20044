/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How well fixed features tell classes apart: a linear classifier or nearest neighbours on clip
 * embeddings (RECIPE section 4, Kinetics, UCF101, HMDB51 and VidSitu linear), or the class scores
 * of a fine-tuned model as they are. Class probabilities
 * of all clips and views of a video (or an event) are averaged, then there is one decision.
 *
 *     struct probe_options o = probe_defaults();
 *     o.source.embeddings = "embeddings.lmdb"; ...
 *     probe_run(&o, ui, &metrics, &e);           writes metrics.json and what else was asked for
 *     probe_print(stdout, metrics);
 */
#ifndef TEG_EVAL_PROBE_H
#define TEG_EVAL_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/eval/probe_data.h"
#include "common/eval/probe_linear.h"

enum probe_method { PROBE_LINEAR, PROBE_LOGISTIC, PROBE_KNN, PROBE_LOGITS };
/* NULL-ended, in the order of the enums. */
extern const char *const probe_method_names[], *const probe_normalize_names[];

struct probe_options {
    struct probe_source source;
    enum probe_method method;
    enum probe_normalize normalize; /* for nearest neighbours, as is means unit length */
    bool bias;
    enum dtype precision;   /* DTYPE_F32 or DTYPE_BF16: of features and products */
    struct sgd_options sgd; /* sgd.lr 0: 32 for classes of videos, 4 for events */
    struct lbfgs_options lbfgs;
    size_t k;           /* neighbours */
    double temperature; /* of their votes */
    const char *device; /* backend */
    size_t n_threads;
    const char *out;         /* metrics, JSON (schemas/metrics.schema.json) */
    const char *confusion;   /* PNG, or NULL */
    const char *similarity;  /* PNG, or NULL */
    const char *predictions; /* JSON Lines, one decision each, or NULL */
    bool force;              /* outputs may replace files that are no earlier outputs */
    struct json *argv;       /* borrowed; goes into the metrics */
};

/* The recipe for videos, with all clips in every epoch. */
struct probe_options probe_defaults(void);

/* Runs it all; `metrics` is the caller's, also written to options->out. */
int probe_run(const struct probe_options *options, struct ui *ui, struct json **metrics,
              struct err *e);

/* The table for people. */
void probe_print(FILE *out, const struct json *metrics);

#endif
