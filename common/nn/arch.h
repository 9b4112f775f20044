/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks as static lists of units. A unit is a convolution, then (if it has one) batch
 * normalisation, the addition of a residual, ReLU, and max pooling. The backbone R3D (RECIPE
 * section 1) and the projection heads (section 2; a linear layer is a 1x1x1 convolution) are such
 * lists.
 *
 *     struct net_desc d;
 *     arch_backbone(&d, "r3d50", &e);     d.unit[0] is the stem, d.unit[d.n_units - 1] the last
 * block's output
 */
#ifndef TEG_NN_ARCH_H
#define TEG_NN_ARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { ARCH_MAX_UNITS = 64, ARCH_NAME_BYTES = 40, NET_INPUT = -1, NO_RESIDUAL = -2 };

struct unit {
    char conv_name[ARCH_NAME_BYTES]; /* "res2.0.conv1": weights are CONV.weight (and CONV.bias) */
    char norm_name[ARCH_NAME_BYTES]; /* "res2.0.bn1": .weight .bias .running_mean .running_var; ""
                                        none */
    size_t c_in, c_out;
    size_t kernel[3], stride[3], pad[3];
    int input;     /* unit whose output is read, or NET_INPUT */
    int residual;  /* unit whose output is added before the ReLU, NET_INPUT, or NO_RESIDUAL */
    bool shortcut; /* a projection shortcut: normalised inside the unit that adds it */
    bool relu, pool, bias;
    bool linear;     /* stored as [O, I] */
    bool layer_norm; /* norm_name has .weight and .bias alone: each row is normalised by itself */
    float momentum;  /* of the running statistics: running = momentum * running + (1 - momentum) *
                        batch */
};

struct net_desc {
    char name[ARCH_NAME_BYTES];
    struct unit unit[ARCH_MAX_UNITS];
    int n_units;
    size_t c_in, c_out;
    size_t time_stride; /* input frames a feature step stands for: 2 */
};

/* "r3d50" (31,672,128 parameters) or "r3d-tiny" (one block a stage, width 16). */
int arch_backbone(struct net_desc *d, const char *name, struct err *e);
extern const char *const arch_names[]; /* NULL-ended */

struct head_shape {
    size_t c_in, width, c_out;
    int n_hidden; /* layers linear -> BN -> ReLU before the last linear */
};

/* Projection head `name`: units "name.0.linear", "name.0.bn" ..., then "name.N.linear". */
int arch_head(struct net_desc *d, const char *name, const struct head_shape *shape, struct err *e);

/* One linear layer with a bias: NAME.weight [c_out, c_in], NAME.bias [c_out]. */
void arch_linear(struct net_desc *d, const char *name, size_t c_in, size_t c_out);

/*
 * The decoder of an action transformer (RECIPE section 4, AVA-Kinetics) over features of c_in
 * channels, as a list of linear units that localizer.h puts together: four of the learned positions
 * ("position.time.0", ".1", "position.space.0", ".1"), then five of each head of each layer
 * ("decoder.<l>.<h>.query" and its norm, ".key", ".value", ".ffn.0", ".ffn.1").
 */
enum {
    DECODER_LAYERS = 3,
    DECODER_HEADS = 3,
    DECODER_DIM = 128, /* of a head */
    POSITION_HIDDEN = 4,
    POSITION_DIM = 8, /* channels that the positions in time and in space add, each */
    POSITION_UNITS = 4,
};
enum head_unit { HEAD_QUERY, HEAD_KEY, HEAD_VALUE, HEAD_FFN0, HEAD_FFN1, HEAD_UNITS };
void arch_decoder(struct net_desc *d, size_t c_in);

/* Epsilon of every batch normalisation, and of the decoder's layer normalisations. */
#define ARCH_NORM_EPS       1e-5f
#define ARCH_LAYER_NORM_EPS 1e-6f

#endif
