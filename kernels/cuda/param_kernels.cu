/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SGD with momentum, with LARS's local rates if wanted, over all tensors in one launch: they are
 * cut into chunks, a block each. And whether values are finite.
 */
#include "kernels/cuda/device.cuh"

enum { CHUNK = 1 << 14 };

/* A piece of one tensor. */
struct chunk {
    size_t offset;
    unsigned len, span;
};

struct span_job { /* one tensor */
    size_t first_chunk, n_chunks;
    float decay;
    bool adapt;
};

struct optimizer_job {
    float *params, *velocity;
    const float *grads;
    const struct chunk *chunks;
    const struct span_job *spans;
    double *squares; /* [n_chunks, 2]: of the parameters and the gradients */
    float *factor;   /* [n_spans] of the gradients; NULL: 1 */
    size_t n_spans;
    float lr, momentum, trust;
    bool wide; /* the vectors begin at multiples of 16 bytes */
};

static size_t n_chunks_of(const struct param_span *s)
{
    return (s->len + CHUNK - 1) / CHUNK;
}

/* -- LARS (You et al. 2017): the rate of a tensor is trust |w| / (|g| + decay |w|) -- */

__global__ void __launch_bounds__(CUDA_BLOCK) squares_kernel(struct optimizer_job j)
{
    __shared__ double room[CUDA_BLOCK];
    struct chunk c = j.chunks[blockIdx.x];
    if (!j.spans[c.span].adapt)
        return;
    double w = 0.0, g = 0.0;
    for (unsigned i = threadIdx.x; i < c.len; i += CUDA_BLOCK) {
        double a = (double)j.params[c.offset + i], d = (double)j.grads[c.offset + i];
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
    if (s >= j.n_spans)
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
DEVICE void update_one(const struct optimizer_job *j, const struct span_job *span, float factor,
                       size_t i)
{
    float w = j->params[i], g = j->grads[i], decay = span->decay;
    if (j->factor && span->adapt) {
        g = factor * (g + decay * w);
        decay = 0.0f;
    }
    float v = elem_momentum(j->velocity[i], g, w, j->momentum, decay);
    j->velocity[i] = v;
    j->params[i] = elem_sgd(w, v, j->lr);
}

DEVICE void update_four(const struct optimizer_job *j, const struct span_job *span, float factor,
                        size_t at)
{
    float w[VECTOR_F32], g[VECTOR_F32], v[VECTOR_F32], decay = span->decay;
    load<DTYPE_F32, VECTOR_F32>(j->params, at, w);
    load<DTYPE_F32, VECTOR_F32>(j->grads, at, g);
    load<DTYPE_F32, VECTOR_F32>(j->velocity, at, v);
    if (j->factor && span->adapt) {
        for (int k = 0; k < VECTOR_F32; k++)
            g[k] = factor * (g[k] + decay * w[k]);
        decay = 0.0f;
    }
    for (int k = 0; k < VECTOR_F32; k++) {
        v[k] = elem_momentum(v[k], g[k], w[k], j->momentum, decay);
        w[k] = elem_sgd(w[k], v[k], j->lr);
    }
    store<DTYPE_F32, VECTOR_F32>(j->velocity, at, v);
    store<DTYPE_F32, VECTOR_F32>(j->params, at, w);
}

__global__ void __launch_bounds__(CUDA_BLOCK) update_kernel(struct optimizer_job j)
{
    struct chunk c = j.chunks[blockIdx.x];
    struct span_job span = j.spans[c.span];
    float factor = j.factor ? j.factor[c.span] : 1.0f;
    unsigned fours = j.wide && c.offset % VECTOR_F32 == 0 ? c.len / VECTOR_F32 : 0;
    for (unsigned i = threadIdx.x; i < fours; i += CUDA_BLOCK)
        update_four(&j, &span, factor, c.offset + VECTOR_F32 * (size_t)i);
    for (unsigned i = fours * VECTOR_F32 + threadIdx.x; i < c.len; i += CUDA_BLOCK)
        update_one(&j, &span, factor, c.offset + i);
}

/* Host arrays of spans and chunks on their way to the device. */
static int stage_spans(struct backend *b, const struct optimizer_args *a, size_t n_chunks,
                       struct optimizer_job *j)
{
    size_t chunk = 0;
    struct span_job *spans = (struct span_job *)cuda_stage_begin(b, a->n_spans * sizeof *spans);
    if (!spans)
        return ERR_FAIL;
    for (size_t s = 0; s < a->n_spans; s++) {
        const struct param_span *span = &a->spans[s];
        spans[s].first_chunk = chunk;
        spans[s].n_chunks = n_chunks_of(span);
        spans[s].decay = span->decay ? a->weight_decay : 0.0f;
        spans[s].adapt = span->adapt;
        chunk += spans[s].n_chunks;
    }
    j->spans = (const struct span_job *)cuda_stage_end(b);
    struct chunk *chunks = (struct chunk *)cuda_stage_begin(b, n_chunks * sizeof *chunks);
    if (!j->spans || !chunks)
        return ERR_FAIL;
    for (size_t s = 0; s < a->n_spans; s++)
        for (size_t done = 0; done < a->spans[s].len; done += CHUNK, chunks++) {
            size_t left = a->spans[s].len - done;
            chunks->offset = a->spans[s].offset + done;
            chunks->len = left < CHUNK ? (unsigned)left : (unsigned)CHUNK;
            chunks->span = (unsigned)s;
        }
    j->chunks = (const struct chunk *)cuda_stage_end(b);
    return j->chunks ? 0 : ERR_FAIL;
}

static int find_factors(struct backend *b, struct optimizer_job *j, size_t n_chunks)
{
    size_t squares = cuda_align(2 * n_chunks * sizeof *j->squares);
    j->squares = (double *)cuda_scratch(b, squares + j->n_spans * sizeof *j->factor);
    if (!j->squares)
        return ERR_FAIL;
    j->factor = (float *)((char *)j->squares + squares);
    LAUNCH(squares_kernel, (unsigned)n_chunks, CUDA_BLOCK, cuda_stream(b), *j);
    LAUNCH(factor_kernel, (unsigned)blocks_for(j->n_spans), CUDA_BLOCK, cuda_stream(b), *j);
    return cuda_launched(b);
}

extern "C" int cuda_optimizer_step(struct backend *b, const struct optimizer_args *a)
{
    const void *pointer[] = {a->params, a->grads, a->velocity};
    struct optimizer_job j = {};
    size_t n_chunks = 0;
    for (size_t s = 0; s < a->n_spans; s++)
        n_chunks += n_chunks_of(&a->spans[s]);
    if (n_chunks == 0)
        return 0;
    j.params = a->params;
    j.grads = a->grads;
    j.velocity = a->velocity;
    j.n_spans = a->n_spans;
    j.lr = a->lr;
    j.momentum = a->momentum;
    j.trust = a->trust;
    j.wide = all_aligned(pointer, 3);
    if (stage_spans(b, a, n_chunks, &j) < 0 || (a->lars && find_factors(b, &j, n_chunks) < 0))
        return ERR_FAIL;
    LAUNCH(update_kernel, (unsigned)n_chunks, CUDA_BLOCK, cuda_stream(b), j);
    return cuda_launched(b);
}

/* -- values that are not finite -- */

__global__ void __launch_bounds__(CUDA_BLOCK)
    finite_kernel(const float *values, size_t n, unsigned *bad)
{
    size_t begin = blockIdx.x * (size_t)CHUNK, end = begin + CHUNK < n ? begin + CHUNK : n;
    bool mine = false;
    for (size_t i = begin + threadIdx.x; i < end; i += CUDA_BLOCK)
        mine |= !(fabsf(values[i]) <= 3.402823466e38f);
    if (mine)
        *bad = 1; /* whoever writes, writes the same */
}

extern "C" int cuda_all_finite(struct backend *b, const float *values, size_t n, bool *finite)
{
    unsigned *bad = (unsigned *)cuda_of(b)->device_result;
    if (cudaMemsetAsync(bad, 0, sizeof *bad, cuda_stream(b)) != cudaSuccess)
        return ERR_FAIL;
    if (n > 0)
        LAUNCH(finite_kernel, (unsigned)((n + CHUNK - 1) / CHUNK), CUDA_BLOCK, cuda_stream(b),
               values, n, bad);
    if (cuda_launched(b) < 0)
        return ERR_FAIL;
    const unsigned *result = (const unsigned *)cuda_fetch(b, sizeof *bad);
    if (!result)
        return ERR_FAIL;
    *finite = *result == 0;
    return 0;
}
