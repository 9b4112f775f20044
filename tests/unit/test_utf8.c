/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/support.h"

#include "common/base/utf8.h"

static void test_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n_bytes;
        uint32_t code;
    } cases[] = {
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xc3\xa9x", 2, 0xe9},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xe2\x82\xac", 3, 0x20ac},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t code = 0;
        assert_int_equal(utf8_next(cases[i].text, strlen(cases[i].text), &code), cases[i].n_bytes);
        assert_int_equal(code, cases[i].code);
    }
    uint32_t code = 1;
    assert_int_equal(utf8_next("\0", 1, &code), 1);
    assert_int_equal(code, 0);
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",             /* nothing */
        "\x80",         /* a continuation */
        "\xc3",         /* cut off */
        "\xe2\x82",     /* cut off */
        "\xc3(",        /* not continued */
        "\xc0\xaf",     /* overlong */
        "\xe0\x9f\xbf", /* overlong */
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* overlong; a surrogate */
        "\xf4\x90\x80\x80",
        "\xff\xff\xff\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t code = 7;
        assert_int_equal(utf8_next(bad[i], strlen(bad[i]), &code), 0);
        assert_int_equal(code, 7);
    }
    uint32_t code;
    assert_int_equal(utf8_next("\xe2\x82\xac", 2, &code), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
