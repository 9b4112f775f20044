/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions by oneDNN, and its engine. */
#include "kernels/cpu/onednn.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/backend.h"
#include "kernels/cpu/onednn_parts.h"
#include "kernels/cpu/strided.h"

enum pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS };

struct conv_geometry {
    struct md x, y, w, w_grad, bias; /* w, w_grad in any format */
    struct md user;                  /* weights as the masters are: float32 [O, kt, kh, kw, I] */
    dnnl_dims_t stride, pad, dilation;
    bool has_bias, training;
};

/* Of a layout: how many dimensions, and which. */
static int md_shape(MD_REF md, dnnl_data_type_t *type, dnnl_dims_t dims)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_dims_t *have = NULL;
    int n = 0;
    dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &n);
    dnnl_memory_desc_query(md, dnnl_query_data_type, type);
    dnnl_memory_desc_query(md, dnnl_query_dims, &have);
    memcpy(dims, *have, sizeof *have);
    return n;
#else
    *type = md->data_type;
    memcpy(dims, md->dims, sizeof md->dims);
    return md->ndims;
#endif
}

/*
 * Where oneDNN's first choice in bfloat16 is wrong, and its second is taken. Weight gradients where
 * the kernel is longer than what it runs over: that of 3.7 reads memory that is not its own (4
 * frames under a kernel of 5), that of 2.6 leaves some of the result out on one thread (a plane of
 * one pixel under 3 x 3). Gradients of the input of pointwise convolutions with an odd number of
 * outputs: that of 2.6 is wrong for some numbers of rows (30, 59, 60, 89 ...).
 */
static bool first_choice_is_wrong(const struct conv_geometry *g, enum pass pass)
{
    dnnl_dims_t x, w;
    dnnl_data_type_t type, unused;
    int n = md_shape(md_ref(&g->x), &type, x);
    md_shape(md_ref(&g->w_grad), &unused, w);
    bool longer = false, pointwise = true;
    for (int i = 2; i < n; i++) {
        longer |= x[i] < w[i];
        pointwise &= w[i] == 1;
    }
    if (type != dnnl_bf16 || pass == FORWARD)
        return false;
    return pass == BACKWARD_WEIGHTS ? longer : pointwise && w[0] % 2 == 1;
}

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t first_choice(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                  const struct conv_geometry *g, enum pass pass,
                                  dnnl_primitive_desc_t hint)
{
    MD_REF bias = g->has_bias ? md_ref(&g->bias) : NULL;
    dnnl_prop_kind_t kind = g->training ? dnnl_forward_training : dnnl_forward_inference;
    if (pass == FORWARD)
        return dnnl_convolution_forward_primitive_desc_create(
            pd, engine, kind, dnnl_convolution_direct, md_ref(&g->x), md_ref(&g->w), bias,
            md_ref(&g->y), g->stride, g->dilation, g->pad, g->pad, NULL);
    if (pass == BACKWARD_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(
            pd, engine, dnnl_convolution_direct, md_ref(&g->x), md_ref(&g->w), md_ref(&g->y),
            g->stride, g->dilation, g->pad, g->pad, hint, NULL);
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, md_ref(&g->x), md_ref(&g->w_grad), bias, md_ref(&g->y),
        g->stride, g->dilation, g->pad, g->pad, hint, NULL);
}

