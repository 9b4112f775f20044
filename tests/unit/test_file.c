/* SPDX-License-Identifier: Apache-2.0 */
#include <glob.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/file.h"
#include "tests/unit/folder_support.h"

static void check_content(const char *path, const char *text)
{
    struct err e = {0};
    struct buf b = {0};
    support_ok(file_read(path, &b, &e), &e);
    assert_int_equal(b.len, strlen(text));
    assert_memory_equal(b.data, text, b.len);
    buf_release(&b);
}

static void test_read(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = {0};
    const char *path = support_path(folder, "a");
    assert_int_equal(file_read(path, &b, &e), ERR_NOT_FOUND);
    support_failed(ERR_FAIL, &e, path);
    support_failed(file_read(folder, &b, &e), &e, "Is a directory");
    support_write(path, "", 0);
    support_ok(file_read(path, &b, &e), &e);
    assert_int_equal(b.len, 0);
    support_ok(file_read("/proc/self/status", &b, &e), &e); /* says that its size is 0 */
    assert_true(b.len > 100);
    buf_release(&b);
}

/* The folder holds so many files whose names begin so. */
static void check_files(const char *start, size_t n)
{
    char pattern[300];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s*", folder, start);
    int rc = glob(pattern, 0, NULL, &found);
    assert_int_equal(rc == GLOB_NOMATCH ? 0 : found.gl_pathc, n);
    globfree(&found);
}

static void test_write(void **state)
{
    (void)state;
    struct err e = {0};
    const char *path = support_path(folder, "out.json");
    support_ok(file_write(path, "old", 3, &e), &e);
    check_content(path, "old");
    support_ok(file_write(path, "newer", 5, &e), &e);
    check_content(path, "newer");
    support_ok(file_write(path, NULL, 0, &e), &e);
    check_content(path, "");
    check_files("out.json", 1);
}

