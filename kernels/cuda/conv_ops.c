/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations on convolutions. The few channels of an input picture are padded with zeros to a
 * multiple that the libraries' fast engines accept: the plans see such tensors, in scratch memory,
 * and so do the weights.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "kernels/cuda/conv_plan.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/fused_search.h"

enum { FEWEST_BF16 = 8, FEWEST_F32 = 4 }; /* channels of an input */

struct conv {
    struct conv_desc desc;
    size_t channels;                       /* of the input as the plans see it */
    struct conv_plan *plan[CONV_N_PASSES]; /* borrowed from the backend; NULL: not wanted */
    void *weights;                         /* [O, kt, kh, kw, channels] of dtype */
    bool borrowed;                         /* they are those of desc.share */
    float *bias;                           /* [O] */
    double *bias_sums;                     /* [2, O] */
};

static size_t weight_rows(const struct conv *c)
{
    return c->desc.c_out * conv_taps(&c->desc);
}

static bool is_padded(const struct conv *c)
{
    return c->channels != c->desc.c_in;
}

/* Scratch memory of a pass: offsets of its parts, then the workspace of its plan. */
struct parts {
    size_t x, y, w, workspace, total;
};

static struct parts parts_of(const struct conv *c, enum conv_pass pass)
{
    const struct conv_plan *p = c->plan[pass];
    const struct conv_desc *d = &c->desc;
    struct parts at = {0};
    size_t x = is_padded(c) ? conv_in_rows(d) * c->channels * dtype_bytes(d->dtype) : 0;
    bool wide = pass == CONV_FORWARD && conv_plan_y_type(p) != d->dtype;
    size_t y = wide ? conv_out_rows(d) * d->c_out * sizeof(float) : 0;
    size_t w = pass == CONV_BACKWARD_WEIGHTS ? weight_rows(c) * c->channels * sizeof(float) : 0;
    at.y = cuda_align(x);
    at.w = at.y + cuda_align(y);
    at.workspace = at.w + cuda_align(w);
    at.total = at.workspace + conv_plan_workspace_bytes(p);
    if (conv_plan_fuses(p)) {
        struct fused_job j = fused_job_of(d, pass, &(struct conv_tensors){0});
        at.total += fused_bytes(&j);
    }
    return at;
}

/* -- making -- */

