/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kernels share: elements and 16-byte vectors of float32 or bfloat16 as float32, sums over a
 * block in an order that never changes, and the choice between the versions of a kernel.
 */
#ifndef TEG_KERNELS_CUDA_DEVICE_CUH
#define TEG_KERNELS_CUDA_DEVICE_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <string.h>

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/partition.h"
#include "kernels/elem.h"

#define DEVICE static __device__ __forceinline__

/* Elements of 16 bytes. */
enum { VECTOR_F32 = 4, VECTOR_BF16 = 8 };

DEVICE float load_one(const void *x, size_t i, enum dtype t)
{
    return t == DTYPE_F32 ? ((const float *)x)[i] : bf16_to_f32(((const uint16_t *)x)[i]);
}

DEVICE void store_one(void *y, size_t i, float v, enum dtype t)
{
    if (t == DTYPE_F32)
        ((float *)y)[i] = v;
    else
        ((uint16_t *)y)[i] = f32_to_bf16(v);
}

DEVICE void unpack(uint32_t pair, float *v)
{
    v[0] = bf16_to_f32((uint16_t)(pair & 0xffffu));
    v[1] = bf16_to_f32((uint16_t)(pair >> 16));
}

/* As f32_to_bf16 of both, but for what a NaN carries: one instruction instead of fourteen. */
DEVICE uint32_t pack(const float *v)
{
    __nv_bfloat162 both = __floats2bfloat162_rn(v[0], v[1]);
    uint32_t pair;
    memcpy(&pair, &both, sizeof pair);
    return pair;
}

/* V elements as they lie in memory: V is 1, or 16 bytes' worth. */
template <enum dtype T, int V> struct raw;
template <> struct raw<DTYPE_F32, 1> {
    float v;
};
template <> struct raw<DTYPE_F32, VECTOR_F32> {
    float4 v;
};
template <> struct raw<DTYPE_BF16, 1> {
    uint16_t v;
};
template <> struct raw<DTYPE_BF16, VECTOR_BF16> {
    uint4 v;
};

/* x[i .. i + V - 1]; where V is not 1, x + i is 16-byte aligned. What is fetched and not yet
 * expanded is on its way while something else is computed. */
template <enum dtype T, int V> DEVICE struct raw<T, V> fetch(const void *x, size_t i) {
    if constexpr (T == DTYPE_F32)
        return *(const struct raw<T, V> *)((const float *)x + i);
    else
        return *(const struct raw<T, V> *)((const uint16_t *)x + i);
}

template <enum dtype T, int V>
DEVICE void expand(const struct raw<T, V> &r, float *v)
{
    if constexpr (V == 1 && T == DTYPE_F32) {
        v[0] = r.v;
    } else if constexpr (V == 1) {
        v[0] = bf16_to_f32(r.v);
    } else if constexpr (T == DTYPE_F32) {
        v[0] = r.v.x;
        v[1] = r.v.y;
        v[2] = r.v.z;
        v[3] = r.v.w;
    } else {
        unpack(r.v.x, v);
        unpack(r.v.y, v + 2);
        unpack(r.v.z, v + 4);
        unpack(r.v.w, v + 6);
    }
}

/* v = x[i .. i + V - 1]. */
template <enum dtype T, int V> DEVICE void load(const void *x, size_t i, float *v)
{
    expand<T, V>(fetch<T, V>(x, i), v);
}

/* An assignment would do, but the compiler may take it apart; __stwb stays one access. */
template <enum dtype T, int V> DEVICE void store(void *y, size_t i, const float *v)
{
    if constexpr (V == 1) {
        store_one(y, i, v[0], T);
    } else if constexpr (T == DTYPE_F32) {
        __stwb((float4 *)((float *)y + i), make_float4(v[0], v[1], v[2], v[3]));
    } else {
        __stwb((uint4 *)((uint16_t *)y + i),
               make_uint4(pack(v), pack(v + 2), pack(v + 4), pack(v + 6)));
    }
}

/* v = bits i .. i + V - 1 of a mask as 0 or 1; i is a multiple of V, so they are of one byte. */
template <int V> DEVICE void load_bits(const uint8_t *mask, size_t i, float *v)
{
    unsigned bits = mask[i / 8] >> i % 8;
    for (int k = 0; k < V; k++)
        v[k] = (float)(bits >> k & 1u);
}

/* v = x[i .. i + V - 1], or `other` where x is NULL. */
template <int V> DEVICE void load_channels(const float *x, size_t i, float other, float *v)
{
    for (int k = 0; k < V; k++)
        v[k] = x ? x[i + k] : other;
}

/* Sum over the threads of a block of CUDA_BLOCK, in every thread. `room` is shared memory. */
DEVICE double block_sum(double v, double *room)
{
    __syncthreads();
    room[threadIdx.x] = v;
    __syncthreads();
    for (unsigned n = CUDA_BLOCK / 2; n > 0; n /= 2) {
        if (threadIdx.x < n)
            room[threadIdx.x] += room[threadIdx.x + n];
        __syncthreads();
    }
    return room[0];
}

/* The largest likewise, of values that are not NaN. */
DEVICE double block_max(double v, double *room)
{
    __syncthreads();
    room[threadIdx.x] = v;
    __syncthreads();
    for (unsigned n = CUDA_BLOCK / 2; n > 0; n /= 2) {
        if (threadIdx.x < n && room[threadIdx.x + n] > room[threadIdx.x])
            room[threadIdx.x] = room[threadIdx.x + n];
        __syncthreads();
    }
    return room[0];
}

/* -- launching -- */

/* Puts a kernel on a stream. Tests run kernels on the processor, by a definition of their own. */
#ifndef LAUNCH
#define LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, stream>>>(__VA_ARGS__)
#endif

/* Whether all n pointers (NULL counts as such) allow 16-byte accesses. */
static inline bool all_aligned(const void *const *pointer, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uintptr_t)pointer[i] % 16)
            return false;
    return true;
}

/* Elements that a thread takes at a time from rows of `channels`. */
static inline unsigned vector_of(enum dtype t, size_t channels, const void *const *pointer,
                                 size_t n)
{
    unsigned v = t == DTYPE_F32 ? VECTOR_F32 : VECTOR_BF16;
    return channels % v == 0 && all_aligned(pointer, n) ? v : 1;
}

static inline size_t blocks_for(size_t n)
{
    return (n + CUDA_BLOCK - 1) / CUDA_BLOCK;
}

/* The version of a kernel template <enum dtype, int> for a type and vector length. */
#define VERSION(kernel, type, vector)                                                              \
    ((type) == DTYPE_F32 ? (vector) > 1 ? kernel<DTYPE_F32, VECTOR_F32> : kernel<DTYPE_F32, 1>     \
     : (vector) > 1 ? kernel<DTYPE_BF16, VECTOR_BF16>                                              \
                         : kernel<DTYPE_BF16, 1>)

#endif
