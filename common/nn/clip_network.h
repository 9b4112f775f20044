/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trained model for batches of clips of any number and length: the encoder, and what is behind
 * it, are made anew where a batch needs others.
 *
 *     clip_network_new(&n, &(struct clip_network_options){.model = model, .most = 8, ...}, &e);
 *     if (!clip_network_fits(n, batch))
 *         clip_network_fit(n, batch, &e);
 *     const float *output = clip_network_forward(n, batch, &e);       device memory, until the next
 *     clip_network_free(n);
 */
#ifndef TEG_NN_CLIP_NETWORK_H
#define TEG_NN_CLIP_NETWORK_H

#include "common/base/ui.h"
#include "common/nn/clip_boxes.h"
#include "common/nn/loader.h"
#include "common/nn/model.h"

struct clip_network_options {
    struct model *model;            /* of classes: scores, else features */
    const struct clip_boxes *boxes; /* of a model that looks at people; else NULL */
    size_t crop_size;
    enum dtype dtype;
    size_t most; /* clips of a batch at most */
    struct ui *ui;
};

struct clip_network;
int clip_network_new(struct clip_network **n, const struct clip_network_options *o, struct err *e);
void clip_network_free(struct clip_network *n); /* NULL allowed */

/* Clips of the network for a batch of `n`: where convolutions are measured, every batch has as many
 * as the largest, however few of them matter. */
size_t clip_network_room(const struct clip_network *net, size_t n);

bool clip_network_fits(const struct clip_network *n, const struct clip_batch *batch);
/* Measures convolutions, which takes long; fails before that where memory lacks. */
int clip_network_fit(struct clip_network *n, const struct clip_batch *batch, struct err *e);

/* Since the last fit: T' of its features; numbers of a clip, or of one person in it; and of a clip
 * with all that it has room for. */
size_t clip_network_steps(const struct clip_network *n);
size_t clip_network_item_values(const struct clip_network *n);
size_t clip_network_clip_values(const struct clip_network *n);

/* Features [n, T', C], scores [n, n_classes], or of people [n, boxes, n_classes]; running
 * statistics normalise. NULL: failed. */
const float *clip_network_forward(struct clip_network *n, const struct clip_batch *batch,
                                  struct err *e);

#endif
