/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned positions (RECIPE section 4, AVA-Kinetics): where a feature is, relative to the middle of
 * the clip or of the picture, through two small linear layers with a ReLU between. There are few of
 * them, so they are computed on the host.
 */
#ifndef TEG_NN_POSITIONS_H
#define TEG_NN_POSITIONS_H

#include "common/nn/model.h"

struct positions {
    struct model *model;
    int unit;        /* the first of the two in model->decoder */
    size_t n, axes;  /* positions; numbers of each: 1 in time, 2 in space */
    float *where;    /* [n, axes] */
    float *hidden;   /* [n, POSITION_HIDDEN] of the last forward, after the ReLU */
    float *scratch;  /* parameters and gradients on the host */
    size_t n_params; /* of the two units with what is between them */
    size_t first;    /* offset of the first */
};

/* `size` is [T'] (axes 1) or [H, W] (axes 2). */
int positions_init(struct positions *p, struct model *m, size_t axes, const size_t *size,
                   struct err *e);
void positions_release(struct positions *p);
/* y [n, POSITION_DIM], device memory. */
int positions_forward(struct positions *p, float *y, struct err *e);
/* Adds to model->grads. dy [n, POSITION_DIM], device memory. */
int positions_backward(struct positions *p, const float *dy, struct err *e);

#endif
