/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations on convolutions. One of few channels is folded into one of many (fold.h): the
 * plans see that, its input is in scratch memory, its weights are packed so.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "kernels/cuda/conv_plan.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/fold.h"
#include "kernels/cuda/fused.h"

struct conv {
    struct conv_desc desc;
    struct conv_fold fold; /* where it is narrow */
    struct conv_desc seen; /* as the plans see it: the fold's wide one, or desc */
    bool is_narrow;
    struct conv_plan *plan[CONV_N_PASSES]; /* borrowed from the backend; NULL: not wanted */
    void *weights;                         /* [O, taps, c_in] of `seen` */
    bool borrowed;                         /* they are those of desc.share */
    float *bias;                           /* [O] */
    double *bias_sums;                     /* [2, O] */
};

static size_t wide_input_bytes(const struct conv *c)
{
    return c->is_narrow ? conv_in_rows(&c->seen) * c->seen.c_in * dtype_bytes(c->seen.dtype) : 0;
}

/* Scratch memory of a pass: offsets of its parts, then the workspace of its plan. Without a plan,
 * what any has. */
struct parts {
    size_t x, y, w, workspace, total;
};

static struct parts parts_of(const struct conv *c, enum conv_pass pass)
{
    const struct conv_plan *p = c->plan[pass];
    const struct conv_desc *d = &c->seen;
    struct parts at = {0};
    size_t x = wide_input_bytes(c);
    bool wide = p && pass == CONV_FORWARD && conv_plan_y_type(p) != d->dtype;
    size_t y = wide ? conv_out_rows(d) * d->c_out * sizeof(float) : 0;
    size_t w = pass == CONV_BACKWARD_WEIGHTS ? conv_n_weights(&c->seen) * sizeof(float) : 0;
    at.y = cuda_align(x);
    at.w = at.y + cuda_align(y);
    at.workspace = at.w + cuda_align(w);
    at.total = at.workspace + (p ? conv_plan_workspace_bytes(p) : 0);
    if (p && conv_plan_fuses(p)) {
        struct fused_job j = fused_job_of(d, pass, &(struct conv_tensors){0});
        at.total += fused_bytes(&j);
    }
    return at;
}

/* -- making -- */

/* Plans, unless only memory is asked for, and scratch memory. */
static int get_plans(struct backend *b, struct conv *c, struct err *e)
{
    const bool wanted[CONV_N_PASSES] = {true, !c->desc.forward_only && !c->desc.no_data_grad,
                                        !c->desc.forward_only};
    struct row_block y = {conv_out_rows(&c->desc), c->desc.c_out, c->desc.dtype};
    size_t bytes = cuda_channel_sums_bytes(&y);
    for (enum conv_pass pass = CONV_FORWARD; pass < CONV_N_PASSES; pass++) {
        if (!wanted[pass])
            continue;
        if (!b->sizing && conv_plan_get(&c->plan[pass], b, &c->seen, pass, e) < 0)
            return ERR_FAIL;
        size_t total = parts_of(c, pass).total;
        bytes = total > bytes ? total : bytes;
    }
    return cuda_reserve(b, bytes, e);
}

static int get_weights(struct backend *b, struct conv *c, struct err *e)
{
    const struct conv_desc *d = &c->desc;
    const struct conv *share = d->share;
    void *memory = NULL;
    if (share && share->desc.dtype == d->dtype && share->seen.c_in == c->seen.c_in &&
        conv_n_weights(&share->seen) == conv_n_weights(&c->seen)) {
        c->weights = share->weights;
        c->borrowed = true;
    } else if (cuda_alloc(b, conv_n_weights(&c->seen) * dtype_bytes(d->dtype), &c->weights, e) <
               0) {
        return ERR_FAIL;
    }
    if (!d->bias)
        return 0;
    if (cuda_alloc(b, d->c_out * sizeof *c->bias, &memory, e) < 0)
        return ERR_FAIL;
    c->bias = memory;
    if (cuda_alloc(b, 2 * d->c_out * sizeof *c->bias_sums, &memory, e) < 0)
        return ERR_FAIL;
    c->bias_sums = memory;
    return 0;
}

