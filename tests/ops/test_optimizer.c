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

static void true_step(struct state *t, const double *g, const struct optimizer_args *a)
{
    for (size_t k = 0; k < N_SPANS; k++) {
        const struct param_span *s = &spans[k];
        double decay = s->decay ? (double)a->weight_decay : 0.0, factor = 1.0;
        double w = norm_of(t->w, s);
        if (a->lars && s->adapt)
            factor = (double)a->trust * w / (norm_of(g, s) + decay * w);
        for (size_t i = s->offset; i < s->offset + s->len; i++) {
            t->v[i] = (double)a->momentum * t->v[i] + factor * (g[i] + decay * t->w[i]);
            t->w[i] -= (double)a->lr * t->v[i];
        }
    }
}

static void check(bool lars)
{
    struct backend *b = open_backend(2);
    struct tensor w, g;
    struct state *t = calloc(1, sizeof *t);
    float *v = calloc(N, sizeof *v);
    tensor_random(&w, N, DTYPE_F32, 0.0, 1);
    memcpy(t->w, w.value, sizeof t->w);
    float gap = ((float *)w.data)[33003];
    for (int i = 0; i < STEPS; i++) {
        tensor_random(&g, N, DTYPE_F32, 0.0, 2 + (uint64_t)i);
        struct optimizer_args a = {.params = w.data,
                                   .grads = g.data,
                                   .velocity = v,
                                   .spans = spans,
                                   .n_spans = N_SPANS,
                                   .lr = 0.1f,
                                   .momentum = 0.9f,
                                   .weight_decay = 0.01f,
                                   .lars = lars,
                                   .trust = 0.02f};
        true_step(t, g.value, &a);
        assert_int_equal(b->ops->optimizer_step(b, &a), 0);
        tensor_release(&g);
    }
    assert_within(relative_error(&w, t->w), TOLERANCE_F32);
    assert_true(((float *)w.data)[33003] == gap); /* between the tensors */
    tensor_release(&w);
    free(v);
    free(t);
    backend_close(b);
}

static void sgd(void **state)
{
    (void)state;
    check(false);
}

static void lars(void **state)
{
    (void)state;
    check(true);
}

static void finds_what_is_not_finite(void **state)
{
    (void)state;
    struct backend *b = open_backend(2);
    struct tensor x;
    tensor_random(&x, N, DTYPE_F32, 0.0, 1);
    bool finite;
    assert_int_equal(b->ops->all_finite(b, x.data, N, &finite), 0);
    assert_true(finite);
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        ((float *)x.data)[N - 1 - i * 19999] = bad[i];
        assert_int_equal(b->ops->all_finite(b, x.data, N, &finite), 0);
        assert_false(finite);
        ((float *)x.data)[N - 1 - i * 19999] = 0.0f;
    }
    tensor_release(&x);
    backend_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd),
        cmocka_unit_test(lars),
        cmocka_unit_test(finds_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
