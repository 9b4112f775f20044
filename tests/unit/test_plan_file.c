/* SPDX-License-Identifier: Apache-2.0 */
/* Choices kept between runs: written in order, found again, those of another machine ignored. */
#include "kernels/plan_file.h"

#include "common/base/buf.h"
#include "common/base/file.h"
#include "tests/unit/folder_support.h"

static struct plan_file *open_file(const char *path, const char *machine)
{
    struct err e = {0};
    struct plan_file *f = NULL;
    support_ok(plan_file_open(&f, path, machine, &e), &e);
    return f;
}

static void keeps_what_is_put(void **state)
{
    const char *path = support_path(folder, "a.plans");
    struct err e = {0};
    struct plan_file *f = open_file(path, "gpu 1");
    (void)state;
    assert_null(plan_file_get(f, "b"));
    assert_false(file_exists(path));
    support_ok(plan_file_put(f, "b", "second", &e), &e);
    support_ok(plan_file_put(f, "c", "third", &e), &e);
    support_ok(plan_file_put(f, "a", "first", &e), &e);
    support_ok(plan_file_put(f, "b", "other", &e), &e);
    plan_file_close(f);
    f = open_file(path, "gpu 1");
    assert_int_equal(plan_file_n(f), 3);
    assert_string_equal(plan_file_get(f, "a"), "first");
    assert_string_equal(plan_file_get(f, "b"), "other");
    assert_null(plan_file_get(f, "ab"));
    plan_file_close(f);
    struct buf text = {0};
    support_ok(file_read(path, &text, &e), &e);
    support_ok(buf_append(&text, "", 1, &e), &e);
    assert_string_equal(text.data, "teg-plans 1\ngpu 1\na\tfirst\nb\tother\nc\tthird\n");
    buf_release(&text);
}

static void another_machine_starts_anew(void **state)
{
    const char *path = support_path(folder, "m.plans");
    struct err e = {0};
    (void)state;
    support_write(path, "teg-plans 1\ngpu 1\na\tfirst\n", 26);
    struct plan_file *f = open_file(path, "gpu 2");
    assert_int_equal(plan_file_n(f), 0);
    support_ok(plan_file_put(f, "z", "last", &e), &e);
    plan_file_close(f);
    f = open_file(path, "gpu 1");
    assert_int_equal(plan_file_n(f), 0);
    plan_file_close(f);
    f = open_file(path, "gpu 2");
    assert_string_equal(plan_file_get(f, "z"), "last");
    plan_file_close(f);
}

static void many_keys_in_any_order(void **state)
{
    enum { N = 1000 };
    struct err e = {0};
    struct plan_file *f = open_file(NULL, "gpu");
    char key[16], choice[16];
    (void)state;
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "k%d", i * 377 % N);
        snprintf(choice, sizeof choice, "c%d", i * 377 % N);
        support_ok(plan_file_put(f, key, choice, &e), &e);
    }
    assert_int_equal(plan_file_n(f), N);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "k%d", i);
        snprintf(choice, sizeof choice, "c%d", i);
        assert_string_equal(plan_file_get(f, key), choice);
    }
    plan_file_close(f);
}

static void damage_is_named(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"teg-plans 2\ngpu\n", "line 1: not 'teg-plans 1'"},
        {"teg-plans 1\n", "line 2: no name of a machine"},
        {"teg-plans 1\n\n", "line 2: no name of a machine"},
        {"teg-plans 1\ngpu", "line 2: it does not end"},
        {"teg-plans 1\ngpu\na first\n", "line 3: not a key, a tab and a choice"},
        {"teg-plans 1\ngpu\n\tfirst\n", "line 3: not a key, a tab and a choice"},
        {"teg-plans 1\ngpu\na\tb\tc\n", "line 3: not a key, a tab and a choice"},
        {"teg-plans 1\ngpu\nb\t1\na\t1\n", "line 4: 'a' is not behind 'b'"},
        {"teg-plans 1\nother gpu\na\t1\na\t1\n", "line 4: 'a' is not behind 'a'"},
    };
    const char *path = support_path(folder, "bad.plans");
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        struct plan_file *f;
        support_write(path, bad[i].text, strlen(bad[i].text));
        support_failed(plan_file_open(&f, path, "gpu", &e), &e, bad[i].why);
        assert_non_null(strstr(e.text, "bad.plans (remove it"));
    }
    char line[PLAN_FILE_LINE + 32] = "teg-plans 1\ngpu\n";
    struct err e = {0};
    struct plan_file *f;
    memset(line + 16, 'x', PLAN_FILE_LINE);
    line[16 + PLAN_FILE_LINE] = '\n';
    support_failed(plan_file_parse(&f, line, 17 + PLAN_FILE_LINE, "gpu", &e), &e, "at most 511");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_put),
        cmocka_unit_test(another_machine_starts_anew),
        cmocka_unit_test(many_keys_in_any_order),
        cmocka_unit_test(damage_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