static void test_write_keeps_links(void **state)
{
    (void)state;
    struct err e = {0};
    const char *link_path = support_path(folder, "link");
    support_write(support_path(folder, "real"), "old", 3);
    assert_int_equal(symlink("real", link_path), 0);
    support_ok(file_write(link_path, "new", 3, &e), &e);
    struct stat st;
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    check_content(support_path(folder, "real"), "new");
    const char *first = support_path(folder, "first"), *behind = support_path(folder, "behind");
    assert_int_equal(symlink("first", link_path = support_path(folder, "second")), 0);
    assert_int_equal(symlink("behind", first), 0);
    support_ok(file_write(link_path, "made", 4, &e), &e);
    assert_int_equal(lstat(behind, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    check_content(first, "made");
    assert_int_equal(symlink("round", support_path(folder, "round")), 0);
    support_failed(file_write(support_path(folder, "round"), "x", 1, &e), &e,
                   "round: Too many levels of symbolic links");
    support_ok(file_write("/dev/null", "new", 3, &e), &e);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void test_write_fails(void **state)
{
    (void)state;
    struct err e = {0};
    support_failed(file_write("/dev/full", "x", 1, &e), &e, "/dev/full: No space left on device");
    support_failed(file_write(folder, "x", 1, &e), &e, "is a folder");
    support_failed(file_write(support_path(folder, "no/such"), "x", 1, &e), &e, "no/such: No such");
}

/* A write that runs out of room (here: a file size limit) leaves the old file and no temporary. */
static void test_write_is_whole(void **state)
{
    (void)state;
    const char *path = support_path(folder, "model");
    support_write(path, "old", 3);
    pid_t child = fork();
    if (child == 0) {
        static char big[1 << 20];
        struct err e = {0};
        struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};
        setrlimit(RLIMIT_FSIZE, &limit);
        signal(SIGXFSZ, SIG_IGN);
        int rc = file_write(path, big, sizeof big, &e);
        _exit(rc == ERR_FAIL && strstr(e.text, "model: File too large") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_content(path, "old");
    check_files("model", 1);
}

static void test_out(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_out *f;
    const char *path = support_path(folder, "stream");
    support_ok(file_out_open(&f, path, &e), &e);
    fprintf(file_out_stream(f), "%d\n", 42);
    assert_false(file_exists(path));
    support_ok(file_out_publish(f, &e), &e);
    check_content(path, "42\n");
    support_ok(file_out_open(&f, path, &e), &e);
    fprintf(file_out_stream(f), "never seen");
    file_out_abandon(f);
    check_content(path, "42\n");
    check_files("stream", 1);
    file_out_abandon(NULL);
}

static void test_out_check(void **state)
{
    (void)state;
    struct err e = {0};
    const char *path = support_path(folder, "checked");
    support_ok(file_out_check(path, &e), &e);
    assert_false(file_exists(path));
    support_write(path, "old", 3);
    support_ok(file_out_check(path, &e), &e);
    check_content(path, "old");
    check_files("checked", 1);
    support_ok(file_out_check("/dev/null", &e), &e);
    support_failed(file_out_check(folder, &e), &e, "is a folder");
    support_failed(file_out_check(support_path(folder, "no/such"), &e), &e, "no/such: No such");
}

/* Files of names like those under way are not touched, nor what links of such names lead to. */
static void test_out_spares_others(void **state)
{
    (void)state;
    struct err e = {0};
    const char *path = support_path(folder, "mine"), *other = support_path(folder, "mine.tmp");
    const char *link_path = support_path(folder, "linked.tmp");
    support_write(other, "precious", 8);
    assert_int_equal(symlink("mine.tmp", link_path), 0);
    support_ok(file_out_check(path, &e), &e);
    support_ok(file_write(path, "new", 3, &e), &e);
    support_ok(file_out_check(support_path(folder, "linked"), &e), &e);
    support_ok(file_write(support_path(folder, "linked"), "new", 3, &e), &e);
    check_content(other, "precious");
    check_content(link_path, "precious");
    check_files("mine", 2);
    check_files("linked", 2);
}

static void test_publish(void **state)
{
    (void)state;
    struct err e = {0};
    const char *from = support_path(folder, "x.part"), *to = support_path(folder, "x");
    support_failed(file_publish(from, to, &e), &e, "x.part: No such file");
    support_write(from, "done", 4);
    support_ok(file_publish(from, to, &e), &e);
    check_content(to, "done");
    assert_false(file_exists(from));
}

static void test_lock(void **state)
{
    (void)state;
    struct err e = {0};
    int first, second;
    const char *path = support_path(folder, "lock");
    support_ok(file_lock(path, &first, &e), &e);
    support_failed(file_lock(path, &second, &e), &e, "lock: another process is writing it");
    assert_int_equal(unlink(path), 0);
    support_ok(file_lock(path, &second, &e), &e); /* a new file: the old one's lock is of no use */
    close(first);
    support_failed(file_lock(path, &first, &e), &e, "lock: another process is writing it");
    close(second);
    support_ok(file_lock(path, &first, &e), &e);
    close(first);
    assert_int_equal(symlink("lock", support_path(folder, "led")), 0);
    support_failed(file_lock(support_path(folder, "led"), &first, &e), &e, "symbolic link");
    support_failed(file_lock(support_path(folder, "none/lock"), &first, &e), &e, "No such file");
}

static void test_folders(void **state)
{
    (void)state;
    struct err e = {0};
    const char *deep = support_path(folder, "a/b/c");
    support_ok(file_make_folder(deep, &e), &e);
    support_ok(file_make_folder(deep, &e), &e);
    support_ok(file_make_folder(support_path(folder, "slash/"), &e), &e);
    assert_true(file_exists(deep) && file_exists(support_path(folder, "slash")));
    support_write(support_path(folder, "plain"), "", 0);
    support_failed(file_make_folder(support_path(folder, "plain"), &e), &e, "File exists");
    support_failed(file_make_folder(support_path(folder, "plain/x"), &e), &e, "plain");
}

static int remember(void *user, const char *path, struct err *e)
{
    if (strcmp(path, "stop") == 0)
        return err_code(e, ERR_STOPPED, "stopped at %s", path);
    snprintf((char *)user + strlen(user), 256 - strlen(user), "%s\n", path);
    return 0;
}

static void test_walk(void **state)
{
    (void)state;
    struct err e = {0};
    char seen[256] = "";
    assert_int_equal(mkdir(support_path(folder, "a"), 0700), 0);
    assert_int_equal(mkdir(support_path(folder, "empty"), 0700), 0);
    support_write(support_path(folder, "a/z"), "", 0);
    support_write(support_path(folder, "a.b"), "", 0); /* '.' sorts before '/' */
    support_write(support_path(folder, "B"), "", 0);
    assert_int_equal(mkdir(support_path(folder, ".hid"), 0), 0); /* not even opened */
    support_write(support_path(folder, "a/.z"), "", 0);
    assert_int_equal(symlink("..", support_path(folder, "a/up")), 0);
    assert_int_equal(symlink("nowhere", support_path(folder, "lost")), 0);
    assert_int_equal(symlink("a", support_path(folder, "c")), 0);
    support_ok(file_walk(folder, NULL, remember, seen, &e), &e);
    assert_string_equal(seen, "B\na.b\na/z\nc/z\nlost\n");
    seen[0] = '\0';
    support_ok(file_walk(folder, support_path(folder, "c"), remember, seen, &e), &e);
    assert_string_equal(seen, "B\na.b\nlost\n"); /* "a" is the same folder */
    seen[0] = '\0';
    support_ok(file_walk(folder, folder, remember, seen, &e), &e);
    assert_string_equal(seen, "B\na.b\na/z\nc/z\nlost\n");
    support_failed(file_walk(folder, support_path(folder, "none"), remember, seen, &e), &e,
                   "none: No such");
    support_write(support_path(folder, "stop"), "", 0);
    seen[0] = '\0';
    assert_int_equal(file_walk(folder, NULL, remember, seen, &e), ERR_STOPPED);
    assert_string_equal(seen, "B\na.b\na/z\nc/z\nlost\n");
    assert_int_equal(chmod(support_path(folder, ".hid"), 0700), 0);
    support_write(support_path(folder, ".hid/seen"), "", 0);
    seen[0] = '\0';
    support_ok(file_walk(support_path(folder, ".hid"), NULL, remember, seen, &e), &e);
    assert_string_equal(seen, "seen\n");
    support_failed(file_walk(support_path(folder, "none"), NULL, remember, seen, &e), &e,
                   "none: No such");
    support_failed(file_walk(support_path(folder, "B"), NULL, remember, seen, &e), &e,
                   "not a folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_keeps_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_write_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_spares_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_publish, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_walk, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
