/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/lines.h"

#include "common/base/buf.h"
#include "tests/unit/support.h"

static int collect(void *user, char *line, struct err *e)
{
    if (strcmp(line, "stop") == 0)
        return err_code(e, ERR_NOT_FOUND, "told to stop");
    return buf_printf(user, e, "[%s]", line);
}

static void check_lines(const char *text, const char *expected)
{
    struct err e = {0};
    struct buf out = {0};
    support_ok(buf_printf(&out, &e, "%s", ""), &e);
    support_ok(lines_read_text(text, strlen(text), collect, &out, &e), &e);
    assert_string_equal((char *)out.data, expected);
    buf_release(&out);
}

static void test_lines(void **state)
{
    (void)state;
    check_lines("", "");
    check_lines("a\nb\n", "[a][b]");
    check_lines("\xef\xbb\xbf"
                "a b \r\n\r\n\t\n c",
                "[a b][c]");
    check_lines("\"a\",b\r\n", "[\"a\",b]");
}

static void test_errors(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf out = {0};
    char folder[256];
    assert_int_equal(lines_read_text("a\n\nstop\nb\n", 10, collect, &out, &e), ERR_NOT_FOUND);
    assert_string_equal(e.text, "line 3: told to stop");
    support_failed(lines_read_text("a\nb\0c\n", 6, collect, &out, &e), &e,
                   "line 2: holds a NUL byte");
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "list.txt");
    assert_int_equal(lines_read(path, collect, &out, &e), ERR_NOT_FOUND);
    support_write(path, "x\r\nstop", 7);
    assert_int_equal(lines_read(path, collect, &out, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "list.txt:2: told to stop"));
    buf_release(&out);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
