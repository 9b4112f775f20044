/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of training with labels, end to end over a batch of single clips, and the gradients of
 * the parameters. Of clips: class scores, softmax cross-entropy with the rows' targets and weights.
 * Of people in them (MODEL_LOCALIZE; RECIPE section 4, AVA-Kinetics): class scores of each box,
 * binary cross-entropy of every class, its mean over the classes and the batch's boxes. Gradients
 * of micro-batches add up to those of the batch (batch statistics are those of the micro-batches).
 *
 *     tune_step_new(&s, model, &options, &e);
 *     tune_step_set_weights(s, &e);                       after every change of the parameters
 *     tune_step_run(s, &(struct tune_input){pixels, rows, number}, &result, &e);
 *
 * which is tune_step_post, tune_step_compute and tune_step_result: the first gives the device what
 * changes from step to step but the pixels, the second may be recorded for one set of pixels, the
 * third waits.
 */
#ifndef TEG_NN_TUNE_STEP_H
#define TEG_NN_TUNE_STEP_H

#include "common/nn/encoder.h"
#include "common/store/samples.h"

struct tune_options {
    size_t batch, micro_batch; /* of all processes; these divide micro_batch, and it batch */
    size_t length;             /* frames of a clip */
    size_t size;               /* pixels of a side */
    enum dtype dtype;
    bool recompute;   /* keep less for the backward pass: see pass.h */
    bool frozen_norm; /* running statistics, as constants, instead of the batch's */
    double dropout;   /* share of what the last linear layer reads that is dropped */
    uint64_t seed;    /* of what is dropped, with the number of the step and the place */
    size_t boxes;     /* places for boxes in a clip, where people are looked at; else 0 */
};

/* All in host memory; read by tune_step_post. Of the share of the batch that is this process's. */
struct tune_people {
    const float *box;      /* [share, boxes, 4], as in localizer.h */
    const uint8_t *target; /* [share, boxes, n_classes]: 0 or 1 */
    const float *weight;   /* [share, boxes]: 1, or 0 where the place is empty */
};

struct tune_input {
    const void *pixels;        /* [share of batch, length, size, size, 3] of dtype */
    const struct sample *rows; /* [batch], host memory; targets below model->desc.n_classes */
    uint64_t number;           /* of the step within the run */
    struct tune_people people; /* instead of rows, where there are boxes */
};

struct tune_result {
    double loss;     /* mean over the batch, weighted; 0 where there is no box in it */
    double accuracy; /* share of the clips whose best class is the target, after dropout */
    double n_people; /* boxes of the batch */
};

struct tune_step;
int tune_step_new(struct tune_step **s, struct model *m, const struct tune_options *o,
                  struct err *e);
void tune_step_free(struct tune_step *s);
int tune_step_set_weights(struct tune_step *s, struct err *e);
int tune_step_post(struct tune_step *s, const struct tune_input *in, struct err *e);
int tune_step_compute(struct tune_step *s, const struct tune_input *in, struct err *e);
int tune_step_result(struct tune_step *s, struct tune_result *out, struct err *e);
/* Zeroes and fills model->grads. The error names what is not finite. */
int tune_step_run(struct tune_step *s, const struct tune_input *in, struct tune_result *out,
                  struct err *e);

double tune_step_flops(const struct tune_step *s); /* as step_flops; the backbone's alone */
size_t tune_step_activation_bytes(const struct tune_step *s);

#endif
