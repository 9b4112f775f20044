/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/encoder.h"

#include <stdlib.h>

#include "common/base/buf.h"

struct encoder {
    struct model *model;
    struct encoder_options o;
    struct pass *backbone, *head[MODEL_MAX_HEADS];
    size_t steps, plane, channels, dim; /* T', h * w of the last layer, C, D */
    float *features, *d_features;       /* [n, T', C] */
    void *low_features, *low_grad;      /* the same in dtype, where that is not float32 */
    void *map_grad;                     /* gradient of the backbone's output */
    float *projected[MODEL_MAX_HEADS];  /* [n, T', D] */
    void *low_dz;                       /* one head's dz in dtype */
};

static int new_backbone(struct encoder *c, struct err *e)
{
    const struct encoder_options *o = &c->o;
    struct pass_options p = {.n = o->n,
                             .in = {o->length, o->size, o->size},
                             .dtype = o->dtype,
                             .keep = o->keep,
                             .recompute = o->recompute,
                             .share = o->share ? o->share->backbone : NULL};
    struct backend *b = c->model->backend;
    size_t out[3];
    if (pass_new(&c->backbone, c->model, &c->model->backbone, &p, e) < 0)
        return ERR_FAIL;
    pass_output(c->backbone, out);
    c->steps = out[0];
    c->plane = out[1] * out[2];
    c->channels = c->model->backbone.desc.c_out;
    size_t n = o->n * c->steps * c->channels;
    if (backend_alloc(b, &c->features, n * sizeof(float), e) < 0)
        return ERR_FAIL;
    if (!o->keep)
        return 0;
    if (backend_alloc(b, &c->d_features, n * sizeof(float), e) < 0)
        return ERR_FAIL;
    return backend_alloc(b, &c->map_grad, n * c->plane * dtype_bytes(o->dtype), e);
}

