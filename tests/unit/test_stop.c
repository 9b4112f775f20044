/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/wait.h>

#include "common/base/stop.h"
#include "tests/unit/support.h"

/* Runs `body` in a child, as signals and the flag belong to the whole process; returns its wait
 * status. */
static int in_child(void (*body)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        body();
        _exit(9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void first_signal(void)
{
    stop_install();
    if (stop_requested())
        _exit(1);
    raise(SIGTERM);
    _exit(stop_requested() ? 0 : 2);
}

static void second_signal(void)
{
    stop_install();
    raise(SIGTERM);
    raise(SIGINT);
}

static void ignored_signal(void)
{
    signal(SIGINT, SIG_IGN);
    stop_install();
    raise(SIGINT);
    _exit(stop_requested() ? 1 : 0);
}

static void test_stop(void **state)
{
    (void)state;
    assert_false(stop_requested());
    assert_int_equal(in_child(first_signal), 0);
    int status = in_child(second_signal);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_int_equal(in_child(ignored_signal), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
