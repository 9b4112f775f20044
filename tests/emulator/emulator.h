/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels without a GPU: the C++ compiler takes the .cu files with this header in front, and a
 * launch runs on the processor, one block after another, a block's threads as fibers that switch at
 * __syncthreads(). `make emulate` links the operation tests so, with stand-ins for the CUDA
 * runtime, cuBLASLt and cuDNN. It finds wrong indices, missing barriers and, with ASan, accesses
 * outside of buffers; it says nothing about speed, or about what the real libraries can do.
 */
#ifndef TEG_TESTS_EMULATOR_EMULATOR_H
#define TEG_TESTS_EMULATOR_EMULATOR_H

#include <cmath>
#include <cstdint>
#include <cstring>

#include <cuda_runtime.h>

#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __shared__
#define __shared__ static

extern thread_local uint3 emulator_thread, emulator_block;
extern thread_local dim3 emulator_grid;
void emulator_barrier(void);

#define threadIdx     emulator_thread
#define blockIdx      emulator_block
#define gridDim       emulator_grid
#define __syncthreads emulator_barrier

template <class T> static inline void __stwb(T *to, T value)
{
    *to = value;
}

/* Runs `body` once for every thread. */
struct emulator_launch {
    dim3 grid, block;
    void (*body)(void *user);
    void *user;
};
void emulator_run(const struct emulator_launch *launch);

template <class F> static inline void emulator_call(dim3 grid, dim3 block, F call)
{
    struct emulator_launch launch = {grid, block, [](void *user) { (*(F *)user)(); }, &call};
    emulator_run(&launch);
}

#define LAUNCH(kernel, grid, block, stream, ...)                                                   \
    emulator_call(grid, block, [&]() {                                                             \
        (void)(stream);                                                                            \
        kernel(__VA_ARGS__);                                                                       \
    })

#endif
