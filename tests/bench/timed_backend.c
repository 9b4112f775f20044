/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/timed_backend.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/ui.h"

enum { MAX_FAMILIES = 64, MAX_CONVS = 1024, WARM_UP = 200 };

struct family {
    char name[32];
    size_t n_calls;
    double seconds, flops, bytes;
};

struct known_conv {
    const struct conv *conv;
    struct conv_desc desc;
};

static struct {
    const struct backend_ops *real;
    struct backend_ops ops;
    struct family family[MAX_FAMILIES];
    struct known_conv conv[MAX_CONVS];
    int n_families, n_convs;
    double began, nothing; /* seconds of an operation that does next to nothing */
} timed;

static void wait(struct backend *b)
{
    timed.real->sync(b, NULL);
}

static void begin(struct backend *b)
{
    wait(b);
    timed.began = ui_seconds();
}

/* What an operation did, at least. */
struct amount {
    double flops, bytes;
};

static int end(struct backend *b, const char *name, struct amount a, int rc)
{
    int i = 0;
    wait(b);
    double seconds = ui_seconds() - timed.began - timed.nothing;
    while (i < timed.n_families && strcmp(timed.family[i].name, name) != 0)
        i++;
    if (i == MAX_FAMILIES)
        return rc;
    struct family *f = &timed.family[i];
    if (i == timed.n_families) {
        timed.n_families++;
        snprintf(f->name, sizeof f->name, "%s", name);
    }
    f->n_calls++;
    f->seconds += seconds > 0.0 ? seconds : 0.0;
    f->flops += a.flops;
    f->bytes += a.bytes;
    return rc;
}

/* -- tensors that are read or written -- */

static struct amount tensors(size_t rows, size_t channels, enum dtype dtype, double n)
{
    return (struct amount){0.0, n * (double)(rows * channels) * (double)dtype_bytes(dtype)};
}

/* `n` tensors, and what else a norm_grad reads and writes. */
static struct amount sums_amount(const struct norm_grad_args *a, double n)
{
    double bits = 1.0 / (8.0 * (double)dtype_bytes(a->dtype));
    n += (a->dy2 != NULL) + (a->g != NULL) + (a->c2 != NULL);
    n += a->mask ? bits : a->y ? 1.0 : 0.0;
    return tensors(a->rows, a->channels, a->dtype, n);
}

/* -- convolutions -- */

static const char *kind_of(const struct conv_desc *d)
{
    bool time = d->kernel[0] > 1, space = d->kernel[1] > 1 || d->kernel[2] > 1;
    if (d->in[0] * d->in[1] * d->in[2] == 1)
        return "linear";
    if (time || space)
        return time && space ? "stem" : time ? "kx1x1" : "1xkxk";
    return d->stride[0] * d->stride[1] * d->stride[2] == 1 ? "1x1x1" : "1x1x1 strided";
}

static const struct conv_desc *desc_of(const struct conv *c)
{
    for (int i = 0; i < timed.n_convs; i++)
        if (timed.conv[i].conv == c)
            return &timed.conv[i].desc;
    static const struct conv_desc none = {.n = 1, .c_in = 1, .c_out = 1, .stride = {1, 1, 1}};
    return &none;
}

/* A pass of it by itself. */
static struct amount conv_amount(const struct conv *c)
{
    const struct conv_desc *d = desc_of(c);
    size_t in = d->n * d->in[0] * d->in[1] * d->in[2];
    size_t out = d->n * conv_out(d, 0) * conv_out(d, 1) * conv_out(d, 2);
    size_t taps = d->kernel[0] * d->kernel[1] * d->kernel[2];
    return (struct amount){2.0 * (double)(out * d->c_out) * (double)(taps * d->c_in),
                           (double)(in * d->c_in + out * d->c_out) * (double)dtype_bytes(d->dtype)};
}

static int end_conv(struct backend *b, const struct conv *c, const char *pass, struct amount a,
                    int rc)
{
    char name[32];
    snprintf(name, sizeof name, "%s %s", kind_of(desc_of(c)), pass);
    return end(b, name, a, rc);
}

static int timed_conv_new(struct backend *b, const struct conv_desc *desc, struct conv **c,
                          struct err *e)
{
    int rc = timed.real->conv_new(b, desc, c, e);
    int i = 0;
    while (rc == 0 && i < timed.n_convs && timed.conv[i].conv != *c)
        i++; /* there, where the memory of one that was freed serves again */
    if (rc == 0 && i < MAX_CONVS) {
        timed.conv[i] = (struct known_conv){*c, *desc};
        timed.n_convs += i == timed.n_convs;
    }
    return rc;
}

