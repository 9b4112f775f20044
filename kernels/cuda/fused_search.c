/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/fused_search.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/stopwatch.h"
#include "kernels/elem.h"

enum { CHECKED_ROWS = 300, N_THEN = 3, N_FIRST = 2, N_VECTORS = 6 };

#define CLEARLY_FASTER 0.97f

/* Results are rounded to bfloat16 once or twice: 2^-9 each; a wrong index is far beyond. */
static const double limit = 2e-2;

struct trial {
    struct backend *b;
    struct conv_plan *apart;
    const struct conv_desc *desc;
    enum conv_pass pass;
    const struct conv_tensors *t;
    size_t rows, channels; /* of the result */
    void *result;
    bool lacks_memory;                 /* for scratch */
    enum conv_fusion fusion;           /* what run_fused does */
    struct norm_apply_args apply;      /* of a forward pass */
    struct norm_grad_apply_args first; /* of a pass to data, likewise the next */
    struct norm_grad_args then;
    void *of_then[N_THEN];    /* c, dy2, bits of the mask */
    void *of_first[N_FIRST];  /* g, c; of `apply` c, residual */
    float *vector[N_VECTORS]; /* mean, scale, shift; a, b, k; of as many channels as either has */
    double *sums;             /* [2, channels] */
    struct stopwatch watch;
};

/* -- making -- */

static bool random_tensor(struct trial *x, void *pointer, enum dtype type, size_t n, uint32_t seed)
{
    void *memory = NULL;
    if (cuda_alloc(x->b, n * dtype_bytes(type), &memory, NULL) < 0)
        return false;
    *(void **)pointer = memory;
    return conv_fill(x->b, memory, type, n, seed) == 0;
}

static bool make_vectors(struct trial *x)
{
    const struct conv_desc *d = x->desc;
    size_t most = d->c_in > d->c_out ? d->c_in : d->c_out;
    for (uint32_t i = 0; i < N_VECTORS; i++)
        if (!random_tensor(x, &x->vector[i], DTYPE_F32, most, 20 + i))
            return false;
    return true;
}

static bool make_of_first(struct trial *x, size_t n)
{
    for (uint32_t i = 0; i < N_FIRST; i++)
        if (!random_tensor(x, &x->of_first[i], DTYPE_BF16, n, 30 + i))
            return false;
    return true;
}

/* The input, made of two tensors that stay as they are. (Many have no residual: what is saved is
 * the same.) */
static bool make_apply(struct trial *x)
{
    const struct conv_desc *d = x->desc;
    size_t rows = conv_out_rows(d);
    if (!make_of_first(x, rows * d->c_in))
        return false;
    x->apply = (struct norm_apply_args){.rows = rows,
                                        .channels = d->c_in,
                                        .dtype = DTYPE_BF16,
                                        .c = x->of_first[0],
                                        .residual = x->of_first[1],
                                        .scale = x->vector[1],
                                        .shift = x->vector[2],
                                        .relu = true,
                                        .y = x->t->x};
    return true;
}

/* The gradient dy, made likewise. */
static bool make_first(struct trial *x)
{
    const struct conv_desc *d = x->desc;
    size_t rows = conv_out_rows(d);
    if (!make_of_first(x, rows * d->c_out))
        return false;
    x->first = (struct norm_grad_apply_args){.rows = rows,
                                             .channels = d->c_out,
                                             .dtype = DTYPE_BF16,
                                             .g = x->of_first[0],
                                             .c = x->of_first[1],
                                             .mean = x->vector[0],
                                             .a = x->vector[3],
                                             .b = x->vector[4],
                                             .k = x->vector[5],
                                             .dc = x->t->y};
    return true;
}

static bool make_then(struct trial *x)
{
    size_t n = x->rows * x->channels;
    bool add = x->desc->then == THEN_ADD;
    for (uint32_t i = 0; i < (add ? N_THEN : 1); i++)
        if (!random_tensor(x, &x->of_then[i], DTYPE_BF16, i < 2 ? n : n / 16 + 1, 10 + i))
            return false;
    x->then = (struct norm_grad_args){.rows = x->rows,
                                      .channels = x->channels,
                                      .dtype = DTYPE_BF16,
                                      .dy = x->result,
                                      .dy2 = x->of_then[1],
                                      .c = x->of_then[0],
                                      .mean = x->vector[0],
                                      .scale = x->vector[1],
                                      .shift = x->vector[2],
                                      .mask = x->of_then[2],
                                      .relu = true,
                                      .g = add ? x->result : NULL,
                                      .sums = x->sums};
    return true;
}

