/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest neighbours against trying all of them, over several blocks, with ties. */
#include <math.h>

#include "common/base/rng.h"
#include "common/eval/probe_knn.h"
#include "tests/unit/support.h"

enum { TRAIN = 9000, TEST = 530, WIDTH = 16, CLASSES = 11 };

static struct {
    float train[TRAIN * WIDTH], test[TEST * WIDTH];
    int32_t label[TRAIN];
    uint32_t group[TEST];
    double scores[TEST * CLASSES];
} data;

/*
 * Vectors of +-1/4: unit length, and cosines are multiples of 1/8 without rounding, so that most
 * neighbours tie.
 */
static void fill(float *x, size_t n, uint64_t item)
{
    struct rng r;
    rng_init(&r, 21, 1, item);
    for (size_t i = 0; i < n * WIDTH; i++)
        x[i] = rng_below(&r, 2) ? 0.25f : -0.25f;
}

static int set_up(void **state)
{
    struct rng r;
    (void)state;
    fill(data.train, TRAIN, 1);
    fill(data.test, TEST, 2);
    rng_init(&r, 21, 2, 0);
    for (size_t i = 0; i < TRAIN; i++)
        data.label[i] = (int32_t)rng_below(&r, CLASSES);
    for (size_t i = 0; i < TEST; i++)
        data.group[i] = (uint32_t)i;
    return 0;
}

static void run(size_t k, double temperature, size_t n_train, size_t n_threads)
{
    struct err e = {0};
    struct backend *b;
    struct backend_options backend = {.device = "cpu", .n_threads = n_threads};
    struct knn_options options = {.k = k,
                                  .temperature = temperature,
                                  .width = WIDTH,
                                  .n_classes = CLASSES,
                                  .dtype = DTYPE_F32};
    support_ok(backend_open(&b, &backend, &e), &e);
    struct knn_search search = {.b = b,
                                .train = {.n = n_train, .x = data.train},
                                .test = {.n = TEST, .x = data.test},
                                .label = data.label,
                                .group = data.group};
    memset(data.scores, 0, sizeof data.scores);
    support_ok(knn_predict(&search, &options, data.scores, &e), &e);
    backend_close(b);
}

/* Votes of one test row: the k nearest, the earlier of equal ones, are found one after the other.
 */
static void brute_force(size_t row, size_t k, double temperature, size_t n_train, double *scores)
{
    static double cosine[TRAIN];
    double sum = 0;
    memset(scores, 0, CLASSES * sizeof *scores);
    for (size_t j = 0; j < n_train; j++) {
        cosine[j] = 0;
        for (size_t c = 0; c < WIDTH; c++)
            cosine[j] += (double)data.test[row * WIDTH + c] * data.train[j * WIDTH + c];
    }
    for (size_t i = 0; i < k && i < n_train; i++) {
        size_t best = 0;
        for (size_t j = 1; j < n_train; j++)
            best = cosine[j] > cosine[best] ? j : best;
        double weight = exp(cosine[best] / temperature);
        scores[data.label[best]] += weight;
        sum += weight;
        cosine[best] = -2;
    }
    for (size_t c = 0; c < CLASSES; c++)
        scores[c] /= sum;
}

static void check(size_t k, double temperature, size_t n_train)
{
    double want[CLASSES];
    run(k, temperature, n_train, 2);
    for (size_t i = 0; i < TEST; i += 23) {
        brute_force(i, k, temperature, n_train, want);
        for (size_t c = 0; c < CLASSES; c++)
            if (!(fabs(data.scores[i * CLASSES + c] - want[c]) < 1e-12))
                fail_msg("k %zu of %zu: class %zu of row %zu has %g instead of %g", k, n_train, c,
                         i, data.scores[i * CLASSES + c], want[c]);
    }
}

static void test_brute_force(void **state)
{
    (void)state;
    check(1, 0.07, TRAIN);
    check(20, 0.07, TRAIN);
    check(33, 1, TRAIN);
    check(20, 0.5, 4096);
    check(20, 0.5, 4097);
    check(50, 0.5, 7);
    check(7, 0.5, 7);
}

/* A very low temperature leaves the nearest alone, without overflow. */
static void test_cold(void **state)
{
    (void)state;
    run(20, 1e-6, TRAIN, 1);
    for (size_t i = 0; i < TEST * CLASSES; i++)
        assert_true(data.scores[i] >= 0 && data.scores[i] <= 1 + 1e-12);
}

static void test_threads(void **state)
{
    static double first[TEST * CLASSES];
    (void)state;
    run(20, 0.07, TRAIN, 1);
    memcpy(first, data.scores, sizeof first);
    run(20, 0.07, TRAIN, 3);
    assert_memory_equal(first, data.scores, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brute_force),
        cmocka_unit_test(test_cold),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
