/* SPDX-License-Identifier: Apache-2.0 */
/* How a pass of a convolution is computed fastest, found by trying. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/ui.h"
#include "kernels/cuda/conv_plan_parts.h"
#include "kernels/cuda/fused_search.h"
#include "kernels/cuda/stopwatch.h"
#include "kernels/plan_cache.h"
#include "kernels/plan_file.h"

/* Choices of a graph that are measured, and of the 3-D one where there is a 2-D view, which is
 * seldom better; fewer where building them, which may mean compiling, takes longer than that. */
enum { TRIES = 12, FEWER_TRIES = 4 };
/* From so many rows on a product's weight gradient, a sum over them, is also tried as a graph. */
enum { MANY_ROWS = 256 };
static const double patience = 3.0;            /* seconds of a graph */
static const double compiling_patience = 20.0; /* of all graphs that a process measures */

/* So that noise does not choose between equals: the library's first proposal stays. */
#define CLEARLY_FASTER 0.95f
/* One run that took so much longer than the best so far is not repeated. */
#define HOPELESS 1.3f

struct search {
    struct conv_plan *plan;
    struct conv_tensors t;
    struct conv_samples samples;
    struct stopwatch watch;
    void *workspace;         /* of the candidate that runs */
    struct conv_choice best; /* its ms infinite: none is right yet */
    struct err *e;           /* of what breaks the device */
    cudaError_t broken;      /* by a candidate: nothing can be computed any more */
};

static void search_release(struct search *s)
{
    cudaFree(s->t.x);
    cudaFree(s->t.w);
    cudaFree(s->t.y);
    stopwatch_release(&s->watch);
}

static int fill(struct search *s)
{
    const struct conv_plan *p = s->plan;
    const struct conv_desc *d = &p->desc;
    size_t n_x = conv_in_rows(d) * d->c_in, n_y = conv_out_rows(d) * d->c_out;
    size_t n_w = conv_n_weights(d);
    if (p->pass != CONV_BACKWARD_DATA && conv_fill(p->backend, s->t.x, s->t.x_type, n_x, 1) < 0)
        return ERR_FAIL;
    if (p->pass != CONV_BACKWARD_WEIGHTS && conv_fill(p->backend, s->t.w, s->t.w_type, n_w, 2) < 0)
        return ERR_FAIL;
    if (p->pass != CONV_FORWARD && conv_fill(p->backend, s->t.y, s->t.y_type, n_y, 3) < 0)
        return ERR_FAIL;
    return 0;
}

/* Random factors, and what some elements of the result should be. */
static int search_init(struct search *s, struct conv_plan *p, struct err *e)
{
    const struct conv_desc *d = &p->desc;
    struct backend *b = p->backend;
    *s = (struct search){.plan = p, .best = {.way = WAY_PLAIN, .ms = INFINITY}, .e = e};
    s->t.x_type = s->t.w_type = d->dtype;
    s->t.y_type = p->y_type;
    size_t x = conv_in_rows(d) * d->c_in, y = conv_out_rows(d) * d->c_out;
    if (cuda_alloc(b, x * dtype_bytes(d->dtype), &s->t.x, e) < 0 ||
        cuda_alloc(b, y * dtype_bytes(p->y_type), &s->t.y, e) < 0 ||
        cuda_alloc(b, conv_n_weights(d) * sizeof(float), &s->t.w, e) < 0 ||
        stopwatch_init(&s->watch, b, e) < 0)
        return ERR_FAIL;
    if (fill(s) < 0)
        return err_set(e, "filling a convolution's factors failed");
    struct conv_problem problem = {conv_view_whole(d), p->pass, s->t};
    return conv_sample_want(b, &problem, &s->samples, e);
}

static const double loosest = 2e-2;

/*
 * |got - want| / |want| that a right result may have: one rounding to bfloat16 is 2^-9 at most,
 * TensorFloat-32 rounds factors to 2^-11, sums of float32 products lose less than 1e-5, but those
 * over millions of rows up to 2e-4. Tensor cores cut sums off where others round them, always
 * towards zero: 1.6e-9 for each row that one of them adds up, which may be all. What is wrong
 * throughout is off by about 1, one of the samples by 0.04; a few rows that are left out of
 * hundreds of thousands do not show.
 */
