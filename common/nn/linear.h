/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One linear layer of a model, run by itself: y = W x + b over rows, and back.
 *
 *     linear_layer_new(&l, model, &(struct linear_layer_at){&model->decoder, 3, rows, true}, &e);
 *     linear_layer_set_weights(&l, &e);              after every change of the parameters
 *     const float *y = linear_layer_forward(&l, x, &e);
 *     linear_layer_backward(&l, x, dy, dx, &e);      adds to model->grads
 */
#ifndef TEG_NN_LINEAR_H
#define TEG_NN_LINEAR_H

#include "common/nn/pass.h"

struct linear_layer { /* does not move after linear_layer_new */
    struct net view;
    struct pass *pass;
};

/* Which unit of which net; its input, and what is behind its product, are not looked at. */
struct linear_layer_at {
    const struct net *net;
    int unit;
    size_t rows;
    bool keep;        /* for a backward pass */
    enum dtype dtype; /* of all numbers but the gradients of weights */
};

int linear_layer_new(struct linear_layer *l, struct model *m, const struct linear_layer_at *at,
                     struct err *e);
void linear_layer_release(struct linear_layer *l); /* also one of zeros */
int linear_layer_set_weights(struct linear_layer *l, struct err *e);

/* x [rows, c_in] to [rows, c_out], which is overwritten by the next forward. NULL: failed. */
void *linear_layer_forward(struct linear_layer *l, const void *x, struct err *e);
void *linear_layer_output(const struct linear_layer *l);
/* dx [rows, c_in] or NULL. */
int linear_layer_backward(struct linear_layer *l, const void *x, const void *dy, void *dx,
                          struct err *e);

#endif
