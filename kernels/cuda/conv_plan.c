/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/conv_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "kernels/cuda/conv_plan_parts.h"
#include "kernels/cuda/fused.h"
#include "kernels/cuda/vendor.h"
#include "kernels/plan_cache.h"
#include "kernels/plan_file.h"

const char *const conv_pass_names[CONV_N_PASSES] = {"forward", "backward-data", "backward-weights"};

static void write_key(struct conv_plan *p)
{
    const struct conv_desc *d = &p->desc;
    snprintf(p->key, sizeof p->key,
             "%s %s n%zu %zux%zux%zu c%zu to c%zu kernel %zux%zux%zu stride %zux%zux%zu pad "
             "%zux%zux%zu%s%s%s",
             conv_pass_names[p->pass], d->dtype == DTYPE_BF16 ? "bf16" : "f32", d->n, d->in[0],
             d->in[1], d->in[2], d->c_in, d->c_out, d->kernel[0], d->kernel[1], d->kernel[2],
             d->stride[0], d->stride[1], d->stride[2], d->pad[0], d->pad[1], d->pad[2],
             d->bias ? " bias" : "",
             d->with_apply   ? " apply"
             : d->with_first ? " first"
                             : "",
             d->with_sums           ? " sums"
             : d->then == THEN_MASK ? " then mask"
             : d->then == THEN_ADD  ? " then add"
                                    : "");
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

bool conv_has_company(const struct conv_desc *d)
{
    return d->with_apply || d->with_sums || d->with_first || d->then;
}

int conv_plan_prepare(struct conv_plan *p, const struct conv_choice *c, struct err *e)
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

int conv_plan_use(struct conv_plan *p, const struct conv_choice *c, struct err *e)
{
    if (conv_plan_prepare(p, c, e) < 0)
        return ERR_FAIL;
    if (c->way == WAY_FUSED && !(conv_has_company(&p->desc) && fused_fits(&p->desc, p->pass)))
        return err_set(e, "not a product that can be fused");
    return c->way == WAY_PRODUCT ? use_product(p, e) : c->way == WAY_GRAPH ? use_graph(p, e) : 0;
}

void conv_plan_name(const struct conv_plan *p, struct conv_choice *c)
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

/* -- plans, each once -- */

/* Whether what a file says is still there, and the same. */
static bool use_kept(struct conv_plan *p, const char *text)
{
    struct conv_choice kept, now;
    if (!text || !conv_choice_read(&kept, text) || kept.way == WAY_PLAIN ||
        conv_plan_use(p, &kept, NULL) < 0 || conv_plan_workspace_bytes(p) > conv_max_workspace)
        return false;
    conv_plan_name(p, &now);
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
    if (conv_search(p, e) < 0)
        return err_add(e, "%s", p->key);
    if (p->choice.way == WAY_PLAIN)
        err_set(&p->backend->note, "this will be slow: %s has no engine that computes %s right",
                vendor_versions(s->vendor), p->key);
    conv_choice_write(&p->choice, text);
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
