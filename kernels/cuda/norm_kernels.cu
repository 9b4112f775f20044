/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalisation and what surrounds it, one pass over memory each. A thread keeps the channel
 * constants of its vector and walks down the rows, the next of which is on its way meanwhile. Sums:
 * a thread adds at most SUM_DEPTH rows in float32, a block its threads and a second kernel its
 * blocks in float64, all in a fixed order.
 */
#include "kernels/cuda/device.cuh"

enum { MAX_SUMS = 3, GATHER_CHANNELS = 8, GATHER_THREADS = 128, GATHER_AHEAD = 4, MASK_BITS = 8 };

/* This thread's share of [rows, channels]. */
template <int V>
DEVICE struct row_walk walk_rows(const struct row_cut *cut, size_t rows, size_t channels)
{
    struct row_shape shape = {rows, channels, V};
    struct row_place at = {threadIdx.x, blockIdx.x, blockIdx.y};
    return row_walk(cut, &shape, &at);
}

/* -- sums over the rows -- */

struct sums_job {
    struct row_cut cut;
    size_t rows, channels;
    int n_sums;
    double *partial; /* [n_tiles, n_sums, C] */
};

static size_t sums_bytes(const struct row_cut *cut, size_t channels, int n_sums)
{
    return cut->n_tiles * (size_t)n_sums * channels * sizeof(double);
}

/* The block's sums of run[sum * V + element][thread] over the threads of a column. */
template <int V> DEVICE void add_block(const struct sums_job *j, float (*run)[CUDA_BLOCK + 1])
{
    unsigned lanes = j->cut.lanes, n = (unsigned)j->n_sums * lanes * V;
    __syncthreads();
    for (unsigned i = threadIdx.x; i < n; i += CUDA_BLOCK) {
        unsigned sum = i / (lanes * V), column = i % (lanes * V);
        size_t channel = blockIdx.y * (size_t)lanes * V + column;
        double total = 0.0;
        for (unsigned t = column / V; t < CUDA_BLOCK; t += lanes)
            total += (double)run[sum * V + column % V][t];
        if (channel < j->channels)
            j->partial[(blockIdx.x * (size_t)j->n_sums + sum) * j->channels + channel] = total;
    }
}

/* Sums of x - pivot and its square, the pivot being the first row: a mean far from zero does not
 * cost the variance its digits. */
template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK) sums_kernel(struct sums_job j, const void *x)
{
    __shared__ float run[2 * V][CUDA_BLOCK + 1];
    struct row_walk w = walk_rows<V>(&j.cut, j.rows, j.channels);
    float pivot[V] = {0}, sum[V] = {0}, square[V] = {0}, v[V];
    struct raw<T, V> next = {
    };
    if (w.busy)
        load<T, V>(x, w.channel, pivot);
    if (w.row < w.end)
        next = fetch<T, V>(x, w.row * j.channels + w.channel);
    for (size_t row = w.row; row < w.end; row += w.step) {
        expand<T, V>(next, v);
        if (row + w.step < w.end)
            next = fetch<T, V>(x, (row + w.step) * j.channels + w.channel);
        for (int k = 0; k < V; k++) {
            float d = v[k] - pivot[k];
            sum[k] += d;
            square[k] += d * d;
        }
    }
    for (int k = 0; k < V; k++) {
        run[k][threadIdx.x] = sum[k];
        run[V + k][threadIdx.x] = square[k];
    }
    add_block<V>(&j, run);
}

struct gather_job {
    struct sums_job s;
    double *sums, *sums2; /* [2, C]; sums2 gets the first and the third sum, where it is wanted */
    const void *pivot;    /* [C] that the sums are around; NULL: zero */
    enum dtype pivot_type;
};

/* One channel's sums over this thread's tiles, some of which are on their way together. */
template <int N>
DEVICE void add_tiles(const struct sums_job *s, size_t channel, double (*sum)[GATHER_CHANNELS])
{
    double total[N] = {0.0}, next[GATHER_AHEAD][N];
    const double *from = s->partial + channel;
    for (size_t begin = threadIdx.y; begin < s->cut.n_tiles;
         begin += (size_t)GATHER_THREADS * GATHER_AHEAD) {
        for (int i = 0; i < GATHER_AHEAD; i++) {
            size_t t = begin + (size_t)GATHER_THREADS * i;
            for (int k = 0; k < N; k++)
                next[i][k] = t < s->cut.n_tiles ? from[(t * N + k) * s->channels] : 0.0;
        }
        for (int i = 0; i < GATHER_AHEAD; i++)
            for (int k = 0; k < N; k++)
                total[k] += next[i][k];
    }
    for (int k = 0; k < N; k++)
        sum[k][threadIdx.x] = total[k];
}

