/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/pass.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"

/* Gradients that are needed at a time; one more where dc is apart from g. */
enum { GRAD_BUFFERS = 3, NORM_VECTORS = 7, NORM_SUMS = 4 };

/* A unit's plan and tensors. Vectors are [c_out] float32, sums [2, c_out] float64. */
struct unit_plan {
    struct conv *conv;
    size_t conv_out[3], out[3]; /* (t, h, w) before and after pooling */
    size_t conv_rows, rows;     /* n * t * h * w of each */
    void *c, *y;                /* convolution output; unit output (may be the same memory) */
    uint8_t *arg;               /* positions of the maxima where the unit pools */
    uint8_t *mask; /* y > 0 as bits, where the device would rather read those backward */
    float *mean, *inv_std, *scale, *shift, *a, *b, *k;
    double *sums, *grad_sums;
};

/* Memory for the gradient of any tensor. */
struct grad_buffer {
    void *memory;
    bool taken;
};

struct pass {
    struct model *model;
    const struct net *net;
    struct pass_options o;
    enum norm_mode mode; /* of the last forward */
    struct unit_plan unit[ARCH_MAX_UNITS];
    bool cut[ARCH_MAX_UNITS]; /* behind this unit, nothing in front of it is read */
    int held; /* recompute: last unit of the block whose inside is in memory; -1: none */
    void *activations, *vectors; /* the memory behind c, y, arg and the vectors */
    size_t activation_bytes, grad_bytes;
    struct grad_buffer own_grad[GRAD_BUFFERS + 1];
    struct grad_buffer *grad; /* those, or those of the pass that this one shares with */
    int n_grad;
    void *pending[ARCH_MAX_UNITS][2]; /* gradients that reached a unit's output */
    bool summed[ARCH_MAX_UNITS];      /* they are one, and the sums of it are there */
    bool kept[ARCH_MAX_UNITS];        /* which is masked, then */
};

static const struct unit *unit_of(const struct pass *p, int i)
{
    return &p->net->desc.unit[i];
}

static size_t tensor_bytes(const struct pass *p, size_t rows, int i)
{
    return (rows * unit_of(p, i)->c_out * dtype_bytes(p->o.dtype) + 63) / 64 * 64;
}

/* -- shapes and plans -- */

/* Behind which units nothing in front of them is read. */
static void find_cuts(struct pass *p)
{
    for (int i = 0; i < p->net->desc.n_units; i++)
        p->cut[i] = true;
    for (int j = 0; j < p->net->desc.n_units; j++) {
        const int read[2] = {unit_of(p, j)->input, unit_of(p, j)->residual};
        for (int k = 0; k < 2; k++)
            for (int i = read[k] + 1; read[k] >= 0 && i < j; i++)
                p->cut[i] = false;
    }
}

/*
 * Whether unit i's gradient to its input is the last that reaches the unit it comes from, so that
 * the sums of that one's normalisation can be taken at once. (With `recompute`, the inside of the
 * block before is not there yet.)
 */
static bool sums_at_once(const struct pass *p, int i)
{
    int j = unit_of(p, i)->input;
    if (!p->o.keep || j == NET_INPUT)
        return false;
    const struct unit *u = unit_of(p, j);
    if (!u->norm_name[0] || u->pool || u->shortcut || (p->o.recompute && p->cut[j]))
        return false;
    for (int k = j + 1; k < i; k++)
        if (unit_of(p, k)->input == j || unit_of(p, k)->residual == j)
            return false;
    return unit_of(p, i)->residual != j;
}

/*
 * Whether unit j's normalisation is left to the convolution that reads its output first, which is
 * unit i's if so. (With `recompute`, what it is made of is not there when the next block's inside
 * is computed again.)
 */
static bool left_to(const struct pass *p, int j, int i)
{
    const struct unit *u = unit_of(p, j);
    if (!p->o.keep || !u->norm_name[0] || u->pool || u->shortcut || (p->o.recompute && p->cut[j]) ||
        unit_of(p, i)->input != j)
        return false;
    for (int k = j + 1; k < i; k++)
        if (unit_of(p, k)->input == j || unit_of(p, k)->residual == j)
            return false;
    return true;
}

