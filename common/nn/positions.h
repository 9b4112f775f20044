/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned positions (RECIPE section 4, AVA-Kinetics): where a feature is, relative to the middle of
 * the clip or of the picture, through two small linear layers with a ReLU between.
 */
#ifndef TEG_NN_POSITIONS_H
#define TEG_NN_POSITIONS_H

#include "common/nn/linear.h"

struct positions { /* does not move after positions_init; tensors are device memory */
    struct model *model;
    size_t n, axes;               /* positions; numbers of each: 1 in time, 2 in space */
    struct linear_layer layer[2]; /* [n, axes] to [n, POSITION_HIDDEN] to [n, POSITION_DIM] */
    float *where;                 /* [n, axes] */
    float *hidden, *d_hidden;     /* [n, POSITION_HIDDEN], after the ReLU */
    float *one, *zero;            /* [POSITION_HIDDEN]: the ReLU as a normalisation that is none */
    double *sums;                 /* of that, not looked at */
};

/* `size` is [T'] (axes 1) or [H, W] (axes 2). `keep` for a backward pass. */
int positions_init(struct positions *p, struct model *m, size_t axes, const size_t *size, bool keep,
                   struct err *e);
void positions_release(struct positions *p);
int positions_set_weights(struct positions *p, struct err *e);
/* [n, POSITION_DIM], until the next call. NULL: failed. */
float *positions_forward(struct positions *p, struct err *e);
/* Adds to model->grads. dy [n, POSITION_DIM]. */
int positions_backward(struct positions *p, const float *dy, struct err *e);

#endif
