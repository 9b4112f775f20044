/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/conv_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/ui.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/fused_search.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/graph.h"
#include "kernels/cuda/stopwatch.h"
#include "kernels/plan_cache.h"
#include "kernels/plan_file.h"

enum { KEY_BYTES = 192, CHOICE_BYTES = 96, MS_BYTES = 64 };
/* Choices of a graph that are measured, and of the 3-D one where there is a 2-D view, which is
 * seldom better; fewer where building them, which may mean compiling, takes longer than that. */
enum { TRIES = 12, FEWER_TRIES = 4 };
/* From so many rows on a product's weight gradient, a sum over them, is also tried as a graph. */
enum { MANY_ROWS = 256 };
static const double patience = 3.0;            /* seconds of a graph */
static const double compiling_patience = 20.0; /* of all graphs that a process measures */
static const size_t max_workspace = (size_t)1 << 30;

/* So that noise does not choose between equals: the library's first proposal stays. */
#define CLEARLY_FASTER 0.95f
/* One run that took so much longer than the best so far is not repeated. */
#define HOPELESS 1.3f

enum conv_way { WAY_PLAIN, WAY_PRODUCT, WAY_GRAPH, WAY_FUSED };

/* What was chosen, as it can be found again. */
struct conv_choice {
    enum conv_way way;
    int n_spatial, index; /* of the graph's view; in the list of choices */
    long number;          /* what the library calls it, and its settings: the list is the same */
    uint32_t knobs;
    enum dtype w_type;
    enum conv_fusion fusion; /* where fused.h computes it */
    float ms, apart_ms;      /* measured; and with what is around it, where fused.h computes it */
};

struct conv_plan {
    struct backend *backend;
    char key[KEY_BYTES];
    struct conv_desc desc;
    enum conv_pass pass;
    enum dtype y_type;
    struct conv_choice choice;
    bool unsure; /* not everything could be tried, for want of memory */
    struct gemm *gemm;
    struct graph *graph;
    struct conv_plan *next;
};

static const char *const pass_names[CONV_N_PASSES] = {"forward", "backward-data",
                                                      "backward-weights"};

static void write_key(struct conv_plan *p)
{
    const struct conv_desc *d = &p->desc;
    snprintf(p->key, sizeof p->key,
             "%s %s n%zu %zux%zux%zu c%zu to c%zu kernel %zux%zux%zu stride %zux%zux%zu pad "
             "%zux%zux%zu%s%s%s",
             pass_names[p->pass], d->dtype == DTYPE_BF16 ? "bf16" : "f32", d->n, d->in[0], d->in[1],
             d->in[2], d->c_in, d->c_out, d->kernel[0], d->kernel[1], d->kernel[2], d->stride[0],
             d->stride[1], d->stride[2], d->pad[0], d->pad[1], d->pad[2], d->bias ? " bias" : "",
             d->with_apply   ? " apply"
             : d->with_first ? " first"
                             : "",
             d->with_sums           ? " sums"
             : d->then == THEN_MASK ? " then mask"
             : d->then == THEN_ADD  ? " then add"
                                    : "");
}

/* -- choices as text -- */

static void name_of(const struct conv_choice *c, char text[CHOICE_BYTES])
{
    if (c->way == WAY_PRODUCT)
        snprintf(text, CHOICE_BYTES, "product %d algorithm %ld", c->index, c->number);
    else if (c->way == WAY_GRAPH)
        snprintf(text, CHOICE_BYTES, "graph %d %d engine %ld knobs %08" PRIx32 " %s", c->n_spatial,
                 c->index, c->number, c->knobs, c->w_type == DTYPE_BF16 ? "bf16" : "f32");
    else
        snprintf(text, CHOICE_BYTES, "%s",
                 c->way != WAY_FUSED        ? "plain"
                 : c->fusion == FUSES_AFTER ? "fused after"
                                            : "fused");
}

