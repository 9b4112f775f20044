/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
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
        alarm(60);
        body();
        _exit(9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void send(int number)
{
    if (kill(getpid(), number) < 0)
        _exit(8);
}

static void await_request(void)
{
    while (!stop_requested())
        usleep(1000);
}

static void first_signal(void)
{
    stop_install();
    if (stop_requested())
        _exit(1);
    send(SIGTERM);
    await_request();
    _exit(0);
}

/* One that comes with the first is the same request. */
static void twin_signals(void)
{
    const struct timespec while_taken = {.tv_nsec = 300000000};
    stop_install();
    send(SIGTERM);
    send(SIGINT);
    send(SIGTERM);
    await_request();
    nanosleep(&while_taken, NULL);
    _exit(0);
}

static void second_signal(void)
{
    const struct timespec later = {.tv_nsec = 400000000};
    stop_install();
    send(SIGTERM);
    await_request();
    nanosleep(&later, NULL);
    send(SIGINT);
    for (;;)
        pause();
}

static bool is_blocked(int number)
{
    sigset_t now;
    return pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, number) == 1;
}

static void *ask_if_blocked(void *blocked)
{
    *(bool *)blocked = is_blocked(SIGINT) && is_blocked(SIGTERM);
    return NULL;
}

/* No signal may strike a thread that computes. */
static void threads_are_spared(void)
{
    pthread_t thread;
    bool here = false, there = false;
    stop_install();
    ask_if_blocked(&here);
    if (pthread_create(&thread, NULL, ask_if_blocked, &there) != 0 ||
        pthread_join(thread, NULL) != 0)
        _exit(8);
    struct sigaction now;
    bool handled = sigaction(SIGTERM, NULL, &now) < 0 || now.sa_handler != SIG_DFL;
    _exit(here && there && !handled ? 0 : 1);
}

static void ignored_signal(void)
{
    signal(SIGINT, SIG_IGN);
    stop_install();
    send(SIGINT);
    _exit(stop_requested() || is_blocked(SIGINT) || !is_blocked(SIGTERM) ? 1 : 0);
}

static void test_stop(void **state)
{
    (void)state;
    assert_false(stop_requested());
    assert_int_equal(in_child(first_signal), 0);
    int status = in_child(second_signal);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    assert_int_equal(in_child(twin_signals), 0);
    assert_int_equal(in_child(threads_are_spared), 0);
    assert_int_equal(in_child(ignored_signal), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
