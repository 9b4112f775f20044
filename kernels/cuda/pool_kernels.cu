/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BN + ReLU + max pooling 1x3x3 in one pass, spatial means, and their gradients. A block takes
 * CUDA_BLOCK vectors of one row of a picture: blockIdx.x is the row, blockIdx.y the part of it.
 */
#include "kernels/cuda/device.cuh"

enum { NOT_POSITIVE = 255 };

/* Pixel and first channel of this thread; the last ones may lie behind the row. */
struct in_row {
    unsigned pixel;
    size_t channel;
};

template <int V> DEVICE struct in_row place_in_row(size_t channels)
{
    unsigned vectors = (unsigned)(channels / V), i = blockIdx.y * CUDA_BLOCK + threadIdx.x;
    struct in_row p = {i / vectors, i % vectors * (size_t)V};
    return p;
}

static dim3 grid_of(size_t rows, size_t n_pixels, size_t channels, unsigned v)
{
    return dim3((unsigned)rows, (unsigned)blocks_for(n_pixels * (channels / v)));
}

template <int V> DEVICE void store_bytes(uint8_t *to, const uint8_t *from)
{
    if constexpr (V == 8)
        *(uint2 *)to = *(const uint2 *)from;
    else if constexpr (V == 4)
        *(uint32_t *)to = *(const uint32_t *)from;
    else
        to[0] = from[0];
}

template <int V> DEVICE void load_bytes(uint8_t *to, const uint8_t *from)
{
    store_bytes<V>(to, from);
}

/* The first maximum over the window of relu(c * scale + shift). */
template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK) norm_pool_kernel(struct norm_pool_args a)
{
    unsigned out_height = (unsigned)(a.height - 1) / 2 + 1,
             out_width = (unsigned)(a.width - 1) / 2 + 1;
    size_t plane = blockIdx.x / out_height;
    unsigned oy = blockIdx.x % out_height;
    struct in_row at = place_in_row<V>(a.channels);
    float scale[V], shift[V], best[V] = {0}, v[V];
    alignas(8) uint8_t arg[V];
    if (at.pixel >= out_width)
        return;
    load_channels<V>(a.scale, at.channel, 0.0f, scale);
    load_channels<V>(a.shift, at.channel, 0.0f, shift);
    for (int k = 0; k < V; k++)
        arg[k] = NOT_POSITIVE;
    for (int dy = 0; dy < 3; dy++)
        for (int dx = 0; dx < 3; dx++) {
            unsigned y = 2 * oy + dy - 1, x = 2 * at.pixel + dx - 1; /* wrap below zero */
            if (y >= a.height || x >= a.width)
                continue;
            load<T, V>(a.c, ((plane * a.height + y) * a.width + x) * a.channels + at.channel, v);
            for (int k = 0; k < V; k++) {
                float value = elem_affine(v[k], scale[k], shift[k]);
                if (value > best[k]) {
                    best[k] = value;
                    arg[k] = (uint8_t)(dy * 3 + dx);
                }
            }
        }
    size_t out = ((size_t)blockIdx.x * out_width + at.pixel) * a.channels + at.channel;
    store<T, V>(a.y, out, best);
    if (a.arg)
        store_bytes<V>(a.arg + out, arg);
}

extern "C" int cuda_norm_pool(struct backend *b, const struct norm_pool_args *a)
{
    const void *pointer[] = {a->c, a->y, a->arg};
    unsigned v = vector_of(a->dtype, a->channels, pointer, 3);
    size_t height = (a->height - 1) / 2 + 1, width = (a->width - 1) / 2 + 1;
    auto kernel = VERSION(norm_pool_kernel, a->dtype, v);
    LAUNCH(kernel, grid_of(a->planes * height, width, a->channels, v), CUDA_BLOCK, cuda_stream(b),
           *a);
    return cuda_launched(b);
}

/*
 * Gathering instead of scattering: an input pixel lies under at most 2 x 2 windows, and gets the
 * gradient of those whose maximum it is. Every element of g is written once.
 */
