/* SPDX-License-Identifier: Apache-2.0 */
/* Whether fused.h pays for one pass of a convolution, found by trying. */
#ifndef TEG_KERNELS_CUDA_FUSED_SEARCH_H
#define TEG_KERNELS_CUDA_FUSED_SEARCH_H

#include "kernels/cuda/conv_plan.h"

/*
 * Runs the plan's pass and the operations around it that d->with_apply, d->with_sums, d->with_first
 * and d->then name, apart and fused, on the random factors in `t`. True where the fused results are
 * those of the others and came clearly sooner. Overwrites the pass's result, x with `apply`, and dy
 * with `first`.
 */
bool fused_wins(struct backend *b, struct conv_plan *apart, const struct conv_desc *d,
                enum conv_pass pass, const struct conv_tensors *t);

#endif
