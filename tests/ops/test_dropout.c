/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout against the generator that it is defined by. */
#include "tests/ops/oracle.h"

enum { STREAM = 17 };

static void check(struct device *d, size_t rows, size_t columns, float rate)
{
    struct tensor x, y;
    tensor_random(&x, rows * columns, DTYPE_F32, 0.0, 1);
    tensor_random(&y, rows * columns, DTYPE_F32, 0.0, 2);
    const uint64_t seed = 0x123456789abcdef0, first = 0xfffffffeu; /* items pass 2^32 */
    const uint64_t base = 5;
    struct dropout_args a = {.rows = rows,
                             .columns = columns,
                             .x = device_tensor(d, &x),
                             .y = device_tensor(d, &y),
                             .rate = rate,
                             .seed = seed,
                             .stream = STREAM,
                             .first_item = first - base,
                             .base = device_on(d, &base, sizeof base)};
    assert_int_equal(d->b->ops->dropout(d->b, &a), 0);
    device_off(d);
    for (size_t i = 0; i < rows; i++) {
        struct rng r;
        rng_init(&r, seed, STREAM, first + i);
        for (size_t k = 0; k < columns; k++) {
            bool dropped = (double)rng_u32(&r) < (double)rate * 0x1p32;
            float want = ((float *)x.data)[i * columns + k] * (1.0f / (1.0f - rate));
            assert_true(((float *)y.data)[i * columns + k] == (dropped ? 0.0f : want));
        }
    }
    a.x = a.y = device_tensor(d, &x);
    a.first_item = first;
    a.base = NULL;
    assert_int_equal(d->b->ops->dropout(d->b, &a), 0);
    device_off(d);
    assert_memory_equal(x.data, y.data, rows * columns * sizeof(float));
    tensor_release(&x);
    tensor_release(&y);
}

static void shapes(void **state)
{
    static const size_t columns[] = {1, 3, 4, 5, 63, 2048};
    for (size_t n_threads = 1; n_threads < 4; n_threads++) {
        struct device *d = device_open(state, n_threads);
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            check(d, 1, columns[i], 0.5f);
            check(d, 7, columns[i], 0.3f);
            check(d, 5, columns[i], 0.0f);
        }
        device_close(d);
    }
}

/* Of 160000 numbers, within 5 standard deviations; rows and items are drawn apart. */
static void share(void **state)
{
    enum { ROWS = 80, COLUMNS = 2000, N = ROWS * COLUMNS };
    struct device *d = device_open(state, 2);
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    size_t dropped = 0, same = 0;
    for (size_t i = 0; i < N; i++)
        x[i] = 1.0f;
    struct dropout_args a = {.rows = ROWS,
                             .columns = COLUMNS,
                             .x = device_on(d, x, N * sizeof *x),
                             .y = device_on(d, y, N * sizeof *y),
                             .rate = 0.2f};
    assert_int_equal(d->b->ops->dropout(d->b, &a), 0);
    device_off(d);
    for (size_t i = 0; i < N; i++) {
        dropped += y[i] == 0.0f;
        same += y[i] == y[(i + COLUMNS) % N];
    }
    assert_true(fabs((double)dropped - 0.2 * N) < 5 * sqrt(0.2 * 0.8 * N));
    assert_true(fabs((double)same - 0.68 * N) < 0.01 * N);
    free(x);
    free(y);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(shapes),
        ON_EVERY_DEVICE(share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