int cuda_conv_new(struct backend *b, const struct conv_desc *desc, struct conv **out, struct err *e)
{
    struct conv *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    cuda_of(b)->n_convs++;
    c->desc = c->seen = *desc;
    c->is_narrow = conv_is_narrow(desc);
    if (c->is_narrow) {
        c->fold = conv_fold_of(desc);
        c->seen = c->fold.wide;
    }
    if (get_weights(b, c, e) < 0 || get_plans(b, c, e) < 0) {
        cuda_conv_free(b, c);
        return err_add(e, "convolution %zux%zux%zu of %zu to %zu channels", desc->kernel[0],
                       desc->kernel[1], desc->kernel[2], desc->c_in, desc->c_out);
    }
    *out = c;
    return 0;
}

int cuda_conv_free(struct backend *b, struct conv *c)
{
    if (!c)
        return 0;
    if (!c->borrowed)
        cuda_release(b, c->weights);
    cuda_release(b, c->bias);
    cuda_release(b, c->bias_sums);
    free(c);
    /* That of a batch that was too large is not left to the next. */
    if (--cuda_of(b)->n_convs == 0)
        cuda_free_scratch(b);
    return 0;
}

int cuda_conv_set_weights(struct backend *b, struct conv *c, const float *w, const float *bias,
                          struct err *e)
{
    int rc = 0;
    if (c->desc.bias)
        rc = cuda_convert(b, c->bias, DTYPE_F32, bias, DTYPE_F32, c->desc.c_out);
    if (rc == 0 && !c->borrowed)
        rc = c->is_narrow ? cuda_fold_weights(b, &c->fold, w, c->weights)
                          : cuda_convert(b, c->weights, c->desc.dtype, w, DTYPE_F32,
                                         conv_n_weights(&c->seen));
    return rc < 0 ? err_set(e, "packing weights failed") : 0;
}

/* -- running -- */

/* The input as the plans see it. */
static void *seen_input(struct backend *b, const struct conv *c, const void *x, void *room)
{
    if (!c->is_narrow)
        return (void *)x;
    return cuda_fold_input(b, &c->fold, x, room) < 0 ? NULL : room;
}

static char *scratch_for(struct backend *b, const struct parts *at, struct err *e)
{
    char *scratch = cuda_scratch(b, at->total);
    if (!scratch)
        err_set(e, "out of GPU memory");
    return scratch;
}

static int run_fused(struct backend *b, const struct fused_job *j, void *scratch, struct err *e)
{
    return fused_run(b, j, scratch) < 0 ? err_set(e, "a product with what follows it failed") : 0;
}

int cuda_conv_forward(struct backend *b, struct conv *c, const struct conv_forward_args *args,
                      struct err *e)
{
    struct conv_plan *p = c->plan[CONV_FORWARD];
    struct row_block y = {conv_out_rows(&c->desc), c->desc.c_out, c->desc.dtype};
    struct parts at = parts_of(c, CONV_FORWARD);
    char *scratch = scratch_for(b, &at, e);
    if (!scratch)
        return ERR_FAIL;
    struct conv_tensors t = {.x = c->is_narrow ? scratch + at.x : (void *)args->x,
                             .w = c->weights,
                             .y = conv_plan_y_type(p) == y.dtype ? args->y : scratch + at.y,
                             .x_type = y.dtype,
                             .w_type = y.dtype,
                             .y_type = conv_plan_y_type(p)};
    struct cuda_bias add = {t.y, t.y_type, c->bias, args->y, y};
    struct fused_job j = fused_job_of(&c->seen, CONV_FORWARD, &t);
    j.sums = args->sums;
    j.apply = conv_plan_fuses(p) == FUSES_ALL ? args->apply : NULL;
    bool fuses = conv_plan_fuses(p) && fused_may_run(&j);
    if (args->apply && !(fuses && j.apply) && cuda_norm_apply(b, args->apply) < 0)
        return err_set(e, "a normalisation failed");
    if (fuses)
        return run_fused(b, &j, scratch + at.workspace, e);
    if (c->is_narrow && cuda_fold_input(b, &c->fold, args->x, t.x) < 0)
        return err_set(e, "folding a convolution's input failed");
    if (conv_plan_run(p, &t, scratch + at.workspace, 0.0f, e) < 0)
        return ERR_FAIL;
    if (c->desc.bias && cuda_add_bias(b, &add) < 0)
        return err_set(e, "adding a bias failed");
    if (args->sums && cuda_channel_sums(b, &y, args->y, args->sums) < 0)
        return err_set(e, "the sums of a convolution's output failed");
    return 0;
}

