/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding and unfolding (fold.h). A run is what is contiguous in x and in wide x: the places across
 * a step, for one tap in time and one row of the step.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/fold.h"

/* -- the input: a block a row of places, a thread 16 bytes of every so-manieth place -- */

struct fold_shape {
    unsigned out_t, in[3], stride[3], pad[3]; /* of the narrow convolution */
    unsigned step_h, rows, places;            /* rows of a step; of wide x, places in a row */
    unsigned used, run, channels;             /* of c', those of a run, all */
    int width, step, before; /* elements of x: a row, a step, those beyond the edge */
};

static struct fold_shape fold_shape_of(const struct conv_fold *f)
{
    const struct conv_desc *d = &f->narrow;
    struct fold_shape s;
    for (int i = 0; i < 3; i++) {
        s.in[i] = (unsigned)d->in[i];
        s.stride[i] = (unsigned)d->stride[i];
        s.pad[i] = (unsigned)d->pad[i];
    }
    s.out_t = (unsigned)conv_out(d, 0);
    s.step_h = (unsigned)f->step[0];
    s.rows = (unsigned)f->wide.in[1];
    s.places = (unsigned)f->wide.in[2];
    s.used = (unsigned)f->used;
    s.run = (unsigned)(f->step[1] * d->c_in);
    s.channels = (unsigned)f->wide.c_in;
    s.width = (int)(d->in[2] * d->c_in);
    s.step = (int)(d->stride[2] * d->c_in);
    s.before = (int)(d->pad[2] * d->c_in);
    return s;
}

/* What a row of places is, in x: the example, and times and rows that the first tap begins at. */
struct fold_place {
    unsigned example, t, y;
};

/* Row of x that run `r` reads there; NULL beyond the edges. */
template <typename word>
DEVICE const word *row_of_run(const struct fold_shape &s, const word *x,
                              const struct fold_place &at, unsigned r)
{
    unsigned tap = r / s.step_h, t = at.t + tap, y = at.y + r - tap * s.step_h;
    if (r * s.run >= s.used || t < s.pad[0] || t - s.pad[0] >= s.in[0] || y < s.pad[1] ||
        y - s.pad[1] >= s.in[1])
        return NULL;
    size_t row = ((size_t)at.example * s.in[0] + (t - s.pad[0])) * s.in[1] + (y - s.pad[1]);
    return x + row * (size_t)s.width;
}

/* 16 bytes. */
template <typename word> union fold_vector {
    uint4 all;
    word one[sizeof(uint4) / sizeof(word)];
};

template <typename word>
__global__ void __launch_bounds__(CUDA_BLOCK)
    fold_input_kernel(struct fold_shape s, const word *x, word *wide)
{
    enum { N = sizeof(uint4) / sizeof(word) };
    unsigned n_vectors = s.channels / N;
    unsigned lanes = n_vectors < CUDA_BLOCK ? n_vectors : CUDA_BLOCK;
    unsigned lane = threadIdx.x % lanes, first = threadIdx.x / lanes, jump = CUDA_BLOCK / lanes;
    unsigned plane = blockIdx.x / s.rows, example = plane / s.out_t;
    const struct fold_place at = {example, (plane - example * s.out_t) * s.stride[0],
                                  (blockIdx.x - plane * s.rows) * s.stride[1]};
    wide += (size_t)blockIdx.x * s.places * s.channels;
    for (unsigned v = lane; v < n_vectors; v += lanes) {
        const word *row[N]; /* of x, and where in it the first place reads */
        int from[N];
        unsigned run = v * N / s.run, in_run = v * N - run * s.run;
        for (int k = 0; k < N; k++) {
            row[k] = k == 0 || in_run == 0 ? row_of_run(s, x, at, run) : row[k - 1];
            from[k] = (int)in_run - s.before;
            in_run = in_run + 1 < s.run ? in_run + 1 : 0;
            run += in_run == 0;
        }
        for (unsigned place = first; first < jump && place < s.places; place += jump) {
            union fold_vector<word> to;
            for (int k = 0; k < N; k++) {
                int i = from[k] + (int)place * s.step;
                to.one[k] = row[k] && i >= 0 && i < s.width ? row[k][i] : (word)0;
            }
            __stwb((uint4 *)(wide + (size_t)place * s.channels) + v, to.all);
        }
    }
}

