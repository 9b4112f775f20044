/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/strategy.h"
#include "tests/unit/statistics.h"

static const struct clip_shape long_short[2] = {{32, 4}, {16, 2}}; /* spans 124 and 30 */
static const struct clip_shape short_short[2] = {{16, 2}, {16, 2}};

static void draw(enum strategy s, const struct clip_shape shape[2], int64_t n_frames, uint64_t item,
                 int64_t start[2])
{
    struct rng r;
    rng_init(&r, 11, 1, item);
    strategy_pair(s, shape, n_frames, &r, start);
}

static void test_shape_parse(void **state)
{
    (void)state;
    struct clip_shape c = {0};
    struct err e = {0};
    support_ok(clip_shape_parse("32x4", &c, &e), &e);
    assert_int_equal(c.length, 32);
    assert_int_equal(c.stride, 4);
    support_ok(clip_shape_parse("1x1", &c, &e), &e);
    support_ok(clip_shape_parse("4096x4096", &c, &e), &e);
    static const char *const bad[] = {
        "",       "32",   "x",     "32x",  "x4", "32x4x2", "0x4",  "32x0", "4097x1",     "1x4097",
        "32 x 4", "-1x2", "3.5x2", "32X4", "a",  "32,4",   "1x1 ", "+1x1", "000000032x4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(clip_shape_parse(bad[i], &c, &e) < 0);
    support_failed(clip_shape_parse("32", &c, &e), &e, "LENGTHxSTRIDE");
    assert_int_equal(c.length, 4096);
}

/* The short clip's first and last frame lie within the long one's, for every length of video. */
static void test_contained_always(void **state)
{
    (void)state;
    static const struct clip_shape tight[2] = {{16, 2}, {31, 1}}; /* equal spans: no room at all */
    const struct clip_shape *const shapes[] = {long_short, short_short, tight};
    for (int64_t n = 1; n < 400; n++) {
        for (uint64_t item = 0; item < 300; item++) {
            const struct clip_shape *shape = shapes[item % 3];
            int64_t start[2];
            draw(STRATEGY_CONTAINED, shape, n, item, start);
            int64_t span = clip_span(shape[0]);
            assert_true(start[0] >= 0 && start[0] < (n > span ? n - span : n));
            assert_true(start[1] >= start[0]);
            assert_true(start[1] + clip_span(shape[1]) <= start[0] + span);
        }
    }
}

static void test_contained_is_uniform(void **state)
{
    (void)state;
    enum { N_FRAMES = 300, N = 200000 };
    size_t first[N_FRAMES - 124] = {0}, inside[124 - 30 + 1] = {0};
    for (uint64_t item = 0; item < N; item++) {
        int64_t start[2];
        draw(STRATEGY_CONTAINED, long_short, N_FRAMES, item, start);
        first[start[0]]++;
        inside[start[1] - start[0]]++;
    }
    statistics_chi_square_even(first, sizeof first / sizeof *first);
    statistics_chi_square_even(inside, sizeof inside / sizeof *inside);
}

static void test_random_is_independent(void **state)
{
    (void)state;
    enum { N_FRAMES = 144, N = 200000 }; /* 20 starts of the long clip, 114 of the short one */
    static size_t both[20 * 114];
    for (uint64_t item = 0; item < N; item++) {
        int64_t start[2];
        draw(STRATEGY_RANDOM, long_short, N_FRAMES, item, start);
        assert_in_range(start[0], 0, 19);
        assert_in_range(start[1], 0, 113);
        both[start[0] * 114 + start[1]]++;
    }
    statistics_chi_square_even(both, sizeof both / sizeof *both);
}

/* The same seed gives the same long clips, so that strategies compare on them. */
static void test_random_and_contained_share_the_long_clip(void **state)
{
    (void)state;
    for (uint64_t item = 0; item < 1000; item++) {
        int64_t a[2], b[2];
        draw(STRATEGY_RANDOM, long_short, 300, item, a);
        draw(STRATEGY_CONTAINED, long_short, 300, item, b);
        assert_int_equal(a[0], b[0]);
    }
}

/* P(distance = d) = F(d + 1) - F(d), F(d) = 1 - (1 - d/m)^2; the earlier start even over m - d. */
static void test_cvrl_density(void **state)
{
    (void)state;
    enum { N_FRAMES = 130, M = N_FRAMES - 30, N = 400000, AT = 10 };
    size_t distance[M] = {0}, earlier[M - AT] = {0}, swapped = 0, apart = 0;
    double expected[M], mean = 0;
    for (uint64_t item = 0; item < N; item++) {
        int64_t start[2];
        draw(STRATEGY_CVRL, short_short, N_FRAMES, item, start);
        int64_t low = start[0] < start[1] ? start[0] : start[1], d = llabs(start[0] - start[1]);
        assert_true(low >= 0 && low + d < M);
        distance[d]++;
        mean += (double)d / N;
        if (d == AT)
            earlier[low]++;
        apart += d > 0;
        swapped += start[1] < start[0];
    }
    for (int d = 0; d < M; d++) {
        double a = 1 - d / (double)M, b = 1 - (d + 1) / (double)M;
        expected[d] = N * (a * a - b * b);
    }
    statistics_chi_square(distance, expected, M - 2); /* the last two are too rare to count */
    statistics_chi_square_even(earlier, sizeof earlier / sizeof *earlier);
    statistics_share(swapped, apart, 0.5);
    assert_true(fabs(mean - (M / 3.0 - 0.5)) < 0.2); /* a third of the range, less half a frame */
}

static void test_cvrl_short_videos(void **state)
{
    (void)state;
    enum { N_FRAMES = 12, N = 100000 };
    size_t both[N_FRAMES * N_FRAMES] = {0};
    for (uint64_t item = 0; item < N; item++) {
        int64_t start[2];
        draw(STRATEGY_CVRL, short_short, N_FRAMES, item, start);
        assert_in_range(start[0], 0, N_FRAMES - 1);
        assert_in_range(start[1], 0, N_FRAMES - 1);
        both[start[0] * N_FRAMES + start[1]]++;
    }
    statistics_chi_square_even(both, sizeof both / sizeof *both);
}

static void test_single_start(void **state)
{
    (void)state;
    const struct clip_shape shape = {8, 3}; /* span 21 */
    for (int64_t n = 1; n < 60; n++) {
        size_t count[60] = {0};
        int64_t n_starts = n > 21 ? n - 21 : n;
        for (uint64_t item = 0; item < 3000; item++) {
            struct rng r;
            rng_init(&r, 3, (uint32_t)n, item);
            int64_t start = strategy_start(shape, n, &r);
            assert_in_range(start, 0, n_starts - 1);
            count[start]++;
        }
        if (n_starts > 1)
            statistics_chi_square_even(count, (size_t)n_starts);
    }
}

static void check_plan(const struct clip_plan *p, int64_t n_frames, const int64_t *start, size_t n)
{
    assert_int_equal(clip_plan_count(p, n_frames, 0), n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(clip_plan_start(p, n_frames, i, 0), start[i]);
}

static void test_uniform(void **state)
{
    (void)state;
    struct clip_plan p = {.strategy = STRATEGY_UNIFORM, .shape = {32, 2}, .n_clips = 5};
    check_plan(&p, 300, (const int64_t[]){0, 59, 118, 177, 237},
               5); /* the last ends on frame 299 */
    check_plan(&p, 64, (const int64_t[]){0, 0, 0, 0, 1}, 5);
    check_plan(&p, 63, (const int64_t[]){0, 0, 0, 0, 0}, 5); /* fits once */
    check_plan(&p, 10, (const int64_t[]){0, 0, 0, 0, 0}, 5); /* wraps */
    p.n_clips = 1;
    check_plan(&p, 300, (const int64_t[]){118}, 1);
    p.n_clips = 2;
    check_plan(&p, 300, (const int64_t[]){0, 237}, 2);
}

static void test_dense(void **state)
{
    (void)state;
    struct clip_plan p = {.strategy = STRATEGY_DENSE, .shape = {16, 2}};
    check_plan(&p, 96, (const int64_t[]){0, 32, 64}, 3);
    check_plan(&p, 97, (const int64_t[]){0, 32, 64, 65}, 4);
    check_plan(&p, 33, (const int64_t[]){0, 1}, 2);
    check_plan(&p, 32, (const int64_t[]){0}, 1);
    check_plan(&p, 5, (const int64_t[]){0}, 1);
    for (int64_t n = 32; n < 200; n++) { /* every frame is within stride of a clip's frame */
        int64_t covered = 0;
        for (size_t i = 0; i < clip_plan_count(&p, n, 0); i++) {
            int64_t start = clip_plan_start(&p, n, i, 0);
            assert_true(start <= covered && start >= 0);
            covered = start + 32;
        }
        assert_int_equal(covered, n);
    }
}

/* Of the 16x2 clip in a window of 32 frames, the 16th frame is the centre. */
static void test_window(void **state)
{
    (void)state;
    struct clip_plan p = {.strategy = STRATEGY_WINDOW, .shape = {16, 2}, .step = 3};
    check_plan(&p, 10, (const int64_t[]){-15, -12, -9, -6}, 4);
    check_plan(&p, 9, (const int64_t[]){-15, -12, -9}, 3);
    check_plan(&p, 1, (const int64_t[]){-15}, 1);
    for (size_t i = 0; i < clip_plan_count(&p, 250, 0); i++)
        assert_true(clip_centre(p.shape, clip_plan_start(&p, 250, i, 0)) == 3 * (double)i);
    assert_int_equal(strategy_edge(STRATEGY_WINDOW), SAMPLE_CLAMP);
}

/* 10 s at 25 frames a second: 73 windows of 1.28 s, the first of which begins with the video. */
static void test_window_inside(void **state)
{
    (void)state;
    struct clip_plan p = {.strategy = STRATEGY_WINDOW, .shape = {16, 2}, .step = 3, .inside = true};
    assert_int_equal(clip_plan_first(&p), 5);
    assert_int_equal(clip_plan_count(&p, 250, 0), 73);
    assert_int_equal(clip_plan_start(&p, 250, 5, 0), 0);
    assert_int_equal(clip_plan_start(&p, 250, 5 + 72, 0), 216);
    assert_int_equal(clip_plan_count(&p, 31, 0), 0);
    assert_int_equal(clip_plan_count(&p, 32, 0), 1);
    assert_int_equal(clip_plan_count(&p, 35, 0), 2);
    for (p.step = 1; p.step < 40; p.step++) {
        for (int64_t n = 1; n < 120; n++) {
            size_t first = clip_plan_first(&p), count = clip_plan_count(&p, n, 0), wanted = 0;
            for (size_t i = 0; i < 120; i++) {
                int64_t start = clip_plan_start(&p, n, i, 0);
                bool inside = start >= 0 && start + 32 <= n;
                assert_int_equal(inside, i >= first && i < first + count);
                wanted += inside;
            }
            assert_int_equal(count, wanted);
        }
    }
    p = (struct clip_plan){STRATEGY_WINDOW, {1, 4}, .step = 3, .inside = true};
    assert_int_equal(clip_plan_count(&p, 2, 0), 0);
}

static void test_centre(void **state)
{
    (void)state;
    assert_true(clip_centre((struct clip_shape){16, 2}, -15) == 0);
    assert_true(clip_centre((struct clip_shape){2, 1}, 10) == 10.5);
    assert_true(clip_centre((struct clip_shape){1, 9}, 10) == 10);
}

static void test_events(void **state)
{
    (void)state;
    struct clip_plan p = {.strategy = STRATEGY_EVENTS, .shape = {32, 2}};
    assert_int_equal(clip_plan_count(&p, 300, 5), 5);
    assert_int_equal(clip_plan_count(&p, 300, 0), 0);
    assert_int_equal(clip_plan_start(&p, 300, 0, 30), -1);
    assert_int_equal(clip_plan_start(&p, 300, 1, 90), 59);
    assert_int_equal(clip_plan_start(&p, 300, 2, -7), -31);
    assert_int_equal(clip_plan_start(&p, 300, 3, 5000), 299 - 31);
    assert_int_equal(strategy_edge(STRATEGY_EVENTS), SAMPLE_CLAMP);
    assert_int_equal(strategy_edge(STRATEGY_CONTAINED), SAMPLE_WRAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_parse),
        cmocka_unit_test(test_contained_always),
        cmocka_unit_test(test_contained_is_uniform),
        cmocka_unit_test(test_random_is_independent),
        cmocka_unit_test(test_random_and_contained_share_the_long_clip),
        cmocka_unit_test(test_cvrl_density),
        cmocka_unit_test(test_cvrl_short_videos),
        cmocka_unit_test(test_single_start),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_window_inside),
        cmocka_unit_test(test_centre),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests_name("strategy", tests, NULL, NULL);
}
