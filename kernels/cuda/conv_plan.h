/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one pass of a convolution is computed: by cuBLASLt where it is a matrix product, else, and
 * its weight gradient also, by an engine of cuDNN on a 2-D or 3-D view, in the last resort by plain
 * kernels; with what is around it by fused.h. Which one is measured once: every candidate computes
 * random numbers, those whose results are wrong are dropped, the fastest of the others wins. The
 * choice is kept in the backend's plan file.
 *
 *     conv_plan_get(&plan, b, &desc, CONV_FORWARD, &e);        borrowed, for the backend's life
 *     conv_plan_run(plan, &tensors, workspace, 0.0f, &e);
 */
#ifndef TEG_KERNELS_CUDA_CONV_PLAN_H
#define TEG_KERNELS_CUDA_CONV_PLAN_H

#include "kernels/cuda/conv_plain.h"

struct conv_plan;

int conv_plan_get(struct conv_plan **plan, struct backend *b, const struct conv_desc *desc,
                  enum conv_pass pass, struct err *e);
void conv_plans_free(struct backend *b);

size_t conv_plan_workspace_bytes(const struct conv_plan *p);
/* Of the forward pass's y: float32 where a bias is to be added before it is rounded. */
enum dtype conv_plan_y_type(const struct conv_plan *p);
/* Of the weights, or of their gradient: float32, or bfloat16 where that is faster or all there is.
 */
enum dtype conv_plan_w_type(const struct conv_plan *p);
/* Whether it can add to a weight gradient instead of overwriting it. */
bool conv_plan_adds(const struct conv_plan *p);

/* What fused.h does in one kernel with the pass; conv_plan_run does the pass without that. */
enum conv_fusion {
    FUSES_NOTHING,
    FUSES_AFTER, /* what follows it */
    FUSES_ALL,   /* and what makes its first factor */
};
enum conv_fusion conv_plan_fuses(const struct conv_plan *p);

/* `beta` 1 adds, where the plan can. The types of `t` are those of the plan. */
int conv_plan_run(struct conv_plan *p, const struct conv_tensors *t, void *workspace, float beta,
                  struct err *e);

#endif
