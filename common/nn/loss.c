/* SPDX-License-Identifier: Apache-2.0 */
/* Equations 2 to 4 over a whole batch: aggregation, contrast, gradients of the projected steps. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/nn/objective.h"

/* One side (short or long clips) of one granularity. */
struct side {
    size_t k, steps, n_embeddings; /* per clip: steps = k * n_embeddings */
    float *u, *inv_norm, *du; /* [n, n_embeddings, D], [n, n_embeddings], [n, n_embeddings, D] */
};

/* Of one granularity: the anchors' positives and videos, the keys' videos, one after the other. */
struct lists {
    uint32_t *memory, *positive, *anchor_video, *key_video;
};

struct part {
    int head;
    struct side s[2]; /* short, long */
    struct lists host, device;
    size_t list_bytes;
};

struct loss {
    struct model *model;
    struct objective objective;
    struct loss_shape shape;
    struct part part[OBJECTIVE_MAX];
    struct loss_part result[OBJECTIVE_MAX];
    float *dz[2][MODEL_MAX_HEADS];
    double *sums; /* [n_parts, CONTRAST_SUMS], device memory */
};

static int new_side(struct loss *l, struct side *s, size_t k, size_t steps, struct err *e)
{
    struct backend *b = l->model->backend;
    s->steps = steps;
    s->k = k == OBJECTIVE_ALL_STEPS ? steps : k;
    if (steps % s->k != 0)
        return err_set(e, "aggregation over %zu steps does not divide the %zu steps of a clip",
                       s->k, steps);
    s->n_embeddings = steps / s->k;
    size_t rows = l->shape.n * s->n_embeddings, bytes = rows * l->shape.dim * sizeof(float);
    if (backend_alloc(b, &s->u, bytes, e) < 0 ||
        backend_alloc(b, &s->inv_norm, rows * sizeof *s->inv_norm, e) < 0)
        return ERR_FAIL;
    return backend_alloc(b, &s->du, bytes, e);
}

static void place_lists(struct lists *t, void *memory, size_t n_anchors)
{
    t->memory = t->positive = memory;
    t->anchor_video = t->positive + n_anchors;
    t->key_video = t->anchor_video + n_anchors;
}

static int new_lists(struct loss *l, struct part *p, struct err *e)
{
    struct backend *b = l->model->backend;
    size_t n_anchors = l->shape.n * p->s[0].n_embeddings;
    size_t n = 2 * n_anchors + l->shape.n * p->s[1].n_embeddings;
    void *host = mem_new(n, sizeof(uint32_t), e), *device;
    if (!host)
        return ERR_FAIL;
    place_lists(&p->host, host, n_anchors);
    p->list_bytes = n * sizeof(uint32_t);
    if (b->ops->alloc(b, p->list_bytes, &device, e) < 0)
        return ERR_FAIL;
    place_lists(&p->device, device, n_anchors);
    return 0;
}

static int new_part(struct loss *l, int i, struct err *e)
{
    const struct granularity *g = &l->objective.part[i];
    struct part *p = &l->part[i];
    p->head = model_find_head(l->model, g->head);
    if (p->head < 0)
        return err_set(e, "the model has no head %s", g->head);
    if (new_side(l, &p->s[0], g->k_short, l->shape.steps_short, e) < 0)
        return err_add(e, "%s: short clip", g->head);
    if (new_side(l, &p->s[1], g->k_long, l->shape.steps_long, e) < 0)
        return err_add(e, "%s: long clip", g->head);
    return new_lists(l, p, e);
}

int loss_new(struct loss **out, struct model *m, const struct objective *o,
             const struct loss_shape *s, struct err *e)
{
    struct loss *l = mem_new(1, sizeof *l, e);
    if (!l)
        return ERR_FAIL;
    l->model = m;
    l->objective = *o;
    l->shape = *s;
    int rc =
        backend_alloc(m->backend, &l->sums, OBJECTIVE_MAX * CONTRAST_SUMS * sizeof *l->sums, e);
    for (int i = 0; i < o->n_parts && rc == 0; i++)
        rc = new_part(l, i, e);
    for (int h = 0; h < m->desc.n_heads && rc == 0; h++)
        for (int side = 0; side < 2 && rc == 0; side++) {
            size_t steps = side ? s->steps_long : s->steps_short;
            rc = backend_alloc(m->backend, &l->dz[side][h], s->n * steps * s->dim * sizeof(float),
                               e);
        }
    if (rc < 0) {
        loss_free(l);
        return ERR_FAIL;
    }
    *out = l;
    return 0;
}

void loss_free(struct loss *l)
{
    if (!l)
        return;
    struct backend *b = l->model->backend;
    for (int i = 0; i < OBJECTIVE_MAX; i++) {
        for (int side = 0; side < 2; side++) {
            b->ops->release(b, l->part[i].s[side].u);
            b->ops->release(b, l->part[i].s[side].inv_norm);
            b->ops->release(b, l->part[i].s[side].du);
        }
        b->ops->release(b, l->part[i].device.memory);
        free(l->part[i].host.memory);
    }
    b->ops->release(b, l->sums);
    for (int h = 0; h < MODEL_MAX_HEADS; h++)
        for (int side = 0; side < 2; side++)
            b->ops->release(b, l->dz[side][h]);
    free(l);
}

