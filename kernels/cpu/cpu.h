/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the CPU backend share: its state, row loops, vectors of 16 floats. */
#ifndef TEG_KERNELS_CPU_CPU_H
#define TEG_KERNELS_CPU_CPU_H

#include <stdint.h>
#include <string.h>

#include "kernels/backend.h"
#include "kernels/cpu/clones.h"
#include "kernels/elem.h"

struct onednn;

struct cpu_state {
    struct onednn *onednn;
    void *scratch; /* grows to what the largest operation needs; see cpu_scratch */
    size_t scratch_bytes;
};

/* Memory for one operation's temporaries, 64-byte aligned, valid until the next call. NULL:
 * exhausted. */
void *cpu_scratch(struct backend *b, size_t bytes);

struct row_block {
    size_t rows, channels;
    enum dtype dtype;
};

/* sums [2, C]: sum and sum of squares of x [rows, C]; the same bits for any number of threads. */
int cpu_channel_sums(struct backend *b, const struct row_block *block, const void *x, double *sums);

/*
 * -- 16 float32 at once; GCC lowers them to what the instruction set has. The vectors only travel
 * between inlined functions, so the calling convention that -Wpsabi warns of never matters --
 */
#pragma GCC diagnostic ignored "-Wpsabi"

typedef float vec16 __attribute__((vector_size(64), aligned(4)));
typedef uint32_t vec16u __attribute__((vector_size(64), aligned(4)));
typedef uint8_t vec16b __attribute__((vector_size(16), aligned(1)));
typedef uint16_t vec16h __attribute__((vector_size(32), aligned(2)));

#define CPU_INLINE static inline __attribute__((always_inline))

/* `x` is a base of elements of type t, i an element number. t is a constant where these are used.
 */
CPU_INLINE vec16 vec16_load(const void *x, size_t i, enum dtype t)
{
    if (t == DTYPE_F32)
        return *(const vec16 *)((const float *)x + i);
    vec16h h = *(const vec16h *)((const uint16_t *)x + i);
    vec16u u = __builtin_convertvector(h, vec16u) << 16;
    return (vec16)u;
}

CPU_INLINE void vec16_store(void *y, size_t i, vec16 v, enum dtype t)
{
    if (t == DTYPE_F32) {
        *(vec16 *)((float *)y + i) = v;
        return;
    }
    vec16u u = (vec16u)v;
    vec16u rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    vec16u is_nan = (vec16u)((u & 0x7fffffffu) > 0x7f800000u);
    vec16u bits = (is_nan & ((u >> 16) | 0x40u)) | (~is_nan & rounded);
    *(vec16h *)((uint16_t *)y + i) = __builtin_convertvector(bits, vec16h);
}

CPU_INLINE float elem_load(const void *x, size_t i, enum dtype t)
{
    return t == DTYPE_F32 ? ((const float *)x)[i] : bf16_to_f32(((const uint16_t *)x)[i]);
}

CPU_INLINE void elem_store(void *y, size_t i, float v, enum dtype t)
{
    if (t == DTYPE_F32)
        ((float *)y)[i] = v;
    else
        ((uint16_t *)y)[i] = f32_to_bf16(v);
}

/* v where it is not negative, else 0; NaN stays NaN. */
CPU_INLINE vec16 vec16_relu(vec16 v)
{
    return (vec16)((vec16u)v & ~(vec16u)(v < 0.0f));
}

/* v where at > 0, else 0. */
CPU_INLINE vec16 vec16_where_positive(vec16 v, vec16 at)
{
    return (vec16)((vec16u)v & (vec16u)(at > 0.0f));
}

#endif
