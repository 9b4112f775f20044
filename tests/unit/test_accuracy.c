/* SPDX-License-Identifier: Apache-2.0 */
/* Top-k accuracy and its ties. */
#include "common/base/rng.h"
#include "common/eval/accuracy.h"
#include "tests/unit/support.h"

static void test_ties(void **state)
{
    static const double scores[5] = {0.1, 0.3, 0.3, 0.2, 0.1};
    static const size_t rank[5] = {3, 0, 1, 2, 4};
    uint32_t top[5];
    (void)state;
    assert_int_equal(scores_first_max(scores, 5), 1);
    for (size_t k = 0; k < 5; k++)
        assert_int_equal(scores_rank(scores, 5, k), rank[k]);
    for (size_t n = 1; n <= 5; n++) {
        scores_top(scores, 5, n, top);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(rank[top[i]], i);
    }
}

/* The three ways to ask agree, on scores with many ties. */
static void test_agreement(void **state)
{
    enum { CLASSES = 30 };
    double scores[CLASSES];
    uint32_t top[CLASSES];
    (void)state;
    for (uint64_t round = 0; round < 200; round++) {
        struct rng r;
        rng_init(&r, 3, 1, round);
        for (size_t k = 0; k < CLASSES; k++)
            scores[k] = (double)rng_below(&r, 8);
        scores_top(scores, CLASSES, CLASSES, top);
        assert_int_equal(top[0], scores_first_max(scores, CLASSES));
        for (size_t i = 0; i < CLASSES; i++)
            assert_int_equal(scores_rank(scores, CLASSES, top[i]), i);
    }
}

static void test_shares(void **state)
{
    static const double first[6] = {9, 8, 7, 6, 5, 4};
    struct err e = {0};
    struct accuracy a;
    (void)state;
    support_ok(accuracy_init(&a, 6, &e), &e);
    assert_true(accuracy_top1(&a) == 0 && accuracy_top5(&a) == 0 && accuracy_mean_class(&a) == 0);
    static const size_t labels[8] = {0, 0, 0, 1, 1, 4, 5, 5};
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(accuracy_add(&a, labels[i], first), 0);
    assert_true(accuracy_top1(&a) == 3.0 / 8);
    assert_true(accuracy_top5(&a) == 6.0 / 8);
    /* four classes occur; only class 0 is ever right, and always */
    assert_true(accuracy_mean_class(&a) == 1.0 / 4);
    assert_int_equal(a.classes[0].correct, 3);
    assert_int_equal(a.classes[5].n, 2);
    assert_int_equal(a.classes[2].n, 0);
    accuracy_release(&a);
}

/* Fewer classes than five: the label is always among the best five. */
static void test_few_classes(void **state)
{
    static const double scores[2] = {1, 0};
    struct err e = {0};
    struct accuracy a;
    (void)state;
    support_ok(accuracy_init(&a, 2, &e), &e);
    accuracy_add(&a, 1, scores);
    assert_true(accuracy_top1(&a) == 0 && accuracy_top5(&a) == 1);
    accuracy_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_few_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
