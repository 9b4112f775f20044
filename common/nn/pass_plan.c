/* SPDX-License-Identifier: Apache-2.0 */
/* Making a pass: shapes, convolutions, and where every tensor is. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/nn/pass_parts.h"

static size_t tensor_bytes(const struct pass *p, size_t rows, int i)
{
    return (rows * pass_unit(p, i)->c_out * dtype_bytes(p->o.dtype) + 63) / 64 * 64;
}

/* -- shapes and plans -- */

/* Behind which units nothing in front of them is read. */
static void find_cuts(struct pass *p)
{
    for (int i = 0; i < p->net->desc.n_units; i++)
        p->cut[i] = true;
    for (int j = 0; j < p->net->desc.n_units; j++) {
        const int read[2] = {pass_unit(p, j)->input, pass_unit(p, j)->residual};
        for (int k = 0; k < 2; k++)
            for (int i = read[k] + 1; read[k] >= 0 && i < j; i++)
                p->cut[i] = false;
    }
}

/*
 * Whether unit i is the first to read the output of unit j, a normalisation's: then that can be
 * left to its convolution. (With `recompute`, what the output of a block is made of is not there
 * when the next block's inside is computed again.)
 */
static bool reads_first(const struct pass *p, int i, int j)
{
    if (!p->o.keep || j == NET_INPUT || pass_unit(p, i)->input != j)
        return false;
    const struct unit *u = pass_unit(p, j);
    if (!u->norm_name[0] || u->pool || u->shortcut || (p->o.recompute && p->cut[j]))
        return false;
    for (int k = j + 1; k < i; k++)
        if (pass_unit(p, k)->input == j || pass_unit(p, k)->residual == j)
            return false;
    return true;
}

/* Whether its gradient to that input is the last that reaches unit j, so that the sums of that
 * normalisation can be taken at once. */
static bool sums_at_once(const struct pass *p, int i)
{
    int j = pass_unit(p, i)->input;
    return reads_first(p, i, j) && pass_unit(p, i)->residual != j;
}

/* Which of the ways to mask. */
static enum conv_then then_of(const struct pass *p, int i)
{
    if (!p->unit[i].sums_input)
        return THEN_NOTHING;
    return pass_unit(p, pass_unit(p, i)->input)->residual == NO_RESIDUAL ? THEN_MASK : THEN_ADD;
}

static void shape_unit(struct pass *p, int i, struct conv_desc *d)
{
    const struct unit *u = pass_unit(p, i);
    struct unit_plan *q = &p->unit[i];
    const size_t *in = u->input == NET_INPUT ? p->o.in : p->unit[u->input].out;
    bool makes_input = reads_first(p, i, u->input);
    if (makes_input)
        p->unit[u->input].made_by = i;
    q->made_by = i;
    q->sums_input = sums_at_once(p, i);
    *d = (struct conv_desc){.n = p->o.n,
                            .c_in = u->c_in,
                            .c_out = u->c_out,
                            .dtype = p->o.dtype,
                            .bias = u->bias,
                            .forward_only = !p->o.keep,
                            .no_data_grad = u->input == NET_INPUT && !p->o.input_grad,
                            .with_apply = makes_input,
                            .with_sums = p->o.keep && u->norm_name[0],
                            .with_first = p->o.keep && u->norm_name[0],
                            .then = then_of(p, i)};
    q->conv_rows = q->rows = p->o.n;
    for (int k = 0; k < 3; k++) {
        d->in[k] = in[k];
        d->kernel[k] = u->kernel[k];
        d->stride[k] = u->stride[k];
        d->pad[k] = u->pad[k];
        q->conv_out[k] = conv_out(d, k);
        q->out[k] = u->pool && k > 0 ? (q->conv_out[k] - 1) / 2 + 1 : q->conv_out[k];
        q->conv_rows *= q->conv_out[k];
        q->rows *= q->out[k];
    }
}

static int plan_units(struct pass *p, struct err *e)
{
    for (int i = 0; i < p->net->desc.n_units; i++) {
        struct conv_desc d;
        shape_unit(p, i, &d);
        d.share = p->o.share ? p->o.share->unit[i].conv : NULL;
        for (int k = 0; k < 3; k++)
            if (d.in[k] + 2 * d.pad[k] < d.kernel[k])
                return err_set(e, "%s: input of %zux%zux%zu is too small",
                               pass_unit(p, i)->conv_name, d.in[0], d.in[1], d.in[2]);
        if (p->model->backend->ops->conv_new(p->model->backend, &d, &p->unit[i].conv, e) < 0)
            return err_add(e, "%s", pass_unit(p, i)->conv_name);
        size_t bytes = tensor_bytes(p, p->unit[i].conv_rows, i);
        p->grad_bytes = bytes > p->grad_bytes ? bytes : p->grad_bytes;
    }
    return 0;
}

/* -- activations: offsets first, one allocation behind -- */