static double limit_of(const struct conv_plan *p, enum dtype result)
{
    bool tf32 = cuda_of(p->backend)->tf32 && p->desc.dtype == DTYPE_F32;
    bool cut_off = tf32 || p->desc.dtype == DTYPE_BF16;
    bool over_rows = p->pass == CONV_BACKWARD_WEIGHTS;
    double limit = result == DTYPE_BF16 || tf32 ? 5e-3 : over_rows ? 1e-3 : 1e-4;
    if (cut_off && over_rows)
        limit += 5e-9 * (double)conv_out_rows(&p->desc);
    return limit < loosest ? limit : loosest;
}

/* Runs the plan over a poisoned result; whether the samples are right. */
static bool is_right(struct search *s)
{
    struct conv_plan *p = s->plan;
    struct conv_problem problem = {conv_view_whole(&p->desc), p->pass, s->t};
    void *result[] = {s->t.y, s->t.x, s->t.w};
    enum dtype type[] = {s->t.y_type, s->t.x_type, p->choice.w_type};
    size_t elements[] = {conv_out_rows(&p->desc) * p->desc.c_out,
                         conv_in_rows(&p->desc) * p->desc.c_in, conv_n_weights(&p->desc)};
    problem.t.w_type = p->choice.w_type;
    if (cudaMemsetAsync(result[p->pass], 0xff, elements[p->pass] * dtype_bytes(type[p->pass]),
                        cuda_stream(p->backend)) != cudaSuccess ||
        conv_plan_run(p, &problem.t, s->workspace, 0.0f, NULL) < 0)
        return false;
    cudaGetLastError(); /* a candidate's must not be taken for ours */
    if (conv_sample_got(p->backend, &problem, &s->samples, NULL) < 0)
        return false;
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < s->samples.n; i++) {
        double d = s->samples.got[i] - s->samples.want[i];
        difference += d * d;
        norm += s->samples.want[i] * s->samples.want[i];
    }
    return difference <= norm * pow(limit_of(p, type[p->pass]), 2.0);
}

static int run_candidate(void *user, struct err *e)
{
    struct search *s = user;
    return conv_plan_run(s->plan, &s->t, s->workspace, 0.0f, e);
}

/* The key of what broke the device: it is not tried again, for whatever shape. */
static void write_broken_key(const struct conv_plan *p, const struct conv_choice *c,
                             char key[CONV_PLAN_KEY])
{
    snprintf(key, CONV_PLAN_KEY, "broken: %s %s %s %ld", conv_pass_names[p->pass],
             p->desc.dtype == DTYPE_BF16 ? "bf16" : "f32",
             c->way == WAY_PRODUCT ? "algorithm" : "engine", c->number);
}

static bool is_known_broken(const struct conv_plan *p, const struct conv_choice *c)
{
    struct cuda_state *s = cuda_of(p->backend);
    char key[CONV_PLAN_KEY], unused[PLAN_FILE_LINE];
    write_broken_key(p, c, key);
    return plan_file_get(s->plan_file, key) || plan_cache_get(s->plan_cache, key, unused);
}

/* What a candidate leaves behind where it wrote to memory that is not its own. */
static void check_device(struct search *s, const struct conv_choice *c)
{
    struct conv_plan *p = s->plan;
    struct cuda_state *state = cuda_of(p->backend);
    char key[CONV_PLAN_KEY], name[CONV_CHOICE_NAME];
    s->broken = cudaStreamSynchronize(state->stream);
    if (s->broken == cudaSuccess)
        return;
    const char *why = cudaGetErrorString(s->broken);
    write_broken_key(p, c, key);
    plan_cache_put(state->plan_cache, key, why);
    bool kept = plan_file_put(state->plan_file, key, why, NULL) == 0;
    conv_choice_name(c, name);
    err_set(s->e, "%s: %s%s", name, why, kept ? " (it is left out when this is run again)" : "");
}

static void try_choice(struct search *s, const struct conv_choice *c)
{
    struct conv_plan *p = s->plan;
    struct conv_choice named = *c;
    if (s->broken != cudaSuccess || conv_plan_use(p, c, NULL) < 0 ||
        conv_plan_workspace_bytes(p) > conv_max_workspace)
        return;
    conv_plan_name(p, &named);
    if (is_known_broken(p, &named))
        return;
    /* room for the samples too, so that the workspace does not move under the plan */
    size_t bytes = conv_plan_workspace_bytes(p) + sizeof s->samples;
    if (cuda_reserve(p->backend, bytes, NULL) < 0) {
        p->unsure = true;
        return;
    }
    s->workspace = cuda_scratch(p->backend, bytes);
    named.ms = INFINITY;
    if (is_right(s))
        named.ms = stopwatch_time(&s->watch, s->best.ms * HOPELESS, run_candidate, s);
    check_device(s, &named);
    if (named.ms < s->best.ms * CLEARLY_FASTER)
        s->best = named;
}