/* Sums of the second stage in a fixed order: few channels a block, so that there are many. */
__global__ void __launch_bounds__(GATHER_CHANNELS *GATHER_THREADS)
    gather_kernel(struct gather_job j)
{
    __shared__ double part[GATHER_THREADS][MAX_SUMS][GATHER_CHANNELS];
    size_t channels = j.s.channels, c = blockIdx.x * (size_t)GATHER_CHANNELS + threadIdx.x;
    if (c < channels && j.s.n_sums == 2)
        add_tiles<2>(&j.s, c, part[threadIdx.y]);
    else if (c < channels)
        add_tiles<3>(&j.s, c, part[threadIdx.y]);
    for (unsigned half = GATHER_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half && c < channels)
            for (int s = 0; s < j.s.n_sums; s++)
                part[threadIdx.y][s][threadIdx.x] += part[threadIdx.y + half][s][threadIdx.x];
    }
    if (threadIdx.y > 0 || c >= channels)
        return;
    double total[MAX_SUMS];
    for (int s = 0; s < MAX_SUMS; s++)
        total[s] = s < j.s.n_sums ? part[0][s][threadIdx.x] : 0.0;
    if (j.pivot) {
        double p = (double)load_one(j.pivot, c, j.pivot_type), rows = (double)j.s.rows;
        total[1] += p * (2.0 * total[0] + rows * p);
        total[0] += rows * p;
    }
    j.sums[c] = total[0];
    j.sums[channels + c] = total[1];
    if (j.sums2) {
        j.sums2[c] = total[0];
        j.sums2[channels + c] = total[2];
    }
}

static void gather(struct backend *b, const struct gather_job *j)
{
    dim3 block(GATHER_CHANNELS, GATHER_THREADS);
    unsigned grid = (unsigned)((j->s.channels + GATHER_CHANNELS - 1) / GATHER_CHANNELS);
    LAUNCH(gather_kernel, grid, block, cuda_stream(b), *j);
}

extern "C" int cuda_gather_sums(struct backend *b, const struct cuda_partial_sums *p)
{
    struct gather_job j = {};
    j.s.cut.n_tiles = p->n_groups;
    j.s.channels = p->channels;
    j.s.n_sums = p->n_sums;
    j.s.partial = (double *)p->partial;
    j.sums = p->sums;
    j.sums2 = p->sums2;
    gather(b, &j);
    return cuda_launched(b);
}

static dim3 grid_of(const struct row_cut *cut)
{
    return dim3((unsigned)cut->n_tiles, (unsigned)cut->n_columns);
}

extern "C" size_t cuda_channel_sums_bytes(const struct row_block *block)
{
    struct row_cut cut = row_cut(block->rows, block->channels, SUM_DEPTH);
    size_t scalar = sums_bytes(&cut, block->channels, 2);
    unsigned v = block->dtype == DTYPE_F32 ? VECTOR_F32 : VECTOR_BF16;
    cut = row_cut(block->rows, (block->channels + v - 1) / v, SUM_DEPTH);
    size_t wide = sums_bytes(&cut, block->channels, 2);
    return scalar > wide ? scalar : wide;
}

extern "C" int cuda_channel_sums(struct backend *b, const struct row_block *block, const void *x,
                                 double *sums)
{
    const void *pointer[] = {x};
    unsigned v = vector_of(block->dtype, block->channels, pointer, 1);
    struct gather_job j = {};
    j.s.cut = row_cut(block->rows, block->channels / v, SUM_DEPTH);
    j.s.rows = block->rows;
    j.s.channels = block->channels;
    j.s.n_sums = 2;
    j.s.partial = (double *)cuda_scratch(b, sums_bytes(&j.s.cut, block->channels, 2));
    j.sums = sums;
    j.pivot = x;
    j.pivot_type = block->dtype;
    if (!j.s.partial)
        return ERR_FAIL;
    auto kernel = VERSION(sums_kernel, block->dtype, v);
    LAUNCH(kernel, grid_of(&j.s.cut), CUDA_BLOCK, cuda_stream(b), j.s, x);
    gather(b, &j);
    return cuda_launched(b);
}

