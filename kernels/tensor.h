/* SPDX-License-Identifier: Apache-2.0 */
/* Element types and dense tensors as the compute interface passes them. All tensors are C order. */
#ifndef TEG_KERNELS_TENSOR_H
#define TEG_KERNELS_TENSOR_H

#include <stddef.h>

enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_U8 };

static inline size_t dtype_bytes(enum dtype t)
{
    return t == DTYPE_F32 ? 4 : t == DTYPE_BF16 ? 2 : 1;
}

#endif