static int get_plans(struct backend *b, struct conv *c, struct err *e)
{
    struct conv_desc padded = c->desc;
    padded.c_in = c->channels;
    const bool wanted[CONV_N_PASSES] = {true, !c->desc.forward_only && !c->desc.no_data_grad,
                                        !c->desc.forward_only};
    struct row_block y = {conv_out_rows(&c->desc), c->desc.c_out, c->desc.dtype};
    size_t bytes = cuda_channel_sums_bytes(&y);
    for (enum conv_pass pass = CONV_FORWARD; pass < CONV_N_PASSES; pass++) {
        if (!wanted[pass])
            continue;
        if (conv_plan_get(&c->plan[pass], b, &padded, pass, e) < 0)
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
    if (share && share->desc.dtype == d->dtype && share->channels == c->channels &&
        weight_rows(share) == weight_rows(c)) {
        c->weights = share->weights;
        c->borrowed = true;
    } else if (cuda_alloc(b, weight_rows(c) * c->channels * dtype_bytes(d->dtype), &c->weights, e) <
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
    size_t fewest = desc->dtype == DTYPE_BF16 ? FEWEST_BF16 : FEWEST_F32;
    c->desc = *desc;
    c->channels = !conv_is_product(desc) && desc->c_in < fewest ? fewest : desc->c_in;
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
    return 0;
}

int cuda_conv_set_weights(struct backend *b, struct conv *c, const float *w, const float *bias,
                          struct err *e)
{
    const struct cuda_pad pack = {.from = w,
                                  .to = c->weights,
                                  .from_type = DTYPE_F32,
                                  .to_type = c->desc.dtype,
                                  .rows = weight_rows(c),
                                  .from_channels = c->desc.c_in,
                                  .to_channels = c->channels};
    int rc = 0;
    if (c->desc.bias)
        rc = cuda_convert(b, c->bias, DTYPE_F32, bias, DTYPE_F32, c->desc.c_out);
    if (rc == 0 && !c->borrowed)
        rc = is_padded(c) ? cuda_pad(b, &pack)
                          : cuda_convert(b, c->weights, c->desc.dtype, w, DTYPE_F32,
                                         weight_rows(c) * c->channels);
    return rc < 0 ? err_set(e, "packing weights failed") : 0;
}

/* -- running -- */

/* The input as the plans see it. */
static void *pad_input(struct backend *b, const struct conv *c, const void *x, void *room)
{
    const struct cuda_pad p = {.from = x,
                               .to = room,
                               .from_type = c->desc.dtype,
                               .to_type = c->desc.dtype,
                               .rows = conv_in_rows(&c->desc),
                               .from_channels = c->desc.c_in,
                               .to_channels = c->channels};
    if (!is_padded(c))
        return (void *)x;
    return cuda_pad(b, &p) < 0 ? NULL : room;
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
    struct conv_tensors t = {.x = pad_input(b, c, args->x, scratch + at.x),
                             .w = c->weights,
                             .y = conv_plan_y_type(p) == y.dtype ? args->y : scratch + at.y,
                             .x_type = y.dtype,
                             .w_type = y.dtype,
                             .y_type = conv_plan_y_type(p)};
    struct cuda_bias add = {t.y, t.y_type, c->bias, args->y, y};
    if (!t.x)
        return err_set(e, "padding a convolution's input failed");
    if (args->sums && conv_plan_fuses(p)) {
        struct fused_job j = fused_job_of(&c->desc, CONV_FORWARD, &t);
        j.sums = args->sums;
        if (fused_may_run(&j))
            return run_fused(b, &j, scratch, e);
    }
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
    struct parts at = parts_of(c, CONV_BACKWARD_DATA);
    enum dtype type = c->desc.dtype;
    char *scratch = scratch_for(b, &at, e);
    if (!scratch)
        return ERR_FAIL;
    struct conv_tensors t = {.x = is_padded(c) ? scratch + at.x : args->dx,
                             .w = c->weights,
                             .y = (void *)args->dy,
                             .x_type = type,
                             .w_type = type,
                             .y_type = type};
    const struct cuda_pad cut = {.from = t.x,
                                 .to = args->dx,
                                 .from_type = type,
                                 .to_type = type,
                                 .rows = conv_in_rows(&c->desc),
                                 .from_channels = c->channels,
                                 .to_channels = c->desc.c_in};
    if (conv_plan_fuses(c->plan[CONV_BACKWARD_DATA])) {
        struct fused_job j = fused_job_of(&c->desc, CONV_BACKWARD_DATA, &t);
        j.first = args->first;
        j.then = args->then;
        if (fused_may_run(&j))
            return run_fused(b, &j, scratch, e);
    }
    if (args->first && cuda_norm_grad_apply(b, args->first) < 0)
        return err_set(e, "the gradient of a normalisation failed");
    if (conv_plan_run(c->plan[CONV_BACKWARD_DATA], &t, scratch + at.workspace, 0.0f, e) < 0)
        return ERR_FAIL;
    if (is_padded(c) && cuda_pad(b, &cut) < 0)
        return err_set(e, "cutting a convolution's padding failed");
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

int cuda_conv_backward_weights(struct backend *b, struct conv *c,
                               const struct conv_weight_grad_args *args, struct err *e)
{
    struct conv_plan *p = c->plan[CONV_BACKWARD_WEIGHTS];
    struct parts at = parts_of(c, CONV_BACKWARD_WEIGHTS);
    char *scratch = scratch_for(b, &at, e);
    if (!scratch)
        return ERR_FAIL;
    bool direct = !is_padded(c) && conv_plan_w_type(p) == DTYPE_F32 &&
                  (!args->accumulate || conv_plan_adds(p));
    struct conv_tensors t = {.x = pad_input(b, c, args->x, scratch + at.x),
                             .w = direct ? (void *)args->dw : scratch + at.w,
                             .y = (void *)args->dy,
                             .x_type = c->desc.dtype,
                             .w_type = conv_plan_w_type(p),
                             .y_type = c->desc.dtype};
    const struct cuda_pad store = {.from = t.w,
                                   .to = args->dw,
                                   .from_type = t.w_type,
                                   .to_type = DTYPE_F32,
                                   .rows = weight_rows(c),
                                   .from_channels = c->channels,
                                   .to_channels = c->desc.c_in,
                                   .add = args->accumulate};
    if (!t.x)
        return err_set(e, "padding a convolution's input failed");
    if (conv_plan_run(p, &t, scratch + at.workspace, direct && args->accumulate ? 1.0f : 0.0f, e) <
        0)
        return ERR_FAIL;
    if (!direct && cuda_pad(b, &store) < 0)
        return err_set(e, "storing a weight gradient failed");
    if (c->desc.bias && args->dbias && bias_grad(b, c, args) < 0)
        return err_set(e, "the gradient of a bias failed");
    return 0;
}
