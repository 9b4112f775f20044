/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Embeddings, the rows of the contrastive loss, softmax and sigmoid with cross-entropy: a block
 * a row, sums in float64 in a fixed order.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/contrast_rows.h"

/* Below this length a mean is treated as having it, so that a zero vector has a finite gradient. */
#define MIN_NORM 1e-12

/* -- embeddings: mean over k steps, unit length -- */

__global__ void __launch_bounds__(CUDA_BLOCK) embed_kernel(struct embed_args a)
{
    __shared__ double room[CUDA_BLOCK];
    size_t i = blockIdx.x, per_clip = a.steps / a.k, d = a.dim;
    const float *z = a.z + (i / per_clip * a.steps + i % per_clip * a.k) * d;
    float *u = a.u + i * d;
    double square = 0.0;
    for (size_t c = threadIdx.x; c < d; c += CUDA_BLOCK) {
        double sum = 0.0;
        for (size_t s = 0; s < a.k; s++)
            sum += (double)z[s * d + c];
        u[c] = (float)(sum / (double)a.k);
        square += (double)u[c] * (double)u[c];
    }
    double norm = sqrt(block_sum(square, room));
    float inv_norm = (float)(1.0 / (norm > MIN_NORM ? norm : MIN_NORM));
    for (size_t c = threadIdx.x; c < d; c += CUDA_BLOCK)
        u[c] *= inv_norm;
    if (threadIdx.x == 0)
        a.inv_norm[i] = inv_norm;
}

