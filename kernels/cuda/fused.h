/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of 1x1x1 convolutions in bfloat16 on tensor cores, with the passes over their result
 * that would follow done while it is still in registers: the sums of batch normalisation, or the
 * masked gradient and its sums (norm_grad); and those that make its first factor done where it is
 * read (norm_apply, norm_grad_apply). Where rows have few channels, such a product is bound
 * by memory, and so every pass saved counts. The search for plans measures whether it does.
 *
 *     C[m, n] = A[m, k] B, B stored [n, k] (forward) or [k, n] (to data); k and n multiples of 8
 */
#ifndef TEG_KERNELS_CUDA_FUSED_H
#define TEG_KERNELS_CUDA_FUSED_H

#include "kernels/cuda/conv_plain.h"
#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fused_job {
    const void *a, *b; /* bfloat16 */
    void *c;           /* [m, n] bfloat16 */
    size_t m;
    unsigned k, n;
    bool b_transposed; /* B is stored [n, k] */
    /* What makes A, forward with y = A, to data with dc = A: it is stored, too, and nothing else
     * may be there. NULL: A is there. */
    const struct norm_apply_args *apply;
    const struct norm_grad_apply_args *first;
    double *sums; /* [2, n] of C; NULL: not wanted */
    const struct norm_grad_args
        *then; /* with dy = C, and `g`, where set, in its place; NULL: none */
};

/* The job of a pass, but for what comes before and after it. */
static inline struct fused_job fused_job_of(const struct conv_desc *d, enum conv_pass pass,
                                            const struct conv_tensors *t)
{
    bool forward = pass == CONV_FORWARD;
    struct fused_job j;
    j.a = forward ? t->x : t->y;
    j.b = t->w;
    j.c = forward ? t->y : t->x;
    j.m = conv_out_rows(d);
    j.k = (unsigned)(forward ? d->c_in : d->c_out);
    j.n = (unsigned)(forward ? d->c_out : d->c_in);
    j.b_transposed = forward;
    j.apply = NULL;
    j.first = NULL;
    j.sums = NULL;
    j.then = NULL;
    return j;
}

/* Whether this pass of a convolution can be computed so, and whether with these pointers. */
bool fused_fits(const struct conv_desc *d, enum conv_pass pass);
bool fused_may_run(const struct fused_job *j);

/* Scratch memory that a job takes. */
size_t fused_bytes(const struct fused_job *j);
int fused_run(struct backend *b, const struct fused_job *j, void *scratch);

#ifdef __cplusplus
}
#endif

#endif
