/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/hash.h"
#include "tests/unit/support.h"

static void test_known(void **state)
{
    (void)state;
    char text[HASH_TEXT_BYTES];
    /* XXH3's published value for the empty input with seed 0. */
    hash_text(hash_bytes("", 0), text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
}

static void test_record(void **state)
{
    (void)state;
    struct hash128 a = hash_record("ab", 2, "c", 1), b = hash_record("a", 1, "bc", 2);
    assert_false(a.lo == b.lo && a.hi == b.hi);
    struct hash128 c = hash_record("c", 1, "ab", 2);
    assert_false(a.lo == c.lo && a.hi == c.hi);
}

static void test_sum(void **state)
{
    (void)state;
    struct hash128 total = {.lo = UINT64_MAX, .hi = 1};
    hash_sum(&total, (struct hash128){.lo = 2, .hi = 3});
    assert_true(total.lo == 1 && total.hi == 5);
    struct hash128 x = hash_bytes("x", 1), y = hash_bytes("y", 1), xy = {0}, yx = {0};
    hash_sum(&xy, x);
    hash_sum(&xy, y);
    hash_sum(&yx, y);
    hash_sum(&yx, x);
    assert_true(xy.lo == yx.lo && xy.hi == yx.hi);
}

static void test_text(void **state)
{
    (void)state;
    struct hash128 h = {.lo = 0x0123456789abcdef, .hi = 0x00000000000000f0}, back = {0};
    char text[HASH_TEXT_BYTES];
    hash_text(h, text);
    assert_string_equal(text, "00000000000000f00123456789abcdef");
    assert_int_equal(hash_from_text(text, &back), 0);
    assert_true(back.lo == h.lo && back.hi == h.hi);
    static const char *const bad[] = {"",
                                      "00000000000000f00123456789abcde",
                                      "00000000000000f00123456789abcdef0",
                                      "00000000000000f00123456789abcdeg",
                                      "-0000000000000f00123456789abcdef",
                                      "00000000000000F00123456789ABCDEF"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(hash_from_text(bad[i], &back) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