static dnnl_status_t conv_primitive_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         const struct conv_geometry *g, enum pass pass,
                                         dnnl_primitive_desc_t hint)
{
    dnnl_status_t rc = first_choice(pd, engine, g, pass, hint);
    return rc == dnnl_success && first_choice_is_wrong(g, pass) ? dnnl_primitive_desc_next_impl(*pd)
                                                                : rc;
}
#else
static dnnl_status_t conv_primitive_desc(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                         const struct conv_geometry *g, enum pass pass,
                                         dnnl_primitive_desc_t hint)
{
    dnnl_convolution_desc_t d;
    MD_REF bias = g->has_bias ? md_ref(&g->bias) : NULL;
    dnnl_prop_kind_t kind = g->training ? dnnl_forward_training : dnnl_forward_inference;
    dnnl_status_t rc;
    if (pass == FORWARD)
        rc = dnnl_dilated_convolution_forward_desc_init(
            &d, kind, dnnl_convolution_direct, md_ref(&g->x), md_ref(&g->w), bias, md_ref(&g->y),
            g->stride, g->dilation, g->pad, g->pad);
    else if (pass == BACKWARD_DATA)
        rc = dnnl_dilated_convolution_backward_data_desc_init(
            &d, dnnl_convolution_direct, md_ref(&g->x), md_ref(&g->w), md_ref(&g->y), g->stride,
            g->dilation, g->pad, g->pad);
    else
        rc = dnnl_dilated_convolution_backward_weights_desc_init(
            &d, dnnl_convolution_direct, md_ref(&g->x), md_ref(&g->w_grad), bias, md_ref(&g->y),
            g->stride, g->dilation, g->pad, g->pad);
    if (rc != dnnl_success || !first_choice_is_wrong(g, pass))
        return rc == dnnl_success ? dnnl_primitive_desc_create(pd, &d, NULL, engine, hint) : rc;
    dnnl_primitive_desc_iterator_t choice;
    rc = dnnl_primitive_desc_iterator_create(&choice, &d, NULL, engine, hint);
    if (rc != dnnl_success)
        return rc;
    rc = dnnl_primitive_desc_iterator_next(choice);
    if (rc == dnnl_success)
        *pd = dnnl_primitive_desc_iterator_fetch(choice);
    dnnl_primitive_desc_iterator_destroy(choice);
    return rc;
}
#endif

/* -- engine -- */

int onednn_open(struct onednn **out, struct err *e)
{
    struct onednn *d = mem_new(1, sizeof *d, e);
    if (!d)
        return ERR_FAIL;
    dnnl_status_t rc = dnnl_engine_create(&d->engine, dnnl_cpu, 0);
    if (rc == dnnl_success)
        rc = dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags);
    if (rc != dnnl_success) {
        onednn_close(d);
        return err_set(e, "oneDNN: %s", status_text(rc));
    }
    *out = d;
    return 0;
}

void onednn_close(struct onednn *d)
{
    if (!d)
        return;
    if (d->stream)
        dnnl_stream_destroy(d->stream);
    if (d->engine)
        dnnl_engine_destroy(d->engine);
    free(d);
}