struct slot { /* memory shared by tensors whose lives do not overlap */
    size_t offset, bytes;
    int busy_until; /* last unit that reads the tensor in it */
};

struct planner {
    struct slot slot[ARCH_MAX_UNITS * 2];
    int n_slots;
    size_t end;
    bool share;
};

/* Offset of `bytes` in use from unit `now` to `last`. */
static size_t place(struct planner *m, size_t bytes, int now, int last)
{
    struct slot *best = NULL;
    for (int i = 0; i < m->n_slots && m->share; i++) {
        struct slot *s = &m->slot[i];
        if (s->busy_until < now && s->bytes >= bytes && (!best || s->bytes < best->bytes))
            best = s;
    }
    if (!best) {
        best = &m->slot[m->n_slots++];
        best->offset = m->end;
        best->bytes = bytes;
        m->end += bytes;
    }
    best->busy_until = last;
    return best->offset;
}

static int last_reader(const struct pass *p, int i)
{
    int last = i, n = p->net->desc.n_units;
    for (int j = i + 1; j < n; j++)
        if (pass_unit(p, j)->input == i || pass_unit(p, j)->residual == i)
            last = j;
    return i == n - 1 ? n : last;
}

/* Offsets of the units' tensors. */
struct places {
    size_t c[ARCH_MAX_UNITS], y[ARCH_MAX_UNITS], arg[ARCH_MAX_UNITS], end;
};

/* A pass that keeps nothing normalises in place; one that keeps needs c and y apart. */
static bool is_apart(const struct pass *p, int i)
{
    const struct unit *u = pass_unit(p, i);
    return u->pool || (p->o.keep && u->norm_name[0] && !u->shortcut);
}

/* Whether the mask of a sum with a residual is kept as bits: backward, no normalisation has it. */
static bool has_mask(const struct pass *p, int i)
{
    const struct unit *u = pass_unit(p, i);
    return p->o.keep && p->model->backend->fuses && u->residual != NO_RESIDUAL && u->relu &&
           u->c_out % 8 == 0;
}

/* Of `arg` or `mask`: no unit has both. */
static size_t arg_bytes(const struct pass *p, int i)
{
    const struct unit *u = pass_unit(p, i);
    size_t n = p->unit[i].rows * u->c_out;
    size_t bytes = u->pool && p->o.keep ? n : has_mask(p, i) ? n / 8 : 0;
    return (bytes + 63) / 64 * 64;
}

static void place_all(const struct pass *p, struct places *at)
{
    struct planner m = {.share = !p->o.keep};
    int n = p->net->desc.n_units;
    for (int i = 0; i < n; i++) {
        const struct unit_plan *q = &p->unit[i];
        bool apart = is_apart(p, i);
        at->c[i] = place(&m, tensor_bytes(p, q->conv_rows, i), i, apart ? i : last_reader(p, i));
        at->y[i] = apart ? place(&m, tensor_bytes(p, q->rows, i), i, last_reader(p, i)) : at->c[i];
        at->arg[i] = arg_bytes(p, i) ? place(&m, arg_bytes(p, i), i, n) : 0;
    }
    at->end = m.end;
}

static size_t take_bytes(size_t *end, size_t bytes)
{
    *end += bytes;
    return *end - bytes;
}

/* Outputs of blocks have places of their own; the insides of all blocks share one behind them. */
static void place_blocks(const struct pass *p, struct places *at)
{
    size_t kept = 0, inside = 0, most = 0;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        const struct unit_plan *q = &p->unit[i];
        bool apart = is_apart(p, i);
        at->c[i] =
            take_bytes(p->cut[i] && !apart ? &kept : &inside, tensor_bytes(p, q->conv_rows, i));
        at->y[i] =
            apart ? take_bytes(p->cut[i] ? &kept : &inside, tensor_bytes(p, q->rows, i)) : at->c[i];
        at->arg[i] = take_bytes(&inside, arg_bytes(p, i));
        most = inside > most ? inside : most;
        inside = p->cut[i] ? 0 : inside;
    }
    for (int i = 0; i < p->net->desc.n_units; i++) {
        bool apart = is_apart(p, i);
        at->c[i] += p->cut[i] && !apart ? 0 : kept;
        at->y[i] = apart ? at->y[i] + (p->cut[i] ? 0 : kept) : at->c[i];
        at->arg[i] += kept;
    }
    at->end = kept + most;
}

static int place_activations(struct pass *p, struct err *e)
{
    struct places at;
    if (p->o.recompute)
        place_blocks(p, &at);
    else
        place_all(p, &at);
    struct backend *b = p->model->backend;
    if (b->ops->alloc(b, at.end, &p->activations, e) < 0)
        return err_add(e, "activations of %zu bytes", at.end);
    p->activation_bytes = at.end;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        p->unit[i].c = (char *)p->activations + at.c[i];
        p->unit[i].y = (char *)p->activations + at.y[i];
        uint8_t *arg = arg_bytes(p, i) ? (uint8_t *)p->activations + at.arg[i] : NULL;
        p->unit[i].mask = has_mask(p, i) ? arg : NULL;
        p->unit[i].arg = has_mask(p, i) ? NULL : arg;
    }
    return 0;
}

