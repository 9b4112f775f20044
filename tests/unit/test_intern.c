/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/intern.h"
#include "tests/unit/support.h"

static void check_add(struct intern *t, const char *text, uint32_t expected)
{
    struct err e = {0};
    uint32_t number = UINT32_MAX;
    support_ok(intern_add(t, text, &number, &e), &e);
    assert_int_equal(number, expected);
    assert_int_equal(intern_find(t, text), expected);
    assert_string_equal(t->text[expected], text);
}

static void test_order(void **state)
{
    (void)state;
    struct intern t = {0};
    assert_int_equal(intern_find(&t, "walk"), -1);
    check_add(&t, "walk", 0);
    check_add(&t, "", 1);
    check_add(&t, "walk", 0);
    check_add(&t, "Walk", 2);
    check_add(&t, "wal", 3);
    assert_int_equal(intern_find(&t, "walks"), -1);
    assert_int_equal(t.n, 4);
    intern_release(&t);
    assert_int_equal(intern_find(&t, "walk"), -1);
    intern_release(&t);
}

/* The text may be overwritten once it was added; growing keeps every number. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct intern t = {0};
    char text[32];
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < N; i++) {
            snprintf(text, sizeof text, "%x", i * 2654435761u);
            check_add(&t, text, i);
        }
    assert_int_equal(t.n, N);
    intern_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
