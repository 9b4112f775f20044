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
 * Work on a stream: `run` with a copy of `data`, when somebody waits for it, or, if the stream
 * records, for a launch of the graph. In emulated_stream.c, also for the libraries.
 */
void emulated_enqueue(cudaStream_t stream, void (*run)(const void *data), const void *data,
                      size_t bytes);

bool emulated_recording(cudaStream_t stream);

/* Whether a call that waits or allocates is refused for a recording, of any thread, since the
 * backend promises that its other threads allocate nothing meanwhile. `stream` NULL: whatever it
 * is. */
bool emulated_refused(cudaStream_t stream);

/* Around work on a stream, outside of which nobody may touch the device's memory. In
 * emulated_runtime.c. */
void emulated_memory_open(void);
void emulated_memory_close(void);

/* That the thread works on the GPU that the process began with: to make something on another one is
 * a mistake that shows on machines with several alone. */
void emulated_check_device(void);

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
