/* SPDX-License-Identifier: Apache-2.0 */
/* A network backward. */
#include <string.h>

#include "common/nn/pass_parts.h"

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
    const struct unit *u = pass_unit(p, i);
    return u->residual != NO_RESIDUAL || two || u->pool;
}

/* The masked gradient of a unit's output with its sums. Where it is kept, it takes dy[0]'s place.
 */
static struct norm_grad_args grad_args(const struct pass *p, int i, void *const dy[2])
{
    const struct unit *u = pass_unit(p, i);
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
    if (residual && u->residual >= 0 && pass_unit(p, u->residual)->shortcut) {
        args.c2 = p->unit[u->residual].c;
        args.mean2 = p->unit[u->residual].mean;
        args.sums2 = p->unit[u->residual].grad_sums;
    }
    return args;
}

/* Channel constants of the gradient of a normalisation. Where the sums are those of all processes,
 * one of these adds them to the gradients of scale and shift, which are added up in the end. */
static int finish_grad(struct pass *p, int i, struct err *e)
{
    const struct unit *u = pass_unit(p, i);
    const struct unit_offsets *at = &p->net->at[i];
    struct unit_plan *q = &p->unit[i];
    struct model *m = p->model;
    bool frozen = p->mode == NORM_RUNNING;
    bool mine = frozen || processes_rank(m->backend->processes) == 0;
    struct norm_grad_finish_args finish = {.channels = u->c_out,
                                           .count = pass_norm_rows(p, i),
                                           .sums = q->grad_sums,
                                           .gamma = m->params + at->gamma,
                                           .inv_std = q->inv_std,
                                           .d_gamma = mine ? m->grads + at->gamma : NULL,
                                           .d_beta = mine ? m->grads + at->beta : NULL,
                                           .frozen = frozen,
                                           .a = q->a,
                                           .b = q->b,
                                           .k = q->k};
    if (pass_sum_over_processes(p, i, q->grad_sums, e) < 0)
        return ERR_FAIL;
    return m->backend->ops->norm_grad_finish(m->backend, &finish);
}

/* How dc is made from g (masked already, or dy with the mask made from c). */
static struct norm_grad_apply_args apply_args(const struct pass *p, int i, const void *g,
                                              bool masked, void *dc)
{
    const struct unit_plan *q = &p->unit[i];
    return (struct norm_grad_apply_args){.rows = q->conv_rows,
                                         .channels = pass_unit(p, i)->c_out,
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
    int j = pass_unit(p, i)->input;
    struct conv_data_grad_args args = {
        .dy = g->dc, .dx = grad_take(p, e), .first = g->made ? NULL : &g->make};
    if (!args.dx)
        return ERR_FAIL;
    if (!p->unit[i].sums_input) {
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
    const struct unit *u = pass_unit(p, i);
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
                                  .channels = pass_unit(p, i)->c_out,
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
    const struct unit *u = pass_unit(p, i);
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
    const struct unit *u = pass_unit(p, i);
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
    return finish_grad(p, i, e);
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
    size_t n = p->unit[last].rows * pass_unit(p, last)->c_out;
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
        if (p->o.recompute && p->cut[i] && p->held != i && pass_compute_again(p, i, x, e) < 0)
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
