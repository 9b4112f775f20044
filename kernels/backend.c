/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a device by name, and measuring what it can do. */
#include "kernels/backend.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/pool.h"
#include "kernels/cpu/backend_cpu.h"

int backend_open(struct backend **out, const struct backend_options *options, struct err *e)
{
    const char *device = options->device ? options->device : "auto";
    if (strcmp(device, "cuda") == 0)
        return err_set(e, "device cuda: this build has no CUDA backend; use --device cpu");
    if (strcmp(device, "cpu") != 0 && strcmp(device, "auto") != 0)
        return err_set(e, "device %s: unknown; one of auto, cpu, cuda", device);
    struct backend *b = mem_new(1, sizeof *b, e);
    if (!b)
        return ERR_FAIL;
    b->n_threads = options->n_threads ? options->n_threads : pool_n_processors();
    if (cpu_open(b, e) < 0) {
        free(b);
        return ERR_FAIL;
    }
    *out = b;
    return 0;
}

void backend_close(struct backend *b)
{
    if (!b)
        return;
    cpu_close(b);
    free(b);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best of a few products of square matrices that fit the caches. */
int backend_peak_flops(struct backend *b, enum dtype dtype, double *flops, struct err *e)
{
    enum { SIDE = 768, REPEATS = 6 };
    struct matmul_desc desc = {.m = SIDE, .n = SIDE, .k = SIDE, .dtype = dtype};
    struct matmul *m = NULL;
    void *in[2] = {NULL, NULL}, *out = NULL;
    size_t bytes = (size_t)SIDE * SIDE * 4;
    int rc = b->ops->matmul_new(b, &desc, &m, e);
    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = b->ops->alloc(b, bytes, &in[i], e);
        if (rc == 0)
            rc = b->ops->zero(b, in[i], bytes, e);
    }
    if (rc == 0)
        rc = b->ops->alloc(b, bytes, &out, e);
    double best = 1e30;
    for (int i = 0; i < REPEATS && rc == 0; i++) {
        double begin = seconds();
        rc = b->ops->matmul_run(b, m, in[0], in[1], out, e);
        if (rc == 0)
            rc = b->ops->sync(b, e);
        double took = seconds() - begin;
        best = took < best ? took : best;
    }
    if (rc == 0)
        *flops = 2.0 * SIDE * SIDE * SIDE / best;
    b->ops->matmul_free(b, m);
    b->ops->release(b, in[0]);
    b->ops->release(b, in[1]);
    b->ops->release(b, out);
    return rc;
}
