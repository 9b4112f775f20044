/* SPDX-License-Identifier: Apache-2.0 */
/* L-BFGS on functions whose minimum is known. */
#include <math.h>

#include "common/eval/lbfgs.h"
#include "tests/unit/support.h"

enum { N = 50 };

struct run {
    int n_evaluations, fail_at; /* fails at that evaluation; 0: never */
    uint64_t n_reports;
    double value;
    double lowest; /* reported values must fall */
};

static int count(struct run *run, struct err *e)
{
    run->n_evaluations++;
    return run->n_evaluations == run->fail_at ? err_code(e, ERR_STOPPED, "stopped") : 0;
}

static void report(void *user, uint64_t iteration)
{
    struct run *run = user;
    assert_int_equal(iteration, run->n_reports++);
    assert_true(run->value <= run->lowest);
    run->lowest = run->value;
}

/* sum scale_i (w_i - i / N)^2 with scales from 1 to 100 */
static int quadratic(void *user, const float *w, float *grad, double *value, struct err *e)
{
    struct run *run = user;
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double scale = pow(100, (double)i / (N - 1)), d = w[i] - (double)i / N;
        sum += scale * d * d;
        grad[i] = (float)(2 * scale * d);
    }
    *value = run->value = sum;
    return count(run, e);
}

/* Rosenbrock's valley, minimum at (1, 1) */
static int valley(void *user, const float *w, float *grad, double *value, struct err *e)
{
    struct run *run = user;
    double x = w[0], y = w[1], a = 1 - x, b = y - x * x;
    grad[0] = (float)(-2 * a - 400 * x * b);
    grad[1] = (float)(200 * b);
    *value = run->value = a * a + 100 * b * b;
    return count(run, e);
}

static int not_finite(void *user, const float *w, float *grad, double *value, struct err *e)
{
    (void)user;
    (void)w;
    (void)e;
    grad[0] = 1;
    *value = NAN;
    return 0;
}

static struct lbfgs_problem problem(struct run *run, size_t n)
{
    *run = (struct run){.lowest = INFINITY};
    return (struct lbfgs_problem){
        .n = n, .user = run, .report = report, .max_iterations = 500, .tolerance = 1e-4};
}

static void test_quadratic(void **state)
{
    struct run run;
    struct err e = {0};
    struct lbfgs_problem p = problem(&run, N);
    float w[N] = {0};
    (void)state;
    p.evaluate = quadratic;
    support_ok(lbfgs_minimize(&p, w, &e), &e);
    for (int i = 0; i < N; i++)
        assert_true(fabs(w[i] - (double)i / N) < 1e-3);
    assert_true(run.n_reports < 150);
}

static void test_valley(void **state)
{
    struct run run;
    struct err e = {0};
    struct lbfgs_problem p = problem(&run, 2);
    float w[2] = {-1.2f, 1};
    (void)state;
    p.evaluate = valley;
    support_ok(lbfgs_minimize(&p, w, &e), &e);
    assert_true(fabsf(w[0] - 1) < 1e-3 && fabsf(w[1] - 1) < 1e-3);
    assert_true(run.n_reports < 80);
}

/* A start at the minimum takes no step; a limit is kept; a failure comes through. */
static void test_ends(void **state)
{
    struct run run;
    struct err e = {0};
    struct lbfgs_problem p = problem(&run, 2);
    float w[2] = {1, 1}, far[2] = {-1.2f, 1};
    (void)state;
    p.evaluate = valley;
    support_ok(lbfgs_minimize(&p, w, &e), &e);
    assert_int_equal(run.n_evaluations, 1);
    p = problem(&run, 2);
    p.evaluate = valley;
    p.max_iterations = 3;
    support_ok(lbfgs_minimize(&p, far, &e), &e);
    assert_int_equal(run.n_reports, 3);
    for (int at = 1; at < 4; at++) {
        p = problem(&run, 2);
        p.evaluate = valley;
        run.fail_at = at;
        w[0] = -1.2f;
        w[1] = 1;
        assert_int_equal(lbfgs_minimize(&p, w, &e), ERR_STOPPED);
    }
    p.evaluate = not_finite;
    support_failed(lbfgs_minimize(&p, w, &e), &e, "the loss is not a finite number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quadratic),
        cmocka_unit_test(test_valley),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
