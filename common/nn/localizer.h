/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An action transformer behind the backbone (RECIPE section 4, AVA-Kinetics), for one number of
 * clips and one shape of their feature maps: learned positions beside the features are the memory;
 * each box's query is pooled from the memory's mean over time; a decoder of DECODER_LAYERS layers
 * of DECODER_HEADS heads, in each of which h = norm(softmax(q k / sqrt(DECODER_DIM)) v + q) goes
 * through a linear layer, GELU and another one; dropout; a linear layer. Keys and values, products
 * over every position, are computed in the map's type, all else, over boxes alone, in float32.
 *
 *     localizer_new(&l, model, &(struct localizer_options){.n = 4, .map = {16, 8, 8}, .boxes = 5},
 * &e); localizer_set_weights(l, &e); localizer_forward(l, map, boxes, NULL, &e);
 *     localizer_logits(l) [n, boxes, n_classes]
 */
#ifndef TEG_NN_LOCALIZER_H
#define TEG_NN_LOCALIZER_H

#include "common/nn/classifier.h"

struct localizer_options {
    size_t n, map[3]; /* clips; T', H', W' of each */
    size_t boxes;     /* places for boxes in a clip */
    enum dtype dtype; /* of the map */
    bool keep;        /* for a backward pass */
};

struct localizer;
int localizer_new(struct localizer **l, struct model *m, const struct localizer_options *o,
                  struct err *e);
void localizer_free(struct localizer *l); /* NULL allowed */
int localizer_set_weights(struct localizer *l, struct err *e);

/*
 * map: [n, T', H', W', C] of dtype. box: [n, boxes, 4]: left, top, right, bottom as shares 0..1 of
 * the picture; both are device memory; places without a box hold any. What is dropped
 * follows from (seed, first_item + number of the place).
 */
int localizer_forward(struct localizer *l, const void *map, const float *box,
                      const struct classifier_dropout *dropout, struct err *e);
float *localizer_logits(const struct localizer *l); /* [n, boxes, n_classes] */

/* Adds to model->grads; d_map (as map) is overwritten. `box` as in the forward before. */
int localizer_backward(struct localizer *l, const float *box, const float *d_logits, void *d_map,
                       struct err *e);

#endif