/* Whether it is left to any. */
static bool is_left(const struct pass *p, int j)
{
    for (int i = j + 1; i < p->net->desc.n_units; i++)
        if (left_to(p, j, i))
            return true;
    return false;
}

/* Which of the ways to mask. */
static enum conv_then then_of(const struct pass *p, int i)
{
    if (!sums_at_once(p, i))
        return THEN_NOTHING;
    return unit_of(p, unit_of(p, i)->input)->residual == NO_RESIDUAL ? THEN_MASK : THEN_ADD;
}

static void shape_unit(struct pass *p, int i, struct conv_desc *d)
{
    const struct unit *u = unit_of(p, i);
    struct unit_plan *q = &p->unit[i];
    const size_t *in = u->input == NET_INPUT ? p->o.in : p->unit[u->input].out;
    *d = (struct conv_desc){.n = p->o.n,
                            .c_in = u->c_in,
                            .c_out = u->c_out,
                            .dtype = p->o.dtype,
                            .bias = u->bias,
                            .forward_only = !p->o.keep,
                            .no_data_grad = u->input == NET_INPUT && !p->o.input_grad,
                            .with_apply = u->input != NET_INPUT && left_to(p, u->input, i),
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
                return err_set(e, "%s: input of %zux%zux%zu is too small", unit_of(p, i)->conv_name,
                               d.in[0], d.in[1], d.in[2]);
        if (p->model->backend->ops->conv_new(p->model->backend, &d, &p->unit[i].conv, e) < 0)
            return err_add(e, "%s", unit_of(p, i)->conv_name);
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
        if (unit_of(p, j)->input == i || unit_of(p, j)->residual == i)
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
    const struct unit *u = unit_of(p, i);
    return u->pool || (p->o.keep && u->norm_name[0] && !u->shortcut);
}

/* Whether the mask of a sum with a residual is kept as bits: backward, no normalisation has it. */
static bool has_mask(const struct pass *p, int i)
{
    const struct unit *u = unit_of(p, i);
    return p->o.keep && p->model->backend->fuses && u->residual != NO_RESIDUAL && u->relu &&
           u->c_out % 8 == 0;
}

/* Of `arg` or `mask`: no unit has both. */
static size_t arg_bytes(const struct pass *p, int i)
{
    const struct unit *u = unit_of(p, i);
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
        total += unit_of(p, i)->c_out * (NORM_VECTORS * sizeof(float) + NORM_SUMS * sizeof(double));
    if (b->ops->alloc(b, total, &p->vectors, e) < 0)
        return ERR_FAIL;
    double *sums = p->vectors;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        p->unit[i].sums = sums;
        p->unit[i].grad_sums = sums + 2 * unit_of(p, i)->c_out;
        sums += NORM_SUMS * unit_of(p, i)->c_out;
    }
    float *v = (float *)sums;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        struct unit_plan *q = &p->unit[i];
        float **member[NORM_VECTORS] = {&q->mean, &q->inv_std, &q->scale, &q->shift,
                                        &q->a,    &q->b,       &q->k};
        for (int k = 0; k < NORM_VECTORS; k++, v += unit_of(p, i)->c_out)
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
        const float *bias = unit_of(p, i)->bias ? p->model->params + at->bias : NULL;
        if (b->ops->conv_set_weights(b, p->unit[i].conv, p->model->params + at->w, bias, e) < 0)
            return err_add(e, "%s", unit_of(p, i)->conv_name);
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

double pass_forward_flops(const struct pass *p)
{
    double flops = 0.0;
    for (int i = 0; i < p->net->desc.n_units; i++) {
        const struct unit *u = unit_of(p, i);
        flops += 2.0 * (double)p->unit[i].conv_rows * (double)u->c_out * (double)u->c_in *
                 (double)(u->kernel[0] * u->kernel[1] * u->kernel[2]);
    }
    return flops;
}

/* -- forward -- */

static int finish_norm(struct pass *p, int i)
{
    const struct unit *u = unit_of(p, i);
    const struct unit_offsets *at = &p->net->at[i];
    struct unit_plan *q = &p->unit[i];
    struct model *m = p->model;
    struct norm_finish_args args = {.channels = u->c_out,
                                    .count = (double)q->conv_rows,
                                    .sums = p->mode == NORM_RUNNING ? NULL : q->sums,
                                    .gamma = m->params + at->gamma,
                                    .beta = m->params + at->beta,
                                    .eps = ARCH_NORM_EPS,
                                    .momentum = u->momentum,
                                    .update = p->mode == NORM_BATCH_UPDATE,
                                    .running_mean = m->stats + at->mean,
                                    .running_var = m->stats + at->var,
                                    .mean = q->mean,
                                    .inv_std = q->inv_std,
                                    .scale = q->scale,
                                    .shift = q->shift};
    return m->backend->ops->norm_finish(m->backend, &args);
}

/* How a unit's output is made; x is the network's input. */
static struct norm_apply_args output_args(struct pass *p, int i, const void *x)
{
    const struct unit *u = unit_of(p, i);
    struct unit_plan *q = &p->unit[i];
    struct norm_apply_args args = {.rows = q->rows,
                                   .channels = u->c_out,
                                   .dtype = p->o.dtype,
                                   .c = q->c,
                                   .scale = q->scale,
                                   .shift = q->shift,
                                   .relu = u->relu,
                                   .y = q->y,
                                   .mask = q->mask};
    if (u->residual == NET_INPUT) {
        args.residual = x;
    } else if (u->residual != NO_RESIDUAL) {
        struct unit_plan *r = &p->unit[u->residual];
        bool shortcut = unit_of(p, u->residual)->shortcut;
        args.residual = shortcut ? r->c : r->y;
        args.residual_scale = shortcut ? r->scale : NULL;
        args.residual_shift = shortcut ? r->shift : NULL;
    }
    return args;
}

static int apply_norm(struct pass *p, int i, const void *x)
{
    const struct unit *u = unit_of(p, i);
    struct unit_plan *q = &p->unit[i];
    struct backend *b = p->model->backend;
    if (u->pool) {
        struct norm_pool_args args = {.planes = p->o.n * q->conv_out[0],
                                      .height = q->conv_out[1],
                                      .width = q->conv_out[2],
                                      .channels = u->c_out,
                                      .dtype = p->o.dtype,
                                      .c = q->c,
                                      .scale = q->scale,
                                      .shift = q->shift,
                                      .y = q->y,
                                      .arg = q->arg};
        return b->ops->norm_pool(b, &args);
    }
    struct norm_apply_args args = output_args(p, i, x);
    return b->ops->norm_apply(b, &args);
}

/* A unit's output from its inputs, with the statistics of its own or, `again`, those that it has.
 * The last step may be left to a unit that comes later. */
static int unit_forward(struct pass *p, int i, const void *x, bool again, struct err *e)
{
    const struct unit *u = unit_of(p, i);
    struct unit_plan *q = &p->unit[i];
    struct backend *b = p->model->backend;
    bool norm = u->norm_name[0] != '\0', left = u->shortcut || is_left(p, i);
    struct norm_apply_args first;
    struct conv_forward_args args = {.x = u->input == NET_INPUT ? x : p->unit[u->input].y,
                                     .y = q->c,
                                     .sums = norm && p->mode != NORM_RUNNING && !again ? q->sums
                                                                                       : NULL};
    if (u->input != NET_INPUT && left_to(p, u->input, i)) {
        first = output_args(p, u->input, x);
        args.first = &first;
    }
    if (b->ops->conv_forward(b, q->conv, &args, e) < 0)
        return err_add(e, "%s", u->conv_name);
    if (norm && ((!again && finish_norm(p, i) < 0) || (!left && apply_norm(p, i, x) < 0)))
        return err_set(e, "%s: not enough memory", u->norm_name);
    return 0;
}

int pass_forward(struct pass *p, const void *x, enum norm_mode mode, struct err *e)
{
    p->mode = mode;
    p->held = p->net->desc.n_units - 1;
    for (int i = 0; i < p->net->desc.n_units; i++)
        if (unit_forward(p, i, x, false, e) < 0)
            return ERR_FAIL;
    return 0;
}

/* The inside of the block that ends with this unit. */
static int compute_again(struct pass *p, int last, const void *x, struct err *e)
{
    int first = last;
    while (first > 0 && !p->cut[first - 1])
        first--;
    for (int i = first; i <= last; i++)
        if (unit_forward(p, i, x, true, e) < 0)
            return ERR_FAIL;
    p->held = last;
    return 0;
}

/* -- backward -- */

static void *grad_take(struct pass *p, struct err *e)
{
    for (int i = 0; i < p->n_grad; i++)
        if (!p->grad[i].taken) {
            p->grad[i].taken = true;
            return p->grad[i].memory;
        }
    err_set(e, "%s: more than %d gradients at a time", p->net->desc.name, p->n_grad);
    return NULL;
}

static void grad_give(struct pass *p, const void *memory)
{
    for (int i = 0; i < p->n_grad && memory; i++)
        if (p->grad[i].memory == memory)
            p->grad[i].taken = false;
}

/* Nothing is left of a backward pass that failed half-way. */
static void start_backward(struct pass *p)
{
    for (int i = 0; i < p->n_grad; i++)
        p->grad[i].taken = false;
    memset(p->pending, 0, sizeof p->pending);
    memset(p->summed, 0, sizeof p->summed);
    memset(p->kept, 0, sizeof p->kept);
}

static void grad_push(struct pass *p, int unit, void *memory)
{
    p->pending[unit][p->pending[unit][0] != NULL] = memory;
}

/* The gradient of a convolution's output. */
struct unit_grad {
    void *dc;
    void *g; /* what it is made of, to be given back too; NULL: another unit has it, too */
    bool made;
    struct norm_grad_apply_args make; /* what makes it, while it is not */
};

/* Whether the masked gradient of a unit's output is needed beyond its own normalisation, or too
 * much to be made twice. */
static bool is_kept(const struct pass *p, int i, bool two)
{
    const struct unit *u = unit_of(p, i);
    return u->residual != NO_RESIDUAL || two || u->pool;
}

/* The masked gradient of a unit's output with its sums. Where it is kept, it takes dy[0]'s place.
 */
static struct norm_grad_args grad_args(const struct pass *p, int i, void *const dy[2])
{
    const struct unit *u = unit_of(p, i);
    const struct unit_plan *q = &p->unit[i];
    bool residual = u->residual != NO_RESIDUAL;
    struct norm_grad_args args = {.rows = q->conv_rows,
                                  .channels = u->c_out,
                                  .dtype = p->o.dtype,
                                  .dy = dy[0],
                                  .dy2 = dy[1],
                                  .c = q->c,
                                  .mean = q->mean,
                                  .scale = q->scale,
                                  .shift = q->shift,
                                  .y = residual ? q->y : NULL,
                                  .mask = q->mask,
                                  .relu = u->relu && !u->pool,
                                  .g = is_kept(p, i, dy[1]) ? dy[0] : NULL,
                                  .sums = q->grad_sums};
    if (residual && u->residual >= 0 && unit_of(p, u->residual)->shortcut) {
        args.c2 = p->unit[u->residual].c;
        args.mean2 = p->unit[u->residual].mean;
        args.sums2 = p->unit[u->residual].grad_sums;
    }
    return args;
}

/* Channel constants of the gradient of a normalisation. */
static int finish_grad(struct pass *p, int i)
{
    const struct unit *u = unit_of(p, i);
    const struct unit_offsets *at = &p->net->at[i];
    struct unit_plan *q = &p->unit[i];
    struct model *m = p->model;
    struct norm_grad_finish_args finish = {.channels = u->c_out,
                                           .count = (double)q->conv_rows,
                                           .sums = q->grad_sums,
                                           .gamma = m->params + at->gamma,
                                           .inv_std = q->inv_std,
                                           .d_gamma = m->grads + at->gamma,
                                           .d_beta = m->grads + at->beta,
                                           .frozen = p->mode == NORM_RUNNING,
                                           .a = q->a,
                                           .b = q->b,
                                           .k = q->k};
    return m->backend->ops->norm_grad_finish(m->backend, &finish);
}

/* How dc is made from g (masked already, or dy with the mask made from c). */
static struct norm_grad_apply_args apply_args(const struct pass *p, int i, const void *g,
                                              bool masked, void *dc)
{
    const struct unit_plan *q = &p->unit[i];
    return (struct norm_grad_apply_args){.rows = q->conv_rows,
                                         .channels = unit_of(p, i)->c_out,
                                         .dtype = p->o.dtype,
                                         .g = g,
                                         .c = q->c,
                                         .scale = masked ? NULL : q->scale,
                                         .shift = masked ? NULL : q->shift,
                                         .mean = q->mean,
                                         .a = q->a,
                                         .b = q->b,
                                         .k = q->k,
                                         .dc = dc};
}

/* The gradient of unit i's input, pushed to the unit that it comes from, or put in the place of
 * what is there with the sums of that unit's normalisation. */
static int data_backward(struct pass *p, int i, const struct unit_grad *g, struct err *e)
{
    struct backend *b = p->model->backend;
    int j = unit_of(p, i)->input;
    struct conv_data_grad_args args = {
        .dy = g->dc, .dx = grad_take(p, e), .first = g->made ? NULL : &g->make};
    if (!args.dx)
        return ERR_FAIL;
    if (!sums_at_once(p, i)) {
        grad_push(p, j, args.dx);
        return b->ops->conv_backward_data(b, p->unit[i].conv, &args, e);
    }
    void *dy[2] = {args.dx, p->pending[j][0]};
    struct norm_grad_args then = grad_args(p, j, dy);
    args.then = &then;
    p->pending[j][0] = args.dx;
    p->summed[j] = true;
    p->kept[j] = then.g != NULL;
    int rc = b->ops->conv_backward_data(b, p->unit[i].conv, &args, e);
    grad_give(p, dy[1]);
    return rc;
}

/* The gradient of the input, which makes dc on the way, and the gradients of the weights. */
static int conv_backward(struct pass *p, int i, const void *x, const struct unit_grad *g,
                         struct err *e)
{
    const struct unit *u = unit_of(p, i);
    const struct unit_offsets *at = &p->net->at[i];
    struct unit_plan *q = &p->unit[i];
    struct backend *b = p->model->backend;
    struct conv_weight_grad_args args = {.x = u->input == NET_INPUT ? x : p->unit[u->input].y,
                                         .dy = g->dc,
                                         .dw = p->model->grads + at->w,
                                         .dbias = u->bias ? p->model->grads + at->bias : NULL,
                                         .accumulate = true};
    int rc = 0;
    if (u->input != NET_INPUT)
        rc = data_backward(p, i, g, e);
    else if (!g->made && b->ops->norm_grad_apply(b, &g->make) < 0)
        rc = err_set(e, "not enough memory");
    if (rc == 0)
        rc = b->ops->conv_backward_weights(b, q->conv, &args, e);
    return rc < 0 ? err_add(e, "%s", u->conv_name) : 0;
}

static int pool_backward(struct pass *p, int i, void *dy[2], void *g)
{
    struct unit_plan *q = &p->unit[i];
    struct backend *b = p->model->backend;
    struct pool_grad_args args = {.planes = p->o.n * q->conv_out[0],
                                  .height = q->conv_out[1],
                                  .width = q->conv_out[2],
                                  .channels = unit_of(p, i)->c_out,
                                  .dtype = p->o.dtype,
                                  .dy = dy[0],
                                  .dy2 = dy[1],
                                  .arg = q->arg,
                                  .g = g};
    return b->ops->pool_grad(b, &args);
}

/* The pending gradients of unit i's output as one, with the sums of its normalisation; `masked`
 * tells whether it is masked. */
static int sum_up(struct pass *p, int i, void *dy[2], bool *masked, struct err *e)
{
    const struct unit *u = unit_of(p, i);
    struct backend *b = p->model->backend;
    *masked = p->kept[i] || !u->relu;
    if (p->summed[i]) {
        p->summed[i] = false;
        return 0;
    }
    struct norm_grad_args args = grad_args(p, i, dy);
    *masked = args.g || !u->relu;
    if (b->ops->norm_grad(b, &args) < 0)
        return err_set(e, "%s: not enough memory", u->norm_name);
    grad_give(p, dy[1]);
    return 0;
}

/* The gradient before the pooling takes the place of those behind it. */
static int unpool(struct pass *p, int i, void *dy[2], struct err *e)
{
    void *g = grad_take(p, e);
    if (!g || pool_backward(p, i, dy, g) < 0)
        return ERR_FAIL;
    grad_give(p, dy[0]);
    grad_give(p, dy[1]);
    dy[0] = g;
    dy[1] = NULL;
    return 0;
}

/* From the pending gradients of unit i's output to dc, the gradient of its convolution's output. */
static int unit_backward(struct pass *p, int i, struct unit_grad *to, struct err *e)
{
    const struct unit *u = unit_of(p, i);
    void *dy[2] = {p->pending[i][0], p->pending[i][1]};
    bool masked = true, residual = u->residual != NO_RESIDUAL;
    p->pending[i][0] = p->pending[i][1] = NULL;
    *to = (struct unit_grad){.dc = dy[0], .made = true};
    if (!u->norm_name[0])
        return 0;
    if (u->pool && unpool(p, i, dy, e) < 0)
        return ERR_FAIL;
    /* g of a shortcut and its sums came with the unit that adds it */
    if (!u->shortcut && sum_up(p, i, dy, &masked, e) < 0)
        return ERR_FAIL;
    bool passed_on = residual && u->residual >= 0;
    to->g = passed_on ? NULL : dy[0];
    to->dc = residual || p->model->backend->fuses ? grad_take(p, e) : dy[0];
    if (!to->dc)
        return ERR_FAIL;
    if (passed_on)
        grad_push(p, u->residual, dy[0]);
    to->made = false;
    to->make = apply_args(p, i, dy[0], masked, to->dc);
    return finish_grad(p, i);
}

/* What unit_backward took, and nobody else has. */
static void unit_grad_give(struct pass *p, const struct unit_grad *g)
{
    if (g->g != g->dc)
        grad_give(p, g->g);
    grad_give(p, g->dc);
}

static int copy_in(struct pass *p, const void *dy, struct err *e)
{
    int last = p->net->desc.n_units - 1;
    struct backend *b = p->model->backend;
    void *memory = grad_take(p, e);
    if (!memory)
        return ERR_FAIL;
    p->pending[last][0] = memory;
    size_t n = p->unit[last].rows * unit_of(p, last)->c_out;
    return b->ops->convert(b, memory, p->o.dtype, dy, p->o.dtype, n);
}

int pass_backward(struct pass *p, const void *x, const void *dy, void *dx, struct err *e)
{
    struct backend *b = p->model->backend;
    start_backward(p);
    if (copy_in(p, dy, e) < 0)
        return ERR_FAIL;
    for (int i = p->net->desc.n_units - 1; i >= 0; i--) {
        struct unit_grad g;
        if (p->o.recompute && p->cut[i] && p->held != i && compute_again(p, i, x, e) < 0)
            return ERR_FAIL;
        if (unit_backward(p, i, &g, e) < 0 || conv_backward(p, i, x, &g, e) < 0)
            return ERR_FAIL;
        struct conv_data_grad_args to_input = {.dy = g.dc, .dx = dx};
        if (i == 0 && dx && b->ops->conv_backward_data(b, p->unit[0].conv, &to_input, e) < 0)
            return ERR_FAIL;
        unit_grad_give(p, &g);
    }
    return 0;
}
