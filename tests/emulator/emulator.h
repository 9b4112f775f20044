/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels without a GPU: the C++ compiler takes the .cu files with this header in front, and a
 * launch runs on the processor when somebody waits for its stream, one block after another, a
 * block's threads as fibers that switch at __syncthreads(). `make emulate` links the operation
 * tests so, with stand-ins for the CUDA runtime, cuBLASLt and cuDNN. It finds wrong indices,
 * missing barriers, waits that are missing between streams and before results are read, and
 * accesses behind buffers and from the wrong side. It does not find the use of shared memory
 * that nothing was written to (it holds zeros, or what the block before left), and says nothing
 * about speed, or about what the real libraries can do.
 */
#ifndef TEG_TESTS_EMULATOR_EMULATOR_H
#define TEG_TESTS_EMULATOR_EMULATOR_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <cuda_runtime.h>

#include "tests/emulator/emulated.h"

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
    void (*body)(const void *user);
    const void *user;
};
void emulator_run(const struct emulator_launch *launch);

/* A launch, with its arguments copied. */
template <class F> struct emulator_call {
    dim3 grid, block;
    F call;
};

template <class F>
static inline void emulator_enqueue(dim3 grid, dim3 block, cudaStream_t stream, F call)
{
    static_assert(std::is_trivially_copyable<F>::value, "a graph copies it");
    emulator_call<F> c = {grid, block, call};
    emulated_check_device();
    emulated_enqueue(
        stream,
        [](const void *data) {
            const emulator_call<F> *mine = (const emulator_call<F> *)data;
            struct emulator_launch launch = {mine->grid, mine->block,
                                             [](const void *user) { (*(const F *)user)(); },
                                             &mine->call};
            emulator_run(&launch);
        },
        &c, sizeof c);
}

/* Arguments as the kernel takes them. */
template <class... P, class... A>
static inline void emulator_bind(dim3 grid, dim3 block, cudaStream_t stream, void (*kernel)(P...),
                                 A... args)
{
    emulator_enqueue(grid, block, stream, [=]() { kernel((P)args...); });
}

#define LAUNCH(kernel, grid, block, stream, ...)                                                   \
    emulator_bind(grid, block, stream, kernel, __VA_ARGS__)

#endif
