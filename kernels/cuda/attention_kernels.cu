/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention of queries to the positions of their items, and RoIAlign with the maximum over its
 * grid. Every number is summed by one thread or one block, in a fixed order.
 */
#include "kernels/cuda/device.cuh"

/* -- attention -- */

DEVICE double dot(const float *x, const float *y, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

/* Column c of the sum over rows of factor[row] x[row, c]. */
DEVICE float weighted_sum(const float *factor, const float *x, size_t rows, size_t columns,
                          size_t c)
{
    double sum = 0.0;
    for (size_t row = 0; row < rows; row++)
        sum += (double)factor[row] * (double)x[row * columns + c];
    return (float)sum;
}

/* A block a query. */
__global__ void __launch_bounds__(CUDA_BLOCK) attention_kernel(struct attention_args a)
{
    __shared__ double room[CUDA_BLOCK];
    size_t query = blockIdx.x, n = a.positions, first = a.item[query] * n * a.dim;
    const float *q = a.q + query * a.dim;
    float *p = a.p + query * n, top = -INFINITY;
    double sum = 0.0;
    for (size_t s = threadIdx.x; s < n; s += CUDA_BLOCK) {
        p[s] = a.scale * (float)dot(q, a.k + first + s * a.dim, a.dim);
        top = p[s] > top ? p[s] : top;
    }
    top = (float)block_max((double)top, room);
    for (size_t s = threadIdx.x; s < n; s += CUDA_BLOCK) {
        p[s] = elem_exp(p[s] - top);
        sum += (double)p[s];
    }
    sum = block_sum(sum, room);
    for (size_t s = threadIdx.x; s < n; s += CUDA_BLOCK)
        p[s] = (float)((double)p[s] / sum);
    __syncthreads();
    for (size_t c = threadIdx.x; c < a.dim; c += CUDA_BLOCK)
        a.y[query * a.dim + c] = weighted_sum(p, a.v + first, n, a.dim, c);
}

extern "C" int cuda_attention(struct backend *b, const struct attention_args *a)
{
    if (a->n_queries == 0)
        return 0;
    LAUNCH(attention_kernel, (unsigned)a->n_queries, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

struct attention_grad_job {
    struct attention_grad_args args;
    float *ds; /* [n_queries, positions]: gradient of q k */
};

/* A block a query; p (dy v - sum p dy v) is the gradient of its scaled scores. */
__global__ void __launch_bounds__(CUDA_BLOCK) attention_dq_kernel(struct attention_grad_job j)
{
    __shared__ double room[CUDA_BLOCK];
    const struct attention_args *a = &j.args.forward;
    size_t query = blockIdx.x, n = a->positions, first = a->item[query] * n * a->dim;
    const float *p = a->p + query * n, *dy = j.args.dy + query * a->dim;
    float *ds = j.ds + query * n;
    double mean = 0.0;
    for (size_t s = threadIdx.x; s < n; s += CUDA_BLOCK) {
        ds[s] = (float)dot(dy, a->v + first + s * a->dim, a->dim);
        mean += (double)p[s] * (double)ds[s];
    }
    mean = block_sum(mean, room);
    for (size_t s = threadIdx.x; s < n; s += CUDA_BLOCK)
        ds[s] = a->scale * (float)((double)p[s] * ((double)ds[s] - mean));
    __syncthreads();
    for (size_t c = threadIdx.x; c < a->dim; c += CUDA_BLOCK)
        j.args.dq[query * a->dim + c] = weighted_sum(ds, a->k + first, n, a->dim, c);
}

/* A block a position of an item: what its queries send there, one after the other. */
__global__ void __launch_bounds__(CUDA_BLOCK) attention_dkv_kernel(struct attention_grad_job j)
{
    const struct attention_args *a = &j.args.forward;
    size_t item = blockIdx.x / a->positions, s = blockIdx.x % a->positions;
    for (size_t c = threadIdx.x; c < a->dim; c += CUDA_BLOCK) {
        double dk = 0.0, dv = 0.0;
        for (size_t query = 0; query < a->n_queries; query++) {
            if (a->item[query] != item)
                continue;
            size_t score = query * a->positions + s, at = query * a->dim + c;
            dk += (double)j.ds[score] * (double)a->q[at];
            dv += (double)a->p[score] * (double)j.args.dy[at];
        }
        j.args.dk[blockIdx.x * a->dim + c] = (float)dk;
        j.args.dv[blockIdx.x * a->dim + c] = (float)dv;
    }
}

extern "C" int cuda_attention_grad(struct backend *b, const struct attention_grad_args *g)
{
    struct attention_args a = g->forward;
    struct attention_grad_job j = {*g, NULL};
    size_t n = a.n_items * a.positions;
    if (n == 0)
        return 0;
    j.ds = (float *)cuda_scratch(b, a.n_queries * a.positions * sizeof *j.ds);
    if (!j.ds)
        return ERR_FAIL;
    if (a.n_queries > 0)
        LAUNCH(attention_dq_kernel, (unsigned)a.n_queries, CUDA_BLOCK, cuda_stream(b), j);
    LAUNCH(attention_dkv_kernel, (unsigned)n, CUDA_BLOCK, cuda_stream(b), j);
    return cuda_launched(b);
}

/* -- RoIAlign -- */

DEVICE struct elem_corners corners_of(const struct roi_max_args *a, size_t box, size_t cell)
{
    const size_t shape[3] = {a->height, a->width, a->channels};
    return elem_roi_corners(a->box + 4 * box, cell, ROI_GRID, shape);
}

/* A block a box. */
__global__ void __launch_bounds__(CUDA_BLOCK) roi_max_kernel(struct roi_max_args a)
{
    size_t box = blockIdx.x;
    const float *map = a.map + a.item[box] * a.height * a.width * a.channels;
    for (size_t c = threadIdx.x; c < a.channels; c += CUDA_BLOCK) {
        float top = 0.0f;
        size_t arg = 0;
        for (size_t cell = 0; cell < ROI_GRID * ROI_GRID; cell++) {
            struct elem_corners t = corners_of(&a, box, cell);
            float v = 0.0f;
            for (size_t k = 0; k < 4; k++)
                v += t.share[k] * map[t.at[k] + c];
            if (cell == 0 || v > top) {
                top = v;
                arg = cell;
            }
        }
        a.y[box * a.channels + c] = top;
        a.arg[box * a.channels + c] = (uint8_t)arg;
    }
}

/* A thread a channel of an item: it alone writes there, one box after the other. */
__global__ void __launch_bounds__(CUDA_BLOCK) roi_max_grad_kernel(struct roi_max_args a)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i >= a.n_items * a.channels)
        return;
    size_t item = i / a.channels, c = i % a.channels;
    float *d_map = a.d_map + item * a.height * a.width * a.channels + c;
    for (size_t box = 0; box < a.n_boxes; box++) {
        if (a.item[box] != item)
            continue;
        struct elem_corners t = corners_of(&a, box, a.arg[box * a.channels + c]);
        for (size_t k = 0; k < 4; k++)
            d_map[t.at[k]] += t.share[k] * a.y[box * a.channels + c];
    }
}

extern "C" int cuda_roi_max(struct backend *b, const struct roi_max_args *a)
{
    if (a->n_boxes == 0)
        return 0;
    LAUNCH(roi_max_kernel, (unsigned)a->n_boxes, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

extern "C" int cuda_roi_max_grad(struct backend *b, const struct roi_max_args *a)
{
    size_t n = a->n_items * a->height * a->width * a->channels;
    if (n == 0)
        return 0;
    if (cudaMemsetAsync(a->d_map, 0, n * sizeof *a->d_map, cuda_stream(b)) != cudaSuccess)
        return ERR_FAIL;
    if (a->n_boxes == 0)
        return 0;
    unsigned grid = (unsigned)blocks_for(a->n_items * a->channels);
    LAUNCH(roi_max_grad_kernel, grid, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}
