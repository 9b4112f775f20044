/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linear probe on made-up features, for bench_probe.sh.
 *
 * usage: bench_probe make DIR N        x.npy [N + N / 10, 2048] float32, unit rows, y.npy [N + N /
 * 10] int32 bench_probe linear|logistic f32|bf16 EPOCHS DIR       seconds and accuracy on the last
 * eleventh bench_probe limit f32|bf16    clips a second and epoch that the peak of the processor
 * allows
 */
#include <math.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/pool.h"
#include "common/base/rng.h"
#include "common/base/ui.h"
#include "common/eval/accuracy.h"
#include "common/eval/probe.h"
#include "common/store/npy.h"
#include "kernels/elem.h"

enum { CHANNELS = 2048, CLASSES = 100, WIDTH = CHANNELS + 16 };

/* -- making the features -- */

/* Later channels vary less, as principal components do; classes differ in all of them alike. */
static void draw_row(float *row, uint64_t stream, uint64_t item, double size)
{
    struct rng r;
    rng_init(&r, 1, (uint32_t)stream, item);
    for (size_t k = 0; k < CHANNELS; k++)
        row[k] += (float)(size / sqrt(1 + (double)k / 64) * rng_normal(&r));
}

static void make_row(float *row, size_t i, int32_t *label)
{
    double norm = 0;
    *label = (int32_t)(i * 7919 % CLASSES);
    for (size_t k = 0; k < CHANNELS; k++)
        row[k] = 0.5f;
    draw_row(row, 2, (uint64_t)*label, 0.1);
    draw_row(row, 3, i, 1);
    for (size_t k = 0; k < CHANNELS; k++)
        norm += (double)row[k] * row[k];
    for (size_t k = 0; k < CHANNELS; k++)
        row[k] *= (float)(1 / sqrt(norm));
}

static int write_header(FILE *out, const struct npy *a, struct err *e)
{
    struct buf header = {0};
    int rc = npy_put_header(&header, a, e);
    if (rc == 0 && fwrite(header.data, 1, header.len, out) != header.len)
        rc = err_errno(e, "x.npy");
    buf_release(&header);
    return rc;
}

static int make(const char *folder, size_t n, struct err *e)
{
    char path[4096];
    static float row[CHANNELS];
    struct npy x = {.descr = "<f4", .item_bytes = 4, .n_dims = 2, .dim = {n + n / 10, CHANNELS}};
    struct npy y = {.descr = "<i4", .item_bytes = 4, .n_dims = 1, .dim = {n + n / 10}};
    int32_t label;
    snprintf(path, sizeof path, "%s/x.npy", folder);
    FILE *fx = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/y.npy", folder);
    FILE *fy = fopen(path, "wb");
    int rc = fx && fy ? 0 : err_errno(e, "%s", folder);
    if (rc == 0)
        rc = write_header(fx, &x, e);
    if (rc == 0)
        rc = write_header(fy, &y, e);
    for (size_t i = 0; rc == 0 && i < x.dim[0]; i++) {
        make_row(row, i, &label);
        if (fwrite(row, sizeof row, 1, fx) != 1 || fwrite(&label, sizeof label, 1, fy) != 1)
            rc = err_errno(e, "%s", folder);
    }
    if ((fx && fclose(fx) != 0) || (fy && fclose(fy) != 0))
        rc = err_errno(e, "%s", folder);
    return rc;
}

/* -- running -- */

struct set {
    size_t n, n_test;
    void *x; /* [n + n_test, WIDTH] of the backend */
    int32_t *label;
};