int cuda_conv_backward_data(struct backend *b, struct conv *c,
                            const struct conv_data_grad_args *args, struct err *e)
{
    struct conv_plan *p = c->plan[CONV_BACKWARD_DATA];
    struct parts at = parts_of(c, CONV_BACKWARD_DATA);
    enum dtype type = c->desc.dtype;
    char *scratch = scratch_for(b, &at, e);
    if (!scratch)
        return ERR_FAIL;
    struct conv_tensors t = {.x = c->is_narrow ? scratch + at.x : args->dx,
                             .w = c->weights,
                             .y = (void *)args->dy,
                             .x_type = type,
                             .w_type = type,
                             .y_type = type};
    struct fused_job j = fused_job_of(&c->seen, CONV_BACKWARD_DATA, &t);
    j.then = args->then;
    j.first = conv_plan_fuses(p) == FUSES_ALL ? args->first : NULL;
    bool fuses = conv_plan_fuses(p) && fused_may_run(&j);
    if (args->first && !(fuses && j.first) && cuda_norm_grad_apply(b, args->first) < 0)
        return err_set(e, "the gradient of a normalisation failed");
    if (fuses)
        return run_fused(b, &j, scratch + at.workspace, e);
    if (conv_plan_run(p, &t, scratch + at.workspace, 0.0f, e) < 0)
        return ERR_FAIL;
    if (c->is_narrow && cuda_unfold_input(b, &c->fold, t.x, args->dx) < 0)
        return err_set(e, "unfolding the gradient of a convolution's input failed");
    if (args->then && cuda_norm_grad(b, args->then) < 0)
        return err_set(e, "the sums of a gradient failed");
    return 0;
}

static int bias_grad(struct backend *b, struct conv *c, const struct conv_weight_grad_args *args)
{
    struct row_block y = {conv_out_rows(&c->desc), c->desc.c_out, c->desc.dtype};
    if (cuda_channel_sums(b, &y, args->dy, c->bias_sums) < 0)
        return ERR_FAIL;
    return cuda_store_sums(b, c->bias_sums, args->dbias, c->desc.c_out, args->accumulate);
}

static int store_weight_grad(struct backend *b, const struct conv *c, const struct conv_tensors *t,
                             const struct conv_weight_grad_args *args)
{
    const struct unfold_weights u = {t->w, t->w_type, args->dw, args->accumulate};
    return c->is_narrow ? cuda_unfold_weights(b, &c->fold, &u)
                        : cuda_accumulate(b, args->dw, t->w, t->w_type, conv_n_weights(&c->seen),
                                          args->accumulate);
}

int cuda_conv_backward_weights(struct backend *b, struct conv *c,
                               const struct conv_weight_grad_args *args, struct err *e)
{
    struct conv_plan *p = c->plan[CONV_BACKWARD_WEIGHTS];
    struct parts at = parts_of(c, CONV_BACKWARD_WEIGHTS);
    char *scratch = scratch_for(b, &at, e);
    if (!scratch)
        return ERR_FAIL;
    bool direct = !c->is_narrow && conv_plan_w_type(p) == DTYPE_F32 &&
                  (!args->accumulate || conv_plan_adds(p));
    struct conv_tensors t = {.x = seen_input(b, c, args->x, scratch + at.x),
                             .w = direct ? (void *)args->dw : scratch + at.w,
                             .y = (void *)args->dy,
                             .x_type = c->desc.dtype,
                             .w_type = conv_plan_w_type(p),
                             .y_type = c->desc.dtype};
    if (!t.x)
        return err_set(e, "folding a convolution's input failed");
    if (conv_plan_run(p, &t, scratch + at.workspace, direct && args->accumulate ? 1.0f : 0.0f, e) <
        0)
        return ERR_FAIL;
    if (!direct && store_weight_grad(b, c, &t, args) < 0)
        return err_set(e, "storing a weight gradient failed");
    if (c->desc.bias && args->dbias && bias_grad(b, c, args) < 0)
        return err_set(e, "the gradient of a bias failed");
    return 0;
}
