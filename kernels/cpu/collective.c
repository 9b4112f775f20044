/* SPDX-License-Identifier: Apache-2.0 */
/* What processes do together, on memory of the host. */
#include "kernels/cpu/cpu.h"

int cpu_all_reduce(struct backend *b, void *x, enum reduce_type type, size_t n, struct err *e)
{
    return b->processes->sum(b->processes, x, type, n, e);
}

int cpu_all_gather(struct backend *b, float *to, const float *from, size_t n, struct err *e)
{
    return b->processes->gather(b->processes, to, from, n * sizeof *to, e);
}

int cpu_broadcast(struct backend *b, void *x, size_t bytes, struct err *e)
{
    return b->processes->broadcast(b->processes, x, bytes, e);
}
