/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/arch.h"

#include <stdio.h>
#include <string.h>

const char *const arch_names[] = {"r3d50", "r3d-tiny", NULL};

struct stage {
    size_t width; /* f: channels inside a bottleneck; the block's output has 4 f */
    int n_blocks;
    size_t kernel; /* temporal kernel of the first convolution of each block */
    size_t stride; /* spatial, of the first block */
};

struct backbone {
    const char *name;
    size_t stem;
    struct stage stage[4];
};

static const struct backbone backbones[] = {
    {"r3d50", 64, {{64, 3, 1, 1}, {128, 4, 1, 2}, {256, 6, 3, 2}, {512, 3, 3, 2}}},
    {"r3d-tiny", 16, {{16, 1, 1, 1}, {32, 1, 1, 2}, {64, 1, 3, 2}, {128, 1, 3, 2}}},
};

static const float backbone_momentum = 0.9f, head_momentum = 0.997f;

/* A unit with kernel [kt, k, k] and spatial stride s, padded so that stride 1 keeps the size. */
static struct unit conv_unit(size_t c_in, size_t c_out, const size_t kernel[3], size_t stride)
{
    struct unit u = {.c_in = c_in,
                     .c_out = c_out,
                     .residual = NO_RESIDUAL,
                     .relu = true,
                     .stride = {1, stride, stride},
                     .momentum = backbone_momentum};
    for (int i = 0; i < 3; i++) {
        u.kernel[i] = kernel[i];
        u.pad[i] = kernel[i] / 2;
    }
    return u;
}

static int add_unit(struct net_desc *d, const struct unit *u, int input)
{
    d->unit[d->n_units] = *u;
    d->unit[d->n_units].input = input;
    return d->n_units++;
}

static void name_unit(struct net_desc *d, const char *prefix, const char *conv, const char *norm)
{
    struct unit *u = &d->unit[d->n_units - 1];
    snprintf(u->conv_name, sizeof u->conv_name, "%s%s", prefix, conv);
    snprintf(u->norm_name, sizeof u->norm_name, "%s%s", prefix, norm);
}

/* Bottleneck: [kt,1,1] c -> f, [1,3,3] f -> f with the stride, [1,1,1] f -> 4f, plus the shortcut.
 */
static int add_block(struct net_desc *d, int input, size_t c_in, const struct stage *s, int block)
{
    char prefix[ARCH_NAME_BYTES - 16];
    size_t f = s->width, stride = block == 0 ? s->stride : 1;
    snprintf(prefix, sizeof prefix, "%.10s.%d.", d->name, block);
    struct unit u = conv_unit(c_in, f, (size_t[3]){s->kernel, 1, 1}, 1);
    int at = add_unit(d, &u, input);
    name_unit(d, prefix, "conv1", "bn1");
    u = conv_unit(f, f, (size_t[3]){1, 3, 3}, stride);
    at = add_unit(d, &u, at);
    name_unit(d, prefix, "conv2", "bn2");
    int residual = input;
    if (block == 0) {
        u = conv_unit(c_in, 4 * f, (size_t[3]){1, 1, 1}, stride);
        u.relu = false;
        u.shortcut = true;
        residual = add_unit(d, &u, input);
        name_unit(d, prefix, "shortcut.conv", "shortcut.bn");
    }
    u = conv_unit(f, 4 * f, (size_t[3]){1, 1, 1}, 1);
    u.residual = residual;
    at = add_unit(d, &u, at);
    name_unit(d, prefix, "conv3", "bn3");
    return at;
}

int arch_backbone(struct net_desc *d, const char *name, struct err *e)
{
    const struct backbone *b = NULL;
    for (size_t i = 0; i < sizeof backbones / sizeof backbones[0]; i++)
        if (strcmp(backbones[i].name, name) == 0)
            b = &backbones[i];
    if (!b)
        return err_set(e, "model %s: unknown; one of r3d50, r3d-tiny", name);
    memset(d, 0, sizeof *d);
    struct unit stem = conv_unit(3, b->stem, (size_t[3]){5, 7, 7}, 2);
    stem.stride[0] = 2;
    stem.pool = true;
    int at = add_unit(d, &stem, NET_INPUT);
    name_unit(d, "stem.", "conv", "bn");
    size_t channels = b->stem;
    for (int s = 0; s < 4; s++) {
        snprintf(d->name, sizeof d->name, "res%d", s + 2);
        for (int i = 0; i < b->stage[s].n_blocks; i++) {
            at = add_block(d, at, channels, &b->stage[s], i);
            channels = 4 * b->stage[s].width;
        }
    }
    snprintf(d->name, sizeof d->name, "%s", name);
    d->c_in = 3;
    d->c_out = channels;
    d->time_stride = 2;
    return 0;
}