__global__ void store_sums_kernel(const double *sums, float *to, size_t n, bool add)
{
    size_t c = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (c < n)
        to[c] = (float)sums[c] + (add ? to[c] : 0.0f);
}

extern "C" int cuda_store_sums(struct backend *b, const double *sums, float *to, size_t n, bool add)
{
    LAUNCH(store_sums_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), sums, to, n,
           add);
    return cuda_launched(b);
}

/* -- statistics to constants: a thread a channel -- */

__global__ void norm_finish_kernel(struct norm_finish_args a)
{
    size_t c = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (c >= a.channels)
        return;
    double mean, var;
    if (a.sums) {
        mean = a.sums[c] / a.count;
        var = a.sums[a.channels + c] / a.count - mean * mean;
        var = var > 0.0 ? var : 0.0;
    } else {
        mean = (double)a.running_mean[c];
        var = (double)a.running_var[c];
    }
    double inv_std = 1.0 / sqrt(var + (double)a.eps), gamma = (double)a.gamma[c];
    a.mean[c] = (float)mean;
    a.inv_std[c] = (float)inv_std;
    a.scale[c] = (float)(gamma * inv_std);
    a.shift[c] = (float)((double)a.beta[c] - mean * gamma * inv_std);
    if (a.update && a.sums) {
        double unbiased = a.count > 1.0 ? var * a.count / (a.count - 1.0) : var;
        double keep = (double)a.momentum;
        a.running_mean[c] = (float)(keep * (double)a.running_mean[c] + (1.0 - keep) * mean);
        a.running_var[c] = (float)(keep * (double)a.running_var[c] + (1.0 - keep) * unbiased);
    }
}

extern "C" int cuda_norm_finish(struct backend *b, const struct norm_finish_args *a)
{
    LAUNCH(norm_finish_kernel, (unsigned)blocks_for(a->channels), CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

__global__ void norm_grad_finish_kernel(struct norm_grad_finish_args a)
{
    size_t c = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (c >= a.channels)
        return;
    double sum_g = a.sums[c], inv_std = (double)a.inv_std[c];
    double sum_gx = a.sums[a.channels + c] * inv_std; /* of g * normalised c */
    if (a.d_gamma) {
        a.d_beta[c] += (float)sum_g;
        a.d_gamma[c] += (float)sum_gx;
    }
    double scale = (double)a.gamma[c] * inv_std;
    a.a[c] = (float)scale;
    a.b[c] = (float)(a.frozen ? 0.0 : -scale * inv_std * sum_gx / a.count);
    a.k[c] = (float)(a.frozen ? 0.0 : -scale * sum_g / a.count);
}

extern "C" int cuda_norm_grad_finish(struct backend *b, const struct norm_grad_finish_args *a)
{
    LAUNCH(norm_grad_finish_kernel, (unsigned)blocks_for(a->channels), CUDA_BLOCK, cuda_stream(b),
           *a);
    return cuda_launched(b);
}

/* -- y = relu(c * scale + shift + residual) -- */

/* From two tensors; y may be NULL. */
template <enum dtype T, int V>
DEVICE void fetch_both(const void *x, const void *y, size_t at, struct raw<T, V> next[2])
{
    next[0] = fetch<T, V>(x, at);
    if (y)
        next[1] = fetch<T, V>(y, at);
}

template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK)
    norm_apply_kernel(struct norm_apply_args a, struct row_cut cut)
{
    struct row_walk w = walk_rows<V>(&cut, a.rows, a.channels);
    float scale[V], shift[V], residual_scale[V], residual_shift[V], v[V], r[V];
    struct raw<T, V> next[2] = {
    };
    if (!w.busy)
        return;
    load_channels<V>(a.scale, w.channel, 1.0f, scale);
    load_channels<V>(a.shift, w.channel, 0.0f, shift);
    load_channels<V>(a.residual_scale, w.channel, 1.0f, residual_scale);
    load_channels<V>(a.residual_shift, w.channel, 0.0f, residual_shift);
    if (w.row < w.end)
        fetch_both<T, V>(a.c, a.residual, w.row * a.channels + w.channel, next);
    for (size_t row = w.row; row < w.end; row += w.step) {
        size_t at = row * a.channels + w.channel;
        expand<T, V>(next[0], v);
        expand<T, V>(next[1], r);
        if (row + w.step < w.end)
            fetch_both<T, V>(a.c, a.residual, at + w.step * a.channels, next);
        for (int k = 0; k < V; k++) {
            v[k] = elem_affine(v[k], scale[k], shift[k]);
            if (a.residual)
                v[k] += a.residual_scale ? elem_affine(r[k], residual_scale[k], residual_shift[k])
                                         : r[k];
            if (a.relu)
                v[k] = elem_relu(v[k]);
        }
        store<T, V>(a.y, at, v);
        if (V == MASK_BITS && a.mask) {
            unsigned bits = 0;
            for (int k = 0; k < V; k++)
                bits |= (unsigned)(v[k] > 0.0f) << k;
            a.mask[at / MASK_BITS] = (uint8_t)bits;
        }
    }
}

/* The same bits from y, where no thread has a whole byte of them: a thread a byte. */
__global__ void __launch_bounds__(CUDA_BLOCK) mask_kernel(struct norm_apply_args a)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i >= a.rows * a.channels / MASK_BITS)
        return;
    unsigned bits = 0;
    for (unsigned k = 0; k < MASK_BITS; k++)
        bits |= (unsigned)(load_one(a.y, i * MASK_BITS + k, a.dtype) > 0.0f) << k;
    a.mask[i] = (uint8_t)bits;
}