static bool make(struct trial *x)
{
    void *memory = NULL;
    const struct conv_desc *d = x->desc;
    bool forward = x->pass == CONV_FORWARD;
    x->rows = forward ? conv_out_rows(d) : conv_in_rows(d);
    x->channels = forward ? d->c_out : d->c_in;
    x->result = forward ? x->t->y : x->t->x;
    if (cuda_alloc(x->b, 2 * x->channels * sizeof *x->sums, &memory, NULL) < 0)
        return false;
    x->sums = memory;
    if (stopwatch_init(&x->watch, x->b, NULL) < 0)
        return false;
    if (forward)
        return !d->with_apply || (make_vectors(x) && make_apply(x));
    return make_vectors(x) && (!d->with_first || make_first(x)) && (!d->then || make_then(x));
}

static void release(struct trial *x)
{
    for (int i = 0; i < N_THEN; i++)
        cuda_release(x->b, x->of_then[i]);
    for (int i = 0; i < N_FIRST; i++)
        cuda_release(x->b, x->of_first[i]);
    for (int i = 0; i < N_VECTORS; i++)
        cuda_release(x->b, x->vector[i]);
    cuda_release(x->b, x->sums);
    stopwatch_release(&x->watch);
}

/* -- running -- */

/* What makes the first factor. */
static int make_factor(const struct trial *x, struct err *e)
{
    if ((x->apply.y && cuda_norm_apply(x->b, &x->apply) < 0) ||
        (x->first.dc && cuda_norm_grad_apply(x->b, &x->first) < 0))
        return err_set(e, "what makes a product's factor failed");
    return 0;
}

/* One kernel, with the factor made by it or before. */
static int run_fused(void *user, struct err *e)
{
    struct trial *x = user;
    struct fused_job j = fused_job_of(x->desc, x->pass, x->t);
    bool forward = x->pass == CONV_FORWARD, all = x->fusion == FUSES_ALL;
    j.apply = all && x->apply.y ? &x->apply : NULL;
    j.sums = forward && x->desc->with_sums ? x->sums : NULL;
    j.first = all && x->first.dc ? &x->first : NULL;
    j.then = x->then.c ? &x->then : NULL;
    void *scratch = cuda_scratch(x->b, fused_bytes(&j));
    x->lacks_memory |= !scratch;
    if (!scratch || !fused_may_run(&j))
        return err_set(e, "a product cannot be fused");
    if (!all && make_factor(x, e) < 0)
        return ERR_FAIL;
    return fused_run(x->b, &j, scratch) < 0 ? err_set(e, "a fused product failed") : 0;
}

/* One after the other. */
static int run_apart(void *user, struct err *e)
{
    struct trial *x = user;
    struct backend *b = x->b;
    struct row_block y = {x->rows, x->channels, DTYPE_BF16};
    if (make_factor(x, e) < 0)
        return ERR_FAIL;
    void *workspace = cuda_scratch(b, conv_plan_workspace_bytes(x->apart));
    if (!workspace)
        return err_set(e, "no memory");
    if (conv_plan_run(x->apart, x->t, workspace, 0.0f, e) < 0)
        return ERR_FAIL;
    if ((x->pass == CONV_FORWARD && x->desc->with_sums &&
         cuda_channel_sums(b, &y, x->result, x->sums) < 0) ||
        (x->then.c && cuda_norm_grad(b, &x->then) < 0))
        return err_set(e, "what follows a product failed");
    return 0;
}

/* -- comparing: the first rows of what is written, the last ones, and all sums -- */

enum { N_PARTS = 4 }; /* of the result two, two of what is made beside it */

struct outcome {
    uint16_t *part[N_PARTS];
    size_t n[N_PARTS];
    double *sums; /* [2, channels] */
};

static bool fetch_part(struct trial *x, struct outcome *o, int i, const uint16_t *from, size_t n)
{
    o->n[i] = n;
    o->part[i] = mem_new(n, sizeof *o->part[i], NULL);
    return o->part[i] && cuda_download(x->b, o->part[i], from, n * sizeof *from, NULL) == 0;
}

struct rows {
    const uint16_t *first;
    size_t n, channels;
};

