/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation, GELU, dropout, columns. Sums are float64, in a fixed order. */
#include "common/base/philox.h"
#include "kernels/cuda/device.cuh"

enum { DRAWN = 4 }; /* numbers of a Philox block */

/* -- layer normalisation: a block a row -- */

__global__ void __launch_bounds__(CUDA_BLOCK) layer_norm_kernel(struct layer_norm_args a)
{
    __shared__ double room[CUDA_BLOCK];
    const float *x = a.x + blockIdx.x * a.columns;
    float *y = a.y + blockIdx.x * a.columns;
    double sum = 0.0, square = 0.0;
    for (size_t c = threadIdx.x; c < a.columns; c += CUDA_BLOCK)
        sum += (double)x[c];
    double mean = block_sum(sum, room) / (double)a.columns;
    for (size_t c = threadIdx.x; c < a.columns; c += CUDA_BLOCK)
        square += ((double)x[c] - mean) * ((double)x[c] - mean);
    double variance = block_sum(square, room) / (double)a.columns;
    float inv_std = (float)(1.0 / sqrt(variance + (double)a.eps));
    for (size_t c = threadIdx.x; c < a.columns; c += CUDA_BLOCK)
        y[c] = (x[c] - (float)mean) * inv_std * a.gamma[c] + a.beta[c];
    if (threadIdx.x == 0) {
        a.mean[blockIdx.x] = (float)mean;
        a.inv_std[blockIdx.x] = inv_std;
    }
}

extern "C" int cuda_layer_norm(struct backend *b, const struct layer_norm_args *a)
{
    if (a->rows == 0)
        return 0;
    LAUNCH(layer_norm_kernel, (unsigned)a->rows, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

/* dx = (g - mean(g) - n mean(g n)) / std with g = dy gamma and n the normalised x. */
__global__ void __launch_bounds__(CUDA_BLOCK) layer_norm_dx_kernel(struct layer_norm_grad_args a)
{
    __shared__ double room[CUDA_BLOCK];
    const float *x = a.x + blockIdx.x * a.columns, *dy = a.dy + blockIdx.x * a.columns;
    float *dx = a.dx + blockIdx.x * a.columns;
    float mean = a.mean[blockIdx.x], inv_std = a.inv_std[blockIdx.x];
    double sum = 0.0, along = 0.0;
    for (size_t c = threadIdx.x; c < a.columns; c += CUDA_BLOCK) {
        double g = (double)dy[c] * (double)a.gamma[c];
        sum += g;
        along += g * (double)((x[c] - mean) * inv_std);
    }
    float mean_g = (float)(block_sum(sum, room) / (double)a.columns);
    float mean_gn = (float)(block_sum(along, room) / (double)a.columns);
    for (size_t c = threadIdx.x; c < a.columns; c += CUDA_BLOCK) {
        float n = (x[c] - mean) * inv_std;
        dx[c] = inv_std * (dy[c] * a.gamma[c] - mean_g - n * mean_gn);
    }
}

/* A thread a column. */
__global__ void __launch_bounds__(CUDA_BLOCK)
    layer_norm_columns_kernel(struct layer_norm_grad_args a)
{
    size_t c = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    double gamma = 0.0, beta = 0.0;
    if (c >= a.columns)
        return;
    for (size_t row = 0; row < a.rows; row++) {
        float dy = a.dy[row * a.columns + c];
        float n = (a.x[row * a.columns + c] - a.mean[row]) * a.inv_std[row];
        gamma += (double)dy * (double)n;
        beta += (double)dy;
    }
    a.d_gamma[c] += (float)gamma;
    a.d_beta[c] += (float)beta;
}

/* The columns first: dx may be dy. */
extern "C" int cuda_layer_norm_grad(struct backend *b, const struct layer_norm_grad_args *a)
{
    if (a->rows == 0)
        return 0;
    LAUNCH(layer_norm_columns_kernel, (unsigned)blocks_for(a->columns), CUDA_BLOCK, cuda_stream(b),
           *a);
    LAUNCH(layer_norm_dx_kernel, (unsigned)a->rows, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

/* -- GELU -- */

__global__ void __launch_bounds__(CUDA_BLOCK) gelu_kernel(const float *x, float *y, size_t n)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < n)
        y[i] = elem_gelu(x[i]);
}

extern "C" int cuda_gelu(struct backend *b, const float *x, float *y, size_t n)
{
    if (n == 0)
        return 0;
    LAUNCH(gelu_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), x, y, n);
    return cuda_launched(b);
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    gelu_grad_kernel(const float *x, const float *dy, float *dx, size_t n)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < n)
        dx[i] = elem_gelu_grad(dy[i], x[i]);
}

