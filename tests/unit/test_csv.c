/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/base/csv.h"
#include "common/base/rng.h"
#include "tests/unit/support.h"

/* Writes "LINE[field][field]" for every row. */
static int collect(void *user, const struct csv_row *row, struct err *e)
{
    struct buf *out = user;
    if (row->n_fields && strcmp(row->field[0], "stop") == 0)
        return err_code(e, ERR_NOT_FOUND, "told to stop");
    support_ok(buf_printf(out, e, "%zu", row->line), e);
    for (size_t i = 0; i < row->n_fields; i++)
        support_ok(buf_printf(out, e, "[%s]", row->field[i]), e);
    return 0;
}

static void check_rows(const char *text, const char *expected)
{
    struct err e = {0};
    struct buf out = {0};
    support_ok(csv_read_text(text, strlen(text), collect, &out, &e), &e);
    support_ok(buf_append(&out, "", 1, &e), &e);
    assert_string_equal((char *)out.data, expected);
    buf_release(&out);
}

static void test_rows(void **state)
{
    (void)state;
    check_rows("", "");
    check_rows("a,b\nc,d\n", "1[a][b]2[c][d]");
    check_rows("a,b\r\nc,d", "1[a][b]2[c][d]");
    check_rows("\xef\xbb\xbf"
               "a\n\n \nb\n",
               "1[a]4[b]");
    check_rows(",\na,\n", "1[][]2[a][]");
    check_rows("\"a,b\",\"c \"\"d\"\"\"\n", "1[a,b][c \"d\"]");
    check_rows("\"two\nlines\",x\ny\n", "2[two\nlines][x]3[y]");
    check_rows(" a , \" b \" \n", "1[a][ b ]");
    check_rows("it's,\xc3\xa9\n", "1[it's][\xc3\xa9]");
}

static void check_every_line(const char *text, const char *expected)
{
    struct err e = {0};
    struct buf out = {0};
    support_ok(csv_read_every_line(text, strlen(text), collect, &out, &e), &e);
    support_ok(buf_append(&out, "", 1, &e), &e);
    assert_string_equal((char *)out.data, expected);
    buf_release(&out);
}

static void test_blank_lines(void **state)
{
    (void)state;
    check_every_line("", "");
    check_every_line("a\n", "1[a]");
    check_every_line("\na,b\r\n\r\n \t\nc\n\n", "12[a][b]345[c]6");
    check_every_line("\"a\n\nb\"\n\n  ", "3[a\n\nb]45");
    struct err e = {0};
    struct buf out = {0};
    int rc = csv_read_every_line("a\n\nstop", 7, collect, &out, &e);
    assert_int_equal(rc, ERR_NOT_FOUND);
    support_failed(rc, &e, "line 3: told to stop");
    buf_release(&out);
}

static void test_wide_rows(void **state)
{
    (void)state;
    enum { N = 1000, LEN = 300 };
    struct err e = {0};
    struct buf text = {0}, expected = {0};
    support_ok(buf_printf(&expected, &e, "1"), &e);
    for (int i = 0; i < N; i++) {
        support_ok(buf_printf(&text, &e, "%s%0*d", i ? "," : "", LEN, i), &e);
        support_ok(buf_printf(&expected, &e, "[%0*d]", LEN, i), &e);
    }
    check_rows((char *)text.data, (char *)expected.data);
    buf_release(&text);
    buf_release(&expected);
}

/* A quoted field at the end of each line sends it through libcsv; the other fields stay the same.
 */
static void test_plain_lines(void **state)
{
    (void)state;
    static const char alphabet[] = "ab ,,\t\r'";
    for (uint64_t round = 0; round < 3000; round++) {
        struct rng rng;
        struct err e = {0};
        struct buf plain = {0}, quoted = {0}, rows = {0}, expected = {0};
        rng_init(&rng, 1, 0, round);
        for (size_t line = 0; line < 3; line++) {
            size_t len = 1 + rng_below(&rng, 12);
            char text[16] = "a"; /* never blank */
            for (size_t i = 1; i < len; i++)
                text[i] = alphabet[rng_below(&rng, sizeof alphabet - 1)];
            support_ok(buf_printf(&plain, &e, "%s,\n", text), &e);
            support_ok(buf_printf(&quoted, &e, "%s,\"\"\n", text), &e);
        }
        support_ok(csv_read_text((char *)plain.data, plain.len, collect, &rows, &e), &e);
        support_ok(csv_read_text((char *)quoted.data, quoted.len, collect, &expected, &e), &e);
        assert_int_equal(rows.len, expected.len);
        assert_memory_equal(rows.data, expected.data, rows.len);
        buf_release(&plain);
        buf_release(&quoted);
        buf_release(&rows);
        buf_release(&expected);
    }
}

static void check_failure(const char *text, size_t len, const char *message)
{
    struct err e = {0};
    struct buf out = {0};
    int rc = csv_read_text(text, len, collect, &out, &e);
    assert_true(rc < 0);
    assert_string_equal(e.text, message);
    buf_release(&out);
}

static void test_failures(void **state)
{
    (void)state;
    static const char nul[] = "a\nb,c\0d\n";
    check_failure(nul, sizeof nul - 1, "line 2: field 2 holds a NUL byte");
    static const char quote[] = "a\nb\"c\n";
    check_failure(quote, sizeof quote - 1, "line 2: a quote stands where none may");
    static const char behind[] = "\"a\"b\n";
    check_failure(behind, sizeof behind - 1, "line 1: a quote stands where none may");
    static const char open[] = "a\n\"b\nc\nd";
    check_failure(open, sizeof open - 1, "line 2: the quoted field that begins here never ends");
    static const char stop[] = "a\nstop\nb\n";
    check_failure(stop, sizeof stop - 1, "line 2: told to stop");
}

static void check_separator(const char *path, const char *text, char separator,
                            const char *expected)
{
    struct err e = {0};
    struct buf out = {0};
    support_write(path, text, strlen(text));
    support_ok(csv_read(path, separator, collect, &out, &e), &e);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    buf_release(&out);
}

static void test_file(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf out = {0};
    char folder[256];
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "a.csv");
    assert_int_equal(csv_read(path, ',', collect, &out, &e), ERR_NOT_FOUND);
    support_failed(ERR_FAIL, &e, "a.csv: No such file");
    support_write(path, "a\nstop\n", 7);
    assert_int_equal(csv_read(path, ',', collect, &out, &e), ERR_NOT_FOUND);
    support_failed(ERR_FAIL, &e, "a.csv:2: told to stop");
    assert_int_equal(out.len, 4);
    buf_release(&out);
    check_separator(path, "a b 1\n", ' ', "1[a][b][1]");
    check_separator(path, "a b\tc, d\n", '\t', "1[a b][c, d]");
    check_separator(path, "\t\n \n\ta \t\n", '\t', "1[][]3[][a][]");
    check_separator(path, " \n\t\n  a\t\n", ' ', "1[][]3[][][a]");
    check_separator(path, "\t\"\"\n\ta \t\"\"\n", '\t', "1[][]2[][a][]");
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_blank_lines),
        cmocka_unit_test(test_wide_rows), cmocka_unit_test(test_plain_lines),
        cmocka_unit_test(test_failures),  cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
