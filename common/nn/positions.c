/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/positions.h"

#include <stdlib.h>

#include "common/base/buf.h"

/* Moments or places, counted from the middle. */
static int fill(struct positions *p, const size_t *size, struct err *e)
{
    struct backend *b = p->model->backend;
    float *where = mem_new(p->n * p->axes, sizeof *where, e), one[POSITION_HIDDEN];
    if (!where)
        return ERR_FAIL;
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->axes; k++) {
            size_t at = p->axes == 1 ? i : k ? i % size[1] : i / size[1];
            where[i * p->axes + k] = (float)at - 0.5f * (float)(size[k] - 1);
        }
    for (size_t k = 0; k < POSITION_HIDDEN; k++)
        one[k] = 1.0f;
    int rc = b->ops->upload(b, p->where, where, p->n * p->axes * sizeof *where, e);
    free(where);
    return rc < 0 ? rc : b->ops->upload(b, p->one, one, sizeof one, e);
}

int positions_init(struct positions *p, struct model *m, size_t axes, const size_t *size, bool keep,
                   struct err *e)
{
    struct backend *b = m->backend;
    *p = (struct positions){.model = m, .axes = axes};
    p->n = axes == 1 ? size[0] : size[0] * size[1];
    for (int k = 0; k < 2; k++) {
        struct linear_layer_at at = {&m->decoder, (axes == 1 ? 0 : 2) + k, p->n, keep, DTYPE_F32};
        if (linear_layer_new(&p->layer[k], m, &at, e) < 0)
            return ERR_FAIL;
    }
    size_t hidden = p->n * POSITION_HIDDEN * sizeof(float),
           vector = POSITION_HIDDEN * sizeof(float);
    if (backend_alloc_zero(b, &p->where, p->n * axes * sizeof(float), e) < 0 ||
        backend_alloc_zero(b, &p->hidden, hidden, e) < 0 ||
        backend_alloc_zero(b, &p->d_hidden, hidden, e) < 0 ||
        backend_alloc_zero(b, &p->one, vector, e) < 0 ||
        backend_alloc_zero(b, &p->zero, vector, e) < 0 ||
        backend_alloc_zero(b, &p->sums, 2 * POSITION_HIDDEN * sizeof(double), e) < 0)
        return ERR_FAIL;
    return fill(p, size, e);
}

void positions_release(struct positions *p)
{
    if (!p->model)
        return;
    struct backend *b = p->model->backend;
    void *memory[] = {p->where, p->hidden, p->d_hidden, p->one, p->zero, p->sums};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        b->ops->release(b, memory[i]);
    for (int k = 0; k < 2; k++)
        linear_layer_release(&p->layer[k]);
    *p = (struct positions){0};
}

int positions_set_weights(struct positions *p, struct err *e)
{
    return linear_layer_set_weights(&p->layer[0], e) < 0
               ? ERR_FAIL
               : linear_layer_set_weights(&p->layer[1], e);
}

float *positions_forward(struct positions *p, struct err *e)
{
    struct backend *b = p->model->backend;
    const float *linear = linear_layer_forward(&p->layer[0], p->where, e);
    struct norm_apply_args relu = {.rows = p->n,
                                   .channels = POSITION_HIDDEN,
                                   .dtype = DTYPE_F32,
                                   .c = linear,
                                   .scale = p->one,
                                   .shift = p->zero,
                                   .relu = true,
                                   .y = p->hidden};
    if (!linear || b->ops->norm_apply(b, &relu) < 0)
        return NULL;
    return linear_layer_forward(&p->layer[1], p->hidden, e);
}

int positions_backward(struct positions *p, const float *dy, struct err *e)
{
    struct backend *b = p->model->backend;
    struct norm_grad_args relu = {.rows = p->n,
                                  .channels = POSITION_HIDDEN,
                                  .dtype = DTYPE_F32,
                                  .dy = p->d_hidden,
                                  .c = linear_layer_output(&p->layer[0]),
                                  .mean = p->zero,
                                  .scale = p->one,
                                  .shift = p->zero,
                                  .relu = true,
                                  .g = p->d_hidden,
                                  .sums = p->sums};
    if (linear_layer_backward(&p->layer[1], p->hidden, dy, p->d_hidden, e) < 0)
        return ERR_FAIL;
    if (b->ops->norm_grad(b, &relu) < 0)
        return err_set(e, "positions: not enough memory");
    return linear_layer_backward(&p->layer[0], p->where, p->d_hidden, NULL, e);
}
