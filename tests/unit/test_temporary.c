/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/file.h"
#include "common/base/temporary.h"
#include "tests/unit/folder_support.h"

static void test_names(void **state)
{
    (void)state;
    struct err e = {0};
    const char *target = support_path(folder, "out.json");
    char *first, *second;
    int a, b;
    support_ok(temporary_open(target, &first, &a, &e), &e);
    support_ok(temporary_open(target, &second, &b, &e), &e);
    assert_string_not_equal(first, second);
    assert_int_equal(strncmp(first, target, strlen(target)), 0);
    assert_int_equal(strlen(first), strlen(target) + strlen(".teg-01234567.tmp"));
    assert_int_equal(write(a, "x", 1), 1);
    struct stat st;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(fstat(a, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666 & ~mask);
    temporary_sweep(target); /* both are alive */
    assert_true(file_exists(first) && file_exists(second));
    close(a);
    close(b);
    temporary_sweep(support_path(folder, "out"));
    assert_true(file_exists(first) && file_exists(second));
    temporary_sweep(target);
    assert_false(file_exists(first) || file_exists(second));
    free(first);
    free(second);
    support_failed(temporary_open(support_path(folder, "no/such"), &first, &a, &e), &e,
                   "no/such: No such file");
    temporary_sweep(support_path(folder, "no/such"));
}

/* What a killed writer left goes with the next one; all that has another name stays. */
/* A name as long as may be has room for one, which a sweep knows. */
static void test_long_names(void **state)
{
    (void)state;
    struct err e = {0};
    char name[256] = {0}, *path;
    int fd;
    memset(name, 'n', 255);
    const char *target = support_path(folder, name);
    support_ok(file_write(target, "x", 1, &e), &e);
    support_ok(temporary_open(target, &path, &fd, &e), &e);
    close(fd);
    assert_true(file_exists(path));
    temporary_sweep(target);
    assert_false(file_exists(path));
    free(path);
}

/* An open file without a name, as /dev/stdout may be one, is written itself. */
static void test_nameless(void **state)
{
    (void)state;
    struct err e = {0};
    char path[64], got[4] = {0};
    int fd = open(folder, O_TMPFILE | O_RDWR, 0600);
    if (fd < 0)
        skip();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    support_ok(file_write(path, "yes", 3, &e), &e);
    assert_int_equal(pread(fd, got, 3, 0), 3);
    assert_string_equal(got, "yes");
    close(fd);
    assert_int_equal(rmdir(folder), 0); /* nothing lies there */
    assert_int_equal(mkdir(folder, 0777), 0);
}

static void test_sweep(void **state)
{
    (void)state;
    static const char *const others[] = {
        "a.tmp",          "a.teg-.tmp",         "a.teg-0123456.tmp",    "a.teg-012345678.tmp",
        "a.teg-01234567", "a.teg-0123456X.tmp", "b.a.teg-01234567.tmp", "a.teg-01234567.tmp.old",
    };
    struct err e = {0};
    char target[300];
    snprintf(target, sizeof target, "%s/a", folder);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        support_write(support_path(folder, others[i]), "x", 1);
    assert_int_equal(symlink("a.tmp", support_path(folder, "a.teg-00000000.tmp")), 0);
    pid_t child = fork();
    if (child == 0) {
        char *path;
        int fd;
        raise(temporary_open(target, &path, &fd, &e) == 0 ? SIGKILL : SIGTERM);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    support_write(support_path(folder, "a.teg-01234567.tmp"), "half", 4);
    support_ok(file_out_check(target, &e), &e);
    assert_false(file_exists(support_path(folder, "a.teg-01234567.tmp")));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(file_exists(support_path(folder, others[i])));
    assert_int_equal(unlink(support_path(folder, "a.teg-00000000.tmp")), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(unlink(support_path(folder, others[i])), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nameless, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sweep, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