static int embed_side(struct loss *l, struct side *s, const float *z, struct err *e)
{
    struct backend *b = l->model->backend;
    struct embed_args a = {.n = l->shape.n,
                           .steps = s->steps,
                           .k = s->k,
                           .dim = l->shape.dim,
                           .z = z,
                           .u = s->u,
                           .inv_norm = s->inv_norm};
    size_t bytes = l->shape.n * s->n_embeddings * l->shape.dim * sizeof(float);
    int rc = b->ops->embed(b, &a);
    return rc < 0 ? rc : b->ops->zero(b, s->du, bytes, e);
}

static int grad_side(struct loss *l, const struct side *s, float *dz)
{
    struct backend *b = l->model->backend;
    struct embed_grad_args a = {.n = l->shape.n,
                                .steps = s->steps,
                                .k = s->k,
                                .dim = l->shape.dim,
                                .u = s->u,
                                .inv_norm = s->inv_norm,
                                .du = s->du,
                                .dz = dz,
                                .accumulate = true};
    return b->ops->embed_grad(b, &a);
}

static void match_part(struct loss *l, struct part *p, const struct sample *rows_short,
                       const struct sample *rows_long)
{
    size_t n_short = p->s[0].n_embeddings, n_long = p->s[1].n_embeddings;
    for (size_t v = 0; v < l->shape.n; v++) {
        uint32_t *positive = p->host.positive + v * n_short;
        struct clip_embeddings anchors = {&rows_short[v], p->s[0].k, n_short};
        struct clip_embeddings keys = {&rows_long[v], p->s[1].k, n_long};
        objective_match(&anchors, &keys, positive);
        for (size_t i = 0; i < n_short; i++) {
            positive[i] += (uint32_t)(v * n_long);
            p->host.anchor_video[v * n_short + i] = rows_short[v].video;
        }
        for (size_t j = 0; j < n_long; j++)
            p->host.key_video[v * n_long + j] = rows_long[v].video;
    }
}

int loss_post(struct loss *l, const struct sample *rows_short, const struct sample *rows_long,
              struct err *e)
{
    struct backend *b = l->model->backend;
    for (int i = 0; i < l->objective.n_parts; i++) {
        struct part *p = &l->part[i];
        match_part(l, p, rows_short, rows_long);
        if (b->ops->post(b, p->device.memory, p->host.memory, p->list_bytes, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

static size_t n_anchors_of(const struct loss *l, int i)
{
    return l->shape.n * l->part[i].s[0].n_embeddings;
}

static int run_part(struct loss *l, int i, const struct loss_input *in, struct err *e)
{
    struct backend *b = l->model->backend;
    struct part *p = &l->part[i];
    size_t n_anchors = n_anchors_of(l, i);
    if (embed_side(l, &p->s[0], in->z_short[p->head], e) < 0 ||
        embed_side(l, &p->s[1], in->z_long[p->head], e) < 0)
        return ERR_FAIL;
    struct contrast_args a = {.n_anchors = n_anchors,
                              .n_keys = l->shape.n * p->s[1].n_embeddings,
                              .dim = l->shape.dim,
                              .anchors = p->s[0].u,
                              .keys = p->s[1].u,
                              .positive = p->device.positive,
                              .anchor_video = p->device.anchor_video,
                              .key_video = p->device.key_video,
                              .other_only = l->objective.other_only,
                              .temperature = (float)l->objective.temperature,
                              .scale = (float)(l->objective.part[i].weight / (double)n_anchors),
                              .d_anchors = p->s[0].du,
                              .d_keys = p->s[1].du,
                              .sums = l->sums + i * CONTRAST_SUMS};
    if (b->ops->contrast(b, &a, e) < 0 || grad_side(l, &p->s[0], l->dz[0][p->head]) < 0 ||
        grad_side(l, &p->s[1], l->dz[1][p->head]) < 0)
        return ERR_FAIL;
    return 0;
}

int loss_run(struct loss *l, const struct loss_input *in, struct err *e)
{
    struct backend *b = l->model->backend;
    for (int h = 0; h < l->model->desc.n_heads; h++)
        for (int side = 0; side < 2; side++) {
            size_t steps = side ? l->shape.steps_long : l->shape.steps_short;
            size_t bytes = l->shape.n * steps * l->shape.dim * sizeof(float);
            if (b->ops->zero(b, l->dz[side][h], bytes, e) < 0)
                return ERR_FAIL;
        }
    for (int i = 0; i < l->objective.n_parts; i++)
        if (run_part(l, i, in, e) < 0)
            return ERR_FAIL;
    return 0;
}

int loss_result(struct loss *l, double *total, struct err *e)
{
    struct backend *b = l->model->backend;
    double sums[OBJECTIVE_MAX][CONTRAST_SUMS];
    size_t n_parts = (size_t)l->objective.n_parts;
    if (b->ops->download(b, sums, l->sums, n_parts * sizeof sums[0], e) < 0)
        return ERR_FAIL;
    *total = 0.0;
    for (size_t i = 0; i < n_parts; i++) {
        double n = (double)n_anchors_of(l, (int)i);
        l->result[i] =
            (struct loss_part){sums[i][CONTRAST_LOSS] / n, sums[i][CONTRAST_POSITIVE] / n,
                               sums[i][CONTRAST_NEGATIVE] / n};
        *total += l->objective.part[i].weight * l->result[i].loss;
    }
    return 0;
}

const struct loss_part *loss_parts(const struct loss *l)
{
    return l->result;
}

float *loss_grad_short(const struct loss *l, int head)
{
    return l->dz[0][head];
}

float *loss_grad_long(const struct loss *l, int head)
{
    return l->dz[1][head];
}
