/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From clips to features and projected steps, for one clip length and one batch size: backbone,
 * spatial mean, projection heads (RECIPE sections 1, 2).
 *
 *     encoder_new(&enc, model, &(struct encoder_options){.n = 32, .length = 16, .size = 112, ...},
 * &e); encoder_set_weights(enc, &e); encoder_forward(enc, pixels, NORM_BATCH_UPDATE, &e);
 *     encoder_features(enc) [n, T', C], encoder_projected(enc, head) [n, T', D]
 *     encoder_backward(enc, pixels, dz, &e);          dz[head]: gradients of the projected steps
 */
#ifndef TEG_NN_ENCODER_H
#define TEG_NN_ENCODER_H

#include "common/nn/pass.h"

struct encoder;

struct encoder_options {
    size_t n;      /* clips */
    size_t length; /* frames of a clip */
    size_t size;   /* pixels of a side */
    enum dtype dtype;
    bool keep;             /* for a backward pass */
    bool recompute;        /* of the backbone: see pass.h */
    bool heads;            /* run the projection heads */
    struct encoder *share; /* of the same model for other clips, or NULL: see pass.h */
};

int encoder_new(struct encoder **c, struct model *m, const struct encoder_options *o,
                struct err *e);
void encoder_free(struct encoder *c);
int encoder_set_weights(struct encoder *c, struct err *e);

/* pixels: [n, length, size, size, 3] of dtype. */
int encoder_forward(struct encoder *c, const void *pixels, enum norm_mode mode, struct err *e);
size_t encoder_steps(const struct encoder *c);                     /* T' */
const float *encoder_features(const struct encoder *c);            /* [n, T', C] float32 */
const float *encoder_projected(const struct encoder *c, int head); /* [n, T', D] float32 */

/* dz[i]: gradient of head i's output [n, T', D] float32; NULL where a head got none. Adds to
 * model->grads. */
int encoder_backward(struct encoder *c, const void *pixels, float *const *dz, struct err *e);
/* The same from the features' gradient, which the caller puts into encoder_features_grad before. */
int encoder_backward_features(struct encoder *c, const void *pixels, struct err *e);
/* The map behind the features, [n, T', out[1], out[2], C] of dtype, and its gradient, which the
 * caller fills before encoder_backward_map. */
const void *encoder_map(const struct encoder *c, size_t out[3]);
void *encoder_map_grad(const struct encoder *c);
int encoder_backward_map(struct encoder *c, const void *pixels, struct err *e);
float *encoder_features_grad(const struct encoder *c); /* [n, T', C] float32 */

double encoder_forward_flops(const struct encoder *c); /* as of pass.h */
double encoder_step_flops(const struct encoder *c);
size_t encoder_activation_bytes(const struct encoder *c);

#endif
