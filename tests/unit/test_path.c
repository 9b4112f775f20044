/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "common/base/file.h"
#include "tests/unit/support.h"

static void check(char *made, const char *expected)
{
    assert_non_null(made);
    assert_string_equal(made, expected);
    free(made);
}

static void test_parts(void **state)
{
    (void)state;
    check(path_join("a", "b"), "a/b");
    check(path_join("a/", "b"), "a/b");
    check(path_join("a", "/b"), "/b");
    check(path_join("", "b"), "b");
    check(path_join("/", "b"), "/b");
    check(path_folder("a/b.mp4"), "a");
    check(path_folder("b.mp4"), ".");
    check(path_folder("/b"), "/");
    assert_string_equal(path_base("a/b/c.mp4"), "c.mp4");
    assert_string_equal(path_base("c.mp4"), "c.mp4");
    assert_string_equal(path_base("a/"), "");
    assert_string_equal(path_extension("a.b/c.tar.gz"), "gz");
    assert_string_equal(path_extension("a.b/c"), "");
    assert_string_equal(path_extension("a/.hidden"), "");
    assert_string_equal(path_extension("a."), "");
}

static void test_relative(void **state)
{
    (void)state;
    struct err e = {0};
    char folder[256], saved[4096];
    support_make_folder(folder, sizeof folder);
    assert_non_null(getcwd(saved, sizeof saved));
    assert_int_equal(chdir(folder), 0);
    assert_true(mkdir("ab", 0700) == 0 && mkdir("abc", 0700) == 0 && mkdir("ab/x", 0700) == 0);
    check(path_relative("ab", ".", &e), "ab");
    check(path_relative(".", "ab", &e), "..");
    check(path_relative("ab", "ab", &e), ".");
    check(path_relative("abc", "ab", &e), "../abc");
    check(path_relative("ab", "abc", &e), "../ab");
    check(path_relative("ab/x", "abc/../ab", &e), "x");
    check(path_relative("abc", "ab/x", &e), "../../abc");
    check(path_relative("/", "/", &e), ".");
    check(path_relative("/proc", "/", &e), "proc");
    check(path_relative("/", "/proc", &e), "..");
    assert_int_equal(symlink("ab/x", "link"), 0);
    check(path_relative("link", "ab", &e), "x");
    assert_null(path_relative("none", "ab", &e));
    assert_string_equal(e.text, "none: No such file or directory");
    assert_null(path_relative("ab", "gone", &e));
    assert_string_equal(e.text, "gone: No such file or directory");
    assert_int_equal(chdir(saved), 0);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_relative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
