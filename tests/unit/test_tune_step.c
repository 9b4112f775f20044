/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of training with labels: micro-batches equal the batch, gradients equal finite differences,
 * dropout follows from the step and the example. */
#include <math.h>

#include "common/base/rng.h"
#include "common/nn/tune_step.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/distance.h"
#include "tests/unit/model_support.h"

enum { SIZE = 16, LENGTH = 8, BATCH = 6, CLASSES = 3, CLIP = LENGTH * SIZE * SIZE * 3 };

struct fixture {
    struct backend *b;
    struct model *m;
    struct sample rows[BATCH];
    float *pixels;
};

static void open_fixture(struct fixture *f, enum model_task task, size_t n_threads)
{
    struct err e = {0};
    struct model_desc d = {
        .backbone = "r3d-tiny", .task = task, .n_classes = task == MODEL_BOUNDARY ? 2 : CLASSES};
    f->b = support_backend(n_threads);
    support_ok(model_new(&f->m, f->b, &d, &e), &e);
    support_ok(model_init_weights(f->m, 1, &e), &e);
    support_ok(model_make_trainable(f->m, NULL, &e), &e);
    f->pixels = aligned_alloc(64, BATCH * CLIP * sizeof(float));
    for (size_t i = 0; i < BATCH; i++) {
        struct rng r;
        f->rows[i] = (struct sample){.target = (int32_t)(i % d.n_classes),
                                     .weight = 0.5f + (float)i / BATCH};
        rng_init(&r, 4, 0, i);
        for (size_t p = 0; p < CLIP; p++)
            f->pixels[i * CLIP + p] = (float)rng_f64(&r);
    }
}

static void close_fixture(struct fixture *f)
{
    free(f->pixels);
    model_free(f->m);
    backend_close(f->b);
}

static const struct tune_options whole = {.batch = BATCH,
                                          .micro_batch = BATCH,
                                          .length = LENGTH,
                                          .size = SIZE,
                                          .dtype = DTYPE_F32,
                                          .dropout = 0.5,
                                          .seed = 3};

/* Gradients are left in the model. */
static struct tune_result run(struct fixture *f, const struct tune_options *o, uint64_t number)
{
    struct err e = {0};
    struct tune_step *s;
    struct tune_result out;
    struct tune_input in = {.pixels = f->pixels, .rows = f->rows, .number = number};
    support_ok(tune_step_new(&s, f->m, o, &e), &e);
    support_ok(tune_step_set_weights(s, &e), &e);
    support_ok(tune_step_run(s, &in, &out, &e), &e);
    tune_step_free(s);
    return out;
}

static float *copy_grads(const struct fixture *f)
{
    float *g = malloc(f->m->n_values * sizeof *g);
    memcpy(g, f->m->grads, f->m->n_values * sizeof *g);
    return g;
}

/* Statistics are constants, so that a micro-batch knows nothing of the others. */
static void micro_batches_equal_the_batch(void **state)
{
    (void)state;
    for (enum model_task task = MODEL_CLASSIFY; task <= MODEL_BOUNDARY; task++) {
        struct fixture f;
        struct tune_options o = whole;
        open_fixture(&f, task, 2);
        o.frozen_norm = true;
        struct tune_result want = run(&f, &o, 7);
        float *g = copy_grads(&f);
        for (o.micro_batch = 1; o.micro_batch < BATCH; o.micro_batch++) {
            if (BATCH % o.micro_batch)
                continue;
            struct tune_result got = run(&f, &o, 7);
            if (!(distance(f.m->grads, g, f.m->n_values) <= TOLERANCE_OBJECTIVE))
                fail_msg("micro-batch %zu: gradient differs by %.3g", o.micro_batch,
                         distance(f.m->grads, g, f.m->n_values));
            assert_true(fabs(got.loss - want.loss) <= TOLERANCE_OBJECTIVE);
            assert_true(fabs(got.accuracy - want.accuracy) < 1e-12);
        }
        free(g);
        close_fixture(&f);
    }
}

/* The loss along the gradient itself, where the slope is largest. */
static void gradient_equals_finite_differences(void **state)
{
    (void)state;
    for (enum model_task task = MODEL_CLASSIFY; task <= MODEL_BOUNDARY; task++) {
        struct fixture f;
        open_fixture(&f, task, 2);
        run(&f, &whole, 0);
        size_t n = f.m->n_values;
        double norm = 0.0, side[2];
        float *g = copy_grads(&f), *w = malloc(n * sizeof *w);
        memcpy(w, f.m->params, n * sizeof *w);
        for (size_t i = 0; i < n; i++)
            norm += (double)g[i] * (double)g[i];
        double step = 2e-4 / sqrt(norm);
        for (int k = 0; k < 2; k++) {
            for (size_t i = 0; i < n; i++)
                f.m->params[i] = w[i] + (float)((k ? -step : step) * (double)g[i]);
            side[k] = run(&f, &whole, 0).loss;
        }
        double measured = (side[0] - side[1]) / (2.0 * step);
        if (!(fabs(measured - norm) <= 10.0 * TOLERANCE_FINITE_DIFFERENCE * norm))
            fail_msg("%.6g by differences, %.6g by the gradient", measured, norm);
        free(g);
        free(w);
        close_fixture(&f);
    }
}

static void dropout_follows_from_step_and_example(void **state)
{
    (void)state;
    struct fixture f;
    struct tune_options o = whole;
    open_fixture(&f, MODEL_CLASSIFY, 1);
    o.frozen_norm = true;
    struct tune_result first = run(&f, &o, 5);
    float *g = copy_grads(&f);
    struct tune_result again = run(&f, &o, 5);
    assert_memory_equal(g, f.m->grads, f.m->n_values * sizeof *g);
    assert_true(again.loss == first.loss);
    assert_true(run(&f, &o, 6).loss != first.loss);
    o.seed++;
    assert_true(run(&f, &o, 5).loss != first.loss);
    o.dropout = 0.0;
    assert_true(run(&f, &o, 5).loss == run(&f, &o, 6).loss);
    free(g);
    close_fixture(&f);
}

static void refuses(void **state)
{
    (void)state;
    struct err e = {0};
    struct fixture f;
    struct tune_step *s;
    struct tune_result out;
    struct tune_options o = whole;
    open_fixture(&f, MODEL_CLASSIFY, 1);
    struct tune_input in = {.pixels = f.pixels, .rows = f.rows};
    o.micro_batch = 4;
    support_failed(tune_step_new(&s, f.m, &o, &e), &e, "micro-batch 4 does not divide batch 6");
    support_ok(tune_step_new(&s, f.m, &whole, &e), &e);
    support_ok(tune_step_set_weights(s, &e), &e);
    f.rows[4].target = CLASSES;
    support_failed(tune_step_run(s, &in, &out, &e), &e, "a target is not one of the 3 classes");
    f.rows[4].target = 0;
    f.m->params[f.m->backbone.at[5].w] = NAN;
    support_ok(tune_step_set_weights(s, &e), &e);
    support_failed(tune_step_run(s, &in, &out, &e), &e, "the loss is not finite, nor is the param");
    assert_non_null(strstr(e.text, f.m->backbone.desc.unit[5].conv_name));
    tune_step_free(s);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(micro_batches_equal_the_batch),
        cmocka_unit_test(gradient_equals_finite_differences),
        cmocka_unit_test(dropout_follows_from_step_and_example),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
