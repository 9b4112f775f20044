/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of training backbone and classifier end to end over a batch of single clips: class
 * scores, softmax cross-entropy with the rows' targets and weights, gradients of the parameters.
 * Gradients of micro-batches add up to those of the batch (batch statistics are those of the
 * micro-batches).
 *
 *     tune_step_new(&s, model, &options, &e);
 *     tune_step_set_weights(s, &e);                       after every change of the parameters
 *     tune_step_run(s, &(struct tune_input){pixels, rows, number}, &result, &e);
 */
#ifndef TEG_NN_TUNE_STEP_H
#define TEG_NN_TUNE_STEP_H

#include "common/nn/encoder.h"
#include "common/store/samples.h"

struct tune_options {
    size_t batch, micro_batch; /* micro_batch divides batch */
    size_t length;             /* frames of a clip */
    size_t size;               /* pixels of a side */
    enum dtype dtype;
    bool recompute;   /* keep less for the backward pass: see pass.h */
    bool frozen_norm; /* running statistics, as constants, instead of the batch's */
    double dropout;   /* share of the pooled features that is dropped */
    uint64_t seed;    /* of what is dropped, with the number of the step and the example's place */
};

struct tune_input {
    const void *pixels;        /* [batch, length, size, size, 3] of dtype */
    const struct sample *rows; /* [batch], host memory; targets below model->desc.n_classes */
    uint64_t number;           /* of the step within the run */
};

struct tune_result {
    double loss;     /* mean over the batch, weighted */
    double accuracy; /* share of the examples whose best class is the target, after dropout */
};

struct tune_step;
int tune_step_new(struct tune_step **s, struct model *m, const struct tune_options *o,
                  struct err *e);
void tune_step_free(struct tune_step *s);
int tune_step_set_weights(struct tune_step *s, struct err *e);
/* Zeroes and fills model->grads. The error names what is not finite. */
int tune_step_run(struct tune_step *s, const struct tune_input *in, struct tune_result *out,
                  struct err *e);

double tune_step_flops(const struct tune_step *s); /* as step_flops; the backbone's alone */
size_t tune_step_activation_bytes(const struct tune_step *s);

#endif
