/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-in for the CUDA toolkit's warp matrix functions: every thread of a warp holds a whole
 * fragment and computes all of it, so no threads have to meet. Alignments are those that the real
 * ones ask for.
 */
#ifndef TEG_TESTS_EMULATOR_MMA_H
#define TEG_TESTS_EMULATOR_MMA_H

#include <cuda_bf16.h>

#include "tests/emulator/emulated.h"

namespace nvcuda
{
namespace wmma
{

struct matrix_a {
};
struct matrix_b {
};
struct accumulator {
};
struct row_major {
};
struct col_major {
};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    float x[16][16]; /* [row][column] */
};

static inline float emulator_float(__nv_bfloat16 v)
{
    return __bfloat162float(v);
}

template <class Use, int M, int N, int K, class Layout>
static inline void load_matrix_sync(fragment<Use, M, N, K, __nv_bfloat16, Layout> &f,
                                    const __nv_bfloat16 *from, unsigned pitch)
{
    static_assert(M == 16 && N == 16 && K == 16, "the only size that is used");
    CHECK((uintptr_t)from % 32 == 0 && pitch % 8 == 0);
    bool columns = std::is_same<Layout, col_major>::value;
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            f.x[i][k] = emulator_float(columns ? from[(unsigned)k * pitch + (unsigned)i]
                                               : from[(unsigned)i * pitch + (unsigned)k]);
}

template <int M, int N, int K>
static inline void fill_fragment(fragment<accumulator, M, N, K, float> &f, float value)
{
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            f.x[i][k] = value;
}

template <int M, int N, int K, class LayoutA, class LayoutB>
static inline void mma_sync(fragment<accumulator, M, N, K, float> &d,
                            const fragment<matrix_a, M, N, K, __nv_bfloat16, LayoutA> &a,
                            const fragment<matrix_b, M, N, K, __nv_bfloat16, LayoutB> &b,
                            const fragment<accumulator, M, N, K, float> &c)
{
    for (int i = 0; i < 16; i++)
        for (int l = 0; l < 16; l++) {
            float sum = c.x[i][l];
            for (int k = 0; k < 16; k++)
                sum += a.x[i][k] * b.x[k][l];
            d.x[i][l] = sum;
        }
}

template <int M, int N, int K>
static inline void store_matrix_sync(float *to, const fragment<accumulator, M, N, K, float> &f,
                                     unsigned pitch, layout_t layout)
{
    CHECK((uintptr_t)to % 32 == 0 && pitch % 4 == 0 && layout == mem_row_major);
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            to[(unsigned)i * pitch + (unsigned)k] = f.x[i][k];
}

} // namespace wmma
} // namespace nvcuda

#endif