/* Parts i and i + 1, from a tensor. */
static bool fetch_ends(struct trial *x, struct outcome *o, int i, const struct rows *t)
{
    size_t n = t->n < CHECKED_ROWS ? t->n : CHECKED_ROWS;
    return fetch_part(x, o, i, t->first, n * t->channels) &&
           fetch_part(x, o, i + 1, t->first + (t->n - n) * t->channels, n * t->channels);
}

/* What is made beside the result: the input, or dy; none where it is there. */
static struct rows made_by(const struct trial *x)
{
    if (x->apply.y)
        return (struct rows){x->apply.y, x->apply.rows, x->apply.channels};
    return (struct rows){x->first.dc, x->first.rows, x->first.channels};
}

static bool fetch(struct trial *x, struct outcome *o)
{
    const struct rows result = {x->result, x->rows, x->channels};
    const struct rows made = made_by(x);
    o->sums = mem_new(2 * x->channels, sizeof *o->sums, NULL);
    if (!o->sums || !fetch_ends(x, o, 0, &result) || (made.first && !fetch_ends(x, o, 2, &made)))
        return false;
    if (x->pass == CONV_FORWARD ? !x->desc->with_sums : !x->then.c) /* there are none */
        return true;
    return cuda_download(x->b, o->sums, x->sums, 2 * x->channels * sizeof *o->sums, NULL) == 0;
}

static void outcome_release(struct outcome *o)
{
    for (int i = 0; i < N_PARTS; i++)
        free(o->part[i]);
    free(o->sums);
}

static bool same_part(const uint16_t *got, const uint16_t *want, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        double w = (double)bf16_to_f32(want[i]), d = (double)bf16_to_f32(got[i]) - w;
        difference += d * d;
        norm += w * w;
    }
    return difference <= norm * limit * limit;
}

static bool same_sums(const double *got, const double *want, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    return difference <= norm * limit * limit;
}

static bool same(const struct trial *x, const struct outcome *got, const struct outcome *want)
{
    for (int i = 0; i < N_PARTS; i++)
        if (!same_part(got->part[i], want->part[i], want->n[i]))
            return false;
    return same_sums(got->sums, want->sums, x->channels) &&
           same_sums(got->sums + x->channels, want->sums + x->channels, x->channels);
}

static bool poison(struct trial *x, void *tensor, size_t n)
{
    return !tensor ||
           cudaMemsetAsync(tensor, 0xff, n * sizeof(uint16_t), cuda_stream(x->b)) == cudaSuccess;
}

/* Fused over poisoned memory. */
static bool is_right(struct trial *x, const struct outcome *want)
{
    struct outcome got = {0};
    const struct rows made = made_by(x);
    bool right = poison(x, x->result, x->rows * x->channels) &&
                 poison(x, (void *)made.first, made.n * made.channels) && run_fused(x, NULL) == 0 &&
                 fetch(x, &got) && same(x, &got, want);
    outcome_release(&got);
    return right;
}

/* All of it, or without the factor where there is something else. */
static void find_fastest(struct trial *x, const struct outcome *want, struct conv_choice *best)
{
    bool both = (x->apply.y || x->first.dc) && (x->desc->with_sums || x->desc->then);
    best->ms = best->apart_ms = stopwatch_time(&x->watch, INFINITY, run_apart, x);
    for (x->fusion = both ? FUSES_AFTER : FUSES_ALL; x->fusion <= FUSES_ALL; x->fusion++) {
        float ms = is_right(x, want) ? stopwatch_time(&x->watch, INFINITY, run_fused, x) : INFINITY;
        if (ms < best->ms * CLEARLY_FASTER) {
            best->fusion = x->fusion;
            best->ms = ms;
        }
    }
}

int fused_choose(const struct fused_question *q, struct conv_choice *best)
{
    struct cuda_state *s = cuda_of(q->backend);
    const struct err before = s->failure;
    struct trial x = {
        .b = q->backend, .apart = q->apart, .desc = q->desc, .pass = q->pass, .t = q->t};
    struct outcome want = {0};
    bool made = make(&x) && run_apart(&x, NULL) == 0 && fetch(&x, &want);
    best->fusion = FUSES_NOTHING;
    if (made)
        find_fastest(&x, &want, best);
    outcome_release(&want);
    release(&x);
    cudaGetLastError();
    s->failure = before; /* memory that a trial lacks is no failure */
    return made && !x.lacks_memory ? 0 : ERR_FAIL;
}
