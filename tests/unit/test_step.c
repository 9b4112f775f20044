/* SPDX-License-Identifier: Apache-2.0 */
/* Training steps: GradCache equals one pass, gradients equal finite differences, runs repeat. */
#include <math.h>

#include "common/base/rng.h"
#include "common/nn/step.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/support.h"

enum { SIZE = 16, LENGTH_LONG = 8, LENGTH_SHORT = 4 };

struct fixture {
    struct backend *b;
    struct model *m;
    struct objective o;
    struct sample *rows[N_ROLES];
    float *pixels[N_ROLES];
};

static void make_pixels(struct fixture *f, int role, size_t batch, size_t length)
{
    size_t clip = length * SIZE * SIZE * 3;
    f->rows[role] = calloc(batch, sizeof **f->rows);
    f->pixels[role] = aligned_alloc(64, batch * clip * sizeof(float));
    for (size_t i = 0; i < batch; i++) {
        f->rows[role][i] =
            (struct sample){.video = (uint32_t)i, .stride = 2, .role = (uint8_t)role};
        struct rng r;
        rng_init(&r, 4, (uint32_t)role, i);
        for (size_t p = 0; p < clip; p++)
            f->pixels[role][i * clip + p] = (float)rng_f64(&r);
    }
}

static void open_fixture(struct fixture *f, size_t batch)
{
    struct err e = {0};
    struct backend_options bo = {.device = "cpu", .n_threads = 2};
    struct model_desc d = {
        .backbone = "r3d-tiny", .head_width = 32, .head_dim = 16, .head_layers = 2};
    memset(f, 0, sizeof *f);
    support_ok(backend_open(&f->b, &bo, &e), &e);
    support_ok(objective_parse(&f->o, "fine:1,2,0.9;persistent:all,all,0.1", &e), &e);
    objective_heads(&f->o, &d);
    support_ok(model_new(&f->m, f->b, &d, &e), &e);
    support_ok(model_init_weights(f->m, 1, &e), &e);
    support_ok(model_make_trainable(f->m, &e), &e);
    make_pixels(f, ROLE_LONG, batch, LENGTH_LONG);
    make_pixels(f, ROLE_SHORT, batch, LENGTH_SHORT);
}

static void close_fixture(struct fixture *f)
{
    for (int r = 0; r < N_ROLES; r++) {
        free(f->rows[r]);
        free(f->pixels[r]);
    }
    model_free(f->m);
    backend_close(f->b);
}

/* Gradients of one step are left in the model. */
static double run(struct fixture *f, size_t batch, size_t micro_batch, bool frozen)
{
    struct err e = {0};
    struct step *s;
    double total = 0.0;
    struct step_options o = {.batch = batch,
                             .micro_batch = micro_batch,
                             .length = {LENGTH_LONG, LENGTH_SHORT},
                             .size = SIZE,
                             .dtype = DTYPE_F32,
                             .frozen_norm = frozen};
    struct step_input in = {{f->pixels[0], f->pixels[1]}, {f->rows[0], f->rows[1]}};
    support_ok(step_new(&s, f->m, &f->o, &o, &e), &e);
    support_ok(step_set_weights(s, &e), &e);
    support_ok(step_run(s, &in, &total, &e), &e);
    step_free(s);
    return total;
}

static void grad_cache_equals_one_pass(void **state)
{
    (void)state;
    enum { BATCH = 64, MICRO = 8 };
    struct fixture f;
    open_fixture(&f, BATCH);
    double whole = run(&f, BATCH, BATCH, true);
    float *want = malloc(f.m->n_values * sizeof *want);
    memcpy(want, f.m->grads, f.m->n_values * sizeof *want);
    double parts = run(&f, BATCH, MICRO, true), difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < f.m->n_values; i++) {
        double d = (double)f.m->grads[i] - (double)want[i];
        difference += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    assert_true(norm > 0.0);
    if (!(sqrt(difference / norm) <= TOLERANCE_OBJECTIVE) ||
        !(fabs(whole - parts) <= TOLERANCE_OBJECTIVE))
        fail_msg("gradient differs by %.3g, loss by %.3g", sqrt(difference / norm), whole - parts);
    free(want);
    close_fixture(&f);
}

/* The loss along the gradient itself, where the slope is largest. */
static void gradient_equals_finite_differences(void **state)
{
    (void)state;
    enum { BATCH = 6 };
    struct fixture f;
    open_fixture(&f, BATCH);
    run(&f, BATCH, BATCH, false);
    size_t n = f.m->n_values;
    double norm = 0.0, side[2];
    float *g = malloc(n * sizeof *g), *w = malloc(n * sizeof *w);
    memcpy(g, f.m->grads, n * sizeof *g);
    memcpy(w, f.m->params, n * sizeof *w);
    for (size_t i = 0; i < n; i++)
        norm += (double)g[i] * (double)g[i];
    double step = 2e-5 / sqrt(norm);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < n; i++)
            f.m->params[i] = w[i] + (float)((k ? -step : step) * (double)g[i]);
        side[k] = run(&f, BATCH, BATCH, false);
    }
    double measured = (side[0] - side[1]) / (2.0 * step);
    if (!(fabs(measured - norm) <= 10.0 * TOLERANCE_FINITE_DIFFERENCE * norm))
        fail_msg("%.6g by differences, %.6g by the gradient", measured, norm);
    free(g);
    free(w);
    close_fixture(&f);
}

static void repeats_bit_for_bit(void **state)
{
    (void)state;
    enum { BATCH = 4 };
    struct fixture f;
    open_fixture(&f, BATCH);
    run(&f, BATCH, 2, false);
    float *want = malloc(f.m->n_values * sizeof *want);
    memcpy(want, f.m->grads, f.m->n_values * sizeof *want);
    run(&f, BATCH, 2, false);
    assert_memory_equal(want, f.m->grads, f.m->n_values * sizeof *want);
    free(want);
    close_fixture(&f);
}

static void names_what_is_not_finite(void **state)
{
    (void)state;
    struct fixture f;
    struct err e = {0};
    struct step *s;
    double total;
    open_fixture(&f, 2);
    f.m->params[f.m->backbone.at[5].w] = NAN;
    struct step_options o = {.batch = 2,
                             .micro_batch = 2,
                             .length = {LENGTH_LONG, LENGTH_SHORT},
                             .size = SIZE,
                             .dtype = DTYPE_F32};
    struct step_input in = {{f.pixels[0], f.pixels[1]}, {f.rows[0], f.rows[1]}};
    support_ok(step_new(&s, f.m, &f.o, &o, &e), &e);
    support_ok(step_set_weights(s, &e), &e);
    support_failed(step_run(s, &in, &total, &e), &e, "not finite");
    assert_non_null(strstr(e.text, f.m->backbone.desc.unit[5].conv_name));
    step_free(s);
    o.micro_batch = 3;
    support_failed(step_new(&s, f.m, &f.o, &o, &e), &e, "does not divide");
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grad_cache_equals_one_pass),
        cmocka_unit_test(gradient_equals_finite_differences),
        cmocka_unit_test(repeats_bit_for_bit),
        cmocka_unit_test(names_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