extern "C" int cuda_norm_apply(struct backend *b, const struct norm_apply_args *a)
{
    const void *pointer[] = {a->c, a->residual, a->y};
    unsigned v = vector_of(a->dtype, a->channels, pointer, 3);
    struct row_cut cut = row_cut(a->rows, a->channels / v, MAP_DEPTH);
    auto kernel = VERSION(norm_apply_kernel, a->dtype, v);
    LAUNCH(kernel, grid_of(&cut), CUDA_BLOCK, cuda_stream(b), *a, cut);
    if (a->mask && v != MASK_BITS) {
        unsigned grid = (unsigned)blocks_for(a->rows * a->channels / MASK_BITS);
        LAUNCH(mask_kernel, grid, CUDA_BLOCK, cuda_stream(b), *a);
    }
    return cuda_launched(b);
}

/* -- backward: g = (dy + dy2) masked, with its sums -- */

template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK)
    norm_grad_kernel(struct norm_grad_args a, struct sums_job j)
{
    __shared__ float run[MAX_SUMS * V][CUDA_BLOCK + 1];
    struct row_walk w = walk_rows<V>(&j.cut, a.rows, a.channels);
    float scale[V] = {0}, shift[V] = {0}, mean[V] = {0}, mean2[V] = {0};
    float sum[MAX_SUMS][V] = {{0}}, g[V], x[V], other[V];
    struct raw<T, V> next[2] = {
    };
    if (w.busy) {
        load_channels<V>(a.scale, w.channel, 0.0f, scale);
        load_channels<V>(a.shift, w.channel, 0.0f, shift);
        load_channels<V>(a.mean, w.channel, 0.0f, mean);
        load_channels<V>(a.c2 ? a.mean2 : NULL, w.channel, 0.0f, mean2);
    }
    if (w.row < w.end)
        fetch_both<T, V>(a.dy, a.c, w.row * a.channels + w.channel, next);
    for (size_t row = w.row; row < w.end; row += w.step) {
        size_t at = row * a.channels + w.channel;
        expand<T, V>(next[0], g);
        expand<T, V>(next[1], x);
        if (row + w.step < w.end)
            fetch_both<T, V>(a.dy, a.c, at + w.step * a.channels, next);
        if (a.dy2) {
            load<T, V>(a.dy2, at, other);
            for (int k = 0; k < V; k++)
                g[k] += other[k];
        }
        if (a.relu) {
            if (a.mask)
                load_bits<V>(a.mask, at, other);
            else if (a.y)
                load<T, V>(a.y, at, other);
            for (int k = 0; k < V; k++)
                g[k] = elem_relu_grad(g[k], a.mask || a.y ? other[k]
                                                          : elem_affine(x[k], scale[k], shift[k]));
        }
        for (int k = 0; k < V; k++) {
            sum[0][k] += g[k];
            sum[1][k] += g[k] * (x[k] - mean[k]);
        }
        if (a.c2) {
            load<T, V>(a.c2, at, other);
            for (int k = 0; k < V; k++)
                sum[2][k] += g[k] * (other[k] - mean2[k]);
        }
        if (a.g)
            store<T, V>(a.g, at, g);
    }
    for (int s = 0; s < MAX_SUMS; s++)
        for (int k = 0; k < V; k++)
            run[s * V + k][threadIdx.x] = sum[s][k];
    add_block<V>(&j, run);
}

