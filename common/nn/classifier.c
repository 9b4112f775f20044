/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/classifier.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/nn/pass.h"

enum { RNG_STREAM_DROPOUT = 0x6470 };

struct classifier {
    struct model *model;
    struct classifier_options o;
    size_t parts, channels;            /* of a clip; C */
    struct pass *linear;               /* on [n, 1, 1, 1, parts * C] */
    float *input, *d_input;            /* [n, parts * C] */
    struct classifier_dropout dropout; /* of the last forward; rate 0: none */
};

static int new_parts(struct classifier *c, struct err *e)
{
    struct backend *b = c->model->backend;
    struct pass_options p = {.n = c->o.n,
                             .in = {1, 1, 1},
                             .dtype = DTYPE_F32,
                             .keep = c->o.keep,
                             .input_grad = c->o.keep};
    if (c->o.steps % c->parts != 0)
        return err_set(e, "the %zu feature steps of a clip cannot be cut into %zu equal parts",
                       c->o.steps, c->parts);
    size_t bytes = c->o.n * c->parts * c->channels * sizeof *c->input;
    if (pass_new(&c->linear, c->model, &c->model->classifier, &p, e) < 0 ||
        backend_alloc(b, &c->input, bytes, e) < 0)
        return ERR_FAIL;
    return c->o.keep ? backend_alloc(b, &c->d_input, bytes, e) : 0;
}

int classifier_new(struct classifier **out, struct model *m, const struct classifier_options *o,
                   struct err *e)
{
    struct classifier *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    c->model = m;
    c->o = *o;
    c->parts = model_n_parts(m->desc.task);
    c->channels = m->backbone.desc.c_out;
    if (new_parts(c, e) < 0) {
        classifier_free(c);
        return ERR_FAIL;
    }
    *out = c;
    return 0;
}

void classifier_free(struct classifier *c)
{
    if (!c)
        return;
    struct backend *b = c->model->backend;
    pass_free(c->linear);
    b->ops->release(b, c->input);
    b->ops->release(b, c->d_input);
    free(c);
}

int classifier_set_weights(struct classifier *c, struct err *e)
{
    return pass_set_weights(c->linear, e);
}

int classifier_drop(struct model *m, const struct classifier_dropout *dropout, float *x,
                    size_t rows, size_t columns)
{
    struct backend *b = m->backend;
    struct dropout_args a = {.rows = rows,
                             .columns = columns,
                             .x = x,
                             .y = x,
                             .rate = (float)dropout->rate,
                             .seed = dropout->seed,
                             .stream = RNG_STREAM_DROPOUT,
                             .first_item = dropout->first_item,
                             .base = dropout->base};
    return dropout->rate > 0.0 ? b->ops->dropout(b, &a) : 0;
}

static int drop(struct classifier *c, float *x)
{
    return classifier_drop(c->model, &c->dropout, x, c->o.n, c->parts * c->channels);
}

/* Rows, steps of a part, channels: what the mean over a part runs over. */
static void part_shape(const struct classifier *c, size_t shape[3])
{
    shape[0] = c->o.n * c->parts;
    shape[1] = c->o.steps / c->parts;
    shape[2] = c->channels;
}

int classifier_forward(struct classifier *c, const float *features,
                       const struct classifier_dropout *dropout, struct err *e)
{
    struct backend *b = c->model->backend;
    size_t shape[3];
    part_shape(c, shape);
    c->dropout = dropout ? *dropout : (struct classifier_dropout){0};
    if (b->ops->mean_inner(b, features, DTYPE_F32, shape, c->input) < 0 || drop(c, c->input) < 0)
        return err_set(e, "classifier: not enough memory");
    return pass_forward(c->linear, c->input, NORM_RUNNING, e);
}

float *classifier_logits(const struct classifier *c)
{
    size_t out[3];
    return pass_output(c->linear, out);
}

int classifier_backward(struct classifier *c, const float *d_logits, float *d_features,
                        struct err *e)
{
    struct backend *b = c->model->backend;
    size_t shape[3];
    part_shape(c, shape);
    if (pass_backward(c->linear, c->input, d_logits, c->d_input, e) < 0)
        return ERR_FAIL;
    if (drop(c, c->d_input) < 0 ||
        b->ops->mean_inner_grad(b, c->d_input, d_features, DTYPE_F32, shape) < 0)
        return err_set(e, "classifier: not enough memory");
    return 0;
}