static void try_products(struct search *s)
{
    struct conv_choice c = {.way = WAY_PRODUCT, .w_type = s->t.w_type};
    if (s->plan->pass == CONV_BACKWARD_WEIGHTS)
        c.w_type = DTYPE_F32;
    try_choice(s, &c);
    for (c.index = 1; s->plan->gemm && c.index < gemm_n_choices(s->plan->gemm); c.index++)
        try_choice(s, &c);
}

/* Whether a choice is left out: it had to be compiled, and enough time went into that. */
static bool is_left_out(const struct search *s, int i, bool compile)
{
    struct conv_plan *p = s->plan;
    return p->graph && !compile && cuda_of(p->backend)->compiling > compiling_patience &&
           graph_compiles(p->graph, i);
}

/* The first few choices of a graph, and more while none is right; with `compile`, whatever it
 * takes.
 */
static void try_graph(struct search *s, const struct graph_spec *spec, int n_tries, bool compile)
{
    struct conv_choice c = {
        .way = WAY_GRAPH, .n_spatial = spec->view.n_spatial, .w_type = spec->w_type};
    struct cuda_state *state = cuda_of(s->plan->backend);
    struct conv_plan *p = s->plan;
    conv_plan_prepare(p, &c, NULL); /* the library's parts are loaded meanwhile, too */
    double began = ui_seconds();
    for (; p->graph && c.index < graph_n_choices(p->graph); c.index++) {
        double now = ui_seconds();
        if ((c.index >= n_tries || now - began > patience) && !isinf(s->best.ms))
            break;
        if (is_left_out(s, c.index, compile))
            continue;
        bool compiles = graph_compiles(p->graph, c.index);
        try_choice(s, &c);
        state->compiling += compiles ? ui_seconds() - now : 0.0;
    }
}

static void try_graphs(struct search *s, bool compile)
{
    const struct conv_plan *p = s->plan;
    struct graph_spec spec[GRAPH_MAX_SPECS];
    int n = graph_specs(&p->desc, p->pass, cuda_of(p->backend)->tf32, spec);
    bool product = conv_is_product(&p->desc);
    for (int i = 0; i < n; i++) {
        bool second = i > 0 && spec[i - 1].view.n_spatial == 2;
        try_graph(s, &spec[i], product || second ? FEWER_TRIES : TRIES, compile);
    }
}

static void try_all(struct search *s)
{
    const struct conv_plan *p = s->plan;
    bool product = conv_is_product(&p->desc);
    if (product)
        try_products(s);
    if (product && (p->pass != CONV_BACKWARD_WEIGHTS || conv_out_rows(&p->desc) < MANY_ROWS))
        return;
    try_graphs(s, false);
    if (isinf(s->best.ms))
        try_graphs(s, true);
}

int conv_search(struct conv_plan *p, struct err *e)
{
    struct search *s = mem_new(1, sizeof *s, e);
    int rc = s ? search_init(s, p, e) : ERR_FAIL;
    if (rc == 0) {
        try_all(s);
        cudaGetLastError(); /* of candidates that failed */
        if (s->broken != cudaSuccess)
            rc = ERR_FAIL;
        else if (isinf(s->best.ms))
            s->best = (struct conv_choice){
                .way = WAY_PLAIN,
                .w_type = p->pass == CONV_BACKWARD_WEIGHTS ? DTYPE_F32 : p->desc.dtype};
        rc = rc < 0 ? rc : conv_plan_use(p, &s->best, e);
    }
    struct conv_choice fused = {.way = WAY_FUSED, .w_type = p->desc.dtype};
    if (rc == 0 && conv_has_company(&p->desc)) {
        const struct fused_question q = {p->backend, p, &p->desc, p->pass, &s->t};
        p->unsure |= fused_choose(&q, &fused) < 0;
        rc = fused.fusion ? conv_plan_use(p, &fused, e) : 0;
    }
    cudaGetLastError(); /* of what was tried */
    if (s)
        search_release(s);
    free(s);
    return rc;
}
