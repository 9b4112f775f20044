/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A linear classifier on fixed features, softmax(x W): trained by the recipe's SGD (RECIPE section
 * 4), or to the optimum of the regularised loss by L-BFGS. Computes by backend operations; starts
 * from zero weights, which for this convex loss is as good as any and needs no seed. The bias is a
 * weight like the others: the features carry a column of ones.
 *
 *     linear_new(&m, &shape, backend, &e);
 *     linear_fit_sgd(m, &examples, &options, &fit, &e);      or linear_fit_lbfgs
 *     linear_predict(m, &examples, group, scores, &e);
 *     linear_free(m);
 */
#ifndef TEG_EVAL_PROBE_LINEAR_H
#define TEG_EVAL_PROBE_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/ui.h"
#include "kernels/backend.h"

struct linear_shape {
    size_t n_channels; /* columns that weight decay applies to */
    size_t width;      /* all columns: channels, ones, padding */
    size_t n_classes;
    enum dtype dtype; /* of the features and of the products; weights and sums are float32 */
};

struct linear_examples {
    size_t n;
    const void *x;         /* [n, width], backend memory */
    const int32_t *label;  /* [n]; not used for prediction */
    const uint32_t *group; /* [n], below n: the same for views of one thing; read where an epoch
                              takes some of these only */
};

struct sgd_options {
    uint64_t epochs, warmup_epochs; /* warmup_epochs < epochs */
    size_t
        batch; /* or all examples where there are fewer; the rest of an epoch's order is dropped */
    double lr, momentum, weight_decay;
    uint64_t views_per_epoch; /* examples that an epoch takes of each group, drawn anew every time;
                                 0: all of them */
    uint64_t seed;            /* of the order of the examples, and of these draws */
    struct ui *ui;
};

struct lbfgs_options {
    uint64_t max_iterations;
    double l2;        /* minimises mean loss + l2 / 2 * |W|^2, the bias left out */
    double tolerance; /* ends where no component of the gradient is larger */
    struct ui *ui;
};

/* What came out: means over the last epoch, or at the end of L-BFGS. */
struct linear_fit {
    double loss, accuracy; /* loss without the penalty */
    uint64_t steps;        /* of the optimiser */
};

struct linear;
int linear_new(struct linear **m, const struct linear_shape *shape, struct backend *b,
               struct err *e);
void linear_free(struct linear *m); /* NULL allowed */

int linear_fit_sgd(struct linear *m, const struct linear_examples *examples,
                   const struct sgd_options *options, struct linear_fit *fit, struct err *e);
int linear_fit_lbfgs(struct linear *m, const struct linear_examples *examples,
                     const struct lbfgs_options *options, struct linear_fit *fit, struct err *e);

/* scores [n] += softmax(logits). */
void linear_add_softmax(const float *logits, size_t n, double *scores);

/* Adds the softmax of example i to scores[group[i]], scores [groups, n_classes], in the order of
 * the examples. */
int linear_predict(struct linear *m, const struct linear_examples *examples, const uint32_t *group,
                   double *scores, struct err *e);

#endif
