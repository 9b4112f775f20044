/* SPDX-License-Identifier: Apache-2.0 */
/* How backend.c opens and closes the CUDA implementation. */
#ifndef TEG_KERNELS_CUDA_BACKEND_CUDA_H
#define TEG_KERNELS_CUDA_BACKEND_CUDA_H

#include "kernels/backend.h"

/* Fills ops, name, memory, state; n_threads is set. ERR_NOT_FOUND, with why and what helps, without
 * a GPU of compute capability 8.0, its driver, cuDNN 9 and cuBLASLt. */
int cuda_open(struct backend *b, const struct backend_options *options, struct err *e);
void cuda_close(struct backend *b);

/* Whether the system has a GPU at all, usable or not. */
bool cuda_has_device(void);

#endif