static int timed_conv_forward(struct backend *b, struct conv *c,
                              const struct conv_forward_args *args, struct err *e)
{
    struct amount a = conv_amount(c);
    const struct norm_apply_args *f = args->apply;
    if (f) /* x is written where it would be read, and a tensor or two are read for it */
        a.bytes += tensors(f->rows, f->channels, f->dtype, f->residual ? 2.0 : 1.0).bytes;
    begin(b);
    return end_conv(b, c, f ? "forward, around" : "forward", a,
                    timed.real->conv_forward(b, c, args, e));
}

static int timed_conv_backward_data(struct backend *b, struct conv *c,
                                    const struct conv_data_grad_args *args, struct err *e)
{
    struct amount a = conv_amount(c);
    if (args->first) /* dy is written where it would be read, and two tensors are read for it */
        a.bytes += tensors(args->first->rows, args->first->channels, args->first->dtype, 2.0).bytes;
    if (args->then) /* g takes the place of dx */
        a.bytes += sums_amount(args->then, args->then->g ? 0.0 : 1.0).bytes;
    begin(b);
    return end_conv(b, c, args->first || args->then ? "to data, around" : "to data", a,
                    timed.real->conv_backward_data(b, c, args, e));
}

static int timed_conv_backward_weights(struct backend *b, struct conv *c,
                                       const struct conv_weight_grad_args *args, struct err *e)
{
    begin(b);
    return end_conv(b, c, "to weights", conv_amount(c),
                    timed.real->conv_backward_weights(b, c, args, e));
}

static int timed_conv_set_weights(struct backend *b, struct conv *c, const float *w,
                                  const float *bias, struct err *e)
{
    begin(b);
    return end(b, "packing of weights", (struct amount){0},
               timed.real->conv_set_weights(b, c, w, bias, e));
}

/* -- what is bound by memory -- */

static int timed_norm_apply(struct backend *b, const struct norm_apply_args *a)
{
    begin(b);
    int rc = timed.real->norm_apply(b, a);
    return end(b, a->residual ? "normalise, add" : "normalise",
               tensors(a->rows, a->channels, a->dtype, a->residual ? 3.0 : 2.0), rc);
}

static int timed_norm_grad(struct backend *b, const struct norm_grad_args *a)
{
    begin(b);
    int rc = timed.real->norm_grad(b, a);
    return end(b, a->y ? "sums of gradient, add" : "sums of gradient", sums_amount(a, 2.0), rc);
}

static int timed_norm_grad_apply(struct backend *b, const struct norm_grad_apply_args *a)
{
    begin(b);
    int rc = timed.real->norm_grad_apply(b, a);
    return end(b, "gradient of normalisation", tensors(a->rows, a->channels, a->dtype, 3.0), rc);
}

static int timed_norm_finish(struct backend *b, const struct norm_finish_args *a)
{
    begin(b);
    return end(b, "channel vectors", (struct amount){0}, timed.real->norm_finish(b, a));
}

static int timed_norm_grad_finish(struct backend *b, const struct norm_grad_finish_args *a)
{
    begin(b);
    return end(b, "channel vectors", (struct amount){0}, timed.real->norm_grad_finish(b, a));
}

static int timed_norm_pool(struct backend *b, const struct norm_pool_args *a)
{
    begin(b);
    int rc = timed.real->norm_pool(b, a);
    size_t rows = a->planes * a->height * a->width;
    return end(b, "normalise, pool", tensors(rows, a->channels, a->dtype, 1.25), rc);
}

static int timed_pool_grad(struct backend *b, const struct pool_grad_args *a)
{
    begin(b);
    int rc = timed.real->pool_grad(b, a);
    size_t rows = a->planes * a->height * a->width;
    return end(b, "gradient of pooling", tensors(rows, a->channels, a->dtype, 1.25), rc);
}

static int timed_mean_inner(struct backend *b, const void *x, enum dtype dtype,
                            const size_t shape[3], float *y)
{
    begin(b);
    int rc = timed.real->mean_inner(b, x, dtype, shape, y);
    return end(b, "means", tensors(shape[0] * shape[1], shape[2], dtype, 1.0), rc);
}

static int timed_mean_inner_grad(struct backend *b, const float *dy, void *dx, enum dtype dtype,
                                 const size_t shape[3])
{
    begin(b);
    int rc = timed.real->mean_inner_grad(b, dy, dx, dtype, shape);
    return end(b, "means", tensors(shape[0] * shape[1], shape[2], dtype, 1.0), rc);
}

static int timed_convert(struct backend *b, void *to, enum dtype to_type, const void *from,
                         enum dtype from_type, size_t n)
{
    begin(b);
    int rc = timed.real->convert(b, to, to_type, from, from_type, n);
    return end(b, "copies", tensors(n, 1, from_type, 2.0), rc);
}

static int timed_accumulate(struct backend *b, float *to, const void *from, enum dtype from_type,
                            size_t n, bool add)
{
    begin(b);
    int rc = timed.real->accumulate(b, to, from, from_type, n, add);
    return end(b, "copies", tensors(n, 1, DTYPE_F32, 2.0), rc);
}

