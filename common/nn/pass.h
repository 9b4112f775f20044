/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a network forward and backward for one input shape: convolution plans, activations and
 * statistics, all allocated when the pass is made. Two clip lengths are two passes over the same
 * model.
 *
 *     pass_new(&p, model, &model->backbone, &(struct pass_options){.n = 8, .in = {16, 112, 112},
 * ...}, &e); pass_set_weights(p, &e);                       after every change of the parameters
 *     pass_forward(p, x, NORM_BATCH_UPDATE, &e);     x [n, T, H, W, C] of dtype, pass_output(p) is
 * the result pass_backward(p, x, dy, NULL, &e);             adds to model->grads
 */
#ifndef TEG_NN_PASS_H
#define TEG_NN_PASS_H

#include "common/nn/model.h"

/* Which statistics batch normalisation uses. */
enum norm_mode {
    NORM_RUNNING,      /* inference; backward treats them as constants */
    NORM_BATCH,        /* of this batch */
    NORM_BATCH_UPDATE, /* of this batch, and the running ones follow */
};

struct pass;

struct pass_options {
    size_t n, in[3]; /* input [n, in[0], in[1], in[2], desc.c_in] */
    enum dtype dtype;
    bool keep;       /* keep what the backward pass needs; otherwise activations share memory */
    bool recompute;  /* of that, only the outputs of blocks; a block's inside is computed again
                        before its backward pass, to the same bits */
    bool input_grad; /* backward also gives the gradient of the input */
    /* A pass of the same net for another shape, or NULL: packed weights and the memory of gradients
     * are shared where that is possible. Its weights are set before this one's, it lives longer,
     * and it never goes backward while this one does. */
    struct pass *share;
};

int pass_new(struct pass **p, struct model *m, const struct net *net, const struct pass_options *o,
             struct err *e);
void pass_free(struct pass *p);

int pass_set_weights(struct pass *p, struct err *e);
int pass_forward(struct pass *p, const void *x, enum norm_mode mode, struct err *e);
/* Output [n, out[0], out[1], out[2], C] of dtype, valid until the next forward. */
void *pass_output(const struct pass *p, size_t out[3]);

/*
 * dy: gradient of the output, of dtype. dx (or NULL): gradient of the input. Gradients of
 * parameters are added to model->grads. Once after each forward of a pass with `keep`.
 */
int pass_backward(struct pass *p, const void *x, const void *dy, void *dx, struct err *e);

size_t pass_activation_bytes(const struct pass *p);
double pass_forward_flops(const struct pass *p); /* 2 * multiply-adds of the convolutions */
double pass_step_flops(const struct pass *p);    /* likewise, with the backward pass */

#endif
