/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/video/scan.h"
#include "tests/unit/support.h"

enum { MAX_TIMES = 1000 };

struct times {
    size_t n;
    int64_t t[MAX_TIMES];
};

/* n frames of num / den a second in milliseconds, rounded down. */
static struct times at_rate(size_t n, int64_t num, int64_t den)
{
    struct times times = {.n = n};
    for (size_t i = 0; i < n; i++)
        times.t[i] = 5000 + (int64_t)i * 1000 * den / num;
    return times;
}

struct stated {
    int64_t rate_num, rate_den, average_num, average_den;
};

static struct video scan(struct times times, struct stated stated)
{
    struct video v = {.n_frames = (int64_t)times.n};
    const struct reader_info info = {
        .unit_num = 1,
        .unit_den = 1000,
        .rate_num = stated.rate_num,
        .rate_den = stated.rate_den,
        .average_num = stated.average_num,
        .average_den = stated.average_den,
    };
    scan_rate(&v, &info, times.t, times.n);
    return v;
}

static void expect(const struct video *v, int64_t num, int64_t den, bool variable)
{
    assert_int_equal(v->fps_num, num);
    assert_int_equal(v->fps_den, den);
    assert_int_equal(v->variable_rate, variable);
}

static void test_constant(void **state)
{
    (void)state;
    struct video v = scan(at_rate(300, 30000, 1001), (struct stated){30000, 1001, 30000, 1001});
    expect(&v, 30000, 1001, false);
    assert_float_equal(v.duration, 10.01, 1e-12);
    v = scan(at_rate(300, 25, 1), (struct stated){50, 2, 0, 1});
    expect(&v, 25, 1, false);
}

static void test_order_of_the_file_does_not_matter(void **state)
{
    (void)state;
    struct times times = at_rate(300, 25, 1);
    for (size_t i = 0; i + 3 < times.n; i += 3) { /* as with B-frames */
        int64_t t = times.t[i + 1];
        times.t[i + 1] = times.t[i + 3];
        times.t[i + 3] = t;
    }
    struct video v = scan(times, (struct stated){25, 1, 25, 1});
    expect(&v, 25, 1, false);
}

/* The container's finest rate may be wrong or unknown: the average decides, then what is measured.
 */
static void test_other_candidates(void **state)
{
    (void)state;
    struct video v = scan(at_rate(800, 30, 1), (struct stated){30000, 1001, 30, 1});
    expect(&v, 30, 1, false);
    v = scan(at_rate(800, 24, 1), (struct stated){90000, 1, 0, 1});
    expect(&v, 24, 1, false);
}

static void test_variable(void **state)
{
    (void)state;
    struct times times = at_rate(300, 25, 1);
    for (size_t i = 100; i < times.n; i++) /* a gap of a second */
        times.t[i] += 1000;
    struct video v = scan(times, (struct stated){25, 1, 0, 1});
    expect(&v, 25, 1, true);
    assert_float_equal(v.duration, 13, 1e-9);
    for (size_t i = 0; i < times.n; i++) /* now a slide show: the finest rate says nothing */
        times.t[i] = (int64_t)(i * i);
    v = scan(times, (struct stated){1000, 1, 0, 1});
    expect(&v, 418, 125, true); /* 299 steps in 89.401 s, to a thousandth */
}

static void test_breaks_do_not_count(void **state)
{
    (void)state;
    struct times times = at_rate(100, 25, 1);
    times.t[50] = INT64_MAX - 5;
    struct video v = scan(times, (struct stated){25, 1, 0, 1});
    assert_true(v.variable_rate);
    assert_true(v.duration > 3.9 && v.duration < 4.1);
}

static void test_too_few(void **state)
{
    (void)state;
    struct video v = scan(at_rate(1, 25, 1), (struct stated){1000, 1, 30, 1});
    expect(&v, 30, 1, false);
    v = scan(at_rate(1, 25, 1), (struct stated){50, 1, 0, 1});
    expect(&v, 50, 1, false);
    v = scan(at_rate(1, 25, 1), (struct stated){90000, 1, 0, 1});
    expect(&v, 25, 1, false);
    assert_float_equal(v.duration, 0.04, 1e-12);
    struct times none = {.n = 0};
    v = scan(none, (struct stated){30, 1, 0, 1}); /* a file without timestamps */
    expect(&v, 30, 1, false);
    struct times same = {.n = 5};
    v = scan(same, (struct stated){30, 1, 0, 1});
    expect(&v, 30, 1, false);
}

/* Leaves this process so many bytes more than it has. */
static void limit_memory(size_t bytes)
{
    size_t n_pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%zu", &n_pages) != 1)
        _exit(7);
    fclose(f);
    rlim_t limit = n_pages * (size_t)sysconf(_SC_PAGESIZE) + bytes;
    if (setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}) < 0)
        _exit(8);
}

/* A file is bad only where memory for a good one was there; how large it says it is does not count.
 */
static void test_short_of_memory(void **state)
{
    (void)state;
    char folder[256];
    struct err e = {0};
    struct video v = {0};
    const struct scan_options o = {0};
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "words.mp4");
    support_write(path, "these are words, and no video", 29);
    support_ok(scan_video(&v, path, &o, &e), &e);
    assert_false(v.ok);
    assert_non_null(v.reason);
    video_release(&v);
    support_ok(reader_check_memory(0, 0, &e), &e);
    support_ok(reader_check_memory(1 << 30, 1 << 30, &e), &e);
    assert_int_equal(mem_check((size_t)1 << 60, &e), ERR_SHORTAGE);
    pid_t child = fork();
    if (child == 0) {
        limit_memory((size_t)48 << 20);
        int rc = scan_video(&(struct video){0}, path, &o, &e);
        bool right = rc == ERR_SHORTAGE && strstr(e.text, "words.mp4: ") &&
                     strstr(e.text, "64 MiB more are not to be had");
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),
        cmocka_unit_test(test_order_of_the_file_does_not_matter),
        cmocka_unit_test(test_other_candidates),
        cmocka_unit_test(test_variable),
        cmocka_unit_test(test_breaks_do_not_count),
        cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
