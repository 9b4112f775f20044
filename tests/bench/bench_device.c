/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What surrounds training steps on a device: the features of clips without heads or gradients, as
 * teg-extract computes them, and the loader alone.
 *
 *     bench_device forward MODEL f32|bf16|tf32 BATCH LENGTH SIZE ROUNDS THREADS cpu|cuda
 *     bench_device loader FRAMES.lmdb f32|bf16|tf32 BATCH LONG SHORT SIZE BATCHES THREADS cpu|cuda
 *
 * The first prints seconds of a batch (median), 1e12 operations of it, 1e12 operations a second
 * that the device can do. The second prints pairs of a long and a short clip a second, with all
 * augmentations, and frames of each pair.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ui.h"
#include "common/nn/encoder.h"
#include "tests/bench/random_pairs.h"

enum { MAX_ROUNDS = 99 };

static void check(int rc, const struct err *e)
{
    if (rc < 0) {
        fprintf(stderr, "bench_device: %s\n", e->text);
        exit(1);
    }
}

static size_t number(const char *text)
{
    return strtoul(text, NULL, 10);
}

static struct backend *open_device(const char *precision, const char *threads, const char *device)
{
    struct err e = {0};
    struct backend *b;
    struct backend_options o = {.device = device,
                                .n_threads = number(threads),
                                .tf32 = strcmp(precision, "tf32") == 0,
                                .plan_file = getenv("PLANS")}; /* where a GPU's plans are kept */
    check(backend_open(&b, &o, &e), &e);
    return b;
}

static enum dtype type_of(const char *precision)
{
    return strcmp(precision, "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* -- forward -- */

struct forward {
    struct backend *b;
    struct encoder *encoder;
    const void *pixels;
};

static int run(void *user, struct err *e)
{
    struct forward *f = user;
    return encoder_forward(f->encoder, f->pixels, NORM_RUNNING, e);
}

static int bench_forward(char **arg)
{
    struct err e = {0};
    struct forward f = {.b = open_device(arg[1], arg[6], arg[7])};
    struct model_desc d = {.backbone = ""};
    struct model *m;
    struct recording *recording = NULL;
    struct encoder_options o = {.n = number(arg[2]),
                                .length = number(arg[3]),
                                .size = number(arg[4]),
                                .dtype = type_of(arg[1])};
    int rounds = (int)number(arg[5]);
    double seconds[MAX_ROUNDS], peak;
    void *pixels;
    rounds = rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
    snprintf(d.backbone, sizeof d.backbone, "%s", arg[0]);
    check(model_new(&m, f.b, &d, &e), &e);
    check(model_init_weights(m, 1, &e), &e);
    check(encoder_new(&f.encoder, m, &o, &e), &e);
    check(encoder_set_weights(f.encoder, &e), &e);
    size_t bytes = o.n * o.length * o.size * o.size * 3 * dtype_bytes(o.dtype);
    check(f.b->ops->alloc(f.b, bytes, &pixels, &e), &e);
    check(backend_fill(f.b, pixels, bytes, o.dtype, &e), &e);
    f.pixels = pixels;
    for (int i = -2; i < rounds; i++) { /* the first two warm up and record */
        double begin = ui_seconds();
        check(f.b->ops->repeat(f.b, &recording, run, &f, &e), &e);
        check(f.b->ops->sync(f.b, &e), &e);
        seconds[i < 0 ? 0 : i] = ui_seconds() - begin;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_value);
    check(backend_peak_flops(f.b, o.dtype, &peak, &e), &e);
    printf("%.6f %.4f %.4f\n", seconds[rounds / 2], encoder_forward_flops(f.encoder) / 1e12,
           peak / 1e12);
    return 0;
}

/* -- the loader -- */

static int bench_loader(char **arg)
{
    struct err e = {0};
    struct backend *b = open_device(arg[1], arg[7], arg[8]);
    struct random_pairs_options po = {.batch = number(arg[2]),
                                      .length = {number(arg[3]), number(arg[4])},
                                      .n_batches = number(arg[6]) + 1};
    struct loader_options lo = {
        .backend = b, .clips = {number(arg[5]), type_of(arg[1])}, .n_threads = b->n_threads};
    struct random_pairs *p;
    struct loader *l;
    const struct clip_batch *batch;
    size_t n = 0;
    check(random_pairs_open(&p, arg[0], &po, &e), &e);
    check(random_pairs_load(p, &lo, &l, &e), &e);
    double begin = 0.0;
    for (;; n++) {
        int rc = loader_next(l, &batch, &e);
        check(rc, &e);
        if (rc == 0)
            break;
        if (n == 0) /* it allocated */
            begin = ui_seconds();
    }
    printf("%.3f %zu\n", (double)((n - 1) * po.batch) / (ui_seconds() - begin),
           po.length[0] + po.length[1]);
    loader_free(l);
    random_pairs_close(p);
    backend_close(b);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 10 && strcmp(argv[1], "forward") == 0)
        return bench_forward(argv + 2);
    if (argc == 11 && strcmp(argv[1], "loader") == 0)
        return bench_loader(argv + 2);
    fprintf(stderr,
            "usage: bench_device forward MODEL f32|bf16|tf32 BATCH LENGTH SIZE ROUNDS THREADS "
            "cpu|cuda\n"
            "       bench_device loader FRAMES.lmdb f32|bf16|tf32 BATCH LONG SHORT SIZE BATCHES "
            "THREADS cpu|cuda\n");
    return 2;
}
