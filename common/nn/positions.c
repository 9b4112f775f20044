/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/positions.h"

#include <stdlib.h>

#include "common/base/buf.h"

/* A unit's weights [c_out, c_in] and biases, or their gradients, on the host. */
struct layer {
    size_t c_in, c_out;
    float *w, *b;
};

static struct layer layer_of(const struct positions *p, int k, float *host)
{
    const struct unit *u = &p->model->decoder.desc.unit[p->unit + k];
    const struct unit_offsets *at = &p->model->decoder.at[p->unit + k];
    return (struct layer){u->c_in, u->c_out, host + (at->w - p->first),
                          host + (at->bias - p->first)};
}

int positions_init(struct positions *p, struct model *m, size_t axes, const size_t *size,
                   struct err *e)
{
    *p = (struct positions){.model = m, .unit = axes == 1 ? 0 : 2, .axes = axes};
    p->n = axes == 1 ? size[0] : size[0] * size[1];
    p->first = m->decoder.at[p->unit].w;
    p->n_params = m->decoder.at[p->unit + 1].bias + POSITION_DIM - p->first;
    p->where = mem_new(p->n * axes, sizeof *p->where, e);
    p->hidden = mem_new(p->n * POSITION_HIDDEN, sizeof *p->hidden, e);
    p->scratch = mem_new(p->n_params + p->n * POSITION_DIM, sizeof *p->scratch, e);
    if (!p->where || !p->hidden || !p->scratch)
        return ERR_FAIL;
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < axes; k++) {
            size_t at = axes == 1 ? i : k ? i % size[1] : i / size[1];
            p->where[i * axes + k] = (float)at - 0.5f * (float)(size[k] - 1);
        }
    return 0;
}

void positions_release(struct positions *p)
{
    free(p->where);
    free(p->hidden);
    free(p->scratch);
    *p = (struct positions){0};
}

static void apply(const struct layer *l, const float *x, float *y)
{
    for (size_t o = 0; o < l->c_out; o++) {
        y[o] = l->b[o];
        for (size_t i = 0; i < l->c_in; i++)
            y[o] += l->w[o * l->c_in + i] * x[i];
    }
}

int positions_forward(struct positions *p, float *y, struct err *e)
{
    struct backend *b = p->model->backend;
    float *out = p->scratch + p->n_params;
    if (b->ops->download(b, p->scratch, p->model->params + p->first,
                         p->n_params * sizeof *p->scratch, e) < 0)
        return ERR_FAIL;
    struct layer first = layer_of(p, 0, p->scratch), second = layer_of(p, 1, p->scratch);
    for (size_t i = 0; i < p->n; i++) {
        float *hidden = p->hidden + i * POSITION_HIDDEN;
        apply(&first, p->where + i * p->axes, hidden);
        for (size_t k = 0; k < POSITION_HIDDEN; k++)
            hidden[k] = hidden[k] < 0.0f ? 0.0f : hidden[k];
        apply(&second, hidden, out + i * POSITION_DIM);
    }
    return b->ops->upload(b, y, out, p->n * POSITION_DIM * sizeof *out, e);
}

/* Adds to the gradients of a layer; the gradient of its input is returned in dx where wanted. */
static void apply_grad(const struct layer *grads, const struct layer *l, const float *x,
                       const float *dy, float *dx)
{
    for (size_t o = 0; o < l->c_out; o++) {
        grads->b[o] += dy[o];
        for (size_t i = 0; i < l->c_in; i++) {
            grads->w[o * l->c_in + i] += dy[o] * x[i];
            if (dx)
                dx[i] += l->w[o * l->c_in + i] * dy[o];
        }
    }
}

int positions_backward(struct positions *p, const float *dy, struct err *e)
{
    struct backend *b = p->model->backend;
    size_t bytes = p->n_params * sizeof(float);
    float *grads = mem_new(p->n_params, sizeof *grads, e), *out = p->scratch + p->n_params;
    float *device = p->model->grads + p->first;
    if (!grads)
        return ERR_FAIL;
    int rc = b->ops->download(b, grads, device, bytes, e);
    if (rc == 0)
        rc = b->ops->download(b, p->scratch, p->model->params + p->first, bytes, e);
    if (rc == 0)
        rc = b->ops->download(b, out, dy, p->n * POSITION_DIM * sizeof *out, e);
    struct layer w[2] = {layer_of(p, 0, p->scratch), layer_of(p, 1, p->scratch)};
    struct layer g[2] = {layer_of(p, 0, grads), layer_of(p, 1, grads)};
    for (size_t i = 0; rc == 0 && i < p->n; i++) {
        const float *hidden = p->hidden + i * POSITION_HIDDEN;
        float d_hidden[POSITION_HIDDEN] = {0};
        apply_grad(&g[1], &w[1], hidden, out + i * POSITION_DIM, d_hidden);
        for (size_t k = 0; k < POSITION_HIDDEN; k++)
            d_hidden[k] = hidden[k] > 0.0f ? d_hidden[k] : 0.0f;
        apply_grad(&g[0], &w[0], p->where + i * p->axes, d_hidden, NULL);
    }
    if (rc == 0)
        rc = b->ops->upload(b, device, grads, bytes, e);
    free(grads);
    return rc;
}
