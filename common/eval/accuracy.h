/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accuracy of class scores. Ties are decided once, here: of equal scores the class with the smaller
 * number comes first, so top-1 is the first maximum.
 *
 *     struct accuracy a;
 *     accuracy_init(&a, n_classes, &e);
 *     accuracy_add(&a, label, scores);        once a decision
 *     accuracy_top1(&a), accuracy_top5(&a), accuracy_mean_class(&a)
 *     accuracy_release(&a);
 */
#ifndef TEG_EVAL_ACCURACY_H
#define TEG_EVAL_ACCURACY_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Position of the first maximum of n > 0 scores. */
size_t scores_first_max(const double *scores, size_t n);

/* Number of classes that come before `label`: 0 is the best; label is in the top k iff its rank <
 * k. */
size_t scores_rank(const double *scores, size_t n, size_t label);

/* The k <= n best classes, best first, into top [k]. */
void scores_top(const double *scores, size_t n, size_t k, uint32_t *top);

struct class_count {
    uint64_t n, correct;
};

struct accuracy {
    size_t n_classes;
    struct class_count *classes; /* [n_classes], owned */
    uint64_t n, n_top1, n_top5;
};

int accuracy_init(struct accuracy *a, size_t n_classes, struct err *e);
void accuracy_release(struct accuracy *a);

/* One decision: scores [n_classes], label < n_classes. Returns the predicted class. */
size_t accuracy_add(struct accuracy *a, size_t label, const double *scores);

/* Shares of the decisions in 0..1; 0 where there are none. Top-5 of fewer than five classes is 1.
 */
double accuracy_top1(const struct accuracy *a);
double accuracy_top5(const struct accuracy *a);
/* Mean over the classes that occur of the share that is right in each. */
double accuracy_mean_class(const struct accuracy *a);

#endif