const char *onednn_version(void)
{
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

int onednn_sgemm(const struct sgemm *g, struct err *e)
{
    TRY(dnnl_sgemm(g->a_transposed ? 'T' : 'N', g->b_transposed ? 'T' : 'N', (dnnl_dim_t)g->m,
                   (dnnl_dim_t)g->n, (dnnl_dim_t)g->k, 1.0f, g->a, (dnnl_dim_t)g->lda, g->b,
                   (dnnl_dim_t)g->ldb, g->beta, g->c, (dnnl_dim_t)g->ldc));
    return 0;
}

/* -- convolution -- */

/* One of the three passes: its view, the primitive, and the memory objects its arguments are put
 * into. */
struct pass_plan {
    struct conv_geometry geometry;
    dnnl_primitive_desc_t hint, desc; /* hint: the forward pass of the same view */
    dnnl_primitive_t primitive;
    dnnl_memory_t in, weights, out, bias; /* in: what is read beside the weights */
    dnnl_memory_t user;                   /* the float32 masters, or their gradient */
    void *packed;                         /* weights in the layout of this pass */
    bool borrowed;                        /* packed is another pass's or convolution's */
    dnnl_primitive_t reorder[2]; /* masters -> packed; for gradients packed -> user, and adding */
};

struct conv {
    struct conv_desc desc, seen; /* as asked, and as oneDNN sees it (strided.h) */
    bool is_strided;             /* these differ */
    struct pass_plan pass[3];
    float *bias, *bias_grad; /* bias_grad holds one pass's result */
};

/*
 * A view of a convolution with fewer dimensions over the same channels-last memory: (1, kh, kw) is
 * 2-D on (N*T, H, W), (kt, 1, 1) is 2-D on (N, T, H*W), 1x1x1 is either. Returns the number of
 * spatial dimensions.
 */
struct conv_view {
    size_t n, in[3], out[3], kernel[3], stride[3], pad[3];
    int n_spatial;
};

static void view_set(struct conv_view *v, int i, const size_t values[5])
{
    v->in[i] = values[0];
    v->out[i] = values[1];
    v->kernel[i] = values[2];
    v->stride[i] = values[3];
    v->pad[i] = values[4];
}

static void view_init(struct conv_view *v, const struct conv_desc *d, enum pass pass)
{
    size_t n = d->n;
    size_t out[3] = {conv_out(d, 0), conv_out(d, 1), conv_out(d, 2)};
    bool flat_t = d->kernel[0] == 1 && d->stride[0] == 1 && d->pad[0] == 0;
    bool flat_s = d->kernel[1] == 1 && d->kernel[2] == 1 && d->stride[1] == 1 &&
                  d->stride[2] == 1 && d->pad[1] == 0 && d->pad[2] == 0;
    size_t plane = d->in[1] * d->in[2];
    /* measured: oneDNN's float32 weight gradient of wide temporal kernels is twice as fast in 3-D
     */
    if (pass == BACKWARD_WEIGHTS && d->dtype == DTYPE_F32 && !flat_t && d->c_in >= 512)
        flat_s = false;
    v->n = n;
    v->n_spatial = 2;
    if (flat_t && flat_s && plane < 16) {
        v->n = 1;
        view_set(v, 0, (size_t[5]){1, 1, 1, 1, 0});
        view_set(v, 1, (size_t[5]){n * d->in[0] * plane, n * d->in[0] * plane, 1, 1, 0});
    } else if (flat_s) {
        view_set(v, 0, (size_t[5]){d->in[0], out[0], d->kernel[0], d->stride[0], d->pad[0]});
        view_set(v, 1, (size_t[5]){plane, plane, 1, 1, 0});
    } else if (flat_t) {
        v->n = n * d->in[0];
        for (int i = 1; i < 3; i++)
            view_set(v, i - 1,
                     (size_t[5]){d->in[i], out[i], d->kernel[i], d->stride[i], d->pad[i]});
    } else {
        v->n_spatial = 3;
        for (int i = 0; i < 3; i++)
            view_set(v, i, (size_t[5]){d->in[i], out[i], d->kernel[i], d->stride[i], d->pad[i]});
    }
}

static int geometry_init(struct conv_geometry *g, const struct conv_desc *d, enum pass pass,
                         struct err *e)
{
    struct conv_view v;
    view_init(&v, d, pass);
    int n_dims = v.n_spatial + 2;
    dnnl_dims_t x = {(dnnl_dim_t)v.n, (dnnl_dim_t)d->c_in};
    dnnl_dims_t y = {(dnnl_dim_t)v.n, (dnnl_dim_t)d->c_out};
    dnnl_dims_t w = {(dnnl_dim_t)d->c_out, (dnnl_dim_t)d->c_in};
    dnnl_dims_t bias = {(dnnl_dim_t)d->c_out};
    for (int i = 0; i < v.n_spatial; i++) {
        x[2 + i] = (dnnl_dim_t)v.in[i];
        y[2 + i] = (dnnl_dim_t)v.out[i];
        w[2 + i] = (dnnl_dim_t)v.kernel[i];
        g->stride[i] = (dnnl_dim_t)v.stride[i];
        g->pad[i] = (dnnl_dim_t)v.pad[i];
    }
    dnnl_format_tag_t channels_last = n_dims == 5 ? dnnl_acdeb : dnnl_acdb;
    dnnl_data_type_t type = data_type(d->dtype);
    g->has_bias = d->bias;
    g->training = !d->forward_only;
    TRY(md_init(&g->x, n_dims, x, type, channels_last));
    TRY(md_init(&g->y, n_dims, y, type, channels_last));
    TRY(md_init(&g->w, n_dims, w, type, dnnl_format_tag_any));
    TRY(md_init(&g->w_grad, n_dims, w, dnnl_f32, dnnl_format_tag_any));
    TRY(md_init(&g->bias, 1, bias, dnnl_f32, dnnl_a));
    TRY(md_init(&g->user, n_dims, w, dnnl_f32, channels_last));
    return 0;
}

static void geometry_release(struct conv_geometry *g)
{
    md_release(&g->x);
    md_release(&g->y);
    md_release(&g->w);
    md_release(&g->w_grad);
    md_release(&g->bias);
    md_release(&g->user);
}

static MD_REF pass_md(const struct pass_plan *p, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(p->desc, what, 0);
}

static int pass_init(struct conv *c, enum pass pass, dnnl_engine_t engine, struct err *e)
{
    static const dnnl_query_t in[] = {dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_src_md};
    static const dnnl_query_t weights[] = {dnnl_query_weights_md, dnnl_query_weights_md,
                                           dnnl_query_diff_weights_md};
    static const dnnl_query_t out[] = {dnnl_query_dst_md, dnnl_query_diff_src_md,
                                       dnnl_query_diff_dst_md};
    struct pass_plan *p = &c->pass[pass];
    struct conv_geometry *g = &p->geometry;
    if (geometry_init(g, &c->seen, pass, e) < 0)
        return ERR_FAIL;
    TRY(conv_primitive_desc(&p->hint, engine, g, FORWARD, NULL));
    TRY(conv_primitive_desc(&p->desc, engine, g, pass, p->hint));
    TRY(dnnl_primitive_create(&p->primitive, p->desc));
    TRY(dnnl_memory_create(&p->in, pass_md(p, in[pass]), engine, DNNL_MEMORY_NONE));
    TRY(dnnl_memory_create(&p->weights, pass_md(p, weights[pass]), engine, DNNL_MEMORY_NONE));
    TRY(dnnl_memory_create(&p->out, pass_md(p, out[pass]), engine, DNNL_MEMORY_NONE));
    TRY(dnnl_memory_create(&p->user, md_ref(&g->user), engine, DNNL_MEMORY_NONE));
    if (c->desc.bias && pass != BACKWARD_DATA)
        TRY(dnnl_memory_create(&p->bias, md_ref(&g->bias), engine,
                               pass == FORWARD ? c->bias : c->bias_grad));
    return 0;
}

static void pass_release(struct pass_plan *p)
{
    dnnl_memory_t memory[] = {p->in, p->weights, p->out, p->bias, p->user};
    dnnl_primitive_t primitive[] = {p->primitive, p->reorder[0], p->reorder[1]};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++)
        if (memory[i])
            dnnl_memory_destroy(memory[i]);
    for (size_t i = 0; i < sizeof primitive / sizeof primitive[0]; i++)
        if (primitive[i])
            dnnl_primitive_destroy(primitive[i]);
    if (p->desc)
        dnnl_primitive_desc_destroy(p->desc);
    if (p->hint)
        dnnl_primitive_desc_destroy(p->hint);
    geometry_release(&p->geometry);
    if (!p->borrowed)
        free(p->packed);
}