static int new_heads(struct encoder *c, struct err *e)
{
    const struct encoder_options *o = &c->o;
    struct backend *b = c->model->backend;
    size_t rows = o->n * c->steps, elem = dtype_bytes(o->dtype);
    c->dim = c->model->desc.head_dim;
    if (backend_alloc(b, &c->low_features, rows * c->channels * elem, e) < 0)
        return ERR_FAIL;
    if (o->keep && (backend_alloc(b, &c->low_grad, rows * c->channels * elem, e) < 0 ||
                    backend_alloc(b, &c->low_dz, rows * c->dim * elem, e) < 0))
        return ERR_FAIL;
    struct pass_options p = {
        .n = rows, .in = {1, 1, 1}, .dtype = o->dtype, .keep = o->keep, .input_grad = true};
    for (int i = 0; i < c->model->desc.n_heads; i++) {
        p.share = o->share ? o->share->head[i] : NULL;
        if (pass_new(&c->head[i], c->model, &c->model->head[i], &p, e) < 0 ||
            backend_alloc(b, &c->projected[i], rows * c->dim * sizeof(float), e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

int encoder_new(struct encoder **out, struct model *m, const struct encoder_options *o,
                struct err *e)
{
    struct encoder *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    c->model = m;
    c->o = *o;
    if (new_backbone(c, e) < 0 || (o->heads && new_heads(c, e) < 0)) {
        encoder_free(c);
        return ERR_FAIL;
    }
    *out = c;
    return 0;
}

void encoder_free(struct encoder *c)
{
    if (!c)
        return;
    struct backend *b = c->model->backend;
    pass_free(c->backbone);
    for (int i = 0; i < MODEL_MAX_HEADS; i++) {
        pass_free(c->head[i]);
        b->ops->release(b, c->projected[i]);
    }
    void *memory[] = {c->features, c->d_features, c->low_features,
                      c->low_grad, c->map_grad,   c->low_dz};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        b->ops->release(b, memory[i]);
    free(c);
}

int encoder_set_weights(struct encoder *c, struct err *e)
{
    int rc = pass_set_weights(c->backbone, e);
    for (int i = 0; i < MODEL_MAX_HEADS && rc == 0; i++)
        if (c->head[i])
            rc = pass_set_weights(c->head[i], e);
    return rc;
}

int encoder_forward(struct encoder *c, const void *pixels, enum norm_mode mode, struct err *e)
{
    struct backend *b = c->model->backend;
    size_t rows = c->o.n * c->steps, out[3];
    if (pass_forward(c->backbone, pixels, mode, e) < 0)
        return ERR_FAIL;
    size_t shape[3] = {rows, c->plane, c->channels};
    b->ops->mean_inner(b, pass_output(c->backbone, out), c->o.dtype, shape, c->features);
    if (!c->o.heads)
        return 0;
    b->ops->convert(b, c->low_features, c->o.dtype, c->features, DTYPE_F32, rows * c->channels);
    for (int i = 0; i < c->model->desc.n_heads; i++) {
        if (pass_forward(c->head[i], c->low_features, mode, e) < 0)
            return ERR_FAIL;
        b->ops->convert(b, c->projected[i], DTYPE_F32, pass_output(c->head[i], out), c->o.dtype,
                        rows * c->dim);
    }
    return 0;
}

size_t encoder_steps(const struct encoder *c)
{
    return c->steps;
}

const float *encoder_features(const struct encoder *c)
{
    return c->features;
}

const float *encoder_projected(const struct encoder *c, int head)
{
    return c->projected[head];
}

float *encoder_features_grad(const struct encoder *c)
{
    return c->d_features;
}

const void *encoder_map(const struct encoder *c, size_t out[3])
{
    return pass_output(c->backbone, out);
}

void *encoder_map_grad(const struct encoder *c)
{
    return c->map_grad;
}

int encoder_backward_map(struct encoder *c, const void *pixels, struct err *e)
{
    return pass_backward(c->backbone, pixels, c->map_grad, NULL, e);
}

int encoder_backward_features(struct encoder *c, const void *pixels, struct err *e)
{
    struct backend *b = c->model->backend;
    size_t shape[3] = {c->o.n * c->steps, c->plane, c->channels};
    b->ops->mean_inner_grad(b, c->d_features, c->map_grad, c->o.dtype, shape);
    return encoder_backward_map(c, pixels, e);
}

int encoder_backward(struct encoder *c, const void *pixels, float *const *dz, struct err *e)
{
    struct backend *b = c->model->backend;
    size_t rows = c->o.n * c->steps, n = rows * c->channels;
    bool first = true;
    for (int i = 0; i < c->model->desc.n_heads; i++) {
        if (!dz[i])
            continue;
        b->ops->convert(b, c->low_dz, c->o.dtype, dz[i], DTYPE_F32, rows * c->dim);
        if (pass_backward(c->head[i], c->low_features, c->low_dz, c->low_grad, e) < 0)
            return ERR_FAIL;
        b->ops->accumulate(b, c->d_features, c->low_grad, c->o.dtype, n, !first);
        first = false;
    }
    if (first)
        return err_set(e, "no gradient reached the encoder");
    return encoder_backward_features(c, pixels, e);
}

static double flops_of(const struct encoder *c, double (*of)(const struct pass *p))
{
    double flops = of(c->backbone);
    for (int i = 0; i < MODEL_MAX_HEADS; i++)
        if (c->head[i])
            flops += of(c->head[i]);
    return flops;
}

double encoder_forward_flops(const struct encoder *c)
{
    return flops_of(c, pass_forward_flops);
}

double encoder_step_flops(const struct encoder *c)
{
    return flops_of(c, pass_step_flops);
}

size_t encoder_activation_bytes(const struct encoder *c)
{
    size_t bytes = pass_activation_bytes(c->backbone);
    for (int i = 0; i < MODEL_MAX_HEADS; i++)
        if (c->head[i])
            bytes += pass_activation_bytes(c->head[i]);
    return bytes;
}