extern "C" int cuda_fold_input(struct backend *b, const struct conv_fold *f, const void *x,
                               void *wide)
{
    struct fold_shape s = fold_shape_of(f);
    unsigned grid = (unsigned)(f->wide.n * s.rows);
    if (f->narrow.dtype == DTYPE_BF16)
        LAUNCH(fold_input_kernel<uint16_t>, grid, CUDA_BLOCK, cuda_stream(b), s,
               (const uint16_t *)x, (uint16_t *)wide);
    else
        LAUNCH(fold_input_kernel<uint32_t>, grid, CUDA_BLOCK, cuda_stream(b), s,
               (const uint32_t *)x, (uint32_t *)wide);
    return cuda_launched(b);
}

/* -- the rest is small, or seldom asked for: a thread an element -- */

/* Element of wide w for element `i` of w. */
DEVICE size_t wide_weight(const struct conv_fold &f, size_t i)
{
    const struct conv_desc &d = f.narrow;
    size_t c = i % d.c_in, tap = i / d.c_in;
    size_t w = tap % d.kernel[2], h = tap / d.kernel[2] % d.kernel[1];
    size_t t = tap / d.kernel[2] / d.kernel[1] % d.kernel[0];
    size_t o = tap / d.kernel[2] / d.kernel[1] / d.kernel[0];
    size_t place = (t * f.step[0] + h % d.stride[1]) * f.step[1] + w % d.stride[2];
    size_t at = (o * f.wide.kernel[1] + h / d.stride[1]) * f.wide.kernel[2] + w / d.stride[2];
    return at * f.wide.c_in + place * d.c_in + c;
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    fold_weights_kernel(struct conv_fold f, const float *w, void *wide, size_t n)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < n)
        store_one(wide, wide_weight(f, i), w[i], f.narrow.dtype);
}

extern "C" int cuda_fold_weights(struct backend *b, const struct conv_fold *f, const float *w,
                                 void *wide)
{
    size_t n = conv_n_weights(&f->narrow),
           bytes = conv_n_weights(&f->wide) * dtype_bytes(f->wide.dtype);
    if (cudaMemsetAsync(wide, 0, bytes, cuda_stream(b)) != cudaSuccess)
        return ERR_FAIL;
    LAUNCH(fold_weights_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), *f, w, wide,
           n);
    return cuda_launched(b);
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    unfold_weights_kernel(struct conv_fold f, struct unfold_weights u, size_t n)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < n)
        u.w[i] = (u.add ? u.w[i] : 0.0f) + load_one(u.wide, wide_weight(f, i), u.type);
}

extern "C" int cuda_unfold_weights(struct backend *b, const struct conv_fold *f,
                                   const struct unfold_weights *u)
{
    size_t n = conv_n_weights(&f->narrow);
    LAUNCH(unfold_weights_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), *f, *u, n);
    return cuda_launched(b);
}

/* Sum over the taps in time of the copies of element `i` of x. */
DEVICE float sum_of_copies(const struct conv_fold &f, const void *wide, size_t i)
{
    const struct conv_desc &d = f.narrow;
    size_t c = i % d.c_in, row = i / d.c_in;
    size_t w = row % d.in[2] + d.pad[2], h = row / d.in[2] % d.in[1] + d.pad[1];
    size_t t = row / d.in[2] / d.in[1] % d.in[0] + d.pad[0], n = row / d.in[2] / d.in[1] / d.in[0];
    size_t place_h = h / d.stride[1], place_w = w / d.stride[2];
    size_t rest_h = h % d.stride[1], rest_w = w % d.stride[2], out = f.wide.n / d.n;
    float sum = 0.0f;
    if (rest_h >= f.step[0] || rest_w >= f.step[1] || place_h >= f.wide.in[1] ||
        place_w >= f.wide.in[2])
        return sum;
    for (size_t k = 0; k < d.kernel[0] && k <= t; k++) {
        size_t plane = (t - k) / d.stride[0];
        if ((t - k) % d.stride[0] || plane >= out)
            continue;
        size_t at = ((n * out + plane) * f.wide.in[1] + place_h) * f.wide.in[2] + place_w;
        size_t place = (k * f.step[0] + rest_h) * f.step[1] + rest_w;
        sum += load_one(wide, at * f.wide.c_in + place * d.c_in + c, d.dtype);
    }
    return sum;
}

__global__ void __launch_bounds__(CUDA_BLOCK)
    unfold_input_kernel(struct conv_fold f, const void *wide, void *x, size_t n)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < n)
        store_one(x, i, sum_of_copies(f, wide, i), f.narrow.dtype);
}

extern "C" int cuda_unfold_input(struct backend *b, const struct conv_fold *f, const void *wide,
                                 void *x)
{
    size_t n = conv_in_rows(&f->narrow) * f->narrow.c_in;
    LAUNCH(unfold_input_kernel, (unsigned)blocks_for(n), CUDA_BLOCK, cuda_stream(b), *f, wide, x,
           n);
    return cuda_launched(b);
}
