/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions and copies of elements and rows. */
#include "kernels/cuda/device.cuh"

enum { PER_THREAD = 4 }; /* elements of a conversion: 16 bytes of float32 */

/* -- to = from (+ to) -- */

struct convert_job {
    void *to;
    const void *from;
    enum dtype to_type, from_type;
    size_t n;
    bool add, wide; /* wide: 16-byte and 8-byte accesses are allowed */
};

DEVICE void load_four(const void *x, size_t i, enum dtype t, float *v)
{
    if (t == DTYPE_F32) {
        load<DTYPE_F32, VECTOR_F32>(x, i, v);
    } else {
        uint2 u = *(const uint2 *)((const uint16_t *)x + i);
        unpack(u.x, v);
        unpack(u.y, v + 2);
    }
}

DEVICE void store_four(void *y, size_t i, enum dtype t, const float *v)
{
    if (t == DTYPE_F32)
        store<DTYPE_F32, VECTOR_F32>(y, i, v);
    else
        __stwb((uint2 *)((uint16_t *)y + i), make_uint2(pack(v), pack(v + 2)));
}

__global__ void __launch_bounds__(CUDA_BLOCK) convert_kernel(struct convert_job j)
{
    size_t i = (blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x) * PER_THREAD;
    float v[PER_THREAD], old[PER_THREAD];
    if (j.wide && i + PER_THREAD <= j.n) {
        load_four(j.from, i, j.from_type, v);
        if (j.add) {
            load_four(j.to, i, j.to_type, old);
            for (int k = 0; k < PER_THREAD; k++)
                v[k] = old[k] + v[k];
        }
        store_four(j.to, i, j.to_type, v);
        return;
    }
    for (size_t end = i + PER_THREAD < j.n ? i + PER_THREAD : j.n; i < end; i++) {
        float one = load_one(j.from, i, j.from_type);
        store_one(j.to, i, j.add ? load_one(j.to, i, j.to_type) + one : one, j.to_type);
    }
}

static int convert(struct backend *b, struct convert_job *j)
{
    const void *pointer[] = {j->to, j->from};
    if (j->n == 0)
        return 0;
    j->wide = all_aligned(pointer, 2);
    unsigned grid = (unsigned)blocks_for((j->n + PER_THREAD - 1) / PER_THREAD);
    LAUNCH(convert_kernel, grid, CUDA_BLOCK, cuda_stream(b), *j);
    return cuda_launched(b);
}

extern "C" int cuda_convert(struct backend *b, void *to, enum dtype to_type, const void *from,
                            enum dtype from_type, size_t n)
{
    struct convert_job j = {to, from, to_type, from_type, n, false, false};
    if (to_type != from_type)
        return convert(b, &j);
    cudaError_t rc = cudaMemcpyAsync(to, from, n * dtype_bytes(to_type), cudaMemcpyDeviceToDevice,
                                     cuda_stream(b));
    return rc == cudaSuccess ? 0 : ERR_FAIL;
}

extern "C" int cuda_accumulate(struct backend *b, float *to, const void *from, enum dtype from_type,
                               size_t n, bool add)
{
    struct convert_job j = {to, from, DTYPE_F32, from_type, n, true, false};
    return add ? convert(b, &j) : cuda_convert(b, to, DTYPE_F32, from, from_type, n);
}

/* -- a bias -- */

__global__ void __launch_bounds__(CUDA_BLOCK) bias_kernel(struct cuda_bias a)
{
    size_t i = blockIdx.x * (size_t)CUDA_BLOCK + threadIdx.x;
    if (i < a.y_shape.rows * a.y_shape.channels)
        store_one(a.y, i, load_one(a.from, i, a.from_type) + a.bias[i % a.y_shape.channels],
                  a.y_shape.dtype);
}

extern "C" int cuda_add_bias(struct backend *b, const struct cuda_bias *a)
{
    unsigned grid = (unsigned)blocks_for(a->y_shape.rows * a->y_shape.channels);
    LAUNCH(bias_kernel, grid, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}

/* -- rows picked by number: a block a row -- */

template <typename word>
__global__ void __launch_bounds__(CUDA_BLOCK) gather_rows_kernel(struct gather_rows_args j)
{
    size_t n = j.row_bytes / sizeof(word);
    const word *from = (const word *)j.from + j.row[blockIdx.x] * n;
    word *to = (word *)j.to + blockIdx.x * n;
    for (size_t i = threadIdx.x; i < n; i += CUDA_BLOCK)
        to[i] = from[i];
}

extern "C" int cuda_gather_rows(struct backend *b, const struct gather_rows_args *a)
{
    const void *pointer[] = {a->from, a->to};
    if (a->n_rows == 0)
        return 0;
    auto kernel = a->row_bytes % 16 == 0 && all_aligned(pointer, 2) ? gather_rows_kernel<uint4>
                                                                    : gather_rows_kernel<uint8_t>;
    LAUNCH(kernel, (unsigned)a->n_rows, CUDA_BLOCK, cuda_stream(b), *a);
    return cuda_launched(b);
}