extern "C" int cuda_gelu_grad(struct backend *b, const float *x, const float *dy, float *dx,
                              size_t n)
{
    if (n == 0)
        return 0;
    LAUNCH(gelu_grad_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), x, dy, dx, n);
    return cuda_launched(b);
}

/* -- dropout: a thread a block of numbers of the row's generator -- */

struct dropout_job {
    struct dropout_args args;
    size_t per_row; /* threads */
    uint32_t limit;
    float scale;
};

__global__ void __launch_bounds__(CUDA_BLOCK) dropout_kernel(struct dropout_job j)
{
    const struct dropout_args *a = &j.args;
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i >= a->rows * j.per_row)
        return;
    size_t row = i / j.per_row, first = i % j.per_row * DRAWN;
    uint64_t item = a->first_item + (a->base ? *a->base : 0) + row;
    const uint32_t key[2] = {(uint32_t)a->seed, (uint32_t)(a->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)(first / DRAWN), a->stream, (uint32_t)item,
                                 (uint32_t)(item >> 32)};
    uint32_t drawn[DRAWN];
    philox_block(counter, key, drawn);
    for (size_t k = 0; k < DRAWN && first + k < a->columns; k++) {
        size_t at = row * a->columns + first + k;
        a->y[at] = elem_dropout(a->x[at], drawn[k], j.limit, j.scale);
    }
}

extern "C" int cuda_dropout(struct backend *b, const struct dropout_args *a)
{
    struct dropout_job j = {*a, (a->columns + DRAWN - 1) / DRAWN, elem_dropout_limit(a->rate),
                            1.0f / (1.0f - a->rate)};
    size_t n = a->rows * j.per_row;
    if (n == 0)
        return 0;
    LAUNCH(dropout_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), j);
    return cuda_launched(b);
}

/* -- columns: a thread an element -- */

__global__ void __launch_bounds__(CUDA_BLOCK) copy_columns_kernel(struct copy_columns_args a)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x, row = i / a.columns;
    if (row < a.rows)
        a.to[row * a.to_stride + i % a.columns] = a.from[row * a.from_stride + i % a.columns];
}

__global__ void __launch_bounds__(CUDA_BLOCK) tile_rows_kernel(struct tile_rows_args a)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x, row = i / a.columns;
    size_t c = i % a.columns;
    if (row < a.rows)
        a.many[row * a.stride + c] = a.few[row / a.repeat % a.period * a.columns + c];
}

/* A block an element of few. */
__global__ void __launch_bounds__(CUDA_BLOCK) tile_rows_grad_kernel(struct tile_rows_args a)
{
    __shared__ double part[CUDA_BLOCK];
    size_t i = blockIdx.x, first = i / a.columns * a.repeat, all = a.repeat * a.period;
    size_t n = a.rows / a.period; /* of its rows */
    double sum = 0.0;
    for (size_t k = threadIdx.x; k < n; k += CUDA_BLOCK) {
        size_t row = k / a.repeat * all + first + k % a.repeat;
        sum += (double)a.many[row * a.stride + i % a.columns];
    }
    part[threadIdx.x] = sum;
    for (unsigned half = CUDA_BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        a.few[i] = (float)part[0];
}

extern "C" int cuda_copy_columns(struct backend *b, const struct copy_columns_args *a)
{
    if (a->rows == 0 || a->columns == 0)
        return 0;
    LAUNCH(copy_columns_kernel, (unsigned)blocks_for(a->rows * a->columns), CUDA_BLOCK,
           cuda_stream(b), *a);
    return cuda_launched(b);
}

extern "C" int cuda_tile_rows(struct backend *b, const struct tile_rows_args *a)
{
    if (a->rows == 0 || a->columns == 0)
        return 0;
    LAUNCH(tile_rows_kernel, (unsigned)blocks_for(a->rows * a->columns), CUDA_BLOCK, cuda_stream(b),
           *a);
    return cuda_launched(b);
}

extern "C" int cuda_tile_rows_grad(struct backend *b, const struct tile_rows_args *a)
{
    if (a->columns == 0)
        return 0;
    LAUNCH(tile_rows_grad_kernel, (unsigned)(a->period * a->columns), CUDA_BLOCK, cuda_stream(b),
           *a);
    return cuda_launched(b);
}
