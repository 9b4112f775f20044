/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SGD with momentum, with LARS's local rates if wanted, over all tensors in one launch: they are
 * cut into chunks, a block each. And whether values are finite.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/optimizer_job.h"

DEVICE bool skipped(const struct optimizer_job *j)
{
    return j->args.skip && *j->args.skip != 0;
}

/* -- LARS (You et al. 2017): the rate of a tensor is trust |w| / (|g| + decay |w|) -- */

__global__ void __launch_bounds__(CUDA_BLOCK) squares_kernel(struct optimizer_job j)
{
    __shared__ double room[CUDA_BLOCK];
    struct chunk c = j.chunks[blockIdx.x];
    if (!j.spans[c.span].adapt || skipped(&j))
        return;
    double w = 0.0, g = 0.0;
    for (unsigned i = threadIdx.x; i < c.len; i += CUDA_BLOCK) {
        double a = (double)j.args.params[c.offset + i], d = (double)j.args.grads[c.offset + i];
        w += a * a;
        g += d * d;
    }
    w = block_sum(w, room);
    g = block_sum(g, room);
    if (threadIdx.x == 0) {
        j.squares[2 * blockIdx.x] = w;
        j.squares[2 * blockIdx.x + 1] = g;
    }
}

__global__ void factor_kernel(struct optimizer_job j)
{
    size_t s = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (s >= j.n_spans || skipped(&j))
        return;
    struct span_job span = j.spans[s];
    double w = 0.0, g = 0.0;
    for (size_t i = span.first_chunk; span.adapt && i < span.first_chunk + span.n_chunks; i++) {
        w += j.squares[2 * i];
        g += j.squares[2 * i + 1];
    }
    w = sqrt(w);
    g = sqrt(g);
    bool adapt = span.adapt && w > 0.0 && g > 0.0;
    j.factor[s] = adapt ? (float)((double)j.trust * w / (g + (double)span.decay * w)) : 1.0f;
}

/* -- the step -- */

/* The local rate scales the gradient before the momentum, so that the velocity stays in units of
 * the global rate. */
struct rates {
    float factor, decay; /* the first of the gradient with its decay, where `adapt` */
    float lr, momentum;
    bool adapt;
};

DEVICE void update_value(const struct rates *r, float *w, float g, float *v)
{
    if (r->adapt)
        g = r->factor * (g + r->decay * *w);
    *v = elem_momentum(*v, g, *w, r->momentum, r->adapt ? 0.0f : r->decay);
    *w = elem_sgd(*w, *v, r->lr);
}

DEVICE void update_four(const struct optimizer_args *a, const struct rates *r, size_t at)
{
    float w[VECTOR_F32], g[VECTOR_F32], v[VECTOR_F32];
    load<DTYPE_F32, VECTOR_F32>(a->params, at, w);
    load<DTYPE_F32, VECTOR_F32>(a->grads, at, g);
    load<DTYPE_F32, VECTOR_F32>(a->velocity, at, v);
    for (int k = 0; k < VECTOR_F32; k++)
        update_value(r, &w[k], g[k], &v[k]);
    store<DTYPE_F32, VECTOR_F32>(a->velocity, at, v);
    store<DTYPE_F32, VECTOR_F32>(a->params, at, w);
}

__global__ void __launch_bounds__(CUDA_BLOCK) update_kernel(struct optimizer_job j)
{
    const struct optimizer_args *a = &j.args;
    if (skipped(&j))
        return;
    struct chunk c = j.chunks[blockIdx.x];
    struct span_job span = j.spans[c.span];
    struct rates r = {j.factor ? j.factor[c.span] : 1.0f, span.decay, *a->lr, j.momentum,
                      j.factor && span.adapt};
    unsigned fours = j.wide && c.offset % VECTOR_F32 == 0 ? c.len / VECTOR_F32 : 0;
    for (unsigned i = threadIdx.x; i < fours; i += CUDA_BLOCK)
        update_four(a, &r, c.offset + VECTOR_F32 * (size_t)i);
    for (unsigned i = fours * VECTOR_F32 + threadIdx.x; i < c.len; i += CUDA_BLOCK)
        update_value(&r, &a->params[c.offset + i], a->grads[c.offset + i],
                     &a->velocity[c.offset + i]);
}

extern "C" void optimizer_launch(const struct optimizer_job *job, size_t n_chunks,
                                 cudaStream_t stream)
{
    if (job->factor) {
        LAUNCH(squares_kernel, (unsigned)n_chunks, CUDA_BLOCK, stream, *job);
        LAUNCH(factor_kernel, (unsigned)blocks_for(job->n_spans), CUDA_BLOCK, stream, *job);
    }
    LAUNCH(update_kernel, (unsigned)n_chunks, CUDA_BLOCK, stream, *job);
}

/* -- values that are not finite -- */

__global__ void __launch_bounds__(CUDA_BLOCK)
    finite_kernel(const float *values, size_t n, uint32_t *bad)
{
    size_t begin = blockIdx.x * (size_t)CHUNK, end = begin + CHUNK < n ? begin + CHUNK : n;
    bool mine = false;
    for (size_t i = begin + threadIdx.x; i < end; i += CUDA_BLOCK)
        mine |= !(fabsf(values[i]) <= 3.402823466e38f);
    if (mine)
        *bad = 1; /* whoever writes, writes the same */
}

extern "C" int cuda_all_finite(struct backend *b, const float *values, size_t n, uint32_t *bad)
{
    if (n > 0)
        LAUNCH(finite_kernel, (unsigned)((n + CHUNK - 1) / CHUNK), CUDA_BLOCK, cuda_stream(b),
               values, n, bad);
    return cuda_launched(b);
}