/* A reorder between two layouts, adding to the target if wanted. */
static int reorder_init(dnnl_primitive_t *reorder, dnnl_engine_t engine, MD_REF from, MD_REF to,
                        bool add, struct err *e)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t rc = attr_with_sum(&attr, add);
    if (rc == dnnl_success)
        rc = dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, attr);
    if (rc == dnnl_success)
        rc = dnnl_primitive_create(reorder, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    TRY(rc);
    return 0;
}

/* Whether `p` can use the packed weights of `other`: the same layout of the same shape. */
static bool same_layout(const struct pass_plan *p, const struct pass_plan *other)
{
    return other && other->packed &&
           dnnl_memory_desc_equal(pass_md(p, dnnl_query_weights_md),
                                  pass_md(other, dnnl_query_weights_md));
}

/* Packed weights of a forward or data pass: those of one of the candidates, or its own. */
static int packed_init(struct pass_plan *p, const struct pass_plan *const candidate[2],
                       dnnl_engine_t engine, struct err *e)
{
    MD_REF md = pass_md(p, dnnl_query_weights_md);
    for (int i = 0; i < 2 && !p->packed; i++)
        if (same_layout(p, candidate[i])) {
            p->packed = candidate[i]->packed;
            p->borrowed = true;
        }
    if (!p->packed) {
        p->packed = mem_aligned(dnnl_memory_desc_get_size(md), e);
        if (!p->packed ||
            reorder_init(&p->reorder[0], engine, md_ref(&p->geometry.user), md, false, e) < 0)
            return ERR_FAIL;
    }
    TRY(dnnl_memory_set_data_handle(p->weights, p->packed));
    return 0;
}

