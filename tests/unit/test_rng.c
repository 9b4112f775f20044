/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "common/base/rng.h"
#include "tests/unit/support.h"

/* The known answers that the authors of Philox publish for philox4x32 with 10 rounds. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rng r = {.used = 4};
        memcpy(r.counter, cases[i].counter, sizeof r.counter);
        memcpy(r.key, cases[i].key, sizeof r.key);
        for (int word = 0; word < 4; word++)
            assert_int_equal(rng_u32(&r), cases[i].out[word]);
    }
}

static uint64_t first(uint64_t seed, uint32_t stream, uint64_t item)
{
    struct rng r;
    rng_init(&r, seed, stream, item);
    return rng_u64(&r);
}

static void test_streams_differ(void **state)
{
    (void)state;
    const uint64_t firsts[] = {first(0, 0, 0), first(1, 0, 0), first(1ull << 32, 0, 0),
                               first(0, 1, 0), first(0, 0, 1), first(0, 0, 1ull << 32)};
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(firsts[i] != firsts[j]);
    assert_true(first(7, 8, 9) == first(7, 8, 9));
    assert_int_equal(first(0, 0, 0), 0xe169c58d6627e8d5);
}

static void test_uniform(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct rng r;
    rng_init(&r, 1, 2, 3);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double x = rng_f64(&r);
        assert_true(x >= 0 && x < 1);
        sum += x;
        squares += x * x;
    }
    /* Deviations of mean and mean square are 0.29 and 0.30 / sqrt(N): 5 of them are 0.005. */
    assert_true(fabs(sum / N - 0.5) < 0.005);
    assert_true(fabs(squares / N - 1.0 / 3) < 0.005);
    for (int i = 0; i < 1000; i++) {
        double x = rng_uniform(&r, -2, 3);
        assert_true(x >= -2 && x < 3);
        double tight = rng_uniform(&r, 1, nextafter(1, 2));
        assert_true(tight == 1);
    }
}

static void test_below(void **state)
{
    (void)state;
    enum { N = 70000, SIDES = 7 };
    struct rng r;
    rng_init(&r, 5, 0, 0);
    int count[SIDES] = {0};
    for (int i = 0; i < N; i++) {
        uint64_t side = rng_below(&r, SIDES);
        assert_true(side < SIDES);
        count[side]++;
    }
    double chi2 = 0;
    for (int i = 0; i < SIDES; i++)
        chi2 += (count[i] - N / SIDES) * (double)(count[i] - N / SIDES) / (N / SIDES);
    assert_true(chi2 < 30); /* 6 degrees of freedom: p = 4e-5 */
    assert_int_equal(rng_below(&r, 1), 0);
    /* A range just above half of all numbers: nearly half of the draws must be thrown away. */
    uint64_t n = (1ull << 63) + 1, low = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_below(&r, n);
        assert_true(x < n);
        low += x < n / 2;
    }
    assert_true(low > 420 && low < 580); /* 5 deviations of 16 */
}

static void test_normal(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct rng r;
    rng_init(&r, 11, 0, 0);
    double sum = 0, squares = 0;
    int beyond = 0;
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&r);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
        beyond += fabs(x) > 1.959964;
    }
    assert_true(fabs(sum / N) < 0.016);         /* 5 / sqrt(N) */
    assert_true(fabs(squares / N - 1) < 0.023); /* 5 sqrt(2) / sqrt(N) */
    assert_true(abs(beyond - N / 20) < 345);    /* 5 sqrt(0.05 * 0.95 N) */
}

static void test_chance(void **state)
{
    (void)state;
    struct rng r, twin;
    rng_init(&r, 3, 0, 0);
    rng_init(&twin, 3, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_false(rng_chance(&r, 0));
        assert_true(rng_chance(&twin, 1));
    }
    assert_int_equal(rng_u32(&r), rng_u32(&twin)); /* the same amount was drawn */
}

static void test_shuffle(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, 0, 0);
    /* Every order of three is equally likely. */
    int count[3][3] = {{0}};
    for (int i = 0; i < 6000; i++) {
        uint32_t v[3] = {0, 1, 2};
        rng_shuffle_u32(&r, v, 3);
        assert_int_equal(v[0] + v[1] + v[2], 3);
        assert_true(v[0] != v[1] && v[1] != v[2] && v[0] != v[2]);
        count[v[0]][v[1]]++;
    }
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            assert_true(a == b ? count[a][b] == 0 : abs(count[a][b] - 1000) < 145);
    rng_shuffle_u32(&r, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_uniform),       cmocka_unit_test(test_below),
        cmocka_unit_test(test_normal),        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
