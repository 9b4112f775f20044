/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A convolution seen with fewer dimensions over the same channels-last memory: (1, kh, kw) is 2-D
 * on (N*T, H, W), (kt, 1, 1) is 2-D on (N, T, H*W), 1x1x1 with stride 1 a matrix product. Plain C,
 * so that tests can compare each view with the convolution itself.
 */
#ifndef TEG_KERNELS_CUDA_CONV_VIEW_H
#define TEG_KERNELS_CUDA_CONV_VIEW_H

#include "kernels/backend.h"

enum conv_pass { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_WEIGHTS, CONV_N_PASSES };

struct conv_view {
    int n_spatial; /* 2 or 3 */
    size_t n, c_in, c_out;
    size_t in[3], out[3], kernel[3], stride[3], pad[3]; /* behind n_spatial: 1, 1, 1, 1, 0 */
};

static inline bool conv_is_product(const struct conv_desc *d)
{
    for (int i = 0; i < 3; i++)
        if (d->kernel[i] != 1 || d->stride[i] != 1 || d->pad[i] != 0)
            return false;
    return true;
}

/* Whether direction i is left alone: kernel 1, stride 1, no padding. */
static inline bool conv_is_flat(const struct conv_desc *d, int i)
{
    return d->kernel[i] == 1 && d->stride[i] == 1 && d->pad[i] == 0;
}

static inline size_t conv_out_rows(const struct conv_desc *d)
{
    return d->n * conv_out(d, 0) * conv_out(d, 1) * conv_out(d, 2);
}

static inline size_t conv_in_rows(const struct conv_desc *d)
{
    return d->n * d->in[0] * d->in[1] * d->in[2];
}

static inline size_t conv_taps(const struct conv_desc *d)
{
    return d->kernel[0] * d->kernel[1] * d->kernel[2];
}

static inline size_t conv_n_weights(const struct conv_desc *d)
{
    return d->c_out * conv_taps(d) * d->c_in;
}

/* The convolution as it is. */
static inline struct conv_view conv_view_whole(const struct conv_desc *d)
{
    struct conv_view v;
    v.n_spatial = 3;
    v.n = d->n;
    v.c_in = d->c_in;
    v.c_out = d->c_out;
    for (int i = 0; i < 3; i++) {
        v.in[i] = d->in[i];
        v.out[i] = conv_out(d, i);
        v.kernel[i] = d->kernel[i];
        v.stride[i] = d->stride[i];
        v.pad[i] = d->pad[i];
    }
    return v;
}

/* A 2-D view in `v`, where there is one. */
static inline bool conv_view_flat(const struct conv_desc *d, struct conv_view *v)
{
    struct conv_view whole = conv_view_whole(d);
    *v = whole;
    v->n_spatial = 2;
    if (conv_is_flat(d, 0)) { /* time joins the batch */
        v->n = d->n * d->in[0];
        for (int i = 0; i < 2; i++) {
            v->in[i] = whole.in[i + 1];
            v->out[i] = whole.out[i + 1];
            v->kernel[i] = whole.kernel[i + 1];
            v->stride[i] = whole.stride[i + 1];
            v->pad[i] = whole.pad[i + 1];
        }
    } else if (conv_is_flat(d, 1) && conv_is_flat(d, 2)) { /* the rows of a plane join into one */
        v->in[1] = v->out[1] = d->in[1] * d->in[2];
    } else {
        return false;
    }
    v->in[2] = v->out[2] = v->kernel[2] = v->stride[2] = 1;
    v->pad[2] = 0;
    return true;
}

#endif