/* With what was measured, for who reads the file. */
static void write_choice(const struct conv_choice *c, char text[CHOICE_BYTES + MS_BYTES])
{
    char name[CHOICE_BYTES];
    name_of(c, name);
    if (c->way == WAY_PLAIN)
        snprintf(text, CHOICE_BYTES, "%s", name);
    else if (c->way == WAY_FUSED)
        snprintf(text, CHOICE_BYTES + MS_BYTES, "%s in %.4g ms, apart in %.4g", name, (double)c->ms,
                 (double)c->apart_ms);
    else
        snprintf(text, CHOICE_BYTES + MS_BYTES, "%s in %.4g ms", name, (double)c->ms);
}

/* False where it says something else: the choice is made again. */
static bool read_choice(struct conv_choice *c, const char *line)
{
    char type[8] = "", text[CHOICE_BYTES];
    int end = 0;
    const char *measured = strstr(line, " in ");
    snprintf(text, sizeof text, "%.*s", measured ? (int)(measured - line) : CHOICE_BYTES, line);
    *c = (struct conv_choice){.way = WAY_PLAIN, .w_type = DTYPE_F32};
    if (sscanf(text, "product %d algorithm %ld%n", &c->index, &c->number, &end) == 2 &&
        !text[end]) {
        c->way = WAY_PRODUCT;
        return true;
    }
    if (sscanf(text, "graph %d %d engine %ld knobs %" SCNx32 " %7s%n", &c->n_spatial, &c->index,
               &c->number, &c->knobs, type, &end) == 5 &&
        !text[end]) {
        c->way = WAY_GRAPH;
        c->w_type = strcmp(type, "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
        return true;
    }
    bool all = strcmp(text, "fused") == 0, after = strcmp(text, "fused after") == 0;
    if (all || after) {
        c->way = WAY_FUSED;
        c->fusion = all ? FUSES_ALL : FUSES_AFTER;
    }
    return c->way == WAY_FUSED || strcmp(text, "plain") == 0;
}

/* -- making a plan what a choice says -- */

static int use_product(struct conv_plan *p, struct err *e)
{
    const struct conv_desc *d = &p->desc;
    size_t rows = conv_out_rows(d);
    const struct gemm_desc desc[CONV_N_PASSES] = {
        {.m = rows, .n = d->c_out, .k = d->c_in, .b_transposed = true, .c_type = p->y_type},
        {.m = rows, .n = d->c_in, .k = d->c_out, .c_type = d->dtype},
        {.m = d->c_out, .n = d->c_in, .k = rows, .a_transposed = true, .c_type = DTYPE_F32},
    };
    struct gemm_desc g = desc[p->pass];
    g.type = d->dtype;
    g.tf32 = cuda_of(p->backend)->tf32;
    if (!conv_is_product(d))
        return err_set(e, "not a matrix product");
    if (!p->gemm && gemm_new(&p->gemm, p->backend, &g, e) < 0)
        return ERR_FAIL;
    if (p->choice.index < 0 || p->choice.index >= gemm_n_choices(p->gemm))
        return err_set(e, "no such algorithm");
    gemm_choose(p->gemm, p->choice.index);
    return 0;
}

static int make_graph(struct conv_plan *p, struct err *e)
{
    struct graph_spec spec[GRAPH_MAX_SPECS];
    int n = graph_specs(&p->desc, p->pass, cuda_of(p->backend)->tf32, spec), i = 0;
    while (i < n &&
           (spec[i].view.n_spatial != p->choice.n_spatial || spec[i].w_type != p->choice.w_type))
        i++;
    if (i == n)
        return err_set(e, "no such view");
    return graph_new(&p->graph, cuda_of(p->backend)->vendor, &spec[i], e);
}

static int use_graph(struct conv_plan *p, struct err *e)
{
    if (p->choice.index < 0 || p->choice.index >= graph_n_choices(p->graph))
        return err_set(e, "no such engine");
    return graph_try(p->graph, p->choice.index, e);
}

/* Whether something is to be done around it. */
static bool has_company(const struct conv_desc *d)
{
    return d->with_apply || d->with_sums || d->with_first || d->then;
}

/* gemm and graph are kept while only the index changes. */
static int prepare(struct conv_plan *p, const struct conv_choice *c, struct err *e)
{
    bool same = p->choice.way == c->way && p->choice.n_spatial == c->n_spatial &&
                p->choice.w_type == c->w_type;
    if (!same) {
        gemm_free(p->gemm);
        graph_free(p->graph);
        p->gemm = NULL;
        p->graph = NULL;
    }
    p->choice = *c;
    return c->way == WAY_GRAPH && !p->graph ? make_graph(p, e) : 0;
}

static int use(struct conv_plan *p, const struct conv_choice *c, struct err *e)
{
    if (prepare(p, c, e) < 0)
        return ERR_FAIL;
    if (c->way == WAY_FUSED && !(has_company(&p->desc) && fused_fits(&p->desc, p->pass)))
        return err_set(e, "not a product that can be fused");
    return c->way == WAY_PRODUCT ? use_product(p, e) : c->way == WAY_GRAPH ? use_graph(p, e) : 0;
}

/* What the library calls what is used now. */
static void name_choice(const struct conv_plan *p, struct conv_choice *c)
{
    c->number = p->choice.way == WAY_PRODUCT ? gemm_algorithm(p->gemm)
                : p->choice.way == WAY_GRAPH ? graph_engine(p->graph)
                                             : 0;
    c->knobs = p->choice.way == WAY_GRAPH ? graph_knobs(p->graph) : 0;
}

size_t conv_plan_workspace_bytes(const struct conv_plan *p)
{
    return p->choice.way == WAY_PRODUCT ? gemm_workspace_bytes(p->gemm)
           : p->choice.way == WAY_GRAPH ? graph_workspace_bytes(p->graph)
                                        : 0;
}

enum dtype conv_plan_y_type(const struct conv_plan *p)
{
    return p->y_type;
}

enum dtype conv_plan_w_type(const struct conv_plan *p)
{
    return p->choice.w_type;
}

enum conv_fusion conv_plan_fuses(const struct conv_plan *p)
{
    return p->choice.way == WAY_FUSED ? p->choice.fusion : FUSES_NOTHING;
}

bool conv_plan_adds(const struct conv_plan *p)
{
    return p->choice.way == WAY_PRODUCT;
}

int conv_plan_run(struct conv_plan *p, const struct conv_tensors *t, void *workspace, float beta,
                  struct err *e)
{
    if (p->choice.way == WAY_PRODUCT) {
        const struct gemm_data data[CONV_N_PASSES] = {{t->x, t->w, t->y, workspace, beta},
                                                      {t->y, t->w, t->x, workspace, beta},
                                                      {t->y, t->x, t->w, workspace, beta}};
        return gemm_run(p->gemm, &data[p->pass], e);
    }
    if (p->choice.way == WAY_GRAPH) {
        const struct graph_data data = {t->x, t->w, t->y, workspace};
        return graph_run(p->graph, &data, e);
    }
    struct fused_job job = fused_job_of(&p->desc, p->pass, t);
    if (p->choice.way == WAY_FUSED && fused_may_run(&job))
        return fused_run(p->backend, &job, workspace) < 0 ? err_set(e, "a product failed") : 0;
    struct conv_problem problem = {conv_view_whole(&p->desc), p->pass, *t};
    return conv_plain(p->backend, &problem) < 0 ? err_set(e, "a plain convolution failed") : 0;
}

/* -- measuring -- */

struct search {
    struct conv_plan *plan;
    struct conv_tensors t;
    struct conv_samples samples;
    struct stopwatch watch;
    void *workspace; /* of the candidate that runs */
    struct conv_choice best;
    float best_ms;      /* of one run; infinite: none is right yet */
    struct err *e;      /* of what breaks the device */
    cudaError_t broken; /* by a candidate: nothing can be computed any more */
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
    *s = (struct search){.plan = p, .best_ms = INFINITY, .best = {.way = WAY_PLAIN}, .e = e};
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

/*
 * |got - want| / |want| that a right result may have: one rounding to bfloat16 is 2^-9 at most,
 * TensorFloat-32 rounds factors to 2^-11, sums of float32 products lose less than 1e-5, but those
 * over millions of rows up to 2e-4.
 */
static double limit_of(const struct conv_plan *p, enum dtype result)
{
    bool tf32 = cuda_of(p->backend)->tf32 && p->desc.dtype == DTYPE_F32;
    return result == DTYPE_BF16 || tf32 ? 5e-3 : p->pass == CONV_BACKWARD_WEIGHTS ? 1e-3 : 1e-4;
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
                             char key[KEY_BYTES])
{
    snprintf(key, KEY_BYTES, "broken: %s %s %s %ld", pass_names[p->pass],
             p->desc.dtype == DTYPE_BF16 ? "bf16" : "f32",
             c->way == WAY_PRODUCT ? "algorithm" : "engine", c->number);
}

static bool is_known_broken(const struct conv_plan *p, const struct conv_choice *c)
{
    struct cuda_state *s = cuda_of(p->backend);
    char key[KEY_BYTES], unused[PLAN_FILE_LINE];
    write_broken_key(p, c, key);
    return plan_file_get(s->plan_file, key) || plan_cache_get(s->plan_cache, key, unused);
}

/* What a candidate leaves behind where it wrote to memory that is not its own. */
static void check_device(struct search *s, const struct conv_choice *c)
{
    struct conv_plan *p = s->plan;
    struct cuda_state *state = cuda_of(p->backend);
    char key[KEY_BYTES], name[CHOICE_BYTES];
    s->broken = cudaStreamSynchronize(state->stream);
    if (s->broken == cudaSuccess)
        return;
    const char *why = cudaGetErrorString(s->broken);
    write_broken_key(p, c, key);
    plan_cache_put(state->plan_cache, key, why);
    plan_file_put(state->plan_file, key, why, NULL);
    name_of(c, name);
    err_set(s->e, "%s: %s (it is left out when this is run again)", name, why);
}

static void try_choice(struct search *s, const struct conv_choice *c)
{
    struct conv_plan *p = s->plan;
    struct conv_choice named = *c;
    if (s->broken != cudaSuccess || use(p, c, NULL) < 0 ||
        conv_plan_workspace_bytes(p) > max_workspace)
        return;
    name_choice(p, &named);
    if (is_known_broken(p, &named))
        return;
    /* room for the samples too, so that the workspace does not move under the plan */
    size_t bytes = conv_plan_workspace_bytes(p) + sizeof s->samples;
    if (cuda_reserve(p->backend, bytes, NULL) < 0) {
        p->unsure = true;
        return;
    }
    s->workspace = cuda_scratch(p->backend, bytes);
    float ms = INFINITY;
    if (is_right(s))
        ms = stopwatch_time(&s->watch, s->best_ms * HOPELESS, run_candidate, s);
    check_device(s, &named);
    if (ms < s->best_ms * CLEARLY_FASTER) {
        s->best_ms = named.ms = ms;
        s->best = named;
    }
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
    prepare(p, &c, NULL); /* the library's parts are loaded meanwhile, too */
    double began = ui_seconds();
    for (; p->graph && c.index < graph_n_choices(p->graph); c.index++) {
        double now = ui_seconds();
        if ((c.index >= n_tries || now - began > patience) && !isinf(s->best_ms))
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
    if (isinf(s->best_ms))
        try_graphs(s, true);
}

static int search(struct conv_plan *p, struct err *e)
{
    struct search *s = mem_new(1, sizeof *s, e);
    int rc = s ? search_init(s, p, e) : ERR_FAIL;
    if (rc == 0) {
        try_all(s);
        cudaGetLastError(); /* of candidates that failed */
        if (s->broken != cudaSuccess)
            rc = ERR_FAIL;
        else if (isinf(s->best_ms))
            s->best = (struct conv_choice){
                .way = WAY_PLAIN,
                .w_type = p->pass == CONV_BACKWARD_WEIGHTS ? DTYPE_F32 : p->desc.dtype};
        rc = rc < 0 ? rc : use(p, &s->best, e);
    }
    struct conv_choice fused = {.way = WAY_FUSED, .w_type = p->desc.dtype};
    if (rc == 0 && has_company(&p->desc)) {
        const struct fused_question q = {p->backend, p, &p->desc, p->pass, &s->t};
        struct fused_answer a;
        p->unsure |= fused_choose(&q, &a) < 0;
        fused.fusion = a.fusion;
        fused.ms = a.ms;
        fused.apart_ms = a.apart_ms;
        rc = fused.fusion ? use(p, &fused, e) : 0;
    }
    cudaGetLastError(); /* of what was tried */
    if (s)
        search_release(s);
    free(s);
    return rc;
}

/* -- plans, each once -- */

/* Whether what a file says is still there, and the same. */
static bool use_kept(struct conv_plan *p, const char *text)
{
    struct conv_choice kept, now;
    if (!text || !read_choice(&kept, text) || kept.way == WAY_PLAIN || use(p, &kept, NULL) < 0 ||
        conv_plan_workspace_bytes(p) > max_workspace)
        return false;
    name_choice(p, &now);
    return now.number == kept.number && now.knobs == kept.knobs;
}

/* What this run's file says, then what any run measured, then measured. */
static int choose(struct conv_plan *p, struct err *e)
{
    struct cuda_state *s = cuda_of(p->backend);
    char text[PLAN_FILE_LINE];
    if (use_kept(p, plan_file_get(s->plan_file, p->key)))
        return 0;
    if (plan_cache_get(s->plan_cache, p->key, text) && use_kept(p, text))
        return plan_file_put(s->plan_file, p->key, text, e);
    if (s->measuring && s->measuring(s->user, s->n_measured++, e) < 0)
        return ERR_FAIL;
    if (search(p, e) < 0)
        return err_add(e, "%s", p->key);
    if (p->choice.way == WAY_PLAIN)
        err_set(&p->backend->note, "this will be slow: %s has no engine that computes %s right",
                vendor_versions(s->vendor), p->key);
    write_choice(&p->choice, text);
    if (!p->unsure) /* other runs may have the memory */
        plan_cache_put(s->plan_cache, p->key, text);
    return plan_file_put(s->plan_file, p->key, text, e);
}

static void plan_free(struct conv_plan *p)
{
    gemm_free(p->gemm);
    graph_free(p->graph);
    free(p);
}

int conv_plan_get(struct conv_plan **out, struct backend *b, const struct conv_desc *desc,
                  enum conv_pass pass, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    struct conv_plan *p = mem_new(1, sizeof *p, e);
    if (!p)
        return ERR_FAIL;
    p->backend = b;
    p->desc = *desc;
    p->pass = pass;
    p->desc.bias = desc->bias && pass == CONV_FORWARD;
    bool fits = fused_fits(desc, pass), to_data = fits && pass == CONV_BACKWARD_DATA;
    bool forward = fits && pass == CONV_FORWARD;
    p->desc.with_apply = desc->with_apply && forward;
    p->desc.with_sums = desc->with_sums && forward;
    p->desc.with_first = desc->with_first && to_data;
    p->desc.then = to_data ? desc->then : THEN_NOTHING;
    p->y_type = p->desc.bias && conv_is_product(desc) ? DTYPE_F32 : desc->dtype;
    p->choice.way = WAY_PLAIN;
    write_key(p);
    for (struct conv_plan *have = s->conv_plans; have; have = have->next)
        if (strcmp(have->key, p->key) == 0) {
            plan_free(p);
            *out = have;
            return 0;
        }
    if (choose(p, e) < 0) {
        plan_free(p);
        return ERR_FAIL;
    }
    p->next = s->conv_plans;
    s->conv_plans = *out = p;
    return 0;
}

void conv_plans_free(struct backend *b)
{
    struct cuda_state *s = cuda_of(b);
    while (s->conv_plans) {
        struct conv_plan *next = s->conv_plans->next;
        plan_free(s->conv_plans);
        s->conv_plans = next;
    }
}