extern "C" int cuda_embed(struct backend *b, const struct embed_args *a)
{
    unsigned grid = (unsigned)(a->n * (a->steps / a->k));
    LAUNCH(embed_kernel, grid, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

/* u = m / |m|: dm = (du - u (u . du)) / |m|, and each of the k steps gets dm / k. */
__global__ void __launch_bounds__(CUDA_BLOCK) embed_grad_kernel(struct embed_grad_args a)
{
    __shared__ double room[CUDA_BLOCK];
    size_t i = blockIdx.x, per_clip = a.steps / a.k, d = a.dim;
    const float *u = a.u + i * d, *du = a.du + i * d;
    float *dz = a.dz + (i / per_clip * a.steps + i % per_clip * a.k) * d;
    double along = 0.0;
    for (size_t c = threadIdx.x; c < d; c += CUDA_BLOCK)
        along += (double)u[c] * (double)du[c];
    along = block_sum(along, room);
    float factor = a.inv_norm[i] / (float)a.k;
    for (size_t c = threadIdx.x; c < d; c += CUDA_BLOCK) {
        float dm = (float)((double)du[c] - (double)u[c] * along) * factor;
        for (size_t s = 0; s < a.k; s++)
            dz[s * d + c] += dm;
    }
}

extern "C" int cuda_embed_grad(struct backend *b, const struct embed_grad_args *a)
{
    size_t bytes = a->n * a->steps * a->dim * sizeof *a->dz;
    unsigned grid = (unsigned)(a->n * (a->steps / a->k));
    if (!a->accumulate && cudaMemsetAsync(a->dz, 0, bytes, cuda_stream(b)) != cudaSuccess)
        return ERR_FAIL;
    LAUNCH(embed_grad_kernel, grid, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

/* -- rows of the contrastive loss -- */

DEVICE bool allowed(const struct contrast_rows *a, size_t anchor, size_t key)
{
    return !a->other_only || key == a->positive[anchor] ||
           a->key_video[key] != a->anchor_video[anchor];
}

/* Similarities of one anchor in, gradient of scale * loss with respect to them out. Twice over the
 * row: the largest, then the sum of exponentials relative to it. */
__global__ void __launch_bounds__(CUDA_BLOCK) contrast_rows_kernel(struct contrast_rows a)
{
    __shared__ double room[CUDA_BLOCK];
    size_t anchor = a.first + blockIdx.x, positive = a.positive[anchor];
    float *sim = a.sim + blockIdx.x * a.n_keys;
    double inv_t = 1.0 / (double)a.temperature, at_positive = (double)sim[positive];
    double top = -1e30, others = 0.0, count = 0.0, total = 0.0;
    for (size_t j = threadIdx.x; j < a.n_keys; j += CUDA_BLOCK)
        if (allowed(&a, anchor, j)) {
            top = (double)sim[j] > top ? (double)sim[j] : top;
            others += (double)sim[j];
            count += 1.0;
        }
    top = block_max(top, room);
    others = block_sum(others, room);
    count = block_sum(count, room);
    for (size_t j = threadIdx.x; j < a.n_keys; j += CUDA_BLOCK)
        if (allowed(&a, anchor, j))
            total += exp(((double)sim[j] - top) * inv_t);
    total = block_sum(total, room);
    if (threadIdx.x == 0) {
        struct contrast_sums *r = &a.result[anchor];
        r->loss = log(total) + (top - at_positive) * inv_t;
        r->positive = at_positive;
        r->negative = count > 1.0 ? (others - at_positive) / (count - 1.0) : 0.0;
    }
    if (!a.gradient)
        return;
    double factor = (double)a.scale * inv_t;
    for (size_t j = threadIdx.x; j < a.n_keys; j += CUDA_BLOCK) {
        double p = allowed(&a, anchor, j) ? exp(((double)sim[j] - top) * inv_t) / total : 0.0;
        sim[j] = (float)(factor * (p - (j == positive ? 1.0 : 0.0)));
    }
}

extern "C" int contrast_rows_run(struct backend *b, const struct contrast_rows *a)
{
    LAUNCH(contrast_rows_kernel, (unsigned)a->n, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

/* Sums of n rows of `width` float64 numbers: one block, so that there is one order. */
__global__ void __launch_bounds__(CUDA_BLOCK)
    total_kernel(const double *rows, size_t n, unsigned width, double *total)
{
    __shared__ double room[CUDA_BLOCK];
    for (unsigned k = 0; k < width; k++) {
        double sum = 0.0;
        for (size_t i = threadIdx.x; i < n; i += CUDA_BLOCK)
            sum += rows[i * width + k];
        sum = block_sum(sum, room);
        if (threadIdx.x == 0)
            total[k] = sum;
    }
}

static int add_up(struct backend *b, const double *rows, size_t n, unsigned width, double *total)
{
    LAUNCH(total_kernel, 1, CUDA_BLOCK, cuda_stream(b), rows, n, width, total);
    return cuda_launched(b);
}

extern "C" int contrast_rows_total(struct backend *b, const struct contrast_sums *rows, size_t n,
                                   double *sums)
{
    static_assert(sizeof *rows == CONTRAST_SUMS * sizeof *sums, "as many sums");
    return add_up(b, (const double *)rows, n, CONTRAST_SUMS, sums);
}

/* -- softmax with cross-entropy -- */

struct softmax_job {
    struct softmax_xent_args args; /* with the stride that is meant */
    double *result;                /* [rows, XENT_SUMS] */
};

/* One row; its gradient is (softmax - one-hot) * weight * scale. NaN among the logits is passed
 * over by the maximum and shows in the sum. */
__global__ void __launch_bounds__(CUDA_BLOCK) softmax_kernel(struct softmax_job job)
{
    __shared__ double room[CUDA_BLOCK];
    const struct softmax_xent_args *a = &job.args;
    const float *x = a->logits + blockIdx.x * a->stride;
    size_t n = a->classes, target = (size_t)a->target[blockIdx.x]; /* negative: very large */
    float weight = a->weight ? a->weight[blockIdx.x] : 1.0f;
    float at_target = target < n ? x[target] : NAN;
    float top = -INFINITY, sum = 0.0f;
    for (size_t k = threadIdx.x; k < n; k += CUDA_BLOCK)
        top = x[k] > top ? x[k] : top;
    top = (float)block_max((double)top, room);
    bool first = at_target == top;
    for (size_t k = threadIdx.x; k < n; k += CUDA_BLOCK) {
        sum += elem_exp(x[k] - top);
        first &= k >= target || x[k] < top;
    }
    double total = block_sum((double)sum, room);
    double later = block_sum(first ? 0.0 : 1.0, room);
    if (threadIdx.x == 0) {
        double *result = job.result + blockIdx.x * XENT_SUMS;
        double loss = log(total) - ((double)at_target - (double)top);
        result[XENT_LOSS] = (double)weight * loss;
        result[XENT_CORRECT] = later == 0.0 ? 1.0 : 0.0;
    }
    if (!a->d_logits)
        return;
    float *d = a->d_logits + blockIdx.x * a->stride;
    float factor = (float)((double)(a->scale * weight) / total);
    for (size_t k = threadIdx.x; k < n; k += CUDA_BLOCK)
        d[k] = elem_exp(x[k] - top) * factor - (k == target ? a->scale * weight : 0.0f);
}

extern "C" int cuda_softmax_xent(struct backend *b, const struct softmax_xent_args *a)
{
    struct softmax_job job = {*a, NULL};
    if (a->rows == 0)
        return cuda_zero(b, a->sums, XENT_SUMS * sizeof *a->sums, NULL);
    job.args.stride = a->stride ? a->stride : a->classes;
    job.result = (double *)cuda_scratch(b, a->rows * XENT_SUMS * sizeof *job.result);
    if (!job.result)
        return ERR_FAIL;
    LAUNCH(softmax_kernel, (unsigned)a->rows, CUDA_BLOCK, cuda_stream(b), job);
    return add_up(b, job.result, a->rows, XENT_SUMS, a->sums);
}

/* -- sigmoid with cross-entropy: each class by itself -- */

struct sigmoid_job {
    struct sigmoid_xent_args args;
    double *result; /* [rows]: weighted loss */
};

__global__ void __launch_bounds__(CUDA_BLOCK) sigmoid_kernel(struct sigmoid_job job)
{
    __shared__ double room[CUDA_BLOCK];
    const struct sigmoid_xent_args *a = &job.args;
    float weight = a->weight ? a->weight[blockIdx.x] : 1.0f;
    double loss = 0.0;
    for (size_t k = threadIdx.x; k < a->classes; k += CUDA_BLOCK) {
        size_t i = blockIdx.x * a->classes + k;
        float x = a->logits[i], target = (float)(a->target[i] != 0);
        loss += (double)weight * (double)elem_sigmoid_xent(x, target);
        if (a->d_logits)
            a->d_logits[i] = a->scale * weight * (elem_sigmoid(x) - target);
    }
    loss = block_sum(loss, room);
    if (threadIdx.x == 0)
        job.result[blockIdx.x] = loss;
}

extern "C" int cuda_sigmoid_xent(struct backend *b, const struct sigmoid_xent_args *a)
{
    struct sigmoid_job job = {*a, NULL};
    if (a->rows == 0 || a->classes == 0)
        return cuda_zero(b, a->loss, sizeof *a->loss, NULL);
    job.result = (double *)cuda_scratch(b, a->rows * sizeof *job.result);
    if (!job.result)
        return ERR_FAIL;
    LAUNCH(sigmoid_kernel, (unsigned)a->rows, CUDA_BLOCK, cuda_stream(b), job);
    return add_up(b, job.result, a->rows, 1, a->loss);
}
