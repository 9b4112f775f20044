/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/base/pool.h"
#include "common/base/stop.h"
#include "tests/unit/support.h"

struct run {
    size_t fail_work, fail_emit; /* items that fail; SIZE_MAX none */
    size_t stop_at;              /* item whose work sends SIGTERM; SIZE_MAX none */
    size_t n_threads;
    atomic_size_t n_alive;  /* results made and not freed */
    atomic_size_t greatest; /* result count seen ahead of emission */
    atomic_size_t n_worked;
    size_t n_emitted;
};

static struct run new_run(void)
{
    return (struct run){.fail_work = SIZE_MAX, .fail_emit = SIZE_MAX, .stop_at = SIZE_MAX};
}

static void request_stop(void)
{
    kill(getpid(), SIGTERM);
    while (!stop_requested())
        usleep(100);
}

static int work(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct run *r = user;
    assert_true(thread < r->n_threads);
    r->n_worked++;
    usleep((useconds_t)(item * 7919 % 5) * 100);
    if (item == r->stop_at)
        request_stop();
    if (item >= r->fail_work)
        return err_code(e, ERR_NOT_FOUND, "item %zu is bad", item);
    size_t *value = malloc(sizeof *value);
    *value = item * item;
    *result = value;
    size_t alive = ++r->n_alive;
    if (alive > r->greatest)
        r->greatest = alive;
    return 0;
}

static void discard(void *user, void *result)
{
    struct run *r = user;
    r->n_alive--;
    free(result);
}

static int emit(void *user, size_t item, void *result, struct err *e)
{
    struct run *r = user;
    assert_int_equal(item, r->n_emitted);
    assert_int_equal(*(size_t *)result, item * item);
    discard(user, result);
    if (item == r->fail_emit)
        return err_set(e, "item %zu cannot be written", item);
    r->n_emitted++;
    return 0;
}

static int run_pool(struct run *r, size_t n_items, size_t n_threads, size_t window, struct err *e)
{
    struct pool_job job = {.n_items = n_items,
                           .n_threads = n_threads,
                           .window = window,
                           .work = work,
                           .emit = emit,
                           .discard = discard,
                           .user = r};
    r->n_threads = n_threads;
    int rc = pool_run(&job, e);
    assert_int_equal(r->n_alive, 0);
    return rc;
}

static void test_order(void **state)
{
    (void)state;
    for (size_t n_threads = 1; n_threads <= 8; n_threads *= 2)
        for (size_t window = 0; window <= 3; window++) {
            struct err e = {0};
            struct run r = new_run();
            support_ok(run_pool(&r, 50, n_threads, window, &e), &e);
            assert_int_equal(r.n_emitted, 50);
            assert_int_equal(r.n_worked, 50);
            assert_true(r.greatest <= (window ? window : 2 * n_threads));
        }
    struct err e = {0};
    struct run none = new_run();
    support_ok(run_pool(&none, 0, 4, 0, &e), &e);
}

static void test_failing_work(void **state)
{
    (void)state;
    for (size_t n_threads = 1; n_threads <= 4; n_threads++)
        for (size_t item = 0; item < 20; item++) {
            struct err e = {0};
            struct run r = new_run();
            r.fail_work = item;
            assert_int_equal(run_pool(&r, 20, n_threads, 0, &e), ERR_NOT_FOUND);
            char expected[64];
            snprintf(expected, sizeof expected, "item %zu is bad", item);
            assert_string_equal(e.text, expected);
            assert_int_equal(r.n_emitted, item);
            assert_true(r.n_worked <= item + 1 + 2 * n_threads);
        }
}

static void test_failing_emit(void **state)
{
    (void)state;
    for (size_t n_threads = 1; n_threads <= 4; n_threads++) {
        struct err e = {0};
        struct run r = new_run();
        r.fail_emit = 5;
        support_failed(run_pool(&r, 1000, n_threads, 0, &e), &e, "item 5 cannot be written");
        assert_int_equal(r.n_emitted, 5);
        assert_true(r.n_worked < 100);
    }
}

/* In a child, as the stop request stays for the life of a process. */
static void test_stop(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        stop_install();
        struct err e = {0};
        struct run r = new_run();
        r.stop_at = 30;
        int rc = run_pool(&r, 1000, 3, 0, &e);
        /* Everything begun is handed over, the rest is not begun. */
        bool right =
            rc == ERR_STOPPED && r.n_emitted >= 31 && r.n_emitted < 40 && r.n_emitted == r.n_worked;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_processors(void **state)
{
    (void)state;
    size_t n = pool_n_processors();
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_true(n >= 1 && n <= (size_t)CPU_COUNT(&all));
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pool_n_processors(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(mem_limit() >= (size_t)16 << 20 && mem_limit() <= (size_t)1 << 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),        cmocka_unit_test(test_failing_work),
        cmocka_unit_test(test_failing_emit), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