static int packed_grad_init(struct pass_plan *p, dnnl_engine_t engine, struct err *e)
{
    MD_REF md = pass_md(p, dnnl_query_diff_weights_md);
    p->packed = mem_aligned(dnnl_memory_desc_get_size(md), e);
    if (!p->packed)
        return ERR_FAIL;
    TRY(dnnl_memory_set_data_handle(p->weights, p->packed));
    for (int add = 0; add < 2; add++)
        if (reorder_init(&p->reorder[add], engine, md, md_ref(&p->geometry.user), add == 1, e) < 0)
            return ERR_FAIL;
    return 0;
}

static int passes_init(struct conv *c, dnnl_engine_t engine, struct err *e)
{
    const struct conv *share = c->desc.share;
    const struct pass_plan *forward[2] = {share ? &share->pass[FORWARD] : NULL, NULL};
    const struct pass_plan *data[2] = {share ? &share->pass[BACKWARD_DATA] : NULL,
                                       &c->pass[FORWARD]};
    if (pass_init(c, FORWARD, engine, e) < 0 ||
        packed_init(&c->pass[FORWARD], forward, engine, e) < 0)
        return ERR_FAIL;
    if (c->desc.forward_only)
        return 0;
    if (!c->desc.no_data_grad && (pass_init(c, BACKWARD_DATA, engine, e) < 0 ||
                                  packed_init(&c->pass[BACKWARD_DATA], data, engine, e) < 0))
        return ERR_FAIL;
    if (pass_init(c, BACKWARD_WEIGHTS, engine, e) < 0)
        return ERR_FAIL;
    return packed_grad_init(&c->pass[BACKWARD_WEIGHTS], engine, e);
}

int cpu_conv_new(struct backend *b, const struct conv_desc *desc, struct conv **out, struct err *e)
{
    struct conv *c = mem_new(1, sizeof *c, e);
    if (!c)
        return ERR_FAIL;
    c->desc = *desc;
    c->is_strided = cpu_is_strided_point(desc);
    c->seen = c->is_strided ? cpu_dense_point(desc) : *desc;
    int rc = 0;
    if (desc->bias) {
        c->bias = mem_new(desc->c_out, sizeof *c->bias, e);
        c->bias_grad = mem_new(desc->c_out, sizeof *c->bias_grad, e);
        rc = c->bias && c->bias_grad ? 0 : ERR_FAIL;
    }
    if (rc == 0)
        rc = passes_init(c, onednn_of(b)->engine, e);
    if (rc < 0) {
        cpu_conv_free(b, c);
        return err_add(e, "convolution %zux%zux%zu of %zu to %zu channels", desc->kernel[0],
                       desc->kernel[1], desc->kernel[2], desc->c_in, desc->c_out);
    }
    *out = c;
    return 0;
}

int cpu_conv_free(struct backend *b, struct conv *c)
{
    (void)b;
    if (!c)
        return 0;
    for (int i = 0; i < 3; i++)
        pass_release(&c->pass[i]);
    free(c->bias);
    free(c->bias_grad);
    free(c);
    return 0;
}

static int execute(struct onednn *d, dnnl_primitive_t primitive, int n_args,
                   const dnnl_exec_arg_t *args, struct err *e)
{
    TRY(dnnl_primitive_execute(primitive, d->stream, n_args, args));
    TRY(dnnl_stream_wait(d->stream));
    return 0;
}

static int reorder(struct onednn *d, dnnl_primitive_t primitive, dnnl_memory_t from,
                   dnnl_memory_t to, struct err *e)
{
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return execute(d, primitive, 2, args, e);
}

