/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/rng.h"
#include "common/video/clock.h"
#include "tests/unit/support.h"

enum { MAX_SHOWN = 4096 };

/* Which frame every tick shows. */
struct shown {
    int n;
    int frame[MAX_SHOWN];
    int64_t n_breaks;
};

static void show(struct shown *s, int64_t n, int frame)
{
    assert_true(n >= 0 && s->n + n <= MAX_SHOWN);
    while (n-- > 0)
        s->frame[s->n++] = frame;
}

static struct shown run(const struct clock_rates *rates, const int64_t *times, int n,
                        int64_t last_duration)
{
    struct shown s = {0};
    struct clock c;
    clock_init(&c, rates);
    for (int i = 0; i < n; i++)
        show(&s, clock_add(&c, times[i]), i - 1);
    show(&s, clock_end(&c, last_duration), n - 1);
    assert_int_equal(s.n, c.n_ticks);
    s.n_breaks = c.n_breaks;
    return s;
}

static void expect(const struct shown *s, const int *frames, int n)
{
    assert_int_equal(s->n, n);
    for (int i = 0; i < n; i++)
        if (s->frame[i] != frames[i])
            fail_msg("tick %d shows frame %d, not %d", i, s->frame[i], frames[i]);
}

#define EXPECT(s, ...)                                                                             \
    expect(&(s), (const int[]){__VA_ARGS__},                                                       \
           (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))

/* 1/1000 s units, 10 frames a second in and out. */
static const struct clock_rates tenths = {1, 1000, 10, 1, 10, 1};

static void test_constant_rate(void **state)
{
    (void)state;
    struct shown s = run(&tenths, (const int64_t[]){0, 100, 200, 300}, 4, 0);
    EXPECT(s, 0, 1, 2, 3);
}

static void test_start_is_first_frame(void **state)
{
    (void)state;
    struct shown s = run(&tenths, (const int64_t[]){8300, 8400, 8500}, 3, 0);
    EXPECT(s, 0, 1, 2);
    s = run(&tenths, (const int64_t[]){-8300, -8200, -8100}, 3, 0);
    EXPECT(s, 0, 1, 2);
    assert_int_equal(s.n_breaks, 0);
}

/* Milliseconds cannot hold 1/29.97 s; every frame must come out once all the same, for hours. */
static void test_rounded_timestamps(void **state)
{
    (void)state;
    const struct clock_rates rates = {1, 1000, 30000, 1001, 30000, 1001};
    struct clock c;
    clock_init(&c, &rates);
    for (int64_t i = 0; i < 400000; i++)
        assert_int_equal(clock_add(&c, (i * 1001000 + 15000) / 30000), i > 0);
    assert_int_equal(clock_end(&c, 0), 1);
}

static void test_jitter_below_half_a_frame(void **state)
{
    (void)state;
    struct shown s = run(&tenths, (const int64_t[]){0, 149, 151, 349, 351}, 5, 0);
    EXPECT(s, 0, 1, 2, 3, 4);
}

static void test_variable_rate(void **state)
{
    (void)state;
    /* Shown: 0 for 0..260 ms, 1 for 260..300, 2 for 300..800, 3 for 800..900. Ticks look at 50,
     * 150, ... */
    struct shown s = run(&tenths, (const int64_t[]){0, 260, 300, 800}, 4, 0);
    EXPECT(s, 0, 0, 0, 2, 2, 2, 2, 2, 3);
}

static void test_gap_repeats(void **state)
{
    (void)state;
    struct shown s = run(&tenths, (const int64_t[]){0, 100, 600, 700}, 4, 0);
    EXPECT(s, 0, 1, 1, 1, 1, 1, 2, 3);
}

static void test_duplicates_and_small_steps_back(void **state)
{
    (void)state;
    struct shown s = run(&tenths, (const int64_t[]){0, 100, 100, 200}, 4, 0);
    EXPECT(s, 0, 2, 3); /* the later of two frames of one time is on display */
    s = run(&tenths, (const int64_t[]){0, 100, 200, 150, 300}, 5, 0);
    EXPECT(s, 0, 1, 3, 4); /* frame 3 takes the place of frame 2 */
    assert_int_equal(s.n_breaks, 0);
}

static void test_breaks(void **state)
{
    (void)state;
    /* A second file behind the first, its timestamps start again. */
    struct shown s = run(&tenths, (const int64_t[]){5000, 5100, 5200, 0, 100, 200}, 6, 0);
    EXPECT(s, 0, 1, 2, 3, 4, 5);
    assert_int_equal(s.n_breaks, 1);
    s = run(&tenths, (const int64_t[]){0, 100, 90000000, 90000100}, 4, 0);
    EXPECT(s, 0, 1, 2, 3);
    s = run(&tenths, (const int64_t[]){INT64_MIN + 1, INT64_MAX, INT64_MIN + 2, 5}, 4, 0);
    EXPECT(s, 0, 1, 2, 3);
    s = run(&tenths, (const int64_t[]){0, 60000}, 2, 0);
    assert_int_equal(s.n, 601);
    assert_int_equal(s.n_breaks, 0);
}