/* Widens the rows by the column of ones and narrows them to the type of the products. */
static int load(struct set *set, const char *folder, enum dtype dtype, struct err *e)
{
    char path[4096];
    struct buf fx = {0}, fy = {0};
    struct npy x, y;
    snprintf(path, sizeof path, "%s/x.npy", folder);
    int rc = file_read(path, &fx, e);
    snprintf(path, sizeof path, "%s/y.npy", folder);
    if (rc < 0 || file_read(path, &fy, e) < 0 || npy_parse(&x, fx.data, fx.len, e) < 0 ||
        npy_parse(&y, fy.data, fy.len, e) < 0)
        return ERR_FAIL;
    size_t all = x.dim[0], bytes = dtype_bytes(dtype);
    set->n = all - all / 11;
    set->n_test = all / 11;
    set->x = mem_aligned(all * WIDTH * bytes, e);
    set->label = mem_new(all, sizeof *set->label, e);
    if (!set->x || !set->label)
        return ERR_FAIL;
    memcpy(set->label, y.data, all * sizeof *set->label);
    for (size_t i = 0; i < all * WIDTH; i++) {
        size_t row = i / WIDTH, k = i % WIDTH;
        float v = k < CHANNELS ? ((const float *)x.data)[row * CHANNELS + k] : k == CHANNELS;
        if (dtype == DTYPE_BF16)
            ((uint16_t *)set->x)[i] = f32_to_bf16(v);
        else
            ((float *)set->x)[i] = v;
    }
    buf_release(&fx);
    buf_release(&fy);
    return 0;
}

static int measure(struct linear *m, const struct set *set, size_t row_bytes, struct err *e)
{
    struct linear_examples test = {.n = set->n_test,
                                   .x = (const char *)set->x + set->n * row_bytes};
    uint32_t *group = mem_new(set->n_test, sizeof *group, e);
    double *scores = mem_new(set->n_test * CLASSES, sizeof *scores, e);
    struct accuracy a;
    if (!group || !scores || accuracy_init(&a, CLASSES, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < set->n_test; i++)
        group[i] = (uint32_t)i;
    if (linear_predict(m, &test, group, scores, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < set->n_test; i++)
        accuracy_add(&a, (size_t)set->label[set->n + i], scores + i * CLASSES);
    printf("%.4f\n", accuracy_top1(&a));
    accuracy_release(&a);
    free(group);
    free(scores);
    return 0;
}

static int fit(struct backend *b, enum dtype dtype, char **argv, struct err *e)
{
    struct set set;
    struct probe_options o = probe_defaults();
    struct linear_shape shape = {
        .n_channels = CHANNELS, .width = WIDTH, .n_classes = CLASSES, .dtype = dtype};
    struct linear_fit result;
    struct linear *m = NULL;
    if (load(&set, argv[4], dtype, e) < 0 || linear_new(&m, &shape, b, e) < 0)
        return ERR_FAIL;
    struct linear_examples train = {.n = set.n, .x = set.x, .label = set.label};
    o.sgd.lr = 32;
    o.sgd.epochs = o.lbfgs.max_iterations = strtoull(argv[3], NULL, 10);
    o.sgd.warmup_epochs = o.sgd.epochs / 20;
    double start = ui_seconds();
    int rc = strcmp(argv[1], "linear") == 0 ? linear_fit_sgd(m, &train, &o.sgd, &result, e)
                                            : linear_fit_lbfgs(m, &train, &o.lbfgs, &result, e);
    printf("%.4f ", ui_seconds() - start);
    if (rc == 0)
        rc = measure(m, &set, WIDTH * dtype_bytes(dtype), e);
    linear_free(m);
    free(set.x);
    free(set.label);
    return rc;
}

/* Two products of CHANNELS x CLASSES a clip, two operations a multiplication. */
static int limit(struct backend *b, enum dtype dtype, struct err *e)
{
    double flops;
    if (backend_peak_flops(b, dtype, &flops, e) < 0)
        return ERR_FAIL;
    printf("%.0f\n", flops / (4.0 * CHANNELS * CLASSES));
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct backend *b = NULL;
    struct backend_options options = {.device = "cpu", .n_threads = pool_n_processors()};
    int rc = backend_open(&b, &options, &e);
    if (rc == 0 && argc == 4 && strcmp(argv[1], "make") == 0)
        rc = make(argv[2], (size_t)strtoull(argv[3], NULL, 10), &e);
    else if (rc == 0 && argc > 2) {
        enum dtype dtype = strcmp(argv[2], "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
        rc = argc == 5 ? fit(b, dtype, argv, &e) : limit(b, dtype, &e);
    }
    if (rc < 0)
        fprintf(stderr, "bench_probe: %s\n", e.text);
    backend_close(b);
    return rc < 0;
}
