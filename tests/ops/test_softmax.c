/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax with cross-entropy against float64 sums and finite differences. */
#include <math.h>

#include "common/base/rng.h"
#include "kernels/backend.h"
#include "kernels/elem.h"
#include "tests/ops/device.h"
#include "tests/ops/tolerances.h"

enum { GUARD = 32, MAX_ROWS = 200, MAX_STRIDE = 1100 };
static const float guard_value = -777.0f;

static struct {
    float logits[MAX_ROWS * MAX_STRIDE], weight[MAX_ROWS];
    float gradient[MAX_ROWS * MAX_STRIDE + GUARD];
    int32_t target[MAX_ROWS];
} data;

/* The sums of the last run. */
static double sums[XENT_SUMS];

/* The operation on host memory: logits and gradient are [rows, stride]. */
static int run(struct device *d, const struct softmax_xent_args *a)
{
    struct softmax_xent_args on = *a;
    size_t bytes = a->rows * (a->stride ? a->stride : a->classes) * sizeof(float);
    sums[XENT_LOSS] = sums[XENT_CORRECT] = -1;
    on.logits = device_on(d, a->logits, bytes);
    on.d_logits = device_on(d, a->d_logits, bytes);
    on.target = device_on(d, a->target, a->rows * sizeof *a->target);
    on.weight = device_on(d, a->weight, a->rows * sizeof *a->weight);
    on.sums = device_on(d, sums, sizeof sums);
    int rc = d->b->ops->softmax_xent(d->b, &on);
    device_off(d);
    return rc;
}

static void fill(size_t rows, size_t classes, size_t stride, uint64_t number)
{
    struct rng r;
    rng_init(&r, 11, 1, number);
    for (size_t i = 0; i < rows * stride; i++)
        data.logits[i] = (float)(6 * rng_normal(&r));
    for (size_t i = 0; i < rows; i++) {
        data.target[i] = (int32_t)rng_below(&r, classes);
        data.weight[i] = (float)rng_f64(&r);
    }
    for (size_t i = 0; i < rows * stride + GUARD; i++)
        data.gradient[i] = guard_value;
}

/* Loss of one row in float64; its softmax goes to p where wanted. */
static double row_loss(const float *x, size_t n, size_t target, double *p)
{
    double max = x[0], sum = 0;
    for (size_t k = 1; k < n; k++)
        max = x[k] > max ? x[k] : max;
    for (size_t k = 0; k < n; k++)
        sum += exp(x[k] - max);
    for (size_t k = 0; p && k < n; k++)
        p[k] = exp(x[k] - max) / sum;
    return log(sum) - (x[target] - max);
}

/* Everything the operation returns, for one shape; `stride` 0 means rows without padding. */
static void check(struct device *device, size_t rows, size_t classes, size_t padding)
{
    static double p[MAX_STRIDE];
    size_t stride = classes + padding, n_correct = 0;
    double loss = 0;
    fill(rows, classes, stride, classes);
    struct softmax_xent_args a = {.rows = rows,
                                  .classes = classes,
                                  .stride = padding ? stride : 0,
                                  .logits = data.logits,
                                  .target = data.target,
                                  .weight = data.weight,
                                  .scale = 0.125f,
                                  .d_logits = data.gradient};
    assert_int_equal(run(device, &a), 0);
    for (size_t i = 0; i < rows; i++) {
        const float *x = data.logits + i * stride, *d = data.gradient + i * stride;
        size_t target = (size_t)data.target[i], best = 0;
        loss += data.weight[i] * row_loss(x, classes, target, p);
        for (size_t k = 0; k < classes; k++) {
            double want = 0.125 * data.weight[i] * (p[k] - (k == target));
            if (fabs(d[k] - want) > TOLERANCE_SOFTMAX)
                fail_msg("%zux%zu: gradient %zu of row %zu is %g instead of %g", rows, classes, k,
                         i, d[k], want);
            best = x[k] > x[best] ? k : best;
        }
        n_correct += best == target;
        for (size_t k = classes; k < stride; k++)
            assert_true(d[k] == guard_value);
    }
    for (size_t i = 0; i < GUARD; i++)
        assert_true(data.gradient[rows * stride + i] == guard_value);
    assert_true(fabs(sums[XENT_LOSS] - loss) <= TOLERANCE_LOSS * (1 + loss));
    assert_int_equal(sums[XENT_CORRECT], n_correct);
}

static void test_shapes(void **state)
{
    static const size_t classes[] = {1, 2, 15, 16, 17, 100, 255, 256, 257, 1000};
    struct device *device = device_open(state, 2);
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        check(device, 1, classes[i], 0);
        check(device, 3, classes[i], 5);
        check(device, 130, classes[i], 0);
    }
    device_close(device);
}

