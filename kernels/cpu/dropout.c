/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout with masks that follow from the seed and the row alone. */
#include "common/base/rng.h"
#include "kernels/cpu/cpu.h"

int cpu_dropout(struct backend *b, const struct dropout_args *a)
{
    uint64_t first = a->first_item + (a->base ? *a->base : 0);
    uint32_t limit = elem_dropout_limit(a->rate);
    float scale = 1.0f / (1.0f - a->rate);
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t row = 0; row < a->rows; row++) {
        const float *x = a->x + row * a->columns;
        float *y = a->y + row * a->columns;
        struct rng r;
        rng_init(&r, a->seed, a->stream, first + row);
        for (size_t c = 0; c < a->columns; c++)
            y[c] = elem_dropout(x[c], rng_u32(&r), limit, scale);
    }
    return 0;
}
