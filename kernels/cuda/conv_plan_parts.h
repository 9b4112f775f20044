/* SPDX-License-Identifier: Apache-2.0 */
/* What conv_plan.c, which keeps plans, and conv_search.c, which finds them, share. */
#ifndef TEG_KERNELS_CUDA_CONV_PLAN_PARTS_H
#define TEG_KERNELS_CUDA_CONV_PLAN_PARTS_H

#include "kernels/cuda/conv_choice.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/graph.h"

enum { CONV_PLAN_KEY = 192 }; /* bytes */

/* Bytes of a workspace that a choice may take. */
static const size_t conv_max_workspace = (size_t)1 << 30;

struct conv_plan {
    struct backend *backend;
    char key[CONV_PLAN_KEY];
    struct conv_desc desc;
    enum conv_pass pass;
    enum dtype y_type;
    struct conv_choice choice;
    bool unsure; /* not everything could be tried, for want of memory */
    struct gemm *gemm;
    struct graph *graph;
    struct conv_plan *next;
};

/* "forward", "backward-data", "backward-weights" */
extern const char *const conv_pass_names[CONV_N_PASSES];

/* Whether something is to be done around the pass. */
bool conv_has_company(const struct conv_desc *d);

/* The plan becomes what a choice says. Products and graphs are made, and then kept while the index
 * alone changes; conv_plan_prepare does no more than make them. */
int conv_plan_prepare(struct conv_plan *p, const struct conv_choice *c, struct err *e);
int conv_plan_use(struct conv_plan *p, const struct conv_choice *c, struct err *e);
/* What the library calls what is used now. */
void conv_plan_name(const struct conv_plan *p, struct conv_choice *c);

/* Measures what there is; the plan is the best of it, or plain. */
int conv_search(struct conv_plan *p, struct err *e);

#endif
