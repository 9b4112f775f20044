/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pre-training step over a batch of long and short clips: projected steps of all clips, the
 * objective and its gradient over the whole batch, gradients of the parameters. A batch larger than
 * a micro-batch goes through the network twice (GradCache, Gao et al. 2021): first without keeping
 * activations, for the embeddings; then micro-batch by micro-batch forward and backward with the
 * cached embedding gradients. The gradient is that of the whole batch (batch statistics are those
 * of the micro-batches).
 *
 * Several processes compute their share (share.h) of each micro-batch: statistics, embeddings and
 * gradients are those of all of them.
 */
#ifndef TEG_NN_STEP_H
#define TEG_NN_STEP_H

#include "common/nn/encoder.h"
#include "common/nn/objective.h"

enum { ROLE_LONG = SAMPLE_LONG, ROLE_SHORT = SAMPLE_SHORT, N_ROLES = 2 };

struct step_options {
    size_t batch, micro_batch; /* of all processes; these divide micro_batch, and it batch */
    size_t length[N_ROLES];    /* frames of a clip, by role */
    size_t size;               /* pixels of a side */
    enum dtype dtype;
    bool recompute;   /* keep less for the backward pass: see pass.h */
    bool frozen_norm; /* running statistics, as constants, instead of the batch's */
};

struct step_input {
    const void *pixels[N_ROLES];        /* [the share of batch, length, size, size, 3] of dtype */
    const struct sample *rows[N_ROLES]; /* [batch], host memory; of all processes */
};

struct step;
int step_new(struct step **s, struct model *m, const struct objective *o,
             const struct step_options *options, struct err *e);
void step_free(struct step *s);

/* After every change of the parameters. */
int step_set_weights(struct step *s, struct err *e);

/*
 * step_post gives the device what the clips are; step_compute zeroes and fills model->grads, and
 * may be recorded for one set of pixels; step_result waits. `total` is the loss (equation 4). The
 * error names what is not finite. step_run does all three.
 */
int step_post(struct step *s, const struct step_input *in, struct err *e);
int step_compute(struct step *s, const struct step_input *in, struct err *e);
int step_result(struct step *s, double *total, struct err *e);
int step_run(struct step *s, const struct step_input *in, double *total, struct err *e);
const struct loss_part *step_parts(const struct step *s); /* of the last result */

double step_flops(const struct step *s); /* 2 * multiply-adds of the convolutions, forward and
                                            backward, once each; of this process */
size_t step_activation_bytes(const struct step *s);

#endif
