/* SPDX-License-Identifier: Apache-2.0 */
/* Classifiers behind features against PyTorch's autograd in float64 (tests/oracle/classifier.py).
 */
#include <math.h>

#include "common/nn/classifier.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/model_support.h"
#include "tests/unit/oracle_file.h"

enum { N = 3, STEPS = 4, CHANNELS = 512 };
static const struct classifier_dropout dropout = {.rate = 0.5, .seed = 9, .first_item = 6};

struct fixture {
    struct backend *b;
    struct model *m;
    struct classifier *c;
    float features[N * STEPS * CHANNELS], d_features[N * STEPS * CHANNELS];
    float weight[N];
    int32_t target[N];
};

static void uniform(float *to, size_t n, uint32_t stream)
{
    struct rng r;
    rng_init(&r, 1, stream, 0);
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(rng_f64(&r) - 0.5);
}

static struct fixture *open_fixture(enum model_task task, size_t n_classes, size_t n_threads)
{
    struct err e = {0};
    struct fixture *f = calloc(1, sizeof *f);
    struct model_desc d = {.backbone = "r3d-tiny", .task = task, .n_classes = n_classes};
    struct classifier_options o = {.n = N, .steps = STEPS, .keep = true};
    f->b = support_backend(n_threads);
    support_ok(model_new(&f->m, f->b, &d, &e), &e);
    support_ok(model_make_trainable(f->m, NULL, &e), &e);
    const struct unit_offsets *at = &f->m->classifier.at[0];
    uniform(f->features, N * STEPS * CHANNELS, 1);
    uniform(f->m->params + at->w, n_classes * model_n_parts(task) * CHANNELS, 2);
    uniform(f->m->params + at->bias, n_classes, 3);
    uniform(f->weight, N, 4);
    for (size_t i = 0; i < N; i++) {
        f->weight[i] += 1.0f;
        f->target[i] = (int32_t)(2 * i % n_classes);
    }
    support_ok(classifier_new(&f->c, f->m, &o, &e), &e);
    support_ok(classifier_set_weights(f->c, &e), &e);
    return f;
}

static void close_fixture(struct fixture *f)
{
    classifier_free(f->c);
    model_free(f->m);
    backend_close(f->b);
    free(f);
}

/* Relative to the norm of the right answer. */
static void compare(const char *what, const float *got, const double *want, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - want[i];
        difference += d * d;
        norm += want[i] * want[i];
    }
    if (!(norm > 0.0 && sqrt(difference / norm) <= TOLERANCE_OBJECTIVE))
        fail_msg("%s: error %.3g", what, sqrt(difference / norm));
}

static void compare_features(const struct fixture *f, size_t parts, const double *want)
{
    size_t steps = STEPS / parts;
    for (size_t part = 0; part < N * parts; part++)
        for (size_t t = 0; t < steps; t++)
            compare("gradient of the features", f->d_features + (part * steps + t) * CHANNELS,
                    want + part * CHANNELS, CHANNELS);
}

static void check(enum model_task task, const char *oracle, size_t n_classes)
{
    struct err e = {0};
    struct buf file = {0};
    struct npy a = oracle_load(&file, oracle, "<f8");
    const double *want = a.data;
    size_t parts = model_n_parts(task), n_weights = n_classes * parts * CHANNELS;
    assert_int_equal(a.dim[0], 2 + N * n_classes + n_weights + n_classes + N * parts * CHANNELS);
    struct fixture *f = open_fixture(task, n_classes, 2);
    support_ok(classifier_forward(f->c, f->features, &dropout, &e), &e);
    float *logits = classifier_logits(f->c);
    compare("scores", logits, want + 2, N * n_classes);
    double sums[XENT_SUMS];
    struct softmax_xent_args x = {.rows = N,
                                  .classes = n_classes,
                                  .logits = logits,
                                  .target = f->target,
                                  .weight = f->weight,
                                  .scale = 1.0f / N,
                                  .d_logits = logits,
                                  .sums = sums};
    assert_int_equal(f->b->ops->softmax_xent(f->b, &x), 0);
    assert_true(fabs(sums[XENT_LOSS] / N - want[0]) <= TOLERANCE_OBJECTIVE);
    assert_true(sums[XENT_CORRECT] == want[1]);
    support_ok(classifier_backward(f->c, logits, f->d_features, &e), &e);
    const struct unit_offsets *at = &f->m->classifier.at[0];
    const double *rest = want + 2 + N * n_classes;
    compare("gradient of the weight", f->m->grads + at->w, rest, n_weights);
    compare("gradient of the bias", f->m->grads + at->bias, rest + n_weights, n_classes);
    compare_features(f, parts, rest + n_weights + n_classes);
    close_fixture(f);
    buf_release(&file);
}

static void classify(void **state)
{
    (void)state;
    check(MODEL_CLASSIFY, "classifier_classify", 5);
}

static void boundary(void **state)
{
    (void)state;
    check(MODEL_BOUNDARY, "classifier_boundary", 2);
}

/* Without dropout the scores are those of the mean. */
static void inference(void **state)
{
    (void)state;
    enum { CLASSES = 7 };
    struct err e = {0};
    struct fixture *f = open_fixture(MODEL_CLASSIFY, CLASSES, 1);
    const struct unit_offsets *at = &f->m->classifier.at[0];
    double want[N * CLASSES];
    for (size_t i = 0; i < N * CLASSES; i++) {
        const float *w = f->m->params + at->w + i % CLASSES * CHANNELS;
        want[i] = (double)f->m->params[at->bias + i % CLASSES];
        for (size_t k = 0; k < STEPS * CHANNELS; k++)
            want[i] += (double)f->features[i / CLASSES * STEPS * CHANNELS + k] / STEPS *
                       (double)w[k % CHANNELS];
    }
    support_ok(classifier_forward(f->c, f->features, NULL, &e), &e);
    compare("scores", classifier_logits(f->c), want, N * CLASSES);
    close_fixture(f);
}

static void parts_that_do_not_divide(void **state)
{
    (void)state;
    struct err e = {0};
    struct fixture *f = open_fixture(MODEL_BOUNDARY, 2, 1);
    struct classifier *c;
    struct classifier_options o = {.n = N, .steps = 5};
    support_failed(classifier_new(&c, f->m, &o, &e), &e,
                   "the 5 feature steps of a clip cannot be cut into 2 equal parts");
    close_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classify),
        cmocka_unit_test(boundary),
        cmocka_unit_test(inference),
        cmocka_unit_test(parts_that_do_not_divide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
