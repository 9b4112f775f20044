/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearest neighbours, exact: cosine similarity to every training example, the k nearest vote for
 * their class with weight exp(cosine / temperature) (Wu et al. 2018). Of equal cosines the earlier
 * example is the nearer.
 */
#ifndef TEG_EVAL_PROBE_KNN_H
#define TEG_EVAL_PROBE_KNN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/ui.h"
#include "kernels/backend.h"

/* Rows of unit length (or zero), so that products are cosines. */
struct knn_matrix {
    size_t n;
    const void *x; /* [n, width], backend memory */
};

struct knn_options {
    size_t k; /* or all examples where there are fewer */
    double temperature;
    size_t width, n_classes;
    enum dtype dtype;
    struct ui *ui;
};

struct knn_search {
    struct backend *b;
    struct knn_matrix train, test;
    const int32_t *label;  /* [train.n] */
    const uint32_t *group; /* [test.n] */
};

/*
 * Adds the votes of test row i, which sum to 1, to scores[group[i]], scores [groups, n_classes], in
 * the order of the rows.
 */
int knn_predict(const struct knn_search *search, const struct knn_options *options, double *scores,
                struct err *e);

#endif
