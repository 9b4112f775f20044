/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a matrix picked by number. */
#include <string.h>

#include "kernels/backend.h"

int cpu_gather_rows(struct backend *b, const struct gather_rows_args *a)
{
#pragma omp parallel for schedule(static) num_threads((int)b->n_threads)
    for (size_t i = 0; i < a->n_rows; i++)
        memcpy((char *)a->to + i * a->row_bytes, (const char *)a->from + a->row[i] * a->row_bytes,
               a->row_bytes);
    return 0;
}
