/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution passes by plain kernels with float64 sums: what candidates are checked against, and
 * the way out where a library has nothing.
 */
#ifndef TEG_KERNELS_CUDA_CONV_PLAIN_H
#define TEG_KERNELS_CUDA_CONV_PLAIN_H

#include "kernels/cuda/conv_view.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The three tensors of a pass; one of them is its result. */
struct conv_tensors {
    void *x, *w, *y;
    enum dtype x_type, w_type, y_type;
};

struct conv_problem {
    struct conv_view view;
    enum conv_pass pass;
    struct conv_tensors t;
};

/* Computes the whole result. */
int conv_plain(struct backend *b, const struct conv_problem *p);

enum { CONV_MAX_SAMPLES = 1024 };
/* Some elements of a pass's result: what they should be for its factors, and what they are. */
struct conv_samples {
    size_t n;
    double want[CONV_MAX_SAMPLES], got[CONV_MAX_SAMPLES];
};
int conv_sample_want(struct backend *b, const struct conv_problem *p, struct conv_samples *s,
                     struct err *e);
int conv_sample_got(struct backend *b, const struct conv_problem *p, struct conv_samples *s,
                    struct err *e);

/* Random numbers in [-1, 1). */
int conv_fill(struct backend *b, void *x, enum dtype type, size_t n, uint32_t seed);

#ifdef __cplusplus
}
#endif

#endif
