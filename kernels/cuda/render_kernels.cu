/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `render`: a block paints RENDER_ROWS rows of a picture, a thread a column of them,
 * into shared memory, blurs them along the rows where the clip is blurred, and writes them out. The
 * blur along the columns is a pass of its own. The mean that contrast needs comes from a first pass
 * over the same pixels; computing them twice costs less than keeping a float copy of the clip.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/render_job.h"

/* Columns of a block at a time, those for the blur beside them included. */
enum { COLUMNS = 288, RUNS = RENDER_ROWS / RENDER_RUN, WARPS = CUDA_BLOCK / 32 };

DEVICE struct render_walk walk(const struct render_job *j, int x)
{
    return render_walk(&j->crop, j->packed + blockIdx.y * j->crop.frame_bytes, &j->columns[x]);
}

/* -- the mean -- */

/* Three sums over a block of CUDA_BLOCK threads, for thread c < 3 sum c. */
DEVICE double block_sums(const double v[3], double room[3][CUDA_BLOCK])
{
    unsigned thread = threadIdx.x, channel = thread / 32, lane = thread % 32;
    for (int c = 0; c < 3; c++)
        room[c][thread] = v[c];
    __syncthreads();
    if (channel < 3)
        for (int k = 1; k < WARPS; k++)
            room[channel][lane] += room[channel][lane + 32 * k];
    __syncthreads();
    double sum = 0.0;
    for (int i = 0; i < 32 && thread < 3; i++)
        sum += room[thread][i];
    return sum;
}

