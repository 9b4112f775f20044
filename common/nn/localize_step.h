/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of training backbone and action transformer end to end (RECIPE section 4, AVA-Kinetics)
 * over a batch of clips with boxes: class scores of each box, binary cross-entropy of every class,
 * its mean over the classes and the batch's boxes, gradients of the parameters. Gradients of
 * micro-batches add up to those of the batch (batch statistics are those of the micro-batches).
 *
 *     localize_step_new(&s, model, &options, &e);
 *     localize_step_set_weights(s, &e);                   after every change of the parameters
 *     localize_step_run(s, &input, &loss, &e);
 */
#ifndef TEG_NN_LOCALIZE_STEP_H
#define TEG_NN_LOCALIZE_STEP_H

#include <stdint.h>

#include "common/nn/model.h"

struct localize_options {
    size_t batch, micro_batch; /* micro_batch divides batch */
    size_t length;             /* frames of a clip */
    size_t size;               /* pixels of a side */
    size_t boxes;              /* places for boxes in a clip */
    enum dtype dtype;
    bool recompute;   /* keep less for the backward pass: see pass.h */
    bool frozen_norm; /* running statistics, as constants, instead of the batch's */
    double dropout;   /* share of the decoder's output that is dropped */
    uint64_t seed;    /* of what is dropped, with the number of the step and the place */
};

/* All but the pixels in host memory. */
struct localize_input {
    const void *pixels;    /* [batch, length, size, size, 3] of dtype */
    const float *box;      /* [batch, boxes, 4], as in localizer.h */
    const uint8_t *target; /* [batch, boxes, n_classes]: 0 or 1 */
    const float *weight;   /* [batch, boxes]: 1, or 0 where the place is empty */
    uint64_t number;       /* of the step within the run */
};

struct localize_step;
int localize_step_new(struct localize_step **s, struct model *m, const struct localize_options *o,
                      struct err *e);
void localize_step_free(struct localize_step *s); /* NULL allowed */
int localize_step_set_weights(struct localize_step *s, struct err *e);
/* Zeroes and fills model->grads. A batch without any box has loss 0 and no gradient. The error
 * names what is not finite. */
int localize_step_run(struct localize_step *s, const struct localize_input *in, double *loss,
                      struct err *e);

double localize_step_flops(const struct localize_step *s); /* as step_flops; the backbone's alone */
size_t localize_step_activation_bytes(const struct localize_step *s);

#endif
