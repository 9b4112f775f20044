/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products against plain sums: small whole numbers, so that every answer is exact. */
#include "common/base/rng.h"
#include "kernels/backend.h"
#include "kernels/elem.h"
#include "tests/ops/device.h"

enum { GUARD = 64 };
static const float guard_value = -12345.0f;

struct problem {
    struct matmul_desc d;
    float *a, *b, *c, *want; /* c has GUARD elements before and behind */
};

/* op(A)[i, l], op(B)[l, j] */
static double a_at(const struct problem *p, size_t i, size_t l)
{
    return p->a[p->d.a_transposed ? l * p->d.m + i : i * p->d.k + l];
}

static double b_at(const struct problem *p, size_t l, size_t j)
{
    return p->b[p->d.b_transposed ? j * p->d.k + l : l * p->d.n + j];
}

static void fill(struct problem *p, struct rng *r)
{
    size_t m = p->d.m, n = p->d.n, k = p->d.k;
    p->a = malloc(m * k * sizeof *p->a);
    p->b = malloc(k * n * sizeof *p->b);
    p->c = malloc((m * n + 2 * GUARD) * sizeof *p->c);
    p->want = malloc(m * n * sizeof *p->want);
    for (size_t i = 0; i < m * k; i++)
        p->a[i] = (float)rng_below(r, 9) - 4;
    for (size_t i = 0; i < k * n; i++)
        p->b[i] = (float)rng_below(r, 9) - 4;
    for (size_t i = 0; i < m * n + 2 * GUARD; i++)
        p->c[i] = guard_value;
    for (size_t i = 0; p->d.accumulate && i < m * n; i++)
        p->c[GUARD + i] = (float)rng_below(r, 100);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = p->d.accumulate ? p->c[GUARD + i * n + j] : 0;
            for (size_t l = 0; l < k; l++)
                sum += a_at(p, i, l) * b_at(p, l, j);
            p->want[i * n + j] = (float)sum;
        }
}

/* The same numbers as bfloat16, which holds them exactly. */
static void *narrowed(const float *x, size_t n, enum dtype dtype)
{
    void *y = malloc(n * dtype_bytes(dtype));
    for (size_t i = 0; i < n; i++)
        if (dtype == DTYPE_BF16)
            ((uint16_t *)y)[i] = f32_to_bf16(x[i]);
        else
            ((float *)y)[i] = x[i];
    return y;
}

static void run(struct device *d, const struct problem *p)
{
    struct err e = {0};
    struct backend *b = d->b;
    struct matmul *plan;
    size_t n_x = p->d.m * p->d.k, n_y = p->d.k * p->d.n;
    void *x = narrowed(p->a, n_x, p->d.dtype), *y = narrowed(p->b, n_y, p->d.dtype);
    support_ok(b->ops->matmul_new(b, &p->d, &plan, &e), &e);
    support_ok(b->ops->matmul_run(b, plan, device_on(d, x, n_x * dtype_bytes(p->d.dtype)),
                                  device_on(d, y, n_y * dtype_bytes(p->d.dtype)),
                                  device_on(d, p->c + GUARD, p->d.m * p->d.n * sizeof *p->c), &e),
               &e);
    device_off(d);
    b->ops->matmul_free(b, plan);
    free(x);
    free(y);
}

static void check(struct device *device, const struct matmul_desc *d, uint64_t number)
{
    struct problem p = {.d = *d};
    struct rng r;
    rng_init(&r, 7, 1, number);
    fill(&p, &r);
    run(device, &p);
    for (size_t i = 0; i < d->m * d->n; i++)
        if (p.c[GUARD + i] != p.want[i])
            fail_msg("%zux%zux%zu, transposed %d %d, type %d: element %zu is %g instead of %g",
                     d->m, d->n, d->k, d->a_transposed, d->b_transposed, d->dtype, i,
                     p.c[GUARD + i], p.want[i]);
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(p.c[i] == guard_value);
        assert_true(p.c[GUARD + d->m * d->n + i] == guard_value);
    }
    free(p.a);
    free(p.b);
    free(p.c);
    free(p.want);
}

/* Sizes around the tiles' edges, all transpositions, both types, with and without adding. */
static void test_exact(void **state)
{
    static const size_t sizes[][3] = {{1, 1, 1},     {3, 5, 7},     {64, 64, 64},
                                      {65, 17, 33},  {130, 3, 200}, {2, 300, 9},
                                      {1, 1100, 40}, {257, 129, 1}, {96, 70, 129}};
    struct device *device = device_open(state, 3);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (unsigned bits = 0; bits < 16; bits++) {
            struct matmul_desc d = {.m = sizes[s][0],
                                    .n = sizes[s][1],
                                    .k = sizes[s][2],
                                    .a_transposed = bits & 1,
                                    .b_transposed = bits & 2,
                                    .accumulate = bits & 4,
                                    .dtype = bits & 8 ? DTYPE_BF16 : DTYPE_F32};
            check(device, &d, s * 16 + bits);
        }
    device_close(device);
}

/* Long sums into a small result, where splitting them between threads would be tempting. */
static void test_threads(void **state)
{
    enum { M = 48, N = 20, K = 5000 };
    struct rng r;
    struct problem p = {.d = {.m = M, .n = N, .k = K, .a_transposed = true}};
    rng_init(&r, 7, 2, 0);
    fill(&p, &r);
    for (size_t i = 0; i < M * K; i++)
        p.a[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < K * N; i++)
        p.b[i] = (float)rng_normal(&r);
    for (size_t n_threads = 1; n_threads < 6; n_threads++) {
        struct device *d = device_open(state, n_threads);
        run(d, &p);
        if (n_threads == 1)
            memcpy(p.want, p.c + GUARD, M * N * sizeof *p.want);
        assert_memory_equal(p.want, p.c + GUARD, M * N * sizeof *p.want);
        device_close(d);
    }
    free(p.a);
    free(p.b);
    free(p.c);
    free(p.want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_EVERY_DEVICE(test_exact), ON_EVERY_DEVICE(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