/* Sums of the channels as contrast finds them: a part for each block. */
__global__ void __launch_bounds__(CUDA_BLOCK) render_sum_kernel(struct render_job j)
{
    __shared__ double room[3][CUDA_BLOCK];
    const float unused[3] = {0.0f, 0.0f, 0.0f};
    double sum[3] = {0.0, 0.0, 0.0};
    int first_row = (int)blockIdx.x * RENDER_ROWS;
    for (int x = (int)threadIdx.x; x < j.size; x += CUDA_BLOCK) {
        struct render_walk w = walk(&j, x);
        for (int y = first_row; y < first_row + RENDER_ROWS && y < j.size; y += RENDER_RUN) {
            struct elem_rgb run[RENDER_RUN];
            render_resized(&j.crop, &j.plan.yuv, &w, j.rows + y, run);
            render_jitter(&j.plan, j.plan.contrast_at, unused, run);
            for (int k = 0; k < RENDER_RUN && y + k < j.size; k++) {
                sum[0] += (double)run[k].r;
                sum[1] += (double)run[k].g;
                sum[2] += (double)run[k].b;
            }
        }
    }
    double total = block_sums(sum, room);
    if (threadIdx.x < 3)
        j.part[3 * (blockIdx.y * gridDim.x + blockIdx.x) + threadIdx.x] = total;
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    render_mean_kernel(struct render_job j, unsigned n_parts)
{
    __shared__ double room[3][CUDA_BLOCK];
    double sum[3] = {0.0, 0.0, 0.0};
    for (unsigned i = threadIdx.x; i < n_parts; i += CUDA_BLOCK)
        for (int c = 0; c < 3; c++)
            sum[c] += j.part[3 * i + c];
    double total = block_sums(sum, room);
    if (threadIdx.x < 3)
        j.mean[threadIdx.x] =
            (float)(total / ((double)j.n_frames * (double)j.size * (double)j.size));
}

/* -- pixels -- */

DEVICE void put(float *to, float v)
{
    *to = v;
}

DEVICE void put(__nv_bfloat16 *to, float v)
{
    *to = __float2bfloat16_rn(v);
}

/* The first n of N values, `step` apart; mostly that is all of them. */
template <int N, class T> DEVICE void store_run(T *to, int step, int n, const float *v)
{
    bool all = n >= N;
    for (int k = 0; k < N && all; k++, to += step)
        put(to, v[k]);
    for (int k = 0; k < N && !all; k++, to += step)
        if (k < n)
            put(to, v[k]);
}

/* Values of rows y .. y + N - 1 as they leave, those within the picture. */
template <int N> DEVICE void store_output(const struct render_job *j, size_t at, int y, float *v)
{
    if (j->solarise)
        for (int k = 0; k < N; k++)
            v[k] = elem_solarise(v[k]);
    if (j->dtype == DTYPE_F32)
        store_run<N>((float *)j->out + at, 3 * j->size, j->size - y, v);
    else
        store_run<N>((__nv_bfloat16 *)j->out + at, 3 * j->size, j->size - y, v);
}

/* Column x from first_row down; one run of its channels is at `to`, the next 3 * COLUMNS further.
 */
DEVICE void paint_column(const struct render_job *j, int x, int first_row, const float mean[3],
                         struct render_values *to)
{
    struct render_walk w = walk(j, x);
    for (int y = first_row; y < first_row + RENDER_ROWS; y += RENDER_RUN, to += 3 * COLUMNS) {
        struct elem_rgb run[RENDER_RUN];
        render_resized(&j->crop, &j->plan.yuv, &w, j->rows + y, run);
        render_jitter(&j->plan, j->plan.n_ops, mean, run);
        if (j->grey)
            render_grey(run);
        struct render_values r, g, b;
        for (int k = 0; k < RENDER_RUN; k++) {
            r.v[k] = run[k].r;
            g.v[k] = run[k].g;
            b.v[k] = run[k].b;
        }
        to[0] = r;
        to[1] = g;
        to[2] = b;
    }
}

/* Columns x - radius .. x + n + radius - 1 into `room`, zeros outside of the picture. */
DEVICE void paint_columns(const struct render_job *j, int x, int n, const float mean[3],
                          struct render_values *room)
{
    const struct render_values zeros = {{0.0f, 0.0f, 0.0f, 0.0f}};
    int first = x - (int)j->plan.radius, end = x + n + (int)j->plan.radius;
    int from = first < 0 ? 0 : first, to = end > j->size ? j->size : end;
    for (int i = from + (int)threadIdx.x; i < to; i += CUDA_BLOCK)
        paint_column(j, i, (int)blockIdx.x * RENDER_ROWS, mean, room + 3 * (i - first));
    for (int i = (int)threadIdx.x; i < 3 * (end - first); i += CUDA_BLOCK)
        if (i < 3 * (from - first) || i >= 3 * (to - first))
            for (int k = 0; k < RUNS; k++)
                room[3 * COLUMNS * k + i] = zeros;
}

/* The values at `from`, of n columns from x on, blurred along the rows where there is a blur. */
DEVICE void write_columns(const struct render_job *j, const struct render_values *from, int x,
                          int n)
{
    int row = 3 * j->size, first_row = (int)blockIdx.x * RENDER_ROWS;
    size_t to = ((size_t)blockIdx.y * j->size + first_row) * row + 3 * x;
    for (int i = (int)threadIdx.x; i < 3 * n; i += CUDA_BLOCK) {
        size_t at = to + i;
        int y = first_row;
        for (int k = 0; k < RUNS; k++, y += RENDER_RUN, at += RENDER_RUN * row) {
            struct render_values v = from[3 * COLUMNS * k + i];
            if (j->plan.radius) {
                v = render_blurred_across(&j->plan, from + 3 * COLUMNS * k + i);
                store_run<RENDER_RUN>(j->picture + at, row, j->size - y, v.v);
            } else {
                store_output<RENDER_RUN>(j, at, y, v.v);
            }
        }
    }
}

/* Block (i, t): rows [RENDER_ROWS * i, RENDER_ROWS * (i + 1)) of picture t. */
__global__ void __launch_bounds__(CUDA_BLOCK) render_paint_kernel(struct render_job j)
{
    __shared__ struct render_values room[RUNS * 3 * COLUMNS];
    int radius = (int)j.plan.radius, wide = COLUMNS - 2 * radius;
    float mean[3] = {0.0f, 0.0f, 0.0f};
    for (int c = 0; c < 3 && j.plan.contrast_at < j.plan.n_ops; c++)
        mean[c] = j.mean[c];
    for (int x = 0; x < j.size; x += wide) {
        int n = j.size - x < wide ? j.size - x : wide;
        paint_columns(&j, x, n, mean, room);
        __syncthreads();
        write_columns(&j, room + 3 * radius, x, n);
        __syncthreads();
    }
}

/* Along the columns. Block (i, t): values [32 * i, 32 * (i + 1)) of all rows of picture t. */
__global__ void __launch_bounds__(CUDA_BLOCK) render_blur_kernel(struct render_job j)
{
    int row = 3 * j.size, radius = (int)j.plan.radius;
    int i = (int)(blockIdx.x * 32 + threadIdx.x % 32);
    size_t at = (size_t)blockIdx.y * j.size * row + i;
    struct render_column column = {j.picture + at, j.size, row};
    if (i >= row)
        return;
    for (int y = (int)(threadIdx.x / 32) * RENDER_DOWN; y < j.size; y += WARPS * RENDER_DOWN) {
        float v[RENDER_DOWN];
        if (y >= radius && y + RENDER_DOWN - 1 + radius < j.size)
            render_blurred_down(&j.plan, &column, y, true, v);
        else
            render_blurred_down(&j.plan, &column, y, false, v);
        store_output<RENDER_DOWN>(&j, at + (size_t)(y * row), y, v);
    }
}

extern "C" int render_launch(const struct render_job *j, cudaStream_t stream, struct err *e)
{
    unsigned n_frames = (unsigned)j->n_frames, strips = (unsigned)render_strips(j->size);
    dim3 rows(strips, n_frames), columns((unsigned)(3 * j->size + 31) / 32, n_frames);
    if (j->n_frames > 65535)
        return err_set(e, "a clip of %zu frames is too long for the GPU", j->n_frames);
    if (j->plan.contrast_at < j->plan.n_ops) {
        LAUNCH(render_sum_kernel, rows, CUDA_BLOCK, stream, *j);
        LAUNCH(render_mean_kernel, 1, CUDA_BLOCK, stream, *j, strips * n_frames);
    }
    LAUNCH(render_paint_kernel, rows, CUDA_BLOCK, stream, *j);
    if (j->plan.radius > 0)
        LAUNCH(render_blur_kernel, columns, CUDA_BLOCK, stream, *j);
    return cuda_check(cudaGetLastError(), "launching a kernel", e);
}
