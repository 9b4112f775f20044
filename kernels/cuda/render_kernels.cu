/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `render`: a thread an output pixel. The mean that contrast needs comes from a first
 * pass over the same pixels; computing them twice costs less than keeping a float copy of the clip.
 * Only the blur keeps one.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/render_job.h"

/* Pixel number i of picture blockIdx.y, the jitter's first n operations done. */
DEVICE struct elem_rgb pixel(const struct render_job *j, unsigned i, size_t n, const float mean[3])
{
    unsigned size = (unsigned)j->size;
    struct render_at at = {j->columns[i % size], j->rows[i / size]};
    const uint8_t *packed = j->packed + blockIdx.y * j->crop.frame_bytes;
    return render_jitter(&j->plan, n, mean, render_resized(&j->crop, &j->plan.yuv, packed, &at));
}

/* Sums of the channels as contrast finds them: a block takes every gridDim.x-th run of CUDA_BLOCK
 * pixels of a picture. */
__global__ void __launch_bounds__(CUDA_BLOCK) render_sum_kernel(struct render_job j)
{
    __shared__ double room[CUDA_BLOCK];
    const float unused[3] = {0.0f, 0.0f, 0.0f};
    unsigned n = (unsigned)(j.size * j.size), step = gridDim.x * CUDA_BLOCK;
    double *part = j.part + 3 * (blockIdx.y * (size_t)gridDim.x + blockIdx.x), sum[3] = {0.0};
    for (unsigned i = blockIdx.x * CUDA_BLOCK + threadIdx.x; i < n; i += step) {
        struct elem_rgb p = pixel(&j, i, j.plan.contrast_at, unused);
        sum[0] += (double)p.r;
        sum[1] += (double)p.g;
        sum[2] += (double)p.b;
    }
    for (int c = 0; c < 3; c++) {
        double total = block_sum(sum[c], room);
        if (threadIdx.x == 0)
            part[c] = total;
    }
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    render_mean_kernel(struct render_job j, size_t n_parts)
{
    __shared__ double room[CUDA_BLOCK];
    for (int c = 0; c < 3; c++) {
        double sum = 0.0;
        for (size_t i = threadIdx.x; i < n_parts; i += CUDA_BLOCK)
            sum += j.part[3 * i + c];
        sum = block_sum(sum, room);
        if (threadIdx.x == 0)
            j.mean[c] = (float)(sum / ((double)j.n_frames * (double)j.size * (double)j.size));
    }
}

DEVICE void store_value(const struct render_job *j, size_t i, float v)
{
    store_one(j->out, i, j->solarise ? elem_solarise(v) : v, j->dtype);
}

__global__ void __launch_bounds__(CUDA_BLOCK) render_paint_kernel(struct render_job j)
{
    unsigned i = blockIdx.x * CUDA_BLOCK + threadIdx.x, n = (unsigned)(j.size * j.size);
    float mean[3] = {0.0f, 0.0f, 0.0f};
    if (i >= n)
        return;
    for (int c = 0; c < 3 && j.plan.contrast_at < j.plan.n_ops; c++)
        mean[c] = j.mean[c];
    struct elem_rgb p = pixel(&j, i, j.plan.n_ops, mean);
    size_t to = 3 * (blockIdx.y * (size_t)n + i);
    if (j.grey)
        p.r = p.g = p.b = elem_grey(p);
    if (j.plan.radius > 0) {
        j.picture[0][to] = p.r;
        j.picture[0][to + 1] = p.g;
        j.picture[0][to + 2] = p.b;
        return;
    }
    store_value(&j, to, p.r);
    store_value(&j, to + 1, p.g);
    store_value(&j, to + 2, p.b);
}

/* A thread a value of picture blockIdx.y: along the rows, then along the columns. */
__global__ void __launch_bounds__(CUDA_BLOCK) render_blur_kernel(struct render_job j, bool along_y)
{
    unsigned i = blockIdx.x * CUDA_BLOCK + threadIdx.x, size = (unsigned)j.size;
    if (i >= 3 * size * size)
        return;
    size_t at = blockIdx.y * (size_t)(3 * size * size) + i;
    struct render_line line = {j.picture[along_y] + at,
                               (long)(along_y ? i / 3 / size : i / 3 % size), (long)size,
                               along_y ? 3 * size : 3};
    float v = render_blurred(&j.plan, &line);
    if (along_y)
        store_value(&j, at, v);
    else
        j.picture[1][at] = v;
}

extern "C" int render_launch(const struct render_job *j, cudaStream_t stream, struct err *e)
{
    unsigned n_frames = (unsigned)j->n_frames, parts = render_parts(j->n_frames, j->size);
    dim3 sums(parts, n_frames), pixels((unsigned)blocks_for(j->size * j->size), n_frames);
    dim3 values((unsigned)blocks_for(3 * j->size * j->size), n_frames);
    if (j->n_frames > 65535)
        return err_set(e, "a clip of %zu frames is too long for the GPU", j->n_frames);
    if (j->plan.contrast_at < j->plan.n_ops) {
        LAUNCH(render_sum_kernel, sums, CUDA_BLOCK, stream, *j);
        LAUNCH(render_mean_kernel, 1, CUDA_BLOCK, stream, *j, (size_t)parts * n_frames);
    }
    LAUNCH(render_paint_kernel, pixels, CUDA_BLOCK, stream, *j);
    if (j->plan.radius > 0) {
        LAUNCH(render_blur_kernel, values, CUDA_BLOCK, stream, *j, false);
        LAUNCH(render_blur_kernel, values, CUDA_BLOCK, stream, *j, true);
    }
    return cuda_check(cudaGetLastError(), "launching a kernel", e);
}
