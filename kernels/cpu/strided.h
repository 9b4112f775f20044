/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1x1x1 convolutions with a stride (shortcuts between stages), which oneDNN runs slower than
 * others, in bfloat16 at a third of their speed: the rows that they read are put side by side, and
 * what is left has no stride.
 */
#ifndef TEG_KERNELS_CPU_STRIDED_H
#define TEG_KERNELS_CPU_STRIDED_H

#include "kernels/backend.h"

bool cpu_is_strided_point(const struct conv_desc *d);
/* The convolution of the rows that are read. */
struct conv_desc cpu_dense_point(const struct conv_desc *d);
size_t cpu_dense_bytes(const struct conv_desc *d); /* of its input */

/* dense = the rows of x that are read; x = those rows from `dense`, zeros elsewhere. */
void cpu_take_dense(struct backend *b, const struct conv_desc *d, const void *x, void *dense);
void cpu_put_dense(struct backend *b, const struct conv_desc *d, const void *dense, void *x);

#endif