int cpu_conv_set_weights(struct backend *b, struct conv *c, const float *w, const float *bias,
                         struct err *e)
{
    if (c->desc.bias)
        memcpy(c->bias, bias, c->desc.c_out * sizeof *bias);
    for (int i = FORWARD; i <= BACKWARD_DATA; i++) {
        struct pass_plan *p = &c->pass[i];
        if (!p->reorder[0])
            continue;
        TRY(dnnl_memory_set_data_handle(p->user, (void *)w));
        if (reorder(onednn_of(b), p->reorder[0], p->user, p->weights, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

/* The input as oneDNN sees it; NULL: no memory. */
static void *seen_input(struct backend *b, const struct conv *c, const void *x)
{
    if (!c->is_strided)
        return (void *)x;
    void *dense = cpu_scratch(b, cpu_dense_bytes(&c->desc));
    if (dense)
        cpu_take_dense(b, &c->desc, x, dense);
    return dense;
}

int cpu_conv_forward(struct backend *b, struct conv *c, const struct conv_forward_args *args,
                     struct err *e)
{
    struct pass_plan *p = &c->pass[FORWARD];
    if (args->apply && cpu_norm_apply(b, args->apply) < 0)
        return err_set(e, "not enough memory for a normalisation");
    void *x = seen_input(b, c, args->x);
    if (!x)
        return err_set(e, "not enough memory for a convolution's input");
    TRY(dnnl_memory_set_data_handle(p->in, x));
    TRY(dnnl_memory_set_data_handle(p->out, args->y));
    dnnl_exec_arg_t list[] = {{DNNL_ARG_SRC, p->in},
                              {DNNL_ARG_WEIGHTS, p->weights},
                              {DNNL_ARG_DST, p->out},
                              {DNNL_ARG_BIAS, p->bias}};
    if (execute(onednn_of(b), p->primitive, c->desc.bias ? 4 : 3, list, e) < 0)
        return ERR_FAIL;
    if (!args->sums)
        return 0;
    const struct conv_desc *d = &c->desc;
    struct row_block all = {.rows = d->n * conv_out(d, 0) * conv_out(d, 1) * conv_out(d, 2),
                            .channels = d->c_out,
                            .dtype = d->dtype};
    return cpu_channel_sums(b, &all, args->y, args->sums);
}

int cpu_conv_backward_data(struct backend *b, struct conv *c, const struct conv_data_grad_args *a,
                           struct err *e)
{
    struct pass_plan *p = &c->pass[BACKWARD_DATA];
    if (a->first && cpu_norm_grad_apply(b, a->first) < 0)
        return err_set(e, "not enough memory for a gradient");
    void *dx = c->is_strided ? cpu_scratch(b, cpu_dense_bytes(&c->desc)) : a->dx;
    if (!dx)
        return err_set(e, "not enough memory for a gradient");
    TRY(dnnl_memory_set_data_handle(p->in, (void *)a->dy));
    TRY(dnnl_memory_set_data_handle(p->out, dx));
    dnnl_exec_arg_t list[] = {
        {DNNL_ARG_DIFF_DST, p->in}, {DNNL_ARG_WEIGHTS, p->weights}, {DNNL_ARG_DIFF_SRC, p->out}};
    if (execute(onednn_of(b), p->primitive, 3, list, e) < 0)
        return ERR_FAIL;
    if (c->is_strided)
        cpu_put_dense(b, &c->desc, dx, a->dx);
    return a->then && cpu_norm_grad(b, a->then) < 0 ? err_set(e, "not enough memory for sums") : 0;
}

int cpu_conv_backward_weights(struct backend *b, struct conv *c,
                              const struct conv_weight_grad_args *args, struct err *e)
{
    struct pass_plan *p = &c->pass[BACKWARD_WEIGHTS];
    void *x = seen_input(b, c, args->x);
    if (!x)
        return err_set(e, "not enough memory for a convolution's input");
    TRY(dnnl_memory_set_data_handle(p->in, x));
    TRY(dnnl_memory_set_data_handle(p->out, (void *)args->dy));
    dnnl_exec_arg_t list[] = {{DNNL_ARG_SRC, p->in},
                              {DNNL_ARG_DIFF_WEIGHTS, p->weights},
                              {DNNL_ARG_DIFF_DST, p->out},
                              {DNNL_ARG_DIFF_BIAS, p->bias}};
    if (execute(onednn_of(b), p->primitive, c->desc.bias ? 4 : 3, list, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; c->desc.bias && args->dbias && i < c->desc.c_out; i++)
        args->dbias[i] = c->bias_grad[i] + (args->accumulate ? args->dbias[i] : 0.0f);
    TRY(dnnl_memory_set_data_handle(p->user, args->dw));
    return reorder(onednn_of(b), p->reorder[args->accumulate], p->weights, p->user, e);
}
