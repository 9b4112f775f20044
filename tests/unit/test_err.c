/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tests/unit/support.h"

static void test_set(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, "line %d: %s", 3, "no name"), ERR_FAIL);
    assert_string_equal(e.text, "line 3: no name");
    assert_int_equal(err_code(&e, ERR_STOPPED, "stopped"), ERR_STOPPED);
    assert_string_equal(e.text, "stopped");
    assert_int_equal(err_set(&e, "a\nb\tc%c", 127), ERR_FAIL);
    assert_string_equal(e.text, "a b c ");
}

static void test_errno(void **state)
{
    (void)state;
    struct err e = {0};
    errno = ENOENT;
    assert_int_equal(err_errno(&e, "%s", "frames.lmdb"), ERR_FAIL);
    assert_string_equal(e.text, "frames.lmdb: No such file or directory");
}

static void test_context(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, "no name");
    assert_int_equal(err_add(&e, "line %d", 7), ERR_FAIL);
    assert_string_equal(e.text, "line 7: no name");
    assert_int_equal(err_add_code(&e, ERR_NOT_FOUND, "x.csv"), ERR_NOT_FOUND);
    assert_string_equal(e.text, "x.csv: line 7: no name");
    /* The arguments may come from the text itself. */
    err_set(&e, "(%s)", e.text);
    assert_string_equal(e.text, "(x.csv: line 7: no name)");
}

static void test_long_text(void **state)
{
    (void)state;
    struct err e = {0};
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&e, "%s", big);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    err_add(&e, "front");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "front: xx", 9);
    errno = EIO;
    err_errno(&e, "%s", big);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, "x"), ERR_FAIL);
    assert_int_equal(err_code(NULL, ERR_STOPPED, "x"), ERR_STOPPED);
    assert_int_equal(err_errno(NULL, "x"), ERR_FAIL);
    assert_int_equal(err_add(NULL, "x"), ERR_FAIL);
    assert_int_equal(err_add_code(NULL, ERR_NOT_FOUND, "x"), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
