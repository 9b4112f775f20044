/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cpu/strided.h"

#include <string.h>

bool cpu_is_strided_point(const struct conv_desc *d)
{
    bool strided = false;
    for (int i = 0; i < 3; i++) {
        if (d->kernel[i] != 1 || d->pad[i] != 0)
            return false;
        strided |= d->stride[i] > 1;
    }
    return strided;
}

struct conv_desc cpu_dense_point(const struct conv_desc *d)
{
    struct conv_desc dense = *d;
    for (int i = 0; i < 3; i++) {
        dense.in[i] = conv_out(d, i);
        dense.stride[i] = 1;
    }
    return dense;
}

size_t cpu_dense_bytes(const struct conv_desc *d)
{
    size_t rows = d->n * conv_out(d, 0) * conv_out(d, 1) * conv_out(d, 2);
    return rows * d->c_in * dtype_bytes(d->dtype);
}

void cpu_take_dense(struct backend *b, const struct conv_desc *d, const void *x, void *dense)
{
    size_t out[3] = {conv_out(d, 0), conv_out(d, 1), conv_out(d, 2)};
    size_t row = d->c_in * dtype_bytes(d->dtype);
#pragma omp parallel for schedule(static) num_threads((int)b->n_threads)
    for (size_t line = 0; line < d->n * out[0] * out[1]; line++) {
        size_t n = line / out[1] / out[0], t = line / out[1] % out[0] * d->stride[0];
        size_t h = line % out[1] * d->stride[1];
        const char *from = (const char *)x + ((n * d->in[0] + t) * d->in[1] + h) * d->in[2] * row;
        for (size_t w = 0; w < out[2]; w++)
            memcpy((char *)dense + (line * out[2] + w) * row, from + w * d->stride[2] * row, row);
    }
}

void cpu_put_dense(struct backend *b, const struct conv_desc *d, const void *dense, void *x)
{
    size_t out[3] = {conv_out(d, 0), conv_out(d, 1), conv_out(d, 2)};
    size_t row = d->c_in * dtype_bytes(d->dtype);
#pragma omp parallel for schedule(static) num_threads((int)b->n_threads)
    for (size_t line = 0; line < d->n * d->in[0] * d->in[1]; line++) {
        size_t n = line / d->in[1] / d->in[0], t = line / d->in[1] % d->in[0];
        size_t h = line % d->in[1];
        char *to = (char *)x + line * d->in[2] * row;
        memset(to, 0, d->in[2] * row);
        if (t % d->stride[0] || h % d->stride[1])
            continue;
        size_t from = (n * out[0] + t / d->stride[0]) * out[1] + h / d->stride[1];
        for (size_t w = 0; w < out[2]; w++)
            memcpy(to + w * d->stride[2] * row, (const char *)dense + (from * out[2] + w) * row,
                   row);
    }
}