extern "C" int cuda_norm_grad(struct backend *b, const struct norm_grad_args *a)
{
    const void *pointer[] = {a->dy, a->dy2, a->c, a->y, a->g, a->c2};
    unsigned v = vector_of(a->dtype, a->channels, pointer, 6);
    struct gather_job j = {};
    j.s.cut = row_cut(a->rows, a->channels / v, SUM_DEPTH);
    j.s.rows = a->rows;
    j.s.channels = a->channels;
    j.s.n_sums = a->c2 ? 3 : 2;
    j.s.partial = (double *)cuda_scratch(b, sums_bytes(&j.s.cut, a->channels, j.s.n_sums));
    j.sums = a->sums;
    j.sums2 = a->c2 ? a->sums2 : NULL;
    if (!j.s.partial)
        return ERR_FAIL;
    auto kernel = VERSION(norm_grad_kernel, a->dtype, v);
    LAUNCH(kernel, grid_of(&j.s.cut), CUDA_BLOCK, cuda_stream(b), *a, j.s);
    gather(b, &j);
    return cuda_launched(b);
}

template <enum dtype T, int V>
__global__ void __launch_bounds__(CUDA_BLOCK)
    norm_grad_apply_kernel(struct norm_grad_apply_args a, struct row_cut cut)
{
    struct row_walk w = walk_rows<V>(&cut, a.rows, a.channels);
    float scale[V], shift[V], mean[V], slope[V], curve[V], constant[V], g[V], x[V];
    struct raw<T, V> next[2] = {
    };
    if (!w.busy)
        return;
    load_channels<V>(a.scale, w.channel, 0.0f, scale);
    load_channels<V>(a.shift, w.channel, 0.0f, shift);
    load_channels<V>(a.mean, w.channel, 0.0f, mean);
    load_channels<V>(a.a, w.channel, 0.0f, slope);
    load_channels<V>(a.b, w.channel, 0.0f, curve);
    load_channels<V>(a.k, w.channel, 0.0f, constant);
    if (w.row < w.end)
        fetch_both<T, V>(a.g, a.c, w.row * a.channels + w.channel, next);
    for (size_t row = w.row; row < w.end; row += w.step) {
        size_t at = row * a.channels + w.channel;
        expand<T, V>(next[0], g);
        expand<T, V>(next[1], x);
        if (row + w.step < w.end)
            fetch_both<T, V>(a.g, a.c, at + w.step * a.channels, next);
        for (int k = 0; k < V; k++) {
            if (a.scale)
                g[k] = elem_relu_grad(g[k], elem_affine(x[k], scale[k], shift[k]));
            g[k] = elem_norm_grad(g[k], x[k] - mean[k], slope[k], curve[k], constant[k]);
        }
        store<T, V>(a.dc, at, g);
    }
}

extern "C" int cuda_norm_grad_apply(struct backend *b, const struct norm_grad_apply_args *a)
{
    const void *pointer[] = {a->g, a->c, a->dc};
    unsigned v = vector_of(a->dtype, a->channels, pointer, 3);
    struct row_cut cut = row_cut(a->rows, a->channels / v, MAP_DEPTH);
    auto kernel = VERSION(norm_grad_apply_kernel, a->dtype, v);
    LAUNCH(kernel, grid_of(&cut), CUDA_BLOCK, cuda_stream(b), *a, cut);
    return cuda_launched(b);
}