static void test_finite_differences(void **state)
{
    enum { ROWS = 5, CLASSES = 7 };
    struct device *device = device_open(state, 1);
    fill(ROWS, CLASSES, CLASSES, 99);
    struct softmax_xent_args a = {.rows = ROWS,
                                  .classes = CLASSES,
                                  .logits = data.logits,
                                  .target = data.target,
                                  .scale = 1,
                                  .d_logits = data.gradient};
    assert_int_equal(run(device, &a), 0);
    a.d_logits = NULL;
    for (size_t i = 0; i < ROWS * CLASSES; i++) {
        const float middle = data.logits[i], step = 1.0f / 64;
        double loss[2];
        for (int side = 0; side < 2; side++) {
            data.logits[i] = middle + (side ? step : -step);
            assert_int_equal(run(device, &a), 0);
            loss[side] = sums[XENT_LOSS];
        }
        data.logits[i] = middle;
        assert_true(fabs((loss[1] - loss[0]) / (2 * step) - data.gradient[i]) <
                    TOLERANCE_DIFFERENCE);
    }
    device_close(device);
}

/* The gradient may take the place of the logits; the bits are the same, on any number of threads.
 */
static void test_in_place_and_threads(void **state)
{
    enum { ROWS = 150, CLASSES = 33 };
    static float first[ROWS * CLASSES], second[ROWS * CLASSES];
    double loss = 0;
    for (size_t n_threads = 1; n_threads < 6; n_threads++) {
        struct device *device = device_open(state, n_threads);
        fill(ROWS, CLASSES, CLASSES, 5);
        memcpy(second, data.logits, sizeof second);
        struct softmax_xent_args a = {.rows = ROWS,
                                      .classes = CLASSES,
                                      .logits = data.logits,
                                      .target = data.target,
                                      .scale = 1,
                                      .d_logits = first};
        assert_int_equal(run(device, &a), 0);
        if (n_threads > 1)
            assert_true(sums[XENT_LOSS] == loss);
        loss = sums[XENT_LOSS];
        a.logits = a.d_logits = second;
        assert_int_equal(run(device, &a), 0);
        assert_true(sums[XENT_LOSS] == loss);
        assert_memory_equal(first, second, sizeof first);
        device_close(device);
    }
}

/* Ties go to the first maximum; large logits do not overflow; what is not a number shows in the
 * loss. */
static void test_edges(void **state)
{
    static const float tie[3] = {2, 5, 5}, large[2] = {3e38f, -3e38f}, wrong[2] = {NAN, 0};
    struct device *device = device_open(state, 1);
    int32_t target = 1;
    float gradient[2];
    struct softmax_xent_args a = {
        .rows = 1, .classes = 3, .logits = tie, .target = &target, .scale = 1};
    assert_int_equal(run(device, &a), 0);
    assert_int_equal(sums[XENT_CORRECT], 1);
    target = 2;
    assert_int_equal(run(device, &a), 0);
    assert_int_equal(sums[XENT_CORRECT], 0);
    a.classes = 2;
    a.logits = large;
    target = 0;
    assert_int_equal(run(device, &a), 0);
    assert_true(sums[XENT_LOSS] == 0 && sums[XENT_CORRECT] == 1);
    a.logits = wrong;
    assert_int_equal(run(device, &a), 0);
    assert_true(isnan(sums[XENT_LOSS]));
    a.logits = large;
    a.d_logits = gradient;
    for (target = -1; target <= 2; target += 3) { /* no class */
        assert_int_equal(run(device, &a), 0);
        assert_true(isnan(sums[XENT_LOSS]) && sums[XENT_CORRECT] == 0);
    }
    a.rows = 0;
    assert_int_equal(run(device, &a), 0);
    assert_true(sums[XENT_LOSS] == 0 && sums[XENT_CORRECT] == 0);
    device_close(device);
}

/* elem_exp is within one unit in the last place of float64's exp, and right at its ends. */
static void test_exp(void **state)
{
    (void)state;
    for (float x = -87.29f; x < 88.29f; x += 1e-3f + fabsf(x) * 1e-5f) {
        double want = exp((double)x);
        float unit = nextafterf((float)want, INFINITY) - (float)want;
        if (fabs(elem_exp(x) - want) > unit)
            fail_msg("exp(%.9g) is %.9g instead of %.9g", x, elem_exp(x), want);
    }
    assert_true(elem_exp(0) == 1);
    assert_true(elem_exp(-100) == 0 && elem_exp(-INFINITY) == 0);
    assert_true(isinf(elem_exp(89)) && isinf(elem_exp(INFINITY)));
    assert_true(isnan(elem_exp(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(test_shapes),
        ON_EVERY_DEVICE(test_finite_differences),
        ON_EVERY_DEVICE(test_in_place_and_threads),
        ON_EVERY_DEVICE(test_edges),
        cmocka_unit_test(test_exp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
