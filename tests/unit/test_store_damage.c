/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files, full disks, folders that cannot be written. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/file.h"
#include "common/base/rng.h"
#include "tests/unit/store_support.h"

static char folder[256], path[300], other[300]; /* two files for the tests */

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.lmdb", folder);
    snprintf(other, sizeof other, "%s/b.lmdb", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

/* -- damage -- */

/* Reads what can be read: the number of records that are as store_support_make wrote them, or -1.
 */
static long read_all(const char *file)
{
    struct err e = {0};
    struct store *s;
    struct blob value;
    const char *key;
    long n = 0;
    if (store_open_any(&s, file, &e) < 0)
        return -1;
    int rc;
    while ((rc = store_next(s, &key, &value, &e)) == 1) {
        size_t i = strtoul(key, NULL, 10);
        const unsigned char *bytes = value.data;
        bool right = value.len == i * 7919 % (i % 3 ? 300 : 12000);
        for (size_t k = 0; k < value.len; k++) /* every byte is touched, right or not */
            right &= bytes[k] == (unsigned char)i;
        n += right;
    }
    store_close(s);
    return rc < 0 ? -1 : n;
}

static void test_truncated(void **state)
{
    (void)state;
    enum { N = 300 };
    struct err e = {0};
    struct buf whole = {0};
    store_support_make(path, N);
    support_ok(file_read(path, &whole, &e), &e);
    for (size_t len = 0; len < whole.len; len += len < 10000 ? 97 : 4001) {
        support_write(other, whole.data, len);
        assert_int_equal(read_all(other), -1);
        assert_true(store_verify(other, &e) < 0);
    }
    support_write(other, whole.data, whole.len);
    assert_int_equal(read_all(other), N);
    buf_release(&whole);
}

/* LMDB's flags of a page: branch 1, leaf 2. */
static bool is_tree_page(const unsigned char *page)
{
    return (page[10] == 1 || page[10] == 2) && page[11] == 0;
}

/* Bits flipped anywhere, and garbage over whole stretches: refused, noticed by store_verify, or
 * harmless. */
static void test_flipped(void **state)
{
    (void)state;
    enum { N = 300, ROUNDS = 3000, PAGE = 4096 };
    struct err e = {0};
    struct rng r;
    struct buf whole = {0};
    long n_refused = 0, n_noticed = 0;
    rng_init(&r, 1, 0, 0);
    store_support_make(path, N);
    support_ok(file_read(path, &whole, &e), &e);
    support_write(other, whole.data, whole.len);
    int fd = open(other, O_RDWR);
    assert_true(fd >= 0);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned char bytes[64];
        size_t n = rng_below(&r, 4) ? 1 : sizeof bytes;
        size_t at = rng_below(&r, whole.len - n);
        /* Most pages hold values: aim every second time at the head of one of the tree. */
        while (round % 2 && !is_tree_page(whole.data + at / PAGE * PAGE))
            at = rng_below(&r, whole.len - n);
        if (round % 4 == 1)
            at = at / PAGE * PAGE + rng_below(&r, 80);
        memcpy(bytes, whole.data + at, n);
        bytes[0] ^= (unsigned char)(1u << rng_below(&r, 8));
        for (size_t i = 1; i < n; i++)
            bytes[i] = (unsigned char)rng_u32(&r);
        assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
        long n_right = read_all(other);
        bool verified = store_verify(other, &e) == 0;
        if (verified)
            assert_int_equal(n_right, N);
        n_refused += n_right < 0;
        n_noticed += !verified;
        assert_int_equal(pwrite(fd, whole.data + at, n, (off_t)at), n);
    }
    close(fd);
    buf_release(&whole);
    assert_true(n_refused > ROUNDS / 20);
    assert_true(n_noticed > ROUNDS / 2);
}

/* -- full disks -- */

/* Writes what store_support_make writes, but goes on where it was; 0 or the error of the first
 * failure. */
