/* SPDX-License-Identifier: Apache-2.0 */
/*
 * r3d50 and r3d-tiny against the same networks in PyTorch in float64 (tests/oracle/backbone.py):
 * output, running statistics and every gradient, in training and inference mode.
 */
#include <math.h>

#include "common/nn/pass.h"
#include "tests/ops/device.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/model_support.h"
#include "tests/unit/oracle_file.h"

enum { N_SIGNS = 16, COLUMNS = 3 + N_SIGNS, SEED = 7 };

struct run {
    const char *name;
    enum dtype type;
    bool train;
    struct backend *b;
    struct model *m;
    struct pass *p;
    float *output, *grads, *stats; /* host memory */
    size_t n_output;
};

/* -- products with vectors of signs: the same hash of the position as in the script -- */

static void add_products(double products[N_SIGNS], size_t i, double value)
{
    uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u;
    h ^= h >> 31;
    h *= 0xBF58476D1CE4E5B9u;
    h ^= h >> 29;
    for (int k = 0; k < N_SIGNS; k++)
        products[k] += h >> k & 1 ? -value : value;
}

/* Estimate of the norm of the difference to the oracle's tensor, from its products. */
static double distance(const double products[N_SIGNS], const double *row)
{
    double sum = 0.0;
    for (int k = 0; k < N_SIGNS; k++)
        sum += (products[k] - row[3 + k]) * (products[k] - row[3 + k]);
    return sqrt(sum / N_SIGNS);
}

/* The elements of a parameter in PyTorch's order. */
static size_t torch_position(const struct param *p, size_t i)
{
    if (p->kind != PARAM_CONV)
        return i;
    size_t k = p->dim[1] * p->dim[2] * p->dim[3], in = p->dim[4];
    return i / (k * in) * k * in + i % in * k + i / in % k;
}

static double tensor_distance(const struct param *p, const float *v, const double *row)
{
    double products[N_SIGNS] = {0};
    for (size_t i = 0; i < p->len; i++)
        add_products(products, torch_position(p, i), (double)v[i]);
    return distance(products, row);
}

/* -- one forward and backward pass -- */

static void *to_device(struct run *r, const float *values, size_t n)
{
    struct err e = {0};
    void *low, *wide;
    support_ok(r->b->ops->alloc(r->b, n * sizeof(float), &low, &e), &e);
    support_ok(r->b->ops->alloc(r->b, n * sizeof(float), &wide, &e), &e);
    support_ok(r->b->ops->upload(r->b, wide, values, n * sizeof(float), &e), &e);
    assert_int_equal(r->b->ops->convert(r->b, low, r->type, wide, DTYPE_F32, n), 0);
    r->b->ops->release(r->b, wide);
    return low;
}

static float *to_host(struct run *r, const void *from, enum dtype type, size_t n)
{
    struct err e = {0};
    void *wide;
    float *values = malloc(n * sizeof *values);
    assert_non_null(values);
    support_ok(r->b->ops->alloc(r->b, n * sizeof *values, &wide, &e), &e);
    assert_int_equal(r->b->ops->convert(r->b, wide, DTYPE_F32, from, type, n), 0);
    support_ok(r->b->ops->download(r->b, values, wide, n * sizeof *values, &e), &e);
    r->b->ops->release(r->b, wide);
    return values;
}

static void run_passes(struct run *r, const struct npy *input, const struct npy *upstream)
{
    struct err e = {0};
    size_t n_in = input->data_bytes, out[3];
    float *x = malloc(n_in * sizeof *x), *dy = malloc(upstream->data_bytes * sizeof *dy);
    for (size_t i = 0; i < n_in; i++)
        x[i] = (float)((const uint8_t *)input->data)[i] / 255.0f;
    for (size_t i = 0; i < upstream->data_bytes; i++)
        dy[i] = (float)((const int8_t *)upstream->data)[i];
    void *pixels = to_device(r, x, n_in), *grad = to_device(r, dy, upstream->data_bytes);
    struct pass_options o = {.n = input->dim[0],
                             .in = {input->dim[1], input->dim[2], input->dim[3]},
                             .dtype = r->type,
                             .keep = true};
    support_ok(pass_new(&r->p, r->m, &r->m->backbone, &o, &e), &e);
    support_ok(pass_set_weights(r->p, &e), &e);
    support_ok(pass_forward(r->p, pixels, r->train ? NORM_BATCH_UPDATE : NORM_RUNNING, &e), &e);
    r->n_output = upstream->data_bytes;
    r->output = to_host(r, pass_output(r->p, out), r->type, r->n_output);
    support_ok(pass_backward(r->p, pixels, grad, NULL, &e), &e);
    r->grads = to_host(r, r->m->grads, DTYPE_F32, r->m->n_values);
    r->stats = to_host(r, r->m->stats, DTYPE_F32, r->m->n_stats);
    r->b->ops->release(r->b, pixels);
    r->b->ops->release(r->b, grad);
    free(x);
    free(dy);
}