static int timed_zero(struct backend *b, void *memory, size_t bytes, struct err *e)
{
    begin(b);
    return end(b, "zeros", (struct amount){0.0, (double)bytes},
               timed.real->zero(b, memory, bytes, e));
}

/* -- the objective and the optimiser -- */

static int timed_embed(struct backend *b, const struct embed_args *a)
{
    begin(b);
    return end(b, "objective", (struct amount){0}, timed.real->embed(b, a));
}

static int timed_embed_grad(struct backend *b, const struct embed_grad_args *a)
{
    begin(b);
    return end(b, "objective", (struct amount){0}, timed.real->embed_grad(b, a));
}

static int timed_contrast(struct backend *b, const struct contrast_args *a, struct err *e)
{
    begin(b);
    struct amount all = {6.0 * (double)(a->n_anchors * a->n_keys) * (double)a->dim, 0.0};
    return end(b, "objective", all, timed.real->contrast(b, a, e));
}

static int timed_optimizer_step(struct backend *b, struct optimizer *o,
                                const struct optimizer_args *a)
{
    begin(b);
    return end(b, "optimiser", (struct amount){0}, timed.real->optimizer_step(b, o, a));
}

static int timed_all_finite(struct backend *b, const float *values, size_t n, uint32_t *bad)
{
    begin(b);
    int rc = timed.real->all_finite(b, values, n, bad);
    return end(b, "optimiser", tensors(n, 1, DTYPE_F32, 1.0), rc);
}

/* Nothing is recorded, or it could not be timed. */
static int timed_repeat(struct backend *b, struct recording **r,
                        int (*run)(void *user, struct err *e), void *user, struct err *e)
{
    (void)b;
    (void)r;
    return run(user, e);
}

/* -- the table -- */

static int measure_nothing(struct backend *b, struct err *e)
{
    void *memory;
    if (timed.real->alloc(b, sizeof(float), &memory, e) < 0)
        return ERR_FAIL;
    timed.nothing = 0.0;
    for (int i = 0; i < 2 * WARM_UP; i++) {
        timed.nothing = 0.0;
        timed_zero(b, memory, sizeof(float), e);
        if (i == WARM_UP - 1)
            timed_backend_reset();
    }
    timed.nothing = timed.family[0].seconds / WARM_UP;
    timed_backend_reset();
    return timed.real->release(b, memory);
}

int timed_backend_wrap(struct backend *b, struct err *e)
{
    memset(&timed, 0, sizeof timed);
    timed.real = b->ops;
    timed.ops = *b->ops;
#define TIMED(name) timed.ops.name = timed_##name
    TIMED(conv_new);
    TIMED(conv_forward);
    TIMED(conv_backward_data);
    TIMED(conv_backward_weights);
    TIMED(conv_set_weights);
    TIMED(norm_apply);
    TIMED(norm_grad);
    TIMED(norm_grad_apply);
    TIMED(norm_finish);
    TIMED(norm_grad_finish);
    TIMED(norm_pool);
    TIMED(pool_grad);
    TIMED(mean_inner);
    TIMED(mean_inner_grad);
    TIMED(convert);
    TIMED(accumulate);
    TIMED(zero);
    TIMED(embed);
    TIMED(embed_grad);
    TIMED(contrast);
    TIMED(optimizer_step);
    TIMED(all_finite);
    TIMED(repeat);
#undef TIMED
    b->ops = &timed.ops;
    return measure_nothing(b, e);
}

void timed_backend_unwrap(struct backend *b)
{
    b->ops = timed.real;
}

void timed_backend_reset(void)
{
    memset(timed.family, 0, sizeof timed.family);
    timed.n_families = 0;
}

static int by_time(const void *a, const void *b)
{
    const struct family *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void print_rate(FILE *to, double amount, double seconds, double unit)
{
    if (amount > 0.0 && seconds > 0.0)
        fprintf(to, "\t%.1f", amount / seconds / unit);
    else
        fprintf(to, "\t-");
}

void timed_backend_print(FILE *to)
{
    double all = 0.0;
    for (int i = 0; i < timed.n_families; i++)
        all += timed.family[i].seconds;
    qsort(timed.family, (size_t)timed.n_families, sizeof timed.family[0], by_time);
    for (int i = 0; i < timed.n_families; i++) {
        const struct family *f = &timed.family[i];
        fprintf(to, "# %s\t%zu\t%.3f\t%.1f", f->name, f->n_calls, 1e3 * f->seconds,
                100.0 * f->seconds / all);
        print_rate(to, f->flops, f->seconds, 1e12);
        print_rate(to, f->bytes, f->seconds, 1e9);
        fprintf(to, "\n");
    }
}
