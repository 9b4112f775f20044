/* SPDX-License-Identifier: Apache-2.0 */
/* SGD with momentum and LARS against their formulas in double; finding values that are not finite.
 */
#include "tests/ops/oracle.h"

enum { N = 40000, STEPS = 5 };

static const struct param_span spans[] = {
    {0, 33000, true, true}, {33008, 17, false, false}, {33040, 6000, true, true}};

enum { N_SPANS = sizeof spans / sizeof spans[0] };

struct state {
    double w[N], v[N];
};

static double norm_of(const double *x, const struct param_span *s)
{
    double sum = 0.0;
    for (size_t i = 0; i < s->len; i++)
        sum += x[s->offset + i] * x[s->offset + i];
    return sqrt(sum);
}

static const float rate = 0.1f;

static void true_step(struct state *t, const double *g, const struct optimizer_desc *a)
{
    for (size_t k = 0; k < N_SPANS; k++) {
        const struct param_span *s = &spans[k];
        double decay = s->decay ? (double)a->weight_decay : 0.0, factor = 1.0;
        double w = norm_of(t->w, s);
        if (a->lars && s->adapt)
            factor = (double)a->trust * w / (norm_of(g, s) + decay * w);
        for (size_t i = s->offset; i < s->offset + s->len; i++) {
            t->v[i] = (double)a->momentum * t->v[i] + factor * (g[i] + decay * t->w[i]);
            t->w[i] -= (double)rate * t->v[i];
        }
    }
}

static void check(struct device *d, bool lars, float *result)
{
    struct tensor w, g;
    struct err e = {0};
    struct optimizer *o;
    struct optimizer_desc desc = {.spans = spans,
                                  .n_spans = N_SPANS,
                                  .momentum = 0.9f,
                                  .weight_decay = 0.01f,
                                  .lars = lars,
                                  .trust = 0.02f};
    struct state *t = calloc(1, sizeof *t);
    float *v = calloc(N, sizeof *v);
    tensor_random(&w, N, DTYPE_F32, 0.0, 1);
    memcpy(t->w, w.value, sizeof t->w);
    float gap = ((float *)w.data)[33003];
    support_ok(d->b->ops->optimizer_new(d->b, &desc, &o, &e), &e);
    for (int i = 0; i < 2 * STEPS; i++) {
        uint32_t skip = i % 2 ? 1 + (uint32_t)i : 0; /* every other step is none */
        tensor_random(&g, N, DTYPE_F32, 0.0, 2 + (uint64_t)i);
        struct optimizer_args a = {.params = device_tensor(d, &w),
                                   .grads = device_tensor(d, &g),
                                   .velocity = device_on(d, v, N * sizeof *v),
                                   .lr = device_on(d, &rate, sizeof rate),
                                   .skip = i ? device_on(d, &skip, sizeof skip) : NULL};
        if (!skip)
            true_step(t, g.value, &desc);
        assert_int_equal(d->b->ops->optimizer_step(d->b, o, &a), 0);
        device_off(d);
        tensor_release(&g);
    }
    d->b->ops->optimizer_free(d->b, o);
    assert_within(relative_error(&w, t->w), TOLERANCE_F32);
    assert_true(((float *)w.data)[33003] == gap); /* between the tensors */
    memcpy(result, w.data, N * sizeof *result);
    tensor_release(&w);
    free(v);
    free(t);
}

/* Right, and with the same bits when done again. */
static void check_twice(void **state, bool lars)
{
    struct device *d = device_open(state, 2);
    float *result = calloc(2 * N, sizeof *result);
    check(d, lars, result);
    check(d, lars, result + N);
    assert_memory_equal(result, result + N, N * sizeof *result);
    free(result);
    device_close(d);
}

static void sgd(void **state)
{
    check_twice(state, false);
}

static void lars(void **state)
{
    check_twice(state, true);
}

static bool is_finite(struct device *d, const struct tensor *x)
{
    uint32_t bad[2] = {0, 1}; /* the second stays as it is */
    for (int i = 0; i < 2; i++)
        assert_int_equal(d->b->ops->all_finite(d->b, device_tensor(d, x), N,
                                               device_on(d, &bad[i], sizeof bad[i])),
                         0);
    device_off(d);
    assert_int_equal(bad[1], 1);
    assert_true(bad[0] <= 1);
    return bad[0] == 0;
}

static void finds_what_is_not_finite(void **state)
{
    struct device *d = device_open(state, 2);
    struct tensor x;
    tensor_random(&x, N, DTYPE_F32, 0.0, 1);
    assert_true(is_finite(d, &x));
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        ((float *)x.data)[N - 1 - i * 19999] = bad[i];
        assert_false(is_finite(d, &x));
        ((float *)x.data)[N - 1 - i * 19999] = 0.0f;
    }
    tensor_release(&x);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(sgd),
        ON_EVERY_DEVICE(lars),
        ON_EVERY_DEVICE(finds_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