static int place_vectors(struct pass *p, struct err *e)
{
    struct backend *b = p->model->backend;
    size_t total = 0;
    for (int i = 0; i < p->net->desc.n_units; i++)
        total +=
            pass_unit(p, i)->c_out * (NORM_VECTORS * sizeof(float) + NORM_SUMS * sizeof(double));
    if (b->ops->alloc(b, total, &p->vectors, e) < 0)
        return ERR_FAIL;
    double *sums = p->vectors;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        p->unit[i].sums = sums;
        p->unit[i].grad_sums = sums + 2 * pass_unit(p, i)->c_out;
        sums += NORM_SUMS * pass_unit(p, i)->c_out;
    }
    float *v = (float *)sums;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        struct unit_plan *q = &p->unit[i];
        float **member[NORM_VECTORS] = {&q->mean, &q->inv_std, &q->scale, &q->shift,
                                        &q->a,    &q->b,       &q->k};
        for (int k = 0; k < NORM_VECTORS; k++, v += pass_unit(p, i)->c_out)
            *member[k] = v;
    }
    return 0;
}

/* Passes that share go backward one after the other. */
static int place_gradients(struct pass *p, struct err *e)
{
    const struct pass *share = p->o.share;
    struct backend *b = p->model->backend;
    p->grad = p->own_grad;
    p->n_grad = p->o.keep ? GRAD_BUFFERS + b->fuses : 0;
    if (share && share->n_grad == p->n_grad && share->grad_bytes >= p->grad_bytes) {
        p->grad = share->grad;
        return 0;
    }
    for (int i = 0; i < p->n_grad; i++)
        if (b->ops->alloc(b, p->grad_bytes, &p->grad[i].memory, e) < 0)
            return err_add(e, "gradients of %zu bytes", p->grad_bytes);
    return 0;
}

int pass_new(struct pass **out, struct model *m, const struct net *net,
             const struct pass_options *o, struct err *e)
{
    struct pass *p = mem_new(1, sizeof *p, e);
    if (!p)
        return ERR_FAIL;
    p->model = m;
    p->net = net;
    p->o = *o;
    p->o.recompute = o->recompute && o->keep;
    find_cuts(p);
    if (plan_units(p, e) < 0 || place_activations(p, e) < 0 || place_vectors(p, e) < 0 ||
        place_gradients(p, e) < 0) {
        pass_free(p);
        return err_add(e, "%s on %zu x [%zu, %zu, %zu]", net->desc.name, o->n, o->in[0], o->in[1],
                       o->in[2]);
    }
    *out = p;
    return 0;
}

void pass_free(struct pass *p)
{
    if (!p)
        return;
    struct backend *b = p->model->backend;
    for (int i = 0; i < p->net->desc.n_units; i++)
        b->ops->conv_free(b, p->unit[i].conv);
    for (int i = 0; i <= GRAD_BUFFERS; i++)
        b->ops->release(b, p->own_grad[i].memory);
    b->ops->release(b, p->activations);
    b->ops->release(b, p->vectors);
    free(p);
}

int pass_set_weights(struct pass *p, struct err *e)
{
    struct backend *b = p->model->backend;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        const struct unit_offsets *at = &p->net->at[i];
        const float *bias = pass_unit(p, i)->bias ? p->model->params + at->bias : NULL;
        if (b->ops->conv_set_weights(b, p->unit[i].conv, p->model->params + at->w, bias, e) < 0)
            return err_add(e, "%s", pass_unit(p, i)->conv_name);
    }
    return 0;
}

void *pass_output(const struct pass *p, size_t out[3])
{
    const struct unit_plan *q = &p->unit[p->net->desc.n_units - 1];
    for (int k = 0; k < 3; k++)
        out[k] = q->out[k];
    return q->y;
}

size_t pass_activation_bytes(const struct pass *p)
{
    return p->activation_bytes;
}

static double unit_flops(const struct pass *p, int i)
{
    const struct unit *u = pass_unit(p, i);
    return 2.0 * (double)p->unit[i].conv_rows * (double)u->c_out * (double)u->c_in *
           (double)(u->kernel[0] * u->kernel[1] * u->kernel[2]);
}

double pass_forward_flops(const struct pass *p)
{
    double flops = 0.0;
    for (int i = 0; i < p->net->desc.n_units; i++)
        flops += unit_flops(p, i);
    return flops;
}

double pass_step_flops(const struct pass *p)
{
    return 3.0 * pass_forward_flops(p) - (p->o.input_grad ? 0.0 : unit_flops(p, 0));
}
