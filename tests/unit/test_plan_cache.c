/* SPDX-License-Identifier: Apache-2.0 */
/* Choices of all runs: found by the next, of the same machine alone; trouble with the folder is
 * none. */
#include "kernels/plan_cache.h"

#include <unistd.h>

#include "common/base/file.h"
#include "tests/unit/support.h"

static char folder[4096], cache[4200];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(cache, sizeof cache, "%s/a/b", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

static struct plan_cache *open_cache(const char *where, const char *machine)
{
    struct err e = {0};
    struct plan_cache *c = NULL;
    support_ok(plan_cache_open(&c, where, machine, &e), &e);
    return c;
}

static void check(struct plan_cache *c, const char *key, const char *want)
{
    char choice[PLAN_FILE_LINE] = "";
    assert_int_equal(plan_cache_get(c, key, choice), want != NULL);
    assert_string_equal(choice, want ? want : "");
}

static void the_next_run_finds_it(void **state)
{
    struct plan_cache *one = open_cache(cache, "gpu 1"), *two = open_cache(cache, "gpu 1");
    struct plan_cache *other = open_cache(cache, "gpu, 1");
    (void)state;
    check(one, "a", NULL);
    assert_false(file_exists(cache));
    plan_cache_put(one, "a", "first");
    plan_cache_put(two, "b", "second"); /* beside what the other put meanwhile */
    check(one, "b", "second");
    check(two, "a", "first");
    check(other, "a", NULL);
    plan_cache_put(other, "a", "third");
    check(one, "a", "first");
    check(other, "a", "third");
    plan_cache_close(one);
    plan_cache_close(two);
    plan_cache_close(other);
}

/* What a name of a file would confuse is told apart by the name inside. */
static void like_named_machines_differ(void **state)
{
    struct plan_cache *one = open_cache(cache, "gpu/2"), *two = open_cache(cache, "gpu 2");
    (void)state;
    plan_cache_put(one, "a", "first");
    check(two, "a", NULL);
    plan_cache_put(two, "a", "second");
    check(one, "a", NULL);
    check(two, "a", "second");
    plan_cache_close(one);
    plan_cache_close(two);
}

static void damage_is_replaced(void **state)
{
    struct plan_cache *c = open_cache(cache, "gpu 3");
    char path[4400];
    (void)state;
    plan_cache_put(c, "a", "first");
    snprintf(path, sizeof path, "%s/gpu-3.plans", cache);
    assert_true(file_exists(path));
    support_write(path, "nonsense", 8);
    check(c, "a", NULL);
    plan_cache_put(c, "b", "second");
    check(c, "a", NULL);
    check(c, "b", "second");
    plan_cache_close(c);
}

static void nowhere_is_fine(void **state)
{
    char path[4400];
    (void)state;
    snprintf(path, sizeof path, "%s/file", folder);
    support_write(path, "", 0);
    const char *const where[] = {NULL, "/proc/self/none", path};
    for (int i = 0; i < 3; i++) {
        struct plan_cache *c = open_cache(where[i], "gpu");
        plan_cache_put(c, "a", "first");
        check(c, "a", NULL);
        plan_cache_close(c);
    }
    plan_cache_close(NULL);
}

/* Another process that is putting something is not waited for. */
static void a_lock_is_not_waited_for(void **state)
{
    struct plan_cache *c = open_cache(cache, "gpu 4");
    struct err e = {0};
    char path[4400];
    int lock;
    (void)state;
    plan_cache_put(c, "a", "first");
    snprintf(path, sizeof path, "%s/gpu-4.plans.lock", cache);
    support_ok(file_lock(path, &lock, &e), &e);
    plan_cache_put(c, "b", "second");
    close(lock);
    check(c, "a", "first");
    check(c, "b", NULL);
    plan_cache_put(c, "b", "second");
    check(c, "b", "second");
    plan_cache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_run_finds_it),    cmocka_unit_test(like_named_machines_differ),
        cmocka_unit_test(damage_is_replaced),       cmocka_unit_test(nowhere_is_fine),
        cmocka_unit_test(a_lock_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
