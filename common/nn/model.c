/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/rng.h"

enum { RNG_STREAM_WEIGHTS = 0x7765 };

const char *const model_task_names[] = {"pretrain", "classify", "boundary", "localize", NULL};

size_t model_n_parts(enum model_task task)
{
    return task == MODEL_BOUNDARY ? 2 : 1;
}

/* -- the list of tensors -- */

struct layout {
    struct param *param;
    size_t n, capacity;
    size_t n_values, n_stats;
    struct err *e;
    bool failed;
};

/* Tensors start at multiples of 16 floats, so that vector loads are aligned. */
static size_t aligned_len(size_t len)
{
    return (len + 15) / 16 * 16;
}

static size_t add_param(struct layout *l, const char *owner, const char *member,
                        enum param_kind kind, const size_t dim[5])
{
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 128;
        struct param *grown = mem_grow(l->param, capacity, sizeof *grown, l->e);
        if (!grown) {
            l->failed = true;
            return 0;
        }
        l->param = grown;
        l->capacity = capacity;
    }
    struct param *p = &l->param[l->n++];
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s.%s", owner, member);
    p->kind = kind;
    p->len = 1;
    for (int i = 0; i < 5; i++) {
        p->dim[i] = dim[i];
        p->len *= dim[i] ? dim[i] : 1;
    }
    size_t *end = kind == PARAM_STATISTIC ? &l->n_stats : &l->n_values;
    p->offset = *end;
    *end += aligned_len(p->len);
    return p->offset;
}

static void add_trainable(struct layout *l, struct net *net)
{
    for (int i = 0; i < net->desc.n_units; i++) {
        const struct unit *u = &net->desc.unit[i];
        struct unit_offsets *at = &net->at[i];
        size_t conv[5] = {u->c_out, u->kernel[0], u->kernel[1], u->kernel[2], u->c_in};
        size_t linear[5] = {u->c_out, u->c_in}, vector[5] = {u->c_out};
        at->w = add_param(l, u->conv_name, "weight", u->linear ? PARAM_LINEAR : PARAM_CONV,
                          u->linear ? linear : conv);
        if (u->bias)
            at->bias = add_param(l, u->conv_name, "bias", PARAM_VECTOR, vector);
        if (u->norm_name[0]) {
            at->gamma = add_param(l, u->norm_name, "weight", PARAM_VECTOR, vector);
            at->beta = add_param(l, u->norm_name, "bias", PARAM_VECTOR, vector);
        }
    }
}

static void add_statistics(struct layout *l, struct net *net)
{
    for (int i = 0; i < net->desc.n_units; i++) {
        const struct unit *u = &net->desc.unit[i];
        size_t vector[5] = {u->c_out};
        if (!u->norm_name[0] || u->layer_norm)
            continue;
        net->at[i].mean = add_param(l, u->norm_name, "running_mean", PARAM_STATISTIC, vector);
        net->at[i].var = add_param(l, u->norm_name, "running_var", PARAM_STATISTIC, vector);
    }
}

static int lay_out(struct model *m, struct err *e)
{
    struct layout l = {.e = e};
    add_trainable(&l, &m->backbone);
    for (int i = 0; i < m->desc.n_heads; i++)
        add_trainable(&l, &m->head[i]);
    add_trainable(&l, &m->decoder);
    add_trainable(&l, &m->classifier);
    m->n_trainable_tensors = l.n;
    add_statistics(&l, &m->backbone);
    for (int i = 0; i < m->desc.n_heads; i++)
        add_statistics(&l, &m->head[i]);
    m->param = l.param;
    m->n_param = l.n;
    m->n_values = l.n_values;
    m->n_stats = l.n_stats;
    return l.failed ? ERR_FAIL : 0;
}

static int build_nets(struct model *m, struct err *e)
{
    struct model_desc *d = &m->desc;
    if (arch_backbone(&m->backbone.desc, d->backbone, e) < 0)
        return ERR_FAIL;
    if (d->n_heads < 0 || d->n_heads > MODEL_MAX_HEADS)
        return err_set(e, "%d heads: at most %d", d->n_heads, MODEL_MAX_HEADS);
    size_t channels = m->backbone.desc.c_out;
    if (d->head_width == 0)
        d->head_width = channels;
    for (int i = 0; i < d->n_heads; i++) {
        struct head_shape shape = {channels, d->head_width, d->head_dim, d->head_layers};
        if (arch_head(&m->head[i].desc, d->head[i], &shape, e) < 0)
            return ERR_FAIL;
    }
    bool localize = d->n_classes && d->task == MODEL_LOCALIZE;
    if (localize)
        arch_decoder(&m->decoder.desc, channels);
    if (d->n_classes)
        arch_linear(&m->classifier.desc, "classifier",
                    localize ? m->decoder.desc.c_out : model_n_parts(d->task) * channels,
                    d->n_classes);
    return 0;
}

int model_new(struct model **out, struct backend *b, const struct model_desc *d, struct err *e)
{
    struct model *m = mem_new(1, sizeof *m, e);
    if (!m)
        return ERR_FAIL;
    m->backend = b;
    m->desc = *d;
    if (build_nets(m, e) < 0 || lay_out(m, e) < 0 ||
        backend_alloc_zero(b, &m->params, m->n_values * sizeof *m->params, e) < 0 ||
        backend_alloc_zero(b, &m->stats, m->n_stats * sizeof *m->stats, e) < 0) {
        model_free(m);
        return ERR_FAIL;
    }
    *out = m;
    return 0;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    struct backend *b = m->backend;
    b->ops->release(b, m->params);
    b->ops->release(b, m->grads);
    b->ops->release(b, m->velocity);
    b->ops->release(b, m->stats);
    b->ops->release(b, m->lr);
    b->ops->release(b, m->not_finite);
    b->ops->optimizer_free(b, m->optimizer);
    free(m->param);
    free(m);
}