static int write_or_fail(const char *file, size_t n, struct err *e)
{
    static unsigned char value[12000];
    struct store_writer *w;
    struct store_spec spec = store_support_spec();
    if (store_create(&w, file, &spec, e) < 0)
        return ERR_FAIL;
    size_t i = store_resumed(w) ? strtoul(store_last_key(w), NULL, 10) + 1 : 0;
    for (; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "%08zu", i);
        memset(value, (int)i, sizeof value);
        if (store_put(w, key, value, i * 7919 % (i % 3 ? 300 : sizeof value), e) < 0) {
            struct err again = {0};
            support_failed(store_put(w, "z", "", 0, &again), &again, "an earlier write failed");
            store_abandon(w);
            return ERR_FAIL;
        }
    }
    return store_publish(w, n, e);
}

static void same_bytes(const char *a, const char *b)
{
    struct err e = {0};
    struct buf x = {0}, y = {0};
    support_ok(file_read(a, &x, &e), &e);
    support_ok(file_read(b, &y, &e), &e);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_release(&x);
    buf_release(&y);
}

/* In a child, as the limit holds for the process: a file that may not grow is a disk that is full.
 */
static void test_file_limit(void **state)
{
    (void)state;
    enum { N = 3000 };
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = {0};
        struct rlimit limit = {2 << 20, RLIM_INFINITY};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool failed = write_or_fail(path, N, &e) < 0 && strstr(e.text, "a.lmdb.part: ") &&
                      (strstr(e.text, "too large") || strstr(e.text, "disk full"));
        if (!failed)
            fprintf(stderr, "'%s'\n", e.text);
        _exit(failed ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(file_exists(path));

    struct err e = {0};
    support_ok(write_or_fail(path, N, &e), &e);
    store_support_make(other, N);
    same_bytes(path, other);
}

/* A small disk, six of eight megabytes of which are taken. */
static bool make_disk(const char *disk)
{
    static const char ballast[6 << 20];
    assert_int_equal(mkdir(disk, 0700), 0);
    if (mount("none", disk, "tmpfs", 0, "size=8m") < 0)
        return false;
    support_write(support_path(disk, "ballast"), ballast, sizeof ballast);
    return true;
}

static void test_full_disk(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct err e = {0}, full = {0}, refused = {0};
    struct store_writer *w;
    struct store_spec spec = store_support_spec();
    struct buf there = {0}, whole = {0};
    char disk[300], on_disk[320];
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(on_disk, sizeof on_disk, "%s/a.lmdb", disk);
    if (!make_disk(disk)) {
        print_message("skipped: a file system of its own needs root\n");
        skip();
    }
    int rc_full = write_or_fail(on_disk, N, &full);
    unlink(support_path(disk, "ballast"));
    int rc_resumed = write_or_fail(on_disk, N, &e);
    bool read_only = mount("none", disk, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=8m") == 0;
    long n_read = read_all(on_disk);
    int rc_create = store_create(&w, support_path(disk, "c.lmdb"), &spec, &refused);
    int rc_read = file_read(on_disk, &there, &e);
    umount(disk); /* before anything can fail */

    assert_true(rc_full < 0);
    if (!strstr(full.text, "No space left"))
        support_failed(rc_full, &full, "disk full");
    support_ok(rc_resumed, &e);
    assert_int_equal(n_read, N);
    assert_true(read_only);
    support_failed(rc_create, &refused, "Read-only file system");
    support_ok(rc_read, &e);
    store_support_make(other, N);
    support_ok(file_read(other, &whole, &e), &e);
    assert_int_equal(there.len, whole.len);
    assert_memory_equal(there.data, whole.data, whole.len);
    buf_release(&there);
    buf_release(&whole);
}

/* Root may write everywhere, so this is tried as somebody else. */
static void test_read_only_folder(void **state)
{
    (void)state;
    enum { N = 50, NOBODY = 65534 };
    store_support_make(path, N);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = {0};
        struct store_writer *w;
        struct store_spec spec = store_support_spec();
        if (geteuid() == 0 && setuid(NOBODY) < 0)
            _exit(3);
        if (read_all(path) != N || store_verify(path, &e) < 0)
            _exit(1);
        if (store_create(&w, other, &spec, &e) == 0 ||
            !strstr(e.text, "b.lmdb.part: Permission denied"))
            _exit(2);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_only_folder, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
