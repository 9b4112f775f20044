/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a device by name, and measuring what it can do. */
#include "kernels/backend.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/pool.h"
#include "kernels/cpu/backend_cpu.h"
#include "kernels/elem.h"
#if TEG_CUDA
#include "kernels/cuda/backend_cuda.h"
#endif

#if TEG_CUDA
/* 1 where a GPU was opened; 0 where "auto" goes on to the CPU. */
static int open_gpu(struct backend *b, const struct backend_options *options, bool must,
                    struct err *e)
{
    struct err why = {0};
    if (!must && !cuda_has_device())
        return 0;
    int rc = cuda_open(b, options, &why);
    if (rc == 0)
        return 1;
    if (must || rc != ERR_NOT_FOUND)
        return err_set(e, "%s", why.text);
    b->note = why;
    return 0;
}

static void close_gpu(struct backend *b)
{
    cuda_close(b);
}
#else
static int open_gpu(struct backend *b, const struct backend_options *options, bool must,
                    struct err *e)
{
    (void)b;
    (void)options;
    if (!must)
        return 0;
    return err_set(e, "device cuda: this build has no CUDA backend; use --device cpu");
}

static void close_gpu(struct backend *b)
{
    (void)b;
}
#endif

int backend_open(struct backend **out, const struct backend_options *options, struct err *e)
{
    const char *device = options->device ? options->device : "auto";
    bool cpu = strcmp(device, "cpu") == 0, cuda = strcmp(device, "cuda") == 0;
    if (!cpu && !cuda && strcmp(device, "auto") != 0)
        return err_set(e, "device %s: unknown; one of auto, cpu, cuda", device);
    struct backend *b = mem_new(1, sizeof *b, e);
    if (!b)
        return ERR_FAIL;
    b->processes = options->processes;
    b->n_threads = options->n_threads ? options->n_threads
                   : b->processes     ? b->processes->n_threads
                                      : pool_n_processors();
    int rc = cpu ? 0 : open_gpu(b, options, cuda, e);
    if (rc == 0)
        rc = cpu_open(b, e);
    if (rc < 0) {
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
    if (b->ops == &cpu_ops)
        cpu_close(b);
    else
        close_gpu(b);
    free(b);
}

int backend_alloc(struct backend *b, void *pointer, size_t bytes, struct err *e)
{
    void *memory;
    if (b->ops->alloc(b, bytes, &memory, e) < 0)
        return ERR_FAIL;
    *(void **)pointer = memory;
    return 0;
}

int backend_alloc_zero(struct backend *b, void *pointer, size_t bytes, struct err *e)
{
    if (backend_alloc(b, pointer, bytes, e) < 0)
        return ERR_FAIL;
    return b->ops->zero(b, *(void **)pointer, bytes, e);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int backend_fill(struct backend *b, void *to, size_t bytes, enum dtype dtype, struct err *e)
{
    enum { PIECE = 1 << 16 };
    float values[PIECE / 4];
    uint16_t halves[PIECE / 4];
    for (size_t i = 0; i < PIECE / 4; i++) {
        values[i] = (float)(i * 40503u % 65536u) / 32768.0f - 1.0f;
        halves[i] = f32_to_bf16(values[i]);
    }
    const void *from = dtype == DTYPE_BF16 ? (void *)halves : (void *)values;
    size_t piece = dtype == DTYPE_BF16 ? sizeof halves : sizeof values;
    int rc = 0;
    for (size_t at = 0; at < bytes && rc == 0; at += piece)
        rc = b->ops->upload(b, (char *)to + at, from, bytes - at < piece ? bytes - at : piece, e);
    return rc;
}

struct peak {
    size_t side;
    int n_products; /* timed together, so that starting them does not count */
    struct matmul *product;
    void *in[2], *out;
};

static int peak_init(struct peak *p, struct backend *b, enum dtype dtype, struct err *e)
{
    struct matmul_desc desc = {.m = p->side, .n = p->side, .k = p->side, .dtype = dtype};
    size_t cells = p->side * p->side, bytes = cells * dtype_bytes(dtype);
    if (b->ops->matmul_new(b, &desc, &p->product, e) < 0)
        return ERR_FAIL;
    for (int i = 0; i < 2; i++)
        if (b->ops->alloc(b, bytes, &p->in[i], e) < 0 ||
            backend_fill(b, p->in[i], bytes, dtype, e) < 0)
            return ERR_FAIL;
    return b->ops->alloc(b, cells * sizeof(float), &p->out, e);
}

static int peak_run(struct peak *p, struct backend *b, double *took, struct err *e)
{
    double begin = seconds();
    for (int i = 0; i < p->n_products; i++)
        if (b->ops->matmul_run(b, p->product, p->in[0], p->in[1], p->out, e) < 0)
            return ERR_FAIL;
    if (b->ops->sync(b, e) < 0)
        return ERR_FAIL;
    *took = seconds() - begin;
    return 0;
}

static void peak_release(struct peak *p, struct backend *b)
{
    b->ops->matmul_free(b, p->product);
    b->ops->release(b, p->in[0]);
    b->ops->release(b, p->in[1]);
    b->ops->release(b, p->out);
}

/* The best of a few runs. */
static int peak_measure(struct peak *p, struct backend *b, enum dtype dtype, double *flops,
                        struct err *e)
{
    enum { REPEATS = 6 };
    double best = 1e30, took = 1e30;
    p->product = NULL;
    p->in[0] = p->in[1] = p->out = NULL;
    int rc = peak_init(p, b, dtype, e);
    for (int i = 0; i < REPEATS && rc == 0; i++) {
        rc = peak_run(p, b, &took, e);
        best = took < best ? took : best;
    }
    *flops = 2.0 * p->n_products * (double)(p->side * p->side * p->side) / best;
    peak_release(p, b);
    return rc;
}

/* Products of square matrices: those that fit a processor's caches; on a GPU larger ones until they
 * fill it. */
int backend_peak_flops(struct backend *b, enum dtype dtype, double *flops, struct err *e)
{
    static const size_t largest = 8192;
    static const double long_enough = 5e-3; /* seconds */
    bool cpu = b->ops == &cpu_ops;
    struct peak p = {.side = cpu ? 768 : 256, .n_products = cpu ? 1 : 8};
    double best = 0.0, rate;
    for (;; p.side *= 2) {
        if (peak_measure(&p, b, dtype, &rate, best > 0.0 ? NULL : e) < 0) {
            if (best == 0.0)
                return ERR_FAIL;
            break; /* there is no memory for larger ones */
        }
        best = rate > best ? rate : best;
        bool slow = 2.0 * p.n_products * (double)(p.side * p.side * p.side) / rate > long_enough;
        if (cpu || p.side >= largest || slow)
            break;
    }
    *flops = best;
    return 0;
}
