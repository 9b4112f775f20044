/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_linear.h"
#include "common/eval/probe_views.h"
#include "tests/unit/statistics.h"

enum { N = 12, N_GROUPS = 5, N_EPOCHS = 6000 };

/* Groups of 4, 1, 3, 0 and 4 examples, not one behind the other. */
static const uint32_t group[N] = {0, 2, 0, 1, 4, 4, 0, 2, 4, 0, 2, 4};
static const size_t size[N_GROUPS] = {4, 1, 3, 0, 4};

static struct views views_of(uint64_t n_each)
{
    struct err e = {0};
    struct views v;
    support_ok(views_init(&v, group, N, n_each, &e), &e);
    return v;
}

static void test_all(void **state)
{
    (void)state;
    struct err e = {0};
    struct views v;
    support_ok(views_init(&v, NULL, N, 0, &e), &e);
    assert_int_equal(v.n_drawn, N);
    uint32_t order[N], seen = 0;
    views_draw(&v, 7, 0, order);
    for (size_t i = 0; i < N; i++)
        seen |= 1u << order[i];
    assert_int_equal(seen, (1u << N) - 1);
    views_release(&v);
}

/* Of each group so many, or all it has, none twice. */
static void test_each_group(void **state)
{
    (void)state;
    for (uint64_t n_each = 1; n_each < 6; n_each++) {
        struct views v = views_of(n_each);
        size_t wanted = 0;
        for (size_t g = 0; g < N_GROUPS; g++)
            wanted += size[g] < n_each ? size[g] : n_each;
        assert_int_equal(v.n_drawn, wanted);
        for (uint64_t epoch = 0; epoch < 100; epoch++) {
            uint32_t order[N], seen = 0;
            size_t count[N_GROUPS] = {0};
            views_draw(&v, 7, epoch, order);
            for (size_t i = 0; i < v.n_drawn; i++) {
                assert_true(order[i] < N && !(seen & 1u << order[i]));
                seen |= 1u << order[i];
                count[group[order[i]]]++;
            }
            for (size_t g = 0; g < N_GROUPS; g++)
                assert_int_equal(count[g], size[g] < n_each ? size[g] : n_each);
        }
        views_release(&v);
    }
}

/* Every view of a group as often as any other, and every place as often its group's. */
static void test_draws_are_uniform(void **state)
{
    (void)state;
    struct views v = views_of(1);
    size_t drawn[N] = {0}, first[4] = {0}, view[4], n = 0;
    assert_int_equal(v.n_drawn, 4);
    for (uint64_t epoch = 0; epoch < N_EPOCHS; epoch++) {
        static const size_t place[N_GROUPS] = {0, 1, 2, 0, 3};
        uint32_t order[N];
        views_draw(&v, 3, epoch, order);
        for (size_t i = 0; i < 4; i++)
            drawn[order[i]]++;
        first[place[group[order[0]]]]++;
    }
    for (size_t i = 0; i < N; i++)
        if (group[i] == 4)
            view[n++] = drawn[i];
    assert_int_equal(drawn[3], N_EPOCHS);
    statistics_chi_square_even(view, 4);
    statistics_chi_square_even(first, 4);
    views_release(&v);
}

/* An epoch's draw follows from seed and epoch, not from what was drawn before. */
static void test_seed_and_epoch(void **state)
{
    (void)state;
    struct views v = views_of(1);
    uint32_t a[N], b[N], other[N];
    size_t n_equal[2] = {0};
    for (uint64_t epoch = 0; epoch < 100; epoch++) {
        views_draw(&v, 1, epoch, a);
        views_draw(&v, 1, epoch + 1, other);
        n_equal[0] += memcmp(a, other, v.n_drawn * sizeof *a) == 0;
        views_draw(&v, 2, epoch, other);
        n_equal[1] += memcmp(a, other, v.n_drawn * sizeof *a) == 0;
        views_draw(&v, 1, epoch, b);
        assert_memory_equal(a, b, v.n_drawn * sizeof *a);
    }
    assert_true(n_equal[0] < 5 && n_equal[1] < 5); /* of 4 * 3 * 4 views in 24 orders */
    views_release(&v);
}

/* -- what the training makes of them -- */

enum { CLASSES = 3, VIEWS = 4, SINGLES = CLASSES * VIEWS, WIDTH = 16 };

/* Views that have nothing in common, each a channel of its own: none tells of another one. */
static float *one_hot(struct backend *b)
{
    struct err e = {0};
    float host[SINGLES][WIDTH] = {{0}}, *x;
    for (size_t i = 0; i < SINGLES; i++)
        host[i][i] = 1;
    support_ok(backend_alloc(b, &x, sizeof host, &e), &e);
    support_ok(b->ops->upload(b, x, host, sizeof host, &e), &e);
    return x;
}

/* A classifier that was trained on one view of each class an epoch, and still knows all. */
static void test_training_draws_anew(void **state)
{
    (void)state;
    struct err e = {0};
    struct backend *b;
    struct linear *m;
    struct linear_fit fit;
    int32_t label[SINGLES];
    uint32_t video[SINGLES], single[SINGLES];
    double scores[SINGLES][CLASSES] = {{0}};
    struct linear_shape shape = {.n_channels = SINGLES, .width = WIDTH, .n_classes = CLASSES};
    struct sgd_options sgd = {.epochs = 100, .batch = CLASSES, .lr = 1, .views_per_epoch = 1};
    for (uint32_t i = 0; i < SINGLES; i++) {
        single[i] = i;
        video[i] = i / VIEWS;
        label[i] = (int32_t)video[i];
    }
    support_ok(backend_open(&b, &(struct backend_options){.device = "cpu", .n_threads = 1}, &e),
               &e);
    float *x = one_hot(b);
    struct linear_examples examples = {.n = SINGLES, .x = x, .label = label, .group = video};
    support_ok(linear_new(&m, &shape, b, &e), &e);
    support_ok(linear_fit_sgd(m, &examples, &sgd, &fit, &e), &e);
    support_ok(linear_predict(m, &examples, single, scores[0], &e), &e);
    for (size_t i = 0; i < SINGLES; i++)
        for (size_t k = 0; k < CLASSES; k++)
            assert_true(k == (size_t)label[i] || scores[i][k] < scores[i][label[i]]);
    linear_free(m);
    b->ops->release(b, x);
    backend_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_each_group),
        cmocka_unit_test(test_draws_are_uniform),
        cmocka_unit_test(test_seed_and_epoch),
        cmocka_unit_test(test_training_draws_anew),
    };
    return cmocka_run_group_tests_name("probe_views", tests, NULL, NULL);
}
