/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the probe: what came out, as JSON, text and pictures. */
#ifndef TEG_EVAL_PROBE_REPORT_H
#define TEG_EVAL_PROBE_REPORT_H

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/eval/accuracy.h"
#include "common/eval/probe.h"
#include "common/eval/similarity.h"
#include "common/eval/vidsitu.h"

struct probe_result {
    const struct probe_options *options;
    const struct probe_data *data;
    const struct similarity *similarity;
    struct accuracy accuracy;
    double *scores;      /* [test decisions, n_classes], each row sums to 1 */
    uint32_t *predicted; /* [test decisions] */
    bool has_verbs;      /* else `verbs` holds nothing */
    struct vidsitu_scores verbs[VIDSITU_N_RULES];
    bool fitted; /* by training; else `fit` holds nothing */
    struct linear_fit fit;
};

/* The whole metrics document. NULL when memory is exhausted. */
struct json *probe_report(const struct probe_result *r);
int probe_write_predictions(const struct probe_result *r, const char *path, struct err *e);
int probe_draw_confusion(const struct probe_result *r, const char *path, struct err *e);
/* Where data->n_full > 0. */
int probe_draw_similarity(const struct probe_result *r, const char *path, struct err *e);

#endif
