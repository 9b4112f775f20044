/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From features to class scores, for one number of clips and steps (RECIPE section 4, fine-tuning):
 * the mean over each of the task's parts of a clip, side by side, dropout, one linear layer. In
 * float32 whatever the precision.
 *
 *     classifier_new(&c, model, &(struct classifier_options){.n = 8, .steps = 16}, &e);
 *     classifier_set_weights(c, &e);
 *     classifier_forward(c, encoder_features(enc), NULL, &e);
 *     classifier_logits(c) [n, n_classes]
 */
#ifndef TEG_NN_CLASSIFIER_H
#define TEG_NN_CLASSIFIER_H

#include "common/nn/model.h"

struct classifier_options {
    size_t n, steps; /* clips, feature steps T' of each */
    bool keep;       /* for a backward pass */
};

/* The masks of clip i follow from (seed, first_item + *base + i). */
struct classifier_dropout {
    double rate;
    uint64_t seed, first_item;
    const uint64_t *base; /* device memory; NULL: 0 */
};

/* Drops numbers of x [rows, columns], or of its gradient, in place; none where the rate is 0. */
int classifier_drop(struct model *m, const struct classifier_dropout *dropout, float *x,
                    size_t rows, size_t columns);

struct classifier;
/* Fails where the parts do not divide the steps. */
int classifier_new(struct classifier **c, struct model *m, const struct classifier_options *o,
                   struct err *e);
void classifier_free(struct classifier *c); /* NULL allowed */
int classifier_set_weights(struct classifier *c, struct err *e);

/* features: [n, T', C] float32. No dropout where `dropout` is NULL. */
int classifier_forward(struct classifier *c, const float *features,
                       const struct classifier_dropout *dropout, struct err *e);
float *classifier_logits(const struct classifier *c); /* [n, n_classes], until the next forward */

/* Adds to model->grads; d_features [n, T', C] is overwritten. After a forward with `keep`. */
int classifier_backward(struct classifier *c, const float *d_logits, float *d_features,
                        struct err *e);

#endif
