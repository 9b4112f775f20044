/* SPDX-License-Identifier: Apache-2.0 */
/* What the stand-ins for libraries share: loud checks of every call, elements of both types, and
 * the way into a CUDA graph. */
#ifndef TEG_TESTS_EMULATOR_EMULATED_H
#define TEG_TESTS_EMULATOR_EMULATED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "kernels/elem.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Work on a stream is done at once, or, while the stream records, whenever the graph is launched:
 * `run` with a copy of `data`. In emulated_runtime.c, also for the libraries.
 */
void emulated_enqueue(cudaStream_t stream, void (*run)(const void *data), const void *data,
                      size_t bytes);

/* As by a kernel that writes to memory that is not its own. */
void emulated_break(void);

/* A call that the real library would refuse, or that makes no sense, ends the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline double emulated_load(const void *p, bool bf16, size_t i)
{
    return bf16 ? (double)bf16_to_f32(((const uint16_t *)p)[i]) : (double)((const float *)p)[i];
}

static inline void emulated_store(void *p, bool bf16, size_t i, double v)
{
    if (bf16)
        ((uint16_t *)p)[i] = f32_to_bf16((float)v);
    else
        ((float *)p)[i] = (float)v;
}

#ifdef __cplusplus
}
#endif

#endif
