/* SPDX-License-Identifier: Apache-2.0 */
/* A network forward. */
#include "common/nn/pass_parts.h"

int pass_sum_over_processes(const struct pass *p, int i, double *sums, struct err *e)
{
    struct backend *b = p->model->backend;
    if (!b->processes || p->mode == NORM_RUNNING)
        return 0;
    return b->ops->all_reduce(b, sums, REDUCE_F64, 2 * pass_unit(p, i)->c_out, e);
}

static int finish_norm(struct pass *p, int i, struct err *e)
{
    const struct unit *u = pass_unit(p, i);
    const struct unit_offsets *at = &p->net->at[i];
    struct unit_plan *q = &p->unit[i];
    struct model *m = p->model;
    struct norm_finish_args args = {.channels = u->c_out,
                                    .count = pass_norm_rows(p, i),
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
    if (pass_sum_over_processes(p, i, q->sums, e) < 0)
        return ERR_FAIL;
    return m->backend->ops->norm_finish(m->backend, &args) < 0 ? err_set(e, "not enough memory")
                                                               : 0;
}

/* How a unit's output is made; x is the network's input. */
static struct norm_apply_args output_args(struct pass *p, int i, const void *x)
{
    const struct unit *u = pass_unit(p, i);
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
        bool shortcut = pass_unit(p, u->residual)->shortcut;
        args.residual = shortcut ? r->c : r->y;
        args.residual_scale = shortcut ? r->scale : NULL;
        args.residual_shift = shortcut ? r->shift : NULL;
    }
    return args;
}

static int apply_norm(struct pass *p, int i, const void *x)
{
    const struct unit *u = pass_unit(p, i);
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
    const struct unit *u = pass_unit(p, i);
    struct unit_plan *q = &p->unit[i];
    struct backend *b = p->model->backend;
    bool norm = u->norm_name[0] != '\0', made = !u->shortcut && q->made_by == i;
    struct norm_apply_args apply;
    struct conv_forward_args args = {.x = u->input == NET_INPUT ? x : p->unit[u->input].y,
                                     .y = q->c,
                                     .sums = norm && p->mode != NORM_RUNNING && !again ? q->sums
                                                                                       : NULL};
    if (u->input != NET_INPUT && p->unit[u->input].made_by == i) {
        apply = output_args(p, u->input, x);
        args.apply = &apply;
    }
    if (b->ops->conv_forward(b, q->conv, &args, e) < 0)
        return err_add(e, "%s", u->conv_name);
    if (norm && !again && finish_norm(p, i, e) < 0)
        return err_add(e, "%s", u->norm_name);
    if (norm && made && apply_norm(p, i, x) < 0)
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

int pass_compute_again(struct pass *p, int last, const void *x, struct err *e)
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
