/* SPDX-License-Identifier: Apache-2.0 */
/* A step of the optimiser as its kernels see it: tensors cut into chunks, a block of threads each.
 */
#ifndef TEG_KERNELS_CUDA_OPTIMIZER_JOB_H
#define TEG_KERNELS_CUDA_OPTIMIZER_JOB_H

#include "kernels/cuda/cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CHUNK = 1 << 14 }; /* elements */

/* A piece of one tensor. */
struct chunk {
    size_t offset;
    unsigned len, span;
};

struct span_job { /* one tensor */
    size_t first_chunk, n_chunks;
    float decay;
    bool adapt;
};

/* Tables of all tensors in device memory; a step's vectors. */
struct optimizer_job {
    const struct chunk *chunks;
    const struct span_job *spans;
    double *squares; /* [n_chunks, 2]: of the parameters and the gradients */
    float *factor;   /* [n_spans] of the gradients; NULL: 1 */
    size_t n_spans;
    float momentum, trust;
    struct optimizer_args args;
    bool wide; /* the vectors begin at multiples of 16 bytes */
};

void optimizer_launch(const struct optimizer_job *job, size_t n_chunks, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
