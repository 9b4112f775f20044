/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "common/base/num.h"
#include "common/base/rng.h"
#include "tests/unit/support.h"

static void test_i64(void **state)
{
    (void)state;
    struct err e = {0};
    int64_t n = 5;
    support_ok(num_i64("0", 0, 9, &n, &e), &e);
    assert_int_equal(n, 0);
    support_ok(num_i64("-12", -20, 20, &n, &e), &e);
    assert_int_equal(n, -12);
    support_ok(num_i64("9223372036854775807", INT64_MIN, INT64_MAX, &n, &e), &e);
    assert_true(n == INT64_MAX);
    support_ok(num_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &n, &e), &e);
    assert_true(n == INT64_MIN);
    support_ok(num_i64("007", 0, 9, &n, &e), &e);
    assert_int_equal(n, 7);
}

static void test_i64_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "--1",
                                      "-",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "1,",
                                      "ten",
                                      "10",
                                      "-1",
                                      "1\n",
                                      "9223372036854775808",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        int64_t n = 5;
        support_failed(num_i64(bad[i], 0, 9, &n, &e), &e, "expected an integer from 0 to 9");
        assert_int_equal(n, 5);
    }
    struct err e = {0};
    int64_t n;
    support_failed(num_i64("0", 1, INT64_MAX, &n, &e), &e, "of at least 1, got '0'");
    support_failed(num_i64("x", INT64_MIN, INT64_MAX, &n, &e), &e, "expected an integer, got 'x'");
}

static void test_f64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double x;
    } good[] = {{"0", 0},       {"-0.5", -0.5},
                {"1e-3", 1e-3}, {"+2.5E+1", 25},
                {".5", 0.5},    {"5.", 5},
                {"-0", 0},      {"123456789012345.6789", 123456789012345.6789}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err e = {0};
        double x;
        support_ok(num_f64(good[i].text, -HUGE_VAL, HUGE_VAL, &x, &e), &e);
        assert_true(x == good[i].x);
    }
}

/* Short decimals take a way of their own; strtod must agree to the bit. */
static void test_f64_bits(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 100000; round++) {
        struct rng r;
        struct err e = {0};
        char text[40];
        double x;
        rng_init(&r, 1, 0, round);
        int width = (int)(1 + rng_below(&r, 18));
        unsigned long long digits = rng_below(&r, 1u << 30);
        digits <<= rng_below(&r, 27);
        int n = snprintf(text, sizeof text, "%s%0*llu", round % 2 ? "-" : "", width, digits);
        size_t point = 1 + rng_below(&r, (uint64_t)n);
        memmove(text + point + 1, text + point, (size_t)n + 1 - point);
        text[point] = '.';
        support_ok(num_f64(text, -HUGE_VAL, HUGE_VAL, &x, &e), &e);
        double expected = strtod(text, NULL);
        if (memcmp(&x, &expected, sizeof x) != 0)
            fail_msg("%s: %a, not %a", text, x, expected);
    }
}

static void test_f64_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      " 1", "1 ",    "nan", "inf",  "-inf",
                                      "0x1p3", "1e", "1e999", "1.5", "-0.1", ".",
                                      "1.2.3", "e5", "1,5",   "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        double x = 5;
        support_failed(num_f64(bad[i], 0, 1, &x, &e), &e, "expected a number from 0 to 1");
        assert_true(x == 5);
    }
    struct err e = {0};
    double x;
    support_failed(num_f64("-1", 0, HUGE_VAL, &x, &e), &e, "of at least 0, got '-1'");
    support_failed(num_f64("a", -HUGE_VAL, HUGE_VAL, &x, &e), &e, "expected a number, got 'a'");
}

static void test_fraction(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t num, den;
    } good[] = {
        {"30000/1001", 30000, 1001}, {"30/1", 30, 1},       {"50/2", 25, 1}, {"25", 25, 1},
        {"29.97", 2997, 100},        {"23.976", 2997, 125}, {"0.5", 1, 2},   {"12.50", 25, 2}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err e = {0};
        int64_t num, den;
        support_ok(num_fraction(good[i].text, &num, &den, &e), &e);
        assert_int_equal(num, good[i].num);
        assert_int_equal(den, good[i].den);
    }
    static const char *const bad[] = {"",
                                      "0",
                                      "0/1",
                                      "1/0",
                                      "-1",
                                      "1/-2",
                                      "a",
                                      "1/2/3",
                                      "1.5/2",
                                      "1.",
                                      ".5",
                                      " 1",
                                      "1/ 2",
                                      "1e3",
                                      "99999999999999999999",
                                      "1/99999999999999999999",
                                      "0.0000000000000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        int64_t num = 5, den = 6;
        support_failed(num_fraction(bad[i], &num, &den, &e), &e, "expected a positive fraction");
        assert_true(num == 5 && den == 6);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    size_t out = 5;
    assert_true(size_mul(6, 7, &out));
    assert_int_equal(out, 42);
    assert_false(size_mul(SIZE_MAX / 2, 3, &out));
    assert_int_equal(out, 42);
    assert_true(size_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &out));
    assert_true(out == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i64),         cmocka_unit_test(test_i64_refuses),
        cmocka_unit_test(test_f64),         cmocka_unit_test(test_f64_bits),
        cmocka_unit_test(test_f64_refuses), cmocka_unit_test(test_fraction),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