template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK) pool_grad_kernel(struct pool_grad_args a)
{
    unsigned out_height = (unsigned)(a.height - 1) / 2 + 1,
             out_width = (unsigned)(a.width - 1) / 2 + 1;
    size_t plane = blockIdx.x / a.height;
    unsigned y = (unsigned)(blockIdx.x % a.height);
    struct in_row at = place_in_row<V>(a.channels);
    float g[V] = {0}, d[V], other[V];
    alignas(8) uint8_t arg[V];
    if (at.pixel >= a.width)
        return;
    for (unsigned oy = y / 2; oy <= (y + 1) / 2 && oy < out_height; oy++)
        for (unsigned ox = at.pixel / 2; ox <= (at.pixel + 1) / 2 && ox < out_width; ox++) {
            size_t from = ((plane * out_height + oy) * out_width + ox) * a.channels + at.channel;
            unsigned position = (y + 1 - 2 * oy) * 3 + (at.pixel + 1 - 2 * ox);
            load<T, V>(a.dy, from, d);
            if (a.dy2) {
                load<T, V>(a.dy2, from, other);
                for (int k = 0; k < V; k++)
                    d[k] += other[k];
            }
            load_bytes<V>(arg, a.arg + from);
            for (int k = 0; k < V; k++)
                g[k] += arg[k] == position ? d[k] : 0.0f;
        }
    store<T, V>(a.g, ((size_t)blockIdx.x * a.width + at.pixel) * a.channels + at.channel, g);
}

extern "C" int cuda_pool_grad(struct backend *b, const struct pool_grad_args *a)
{
    const void *pointer[] = {a->dy, a->dy2, a->arg, a->g};
    unsigned v = vector_of(a->dtype, a->channels, pointer, 4);
    auto kernel = VERSION(pool_grad_kernel, a->dtype, v);
    LAUNCH(kernel, grid_of(a->planes * a->height, a->width, a->channels, v), CUDA_BLOCK,
           cuda_stream(b), *a);
    return cuda_launched(b);
}

/* -- mean over the inner dimension: a thread a row's vector -- */

struct mean_job {
    const void *x;
    float *y;
    size_t rows, inner, channels;
};

template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK) mean_inner_kernel(struct mean_job j)
{
    size_t vectors = j.channels / V, i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    size_t row = i / vectors, channel = i % vectors * V;
    float sum[V] = {0}, v[V], factor = 1.0f / (float)j.inner;
    if (row >= j.rows)
        return;
    for (size_t k = 0; k < j.inner; k++) {
        load<T, V>(j.x, (row * j.inner + k) * j.channels + channel, v);
        for (int e = 0; e < V; e++)
            sum[e] += v[e];
    }
    for (int e = 0; e < V; e++)
        j.y[row * j.channels + channel + e] = sum[e] * factor;
}

extern "C" int cuda_mean_inner(struct backend *b, const void *x, enum dtype dtype,
                               const size_t shape[3], float *y)
{
    const void *pointer[] = {x};
    unsigned v = vector_of(dtype, shape[2], pointer, 1);
    struct mean_job j = {x, y, shape[0], shape[1], shape[2]};
    auto kernel = VERSION(mean_inner_kernel, dtype, v);
    unsigned grid = (unsigned)blocks_for(shape[0] * (shape[2] / v));
    LAUNCH(kernel, grid, CUDA_BLOCK, cuda_stream(b), j);
    return cuda_launched(b);
}

struct mean_grad_job {
    const float *dy;
    void *dx;
    size_t rows, inner, channels; /* rows of dx */
};

template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK) mean_inner_grad_kernel(struct mean_grad_job j)
{
    size_t vectors = j.channels / V, i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    size_t row = i / vectors, channel = i % vectors * V;
    float v[V], factor = 1.0f / (float)j.inner;
    if (row >= j.rows)
        return;
    for (int e = 0; e < V; e++)
        v[e] = j.dy[row / j.inner * j.channels + channel + e] * factor;
    store<T, V>(j.dx, row * j.channels + channel, v);
}

extern "C" int cuda_mean_inner_grad(struct backend *b, const float *dy, void *dx, enum dtype dtype,
                                    const size_t shape[3])
{
    const void *pointer[] = {dx};
    unsigned v = vector_of(dtype, shape[2], pointer, 1);
    struct mean_grad_job j = {dy, dx, shape[0] * shape[1], shape[1], shape[2]};
    auto kernel = VERSION(mean_inner_grad_kernel, dtype, v);
    unsigned grid = (unsigned)blocks_for(j.rows * (shape[2] / v));
    LAUNCH(kernel, grid, CUDA_BLOCK, cuda_stream(b), j);
    return cuda_launched(b);
}
