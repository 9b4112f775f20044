/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event boundaries without learning from labels, as predictions (JSON, id -> seconds): baselines of
 * Kinetics-GEBD, and what becomes of a classifier's scores.
 *
 *     struct detect_options o = detect_defaults();
 *     o.method = DETECT_SHOTS; o.input = "frames.lmdb"; o.out = "pred.json";
 *     detect_run(&o, ui, &e);
 */
#ifndef TEG_EVAL_DETECT_H
#define TEG_EVAL_DETECT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/ui.h"
#include "common/eval/detect_pa.h"
#include "common/eval/detect_shots.h"
#include "common/eval/gebd_group.h"

enum detect_method {
    DETECT_SHOTS,  /* cuts between shots, of a frames store */
    DETECT_PA,     /* unpredictable moments, of an embeddings store of dense windows */
    DETECT_SCORES, /* runs of high scores, see gebd_scores.h */
};
extern const char *const detect_method_names[]; /* NULL-ended */

struct detect_options {
    enum detect_method method;
    const char *input, *out;
    bool force; /* `out` may replace a file that is no earlier output */
    struct shots_options shots;
    struct pa_options pa;
    enum gebd_grouping grouping;
    double score_threshold;
    const char *annotations; /* for scores in JSON; else NULL */
    size_t n_threads;        /* the result does not depend on it */
};
struct detect_options detect_defaults(void);

int detect_run(const struct detect_options *o, struct ui *ui, struct err *e);

#endif
