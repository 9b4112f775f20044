/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Average precision of predicted boxes, class by class, as both official programs compute it: a
 * prediction is right where the annotated box of its frame and class that overlaps it most does so
 * by half (intersection over union) and no prediction before it took that box; AP is the area under
 * the envelope of precision over recall. Of equal scores the prediction that comes later ranks
 * higher.
 */
#ifndef TEG_EVAL_AVA_SCORE_H
#define TEG_EVAL_AVA_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/eval/ava_rows.h"

#define AVA_IOU 0.5

struct ava_class_score {
    double ap; /* NaN where nothing is annotated */
    uint64_t n_boxes, n_predictions, n_matched;
};

/* Scores [d->labels->n]. An annotated box that ends before it begins fails, with its file and line,
 * where a prediction is compared with it. */
int ava_score(const struct ava_data *d, struct ava_class_score *scores, struct err *e);

/* Mean over the classes with annotations; NaN where there are none. */
double ava_mean_ap(const struct ava_class_score *scores, size_t n);

#endif
