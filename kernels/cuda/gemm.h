/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matrix products by cuBLASLt: C[m, n] = op(A)[m, k] op(B)[k, n] + beta C, all row-major, sums in
 * float32 in an order that does not change from run to run. Where the library has nothing for a
 * shape, a plain kernel computes it.
 *
 *     gemm_new(&g, b, &desc, &e);
 *     gemm_choose(g, 0);                            0 is what the library thinks fastest
 *     gemm_run(g, &(struct gemm_data){a, b, c, workspace, 0.0f}, &e);
 */
#ifndef TEG_KERNELS_CUDA_GEMM_H
#define TEG_KERNELS_CUDA_GEMM_H

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gemm;

struct gemm_desc {
    size_t m, n, k;
    bool a_transposed, b_transposed; /* A is stored [k, m], B [n, k] */
    enum dtype type, c_type;         /* of A and B; of C: the same, or float32 */
    bool tf32;                       /* float32 factors may be rounded to 10 bits */
};

int gemm_new(struct gemm **g, struct backend *b, const struct gemm_desc *d, struct err *e);
void gemm_free(struct gemm *g);

/* How many algorithms there are to choose from; at least 1. */
int gemm_n_choices(const struct gemm *g);
void gemm_choose(struct gemm *g, int i);
int gemm_algorithm(const struct gemm *g); /* the library's number of the chosen one; -1: plain */
size_t gemm_workspace_bytes(const struct gemm *g); /* of the chosen one */

struct gemm_data {
    const void *a, *b;
    void *c;
    void *workspace; /* gemm_workspace_bytes */
    float beta;      /* 0 or 1; 1 only where C is float32 */
};
int gemm_run(struct gemm *g, const struct gemm_data *data, struct err *e);

/* A product kept for the life of the backend, made when first asked for; borrowed. */
struct gemm *gemm_cached(struct backend *b, const struct gemm_desc *d, struct err *e);
void gemm_cache_free(struct backend *b);

/* C = op(A) op(B) + beta C by a plain kernel. */
int gemm_plain(struct backend *b, const struct gemm_desc *d, const struct gemm_data *data);

#ifdef __cplusplus
}
#endif

#endif
