/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of pass.h share: a pass and its units. */
#ifndef TEG_NN_PASS_PARTS_H
#define TEG_NN_PASS_PARTS_H

#include "common/nn/pass.h"

/* Gradients that are needed at a time; one more where dc is apart from g. */
enum { GRAD_BUFFERS = 3, NORM_VECTORS = 7, NORM_SUMS = 4 };

/* A unit's plan and tensors. Vectors are [c_out] float32, sums [2, c_out] float64. */
struct unit_plan {
    struct conv *conv;
    int made_by; /* unit that makes this one's output of c: this one, or the first that reads it */
    bool sums_input; /* its gradient is the last of its input, whose sums are taken at once */
    size_t conv_out[3], out[3]; /* (t, h, w) before and after pooling */
    size_t conv_rows, rows;     /* n * t * h * w of each */
    void *c, *y;                /* convolution output; unit output (may be the same memory) */
    uint8_t *arg;               /* positions of the maxima where the unit pools */
    uint8_t *mask; /* y > 0 as bits, where the device would rather read those backward */
    float *mean, *inv_std, *scale, *shift, *a, *b, *k;
    double *sums, *grad_sums;
};

/* Memory for the gradient of any tensor. */
struct grad_buffer {
    void *memory;
    bool taken;
};

struct pass {
    struct model *model;
    const struct net *net;
    struct pass_options o;
    enum norm_mode mode; /* of the last forward */
    struct unit_plan unit[ARCH_MAX_UNITS];
    bool cut[ARCH_MAX_UNITS]; /* behind this unit, nothing in front of it is read */
    int held; /* recompute: last unit of the block whose inside is in memory; -1: none */
    void *activations, *vectors; /* the memory behind c, y, arg and the vectors */
    size_t activation_bytes, grad_bytes;
    struct grad_buffer own_grad[GRAD_BUFFERS + 1];
    struct grad_buffer *grad; /* those, or those of the pass that this one shares with */
    int n_grad;
    void *pending[ARCH_MAX_UNITS][2]; /* gradients that reached a unit's output */
    bool summed[ARCH_MAX_UNITS];      /* they are one, and the sums of it are there */
    bool kept[ARCH_MAX_UNITS];        /* which is masked, then */
};

static inline const struct unit *pass_unit(const struct pass *p, int i)
{
    return &p->net->desc.unit[i];
}

/* What the sums of a normalisation are over: the rows of all processes. */
static inline double pass_norm_rows(const struct pass *p, int i)
{
    return (double)p->unit[i].conv_rows * (double)processes_n(p->model->backend->processes);
}

/* Sums [2, c_out] of unit i over the rows of this process become those of all. */
int pass_sum_over_processes(const struct pass *p, int i, double *sums, struct err *e);

/* With `recompute`: the inside of the block that ends with unit `last`, from what it read. */
int pass_compute_again(struct pass *p, int last, const void *x, struct err *e);

#endif
