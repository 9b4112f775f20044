/* SPDX-License-Identifier: Apache-2.0 */
/* Whether and how fused.h pays for one pass of a convolution, found by trying. */
#ifndef TEG_KERNELS_CUDA_FUSED_SEARCH_H
#define TEG_KERNELS_CUDA_FUSED_SEARCH_H

#include "kernels/cuda/conv_choice.h"

/* A pass of a convolution, how it is computed by itself, and random factors for it. */
struct fused_question {
    struct backend *backend;
    struct conv_plan *apart;
    const struct conv_desc *desc;
    enum conv_pass pass;
    const struct conv_tensors *t;
};

/*
 * Fills the fusion and the times of `best`. Runs the pass and the operations around it that
 * desc->with_apply, with_sums, with_first and then name, apart and fused, which is taken where the
 * results are those of the others and came clearly sooner. Below 0 where there is no memory to try
 * all of it. Overwrites the pass's result, x with `apply`, and dy with `first`.
 */
int fused_choose(const struct fused_question *q, struct conv_choice *best);

#endif
