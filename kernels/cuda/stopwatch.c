/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/stopwatch.h"

#include <math.h>

#include "kernels/cuda/cuda.h"

int stopwatch_init(struct stopwatch *w, struct backend *b, struct err *e)
{
    *w = (struct stopwatch){.backend = b};
    int rc = cuda_check(cudaEventCreate(&w->begin), "an event", e);
    return rc < 0 ? rc : cuda_check(cudaEventCreate(&w->end), "an event", e);
}

void stopwatch_release(struct stopwatch *w)
{
    if (w->begin)
        cudaEventDestroy(w->begin);
    if (w->end)
        cudaEventDestroy(w->end);
}

float stopwatch_time(const struct stopwatch *w, int repeats, bool (*run)(void *user), void *user)
{
    cudaStream_t stream = cuda_stream(w->backend);
    float ms = INFINITY;
    cudaEventRecord(w->begin, stream);
    for (int i = 0; i < repeats; i++)
        if (!run(user))
            return INFINITY;
    cudaEventRecord(w->end, stream);
    if (cudaEventSynchronize(w->end) != cudaSuccess ||
        cudaEventElapsedTime(&ms, w->begin, w->end) != cudaSuccess)
        return INFINITY;
    return ms / (float)repeats;
}
