/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer that is killed at any moment and started again ends with the bytes of one that was not.
 * Each try is a new process (helper_store), so that nothing in its memory, nor where that lies, is
 * the same.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "common/base/file.h"
#include "common/base/rng.h"
#include "tests/unit/support.h"

static char folder[256], helper[4096], whole[300], path[300], part[300];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(whole, sizeof whole, "%s/whole.lmdb", folder);
    snprintf(path, sizeof path, "%s/a.lmdb", folder);
    snprintf(part, sizeof part, "%s/a.lmdb.part", folder);
    ssize_t n = readlink("/proc/self/exe", helper, sizeof helper - 1);
    assert_true(n > 0);
    char *slash = strrchr(helper, '/');
    snprintf(slash + 1, sizeof helper - (size_t)(slash + 1 - helper), "helper_store");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

static pid_t start(const char *target, const char *order)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(helper, helper, target, "3000", order, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* Whether the child ended by itself within the time; it must have succeeded then. Killed otherwise.
 */
static bool ends_within(pid_t child, long microseconds)
{
    int status;
    struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    struct timespec limit = {microseconds / 1000000, microseconds % 1000000 * 1000};
    assert_true(process.fd >= 0);
    ppoll(&process, 1, microseconds < 0 ? NULL : &limit, NULL);
    close(process.fd);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return false;
    assert_int_equal(WEXITSTATUS(status), 0);
    return true;
}

static void same_bytes(const char *a, const char *b)
{
    struct err e = {0};
    struct buf x = {0}, y = {0};
    support_ok(file_read(a, &x, &e), &e);
    support_ok(file_read(b, &y, &e), &e);
    assert_int_equal(x.len, y.len);
    for (size_t i = 0; i < x.len; i++)
        if (x.data[i] != y.data[i])
            fail_msg("%s differs at byte %zu", b, i);
    buf_release(&x);
    buf_release(&y);
}

static void kill_and_resume(const char *order)
{
    enum { ROUNDS = 6 };
    struct rng r;
    struct timespec before, after;
    rng_init(&r, 1, 0, (uint64_t)getpid());
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_true(ends_within(start(whole, order), -1));
    clock_gettime(CLOCK_MONOTONIC, &after);
    double seconds =
        (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    int n_kills = 0;
    for (int round = 0; round < ROUNDS || n_kills < ROUNDS; round++) {
        while (!file_exists(path)) {
            long limit = (long)(1e6 * seconds * rng_uniform(&r, 0, 0.7));
            /* A child killed behind its rename left the whole store, too. */
            n_kills += !ends_within(start(path, order), limit);
        }
        same_bytes(whole, path);
        assert_false(file_exists(part));
        assert_int_equal(unlink(path), 0);
    }
}

static void test_sorted(void **state)
{
    (void)state;
    kill_and_resume("sorted");
}

static void test_videos(void **state)
{
    (void)state;
    kill_and_resume("videos");
}

static void test_shuffled(void **state)
{
    (void)state;
    kill_and_resume("shuffled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_videos, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shuffled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