/* -- comparison -- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct param *const *)a)->name, (*(const struct param *const *)b)->name);
}

static size_t sorted_params(const struct model *m, bool statistics, const struct param **list)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_param; i++)
        if ((m->param[i].kind == PARAM_STATISTIC) == statistics)
            list[n++] = &m->param[i];
    qsort(list, n, sizeof *list, by_name);
    return n;
}

/*
 * The bar, or half as much again as PyTorch is off in the same precision where that is more. A
 * gradient that is zero but for rounding (of a constant before a normalisation) is measured against
 * the largest gradient instead.
 */
static void check_row(const struct run *r, const char *what, double error, const double *row,
                      double largest)
{
    double bar = r->type == DTYPE_F32 ? TOLERANCE_BACKBONE_F32 : TOLERANCE_BACKBONE_BF16;
    double peer = 1.5 * row[r->type == DTYPE_F32 ? 1 : 2], limit = peer > bar ? peer : bar;
    double norm = row[0];
    if (norm < 1e-6 * largest) {
        norm = largest;
        limit = bar;
    }
    if (!(error <= limit * norm))
        fail_msg("%s %s %s: %s: error %.2g of %.3g, at most %.2g", r->name,
                 r->type == DTYPE_F32 ? "f32" : "bf16", r->train ? "train" : "inference", what,
                 error / norm, norm, limit);
}

static void compare(struct run *r, const struct npy *table)
{
    const struct param *list[256];
    const double *row = table->data;
    double largest = 0.0, products[N_SIGNS] = {0};
    size_t n = sorted_params(r->m, false, list);
    for (size_t i = 1; i <= n; i++)
        largest = fmax(largest, row[i * COLUMNS]);
    for (size_t i = 0; i < r->n_output; i++)
        add_products(products, i, (double)r->output[i]);
    check_row(r, "output", distance(products, row), row, 0.0);
    for (size_t i = 0; i < n; i++) {
        row += COLUMNS;
        check_row(r, list[i]->name, tensor_distance(list[i], r->grads + list[i]->offset, row), row,
                  largest);
    }
    n = r->train ? sorted_params(r->m, true, list) : 0;
    for (size_t i = 0; i < n; i++) {
        row += COLUMNS;
        check_row(r, list[i]->name, tensor_distance(list[i], r->stats + list[i]->offset, row), row,
                  0.0);
    }
    assert_ptr_equal(row + COLUMNS, (const double *)table->data + table->dim[0] * COLUMNS);
}

static struct npy load(struct buf *file, const struct run *r, const char *what, const char *descr)
{
    char name[64];
    snprintf(name, sizeof name, "backbone_%s_%s", r->name, what);
    return oracle_load(file, name, descr);
}

static void check(struct device *d, const char *name, enum dtype type, bool train)
{
    struct run r = {.name = name, .type = type, .train = train, .b = d->b};
    struct buf file[3] = {{0}, {0}, {0}};
    struct err e = {0};
    struct npy input = load(&file[0], &r, "input", "|u1");
    struct npy upstream = load(&file[1], &r, "upstream", "|i1");
    struct npy table = load(&file[2], &r, train ? "train" : "inference", "<f8");
    support_ok(model_support_new(&r.m, r.b, name, SEED, &e), &e);
    support_ok(model_make_trainable(r.m, NULL, &e), &e);
    run_passes(&r, &input, &upstream);
    compare(&r, &table);
    pass_free(r.p);
    model_free(r.m);
    free(r.output);
    free(r.grads);
    free(r.stats);
    for (int i = 0; i < 3; i++)
        buf_release(&file[i]);
}

static void check_all(void **state, const char *name)
{
    struct device *d = device_open(state, 2);
    for (int k = 0; k < 4; k++)
        check(d, name, k & 1 ? DTYPE_BF16 : DTYPE_F32, k & 2);
    device_close(d);
}

static void tiny(void **state)
{
    check_all(state, "r3d-tiny");
}

static void r3d50(void **state)
{
    check_all(state, "r3d50");
}

/* RECIPE section 1. */
static void r3d50_has_its_size(void **state)
{
    char *cpu = "cpu";
    (void)state;
    struct err e = {0};
    struct model *m;
    struct model_desc d = {.backbone = "r3d50"};
    struct device *device = device_open((void **)&cpu, 1);
    struct backend *b = device->b;
    support_ok(model_new(&m, b, &d, &e), &e);
    assert_int_equal(model_n_backbone_values(m), 31672128);
    size_t n = 0, conv = 0;
    for (size_t i = 0; i < m->n_trainable_tensors; i++) {
        n += m->param[i].len;
        conv += m->param[i].kind == PARAM_CONV ? m->param[i].len : 0;
    }
    assert_int_equal(n, 31672128);
    assert_int_equal(conv, 31619008);
    struct pass *p;
    struct pass_options o = {.n = 1, .in = {16, 224, 224}};
    support_ok(pass_new(&p, m, &m->backbone, &o, &e), &e);
    assert_true(fabs(pass_forward_flops(p) / 2e9 - 45.52) < 0.005);
    pass_free(p);
    model_free(m);
    device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(tiny),
        ON_EVERY_DEVICE(r3d50),
        cmocka_unit_test(r3d50_has_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
