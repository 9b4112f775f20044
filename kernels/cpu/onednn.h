/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPU backend asks of oneDNN outside the operations of ops.def. */
#ifndef TEG_KERNELS_CPU_ONEDNN_H
#define TEG_KERNELS_CPU_ONEDNN_H

#include <stddef.h>

#include "common/base/err.h"

struct onednn; /* engine and stream */

int onednn_open(struct onednn **d, struct err *e);
void onednn_close(struct onednn *d);
const char *onednn_version(void); /* "2.6.3" */

/* One single-precision product of row-major matrices: C[m, n] = op(A) op(B) + beta C. */
struct sgemm {
    size_t m, n, k;
    const float *a;
    size_t lda;
    int a_transposed; /* A is stored [k, m] */
    const float *b;
    size_t ldb;
    int b_transposed; /* B is stored [n, k] */
    float beta;
    float *c;
    size_t ldc;
};
int onednn_sgemm(const struct sgemm *g, struct err *e);

#endif
