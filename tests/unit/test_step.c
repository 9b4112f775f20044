/* SPDX-License-Identifier: Apache-2.0 */
/* Training steps: GradCache equals one pass, gradients equal finite differences, runs repeat. */
#include <math.h>

#include "common/base/rng.h"
#include "common/nn/step.h"
#include "tests/ops/device.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/distance.h"

enum { SIZE = 16, LENGTH_LONG = 8, LENGTH_SHORT = 4 };

struct fixture {
    struct device *d;
    struct model *m;
    struct objective o;
    struct sample *rows[N_ROLES];
    float *pixels[N_ROLES];
    size_t pixels_bytes[N_ROLES];
};

static void make_pixels(struct fixture *f, int role, size_t batch, size_t length)
{
    size_t clip = length * SIZE * SIZE * 3;
    f->rows[role] = calloc(batch, sizeof **f->rows);
    f->pixels_bytes[role] = batch * clip * sizeof(float);
    f->pixels[role] = aligned_alloc(64, f->pixels_bytes[role]);
    for (size_t i = 0; i < batch; i++) {
        f->rows[role][i] =
            (struct sample){.video = (uint32_t)i, .stride = 2, .role = (uint8_t)role};
        struct rng r;
        rng_init(&r, 4, (uint32_t)role, i);
        for (size_t p = 0; p < clip; p++)
            f->pixels[role][i * clip + p] = (float)rng_f64(&r);
    }
}

static void open_fixture(struct fixture *f, void **state, size_t batch)
{
    struct err e = {0};
    struct model_desc d = {
        .backbone = "r3d-tiny", .head_width = 32, .head_dim = 16, .head_layers = 2};
    memset(f, 0, sizeof *f);
    f->d = device_open(state, 2);
    support_ok(objective_parse(&f->o, "fine:1,2,0.9;persistent:all,all,0.1", &e), &e);
    objective_heads(&f->o, &d);
    support_ok(model_new(&f->m, f->d->b, &d, &e), &e);
    support_ok(model_init_weights(f->m, 1, &e), &e);
    support_ok(model_make_trainable(f->m, NULL, &e), &e);
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
    device_close(f->d);
}

/* The model's vectors on the host, and back. */
static float *get(struct fixture *f, const float *from)
{
    struct err e = {0};
    size_t bytes = f->m->n_values * sizeof *from;
    float *values = malloc(bytes);
    assert_non_null(values);
    support_ok(f->d->b->ops->download(f->d->b, values, from, bytes, &e), &e);
    return values;
}

static void put(struct fixture *f, float *to, const float *values)
{
    struct err e = {0};
    size_t bytes = f->m->n_values * sizeof *to;
    support_ok(f->d->b->ops->upload(f->d->b, to, values, bytes, &e), &e);
}

static struct step_input input(struct fixture *f)
{
    return (struct step_input){{device_on(f->d, f->pixels[0], f->pixels_bytes[0]),
                                device_on(f->d, f->pixels[1], f->pixels_bytes[1])},
                               {f->rows[0], f->rows[1]}};
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
    struct step_input in = input(f);
    support_ok(step_new(&s, f->m, &f->o, &o, &e), &e);
    support_ok(step_set_weights(s, &e), &e);
    support_ok(step_run(s, &in, &total, &e), &e);
    step_free(s);
    device_off(f->d);
    return total;
}

static void grad_cache_equals_one_pass(void **state)
{
    enum { BATCH = 64, MICRO = 8 };
    struct fixture f;
    open_fixture(&f, state, BATCH);
    double whole = run(&f, BATCH, BATCH, true);
    float *want = get(&f, f.m->grads);
    double parts = run(&f, BATCH, MICRO, true);
    float *got = get(&f, f.m->grads);
    double apart = distance(got, want, f.m->n_values);
    if (!(apart <= TOLERANCE_OBJECTIVE) || !(fabs(whole - parts) <= TOLERANCE_OBJECTIVE))
        fail_msg("gradient differs by %.3g, loss by %.3g", apart, whole - parts);
    free(want);
    free(got);
    close_fixture(&f);
}

/* The loss along the gradient itself, where the slope is largest. */
static void gradient_equals_finite_differences(void **state)
{
    enum { BATCH = 6 };
    struct fixture f;
    open_fixture(&f, state, BATCH);
    run(&f, BATCH, BATCH, false);
    size_t n = f.m->n_values;
    double norm = 0.0, side[2];
    float *g = get(&f, f.m->grads), *w = get(&f, f.m->params), *moved = get(&f, f.m->params);
    for (size_t i = 0; i < n; i++)
        norm += (double)g[i] * (double)g[i];
    double step = 2e-5 / sqrt(norm);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < n; i++)
            moved[i] = w[i] + (float)((k ? -step : step) * (double)g[i]);
        put(&f, f.m->params, moved);
        side[k] = run(&f, BATCH, BATCH, false);
    }
    double measured = (side[0] - side[1]) / (2.0 * step);
    if (!(fabs(measured - norm) <= 10.0 * TOLERANCE_FINITE_DIFFERENCE * norm))
        fail_msg("%.6g by differences, %.6g by the gradient", measured, norm);
    free(g);
    free(w);
    free(moved);
    close_fixture(&f);
}

static void repeats_bit_for_bit(void **state)
{
    enum { BATCH = 4 };
    struct fixture f;
    open_fixture(&f, state, BATCH);
    run(&f, BATCH, 2, false);
    float *want = get(&f, f.m->grads);
    run(&f, BATCH, 2, false);
    float *got = get(&f, f.m->grads);
    assert_memory_equal(want, got, f.m->n_values * sizeof *want);
    free(want);
    free(got);
    close_fixture(&f);
}

static void names_what_is_not_finite(void **state)
{
    struct fixture f;
    struct err e = {0};
    struct step *s;
    double total;
    open_fixture(&f, state, 2);
    float *bad = get(&f, f.m->params);
    bad[f.m->backbone.at[5].w] = NAN;
    put(&f, f.m->params, bad);
    free(bad);
    struct step_options o = {.batch = 2,
                             .micro_batch = 2,
                             .length = {LENGTH_LONG, LENGTH_SHORT},
                             .size = SIZE,
                             .dtype = DTYPE_F32};
    struct step_input in = input(&f);
    support_ok(step_new(&s, f.m, &f.o, &o, &e), &e);
    support_ok(step_set_weights(s, &e), &e);
    support_failed(step_run(s, &in, &total, &e), &e, "not finite");
    assert_non_null(strstr(e.text, f.m->backbone.desc.unit[5].conv_name));
    step_free(s);
    o.micro_batch = 3;
    support_failed(step_new(&s, f.m, &f.o, &o, &e), &e, "does not divide");
    device_off(f.d);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(grad_cache_equals_one_pass),
        ON_EVERY_DEVICE(gradient_equals_finite_differences),
        ON_EVERY_DEVICE(repeats_bit_for_bit),
        ON_EVERY_DEVICE(names_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