static void test_missing_timestamps(void **state)
{
    (void)state;
    const int64_t no = CLOCK_NO_TIME;
    struct shown s = run(&tenths, (const int64_t[]){no, no, no, 300, no}, 5, 0);
    EXPECT(s, 0, 1, 2, 3, 4);
}

static void test_other_rates(void **state)
{
    (void)state;
    const int64_t times[] = {0, 100, 200, 300, 400};
    struct clock_rates r = tenths;
    r.num = 20;
    struct shown s = run(&r, times, 5, 0);
    EXPECT(s, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4);
    r.num = 5;
    s = run(&r, times, 5, 0);
    EXPECT(s, 1, 3); /* looks at 100, 300 and would look at 500, where the video has ended */
    r.num = 4;
    s = run(&r, times, 4, 0);
    EXPECT(s, 1, 3);
}

static void test_end(void **state)
{
    (void)state;
    struct shown s = run(&tenths, (const int64_t[]){0, 100}, 2, 400);
    EXPECT(s, 0, 1, 1, 1, 1);
    s = run(&tenths, (const int64_t[]){0, 100}, 2, 1); /* never shorter than a frame */
    EXPECT(s, 0, 1);
    s = run(&tenths, (const int64_t[]){0, 100}, 2, INT64_MAX); /* nor longer than a break */
    assert_int_equal(s.n, 601);
    const struct clock_rates slow = {1, 1000, 10, 1, 1, 60};
    s = run(&slow, (const int64_t[]){0}, 1, 0); /* a video has one tick at least */
    EXPECT(s, 0);
    s = run(&tenths, NULL, 0, 0);
    assert_int_equal(s.n, 0);
}

/* Random ascending times against the definition: the last frame whose time is not after (n + 1/2) /
 * rate. */
static void test_definition(void **state)
{
    (void)state;
    struct rng r;
    for (uint64_t item = 0; item < 500; item++) {
        int64_t times[40];
        int n = 40;
        rng_init(&r, 1, 0, item);
        struct clock_rates rates = {
            1, 1 + (int64_t)rng_below(&r, 1000), 25,
            1, 1 + (int64_t)rng_below(&r, 60),   1 + (int64_t)rng_below(&r, 3)};
        times[0] = (int64_t)rng_below(&r, 1000) - 500;
        for (int i = 1; i < n; i++)
            times[i] = times[i - 1] + (int64_t)rng_below(&r, (uint64_t)rates.unit_den / 4 + 1);
        struct shown s = run(&rates, times, n, 0);
        for (int tick = 0; tick < s.n; tick++) {
            /* time * 2 * rate_num against (2 * tick + 1) * rate_den, both times unit_den */
            int expected = 0;
            for (int i = 0; i < n; i++)
                if ((times[i] - times[0]) * 2 * rates.num <=
                    (2 * tick + 1) * rates.den * rates.unit_den)
                    expected = i;
            if (s.n > 1 || tick > 0)
                assert_int_equal(s.frame[tick], expected);
        }
    }
}

static void test_fits(void **state)
{
    (void)state;
    assert_true(clock_fits(&tenths, (const int64_t[]){0, 100, 200}, 3));
    assert_true(clock_fits(&tenths, (const int64_t[]){7, 100, 220}, 3));
    assert_false(clock_fits(&tenths, (const int64_t[]){0, 100, 260}, 3));
    assert_false(clock_fits(&tenths, (const int64_t[]){0, 100, 100}, 3));
    assert_false(clock_fits(&tenths, (const int64_t[]){0, 100, 99999999}, 3));
    assert_true(clock_fits(&tenths, NULL, 0));
    /* 30 frames a second taken for 29.97 is half a frame off after 500 frames. */
    int64_t times[600];
    const struct clock_rates wrong = {1, 30, 30000, 1001, 30000, 1001};
    for (int i = 0; i < 600; i++)
        times[i] = i;
    assert_true(clock_fits(&wrong, times, 500));
    assert_false(clock_fits(&wrong, times, 600));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_rate),
        cmocka_unit_test(test_start_is_first_frame),
        cmocka_unit_test(test_rounded_timestamps),
        cmocka_unit_test(test_jitter_below_half_a_frame),
        cmocka_unit_test(test_variable_rate),
        cmocka_unit_test(test_gap_repeats),
        cmocka_unit_test(test_duplicates_and_small_steps_back),
        cmocka_unit_test(test_breaks),
        cmocka_unit_test(test_missing_timestamps),
        cmocka_unit_test(test_other_rates),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