int arch_head(struct net_desc *d, const char *name, const struct head_shape *shape, struct err *e)
{
    memset(d, 0, sizeof *d);
    if (shape->n_hidden < 0 || shape->n_hidden >= ARCH_MAX_UNITS)
        return err_set(e, "head %s: %d hidden layers", name, shape->n_hidden);
    if (snprintf(d->name, sizeof d->name, "%s", name) >= ARCH_NAME_BYTES / 2)
        return err_set(e, "head %s: the name is too long", name);
    int at = NET_INPUT;
    size_t channels = shape->c_in;
    for (int i = 0; i <= shape->n_hidden; i++) {
        bool last = i == shape->n_hidden;
        char prefix[ARCH_NAME_BYTES - 8];
        snprintf(prefix, sizeof prefix, "%.19s.%d.", name, i);
        struct unit u =
            conv_unit(channels, last ? shape->c_out : shape->width, (size_t[3]){1, 1, 1}, 1);
        u.bias = u.linear = true;
        u.relu = !last;
        u.momentum = head_momentum;
        at = add_unit(d, &u, at);
        name_unit(d, prefix, "linear", "bn");
        if (last)
            d->unit[at].norm_name[0] = '\0';
        channels = d->unit[at].c_out;
    }
    d->c_in = shape->c_in;
    d->c_out = channels;
    d->time_stride = 1;
    return 0;
}

void arch_linear(struct net_desc *d, const char *name, size_t c_in, size_t c_out)
{
    memset(d, 0, sizeof *d);
    snprintf(d->name, sizeof d->name, "%s", name);
    struct unit u = conv_unit(c_in, c_out, (size_t[3]){1, 1, 1}, 1);
    u.bias = u.linear = true;
    u.relu = false;
    add_unit(d, &u, NET_INPUT);
    name_unit(d, name, "", "");
    d->unit[0].norm_name[0] = '\0';
    d->c_in = c_in;
    d->c_out = c_out;
    d->time_stride = 1;
}

static struct unit *add_linear(struct net_desc *d, size_t c_in, size_t c_out)
{
    struct unit u = conv_unit(c_in, c_out, (size_t[3]){1, 1, 1}, 1);
    u.bias = u.linear = true;
    u.relu = false;
    return &d->unit[add_unit(d, &u, NET_INPUT)];
}

static void add_head(struct net_desc *d, int layer, int head, size_t c_in)
{
    static const char *const names[HEAD_UNITS] = {"query", "key", "value", "ffn.0", "ffn.1"};
    for (int k = 0; k < HEAD_UNITS; k++) {
        size_t in = k == HEAD_QUERY && layer ? DECODER_HEADS * DECODER_DIM
                    : k < HEAD_FFN0          ? c_in
                                             : DECODER_DIM;
        struct unit *u = add_linear(d, in, DECODER_DIM);
        snprintf(u->conv_name, sizeof u->conv_name, "decoder.%d.%d.%s", layer, head, names[k]);
        u->layer_norm = k == HEAD_QUERY;
        if (u->layer_norm)
            snprintf(u->norm_name, sizeof u->norm_name, "decoder.%d.%d.norm", layer, head);
    }
}

void arch_decoder(struct net_desc *d, size_t c_in)
{
    static const char *const axes[] = {"time", "space"};
    memset(d, 0, sizeof *d);
    snprintf(d->name, sizeof d->name, "decoder");
    for (int axis = 0; axis < 2; axis++)
        for (int k = 0; k < 2; k++) {
            size_t in = k ? POSITION_HIDDEN : (size_t)axis + 1;
            struct unit *u = add_linear(d, in, k ? POSITION_DIM : POSITION_HIDDEN);
            snprintf(u->conv_name, sizeof u->conv_name, "position.%s.%d", axes[axis], k);
        }
    for (int layer = 0; layer < DECODER_LAYERS; layer++)
        for (int head = 0; head < DECODER_HEADS; head++)
            add_head(d, layer, head, c_in + 2 * POSITION_DIM);
    d->c_in = c_in;
    d->c_out = DECODER_HEADS * DECODER_DIM;
    d->time_stride = 1;
}