/* -- training -- */

static int new_optimizer(struct model *m, const struct optimizer_desc *how, struct err *e)
{
    struct param_span *spans = mem_new(m->n_trainable_tensors, sizeof *spans, e);
    struct optimizer_desc d = *how;
    if (!spans)
        return ERR_FAIL;
    for (size_t i = 0; i < m->n_trainable_tensors; i++) {
        const struct param *p = &m->param[i];
        bool kernel = p->kind != PARAM_VECTOR;
        spans[i] = (struct param_span){p->offset, p->len, kernel, kernel};
    }
    d.spans = spans;
    d.n_spans = m->n_trainable_tensors;
    int rc = m->backend->ops->optimizer_new(m->backend, &d, &m->optimizer, e);
    free(spans);
    return rc;
}

int model_make_trainable(struct model *m, const struct optimizer_desc *how, struct err *e)
{
    struct backend *b = m->backend;
    if (m->grads)
        return 0;
    if (backend_alloc_zero(b, &m->grads, m->n_values * sizeof *m->grads, e) < 0 ||
        backend_alloc_zero(b, &m->velocity, m->n_values * sizeof *m->velocity, e) < 0 ||
        backend_alloc_zero(b, &m->lr, sizeof *m->lr, e) < 0 ||
        backend_alloc(b, &m->not_finite, sizeof *m->not_finite, e) < 0)
        return ERR_FAIL;
    return how ? new_optimizer(m, how, e) : 0;
}

int model_post_lr(struct model *m, double lr, struct err *e)
{
    float rate = (float)lr;
    return m->backend->ops->post(m->backend, m->lr, &rate, sizeof rate, e);
}

int model_begin_grads(struct model *m, struct err *e)
{
    struct backend *b = m->backend;
    if (b->ops->zero(b, m->not_finite, sizeof *m->not_finite, e) < 0)
        return ERR_FAIL;
    return b->ops->zero(b, m->grads, m->n_values * sizeof *m->grads, e);
}

int model_end_grads(struct model *m, struct err *e)
{
    struct backend *b = m->backend;
    if (b->processes && b->ops->all_reduce(b, m->grads, REDUCE_F32, m->n_values, e) < 0)
        return ERR_FAIL;
    return b->ops->all_finite(b, m->grads, m->n_values, m->not_finite) < 0
               ? err_set(e, "looking through the gradients failed")
               : 0;
}

int model_update(struct model *m, struct err *e)
{
    struct backend *b = m->backend;
    struct optimizer_args a = {m->params, m->grads, m->velocity, m->lr, m->not_finite};
    return b->ops->optimizer_step(b, m->optimizer, &a) < 0 ? err_set(e, "the optimiser failed") : 0;
}

int model_broadcast(struct model *m, struct err *e)
{
    struct backend *b = m->backend;
    if (b->ops->broadcast(b, m->params, m->n_values * sizeof *m->params, e) < 0 ||
        b->ops->broadcast(b, m->velocity, m->n_values * sizeof *m->velocity, e) < 0)
        return ERR_FAIL;
    return b->ops->broadcast(b, m->stats, m->n_stats * sizeof *m->stats, e);
}

int model_find_head(const struct model *m, const char *name)
{
    for (int i = 0; i < m->desc.n_heads; i++)
        if (strcmp(m->desc.head[i], name) == 0)
            return i;
    return -1;
}

size_t model_n_backbone_values(const struct model *m)
{
    const struct net_desc *d = &m->backbone.desc;
    size_t n = 0;
    for (int i = 0; i < d->n_units; i++) {
        const struct unit *u = &d->unit[i];
        n += u->c_out * u->kernel[0] * u->kernel[1] * u->kernel[2] * u->c_in + 2 * u->c_out;
    }
    return n;
}

/* -- initial weights -- */

static double truncated_normal(struct rng *r)
{
    double x;
    do
        x = rng_normal(r);
    while (fabs(x) > 2.0);
    return x;
}

static void init_tensor(const struct param *p, struct rng *r, float *to)
{
    size_t outputs = p->dim[0], inputs = p->len / outputs;
    double sigma = sqrt(1.0 / (double)inputs) / 0.87962566103423978;
    double limit = sqrt(6.0 / (double)(inputs + outputs));
    const char *member = strrchr(p->name, '.') + 1;
    bool one = p->kind == PARAM_STATISTIC ? strcmp(member, "running_var") == 0
                                          : strcmp(member, "weight") == 0;
    for (size_t i = 0; i < p->len; i++) {
        if (p->kind == PARAM_CONV)
            to[i] = (float)(sigma * truncated_normal(r));
        else if (p->kind == PARAM_LINEAR)
            to[i] = (float)rng_uniform(r, -limit, limit);
        else
            to[i] = one ? 1.0f : 0.0f;
    }
}

int model_init_weights(struct model *m, uint64_t seed, struct err *e)
{
    struct backend *b = m->backend;
    int rc = 0;
    for (size_t i = 0; i < m->n_param && rc == 0; i++) {
        const struct param *p = &m->param[i];
        float *values = mem_new(p->len, sizeof *values, e);
        if (!values)
            return ERR_FAIL;
        struct rng r;
        rng_init(&r, seed, RNG_STREAM_WEIGHTS, i);
        init_tensor(p, &r, values);
        float *to = (p->kind == PARAM_STATISTIC ? m->stats : m->params) + p->offset;
        rc = b->ops->upload(b, to, values, p->len * sizeof *values, e);
        free(values);
    }
    return rc;
}
