/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "tests/unit/support.h"

static void test_append(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b;
    buf_init(&b);
    support_ok(buf_append(&b, NULL, 0, &e), &e);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned char byte = (unsigned char)i;
        support_ok(buf_append(&b, &byte, 1, &e), &e);
    }
    assert_int_equal(b.len, 1000);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(b.data[i], i % 256);
    size_t cap = b.cap;
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, cap);
    buf_release(&b);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
}

static void test_printf(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = {0};
    support_ok(buf_printf(&b, &e, "%s-%d", "clip", 7), &e);
    support_ok(buf_printf(&b, &e, "/%200d", 1), &e);
    assert_int_equal(b.len, 6 + 201);
    assert_int_equal(strlen((char *)b.data), b.len);
    assert_memory_equal(b.data, "clip-7/ ", 8);
    buf_release(&b);
}

static void test_overflow(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = {0};
    support_ok(buf_append(&b, "x", 1, &e), &e);
    support_failed(buf_reserve(&b, SIZE_MAX, &e), &e, "out of memory: 1 + 18446744073709551615");
    support_failed(buf_reserve(&b, SIZE_MAX / 2, &e), &e, "out of memory");
    assert_int_equal(b.len, 1);
    assert_int_equal(b.data[0], 'x');
    buf_release(&b);
}

static void test_mem(void **state)
{
    (void)state;
    struct err e = {0};
    int *v = mem_new(3, sizeof *v, &e);
    assert_non_null(v);
    assert_true(v[0] == 0 && v[1] == 0 && v[2] == 0);
    v[2] = 5;
    v = mem_grow(v, 300, sizeof *v, &e);
    assert_non_null(v);
    assert_int_equal(v[2], 5);
    assert_null(mem_grow(v, SIZE_MAX / 2, sizeof *v, &e));
    assert_string_equal(e.text, "out of memory: 9223372036854775807 * 4 bytes");
    free(v);
    assert_null(mem_new(SIZE_MAX / 2, 16, &e));
    assert_string_equal(e.text, "out of memory: 9223372036854775807 * 16 bytes");
    void *nothing = mem_new(0, 8, &e);
    assert_non_null(nothing);
    free(nothing);
    void *aligned = mem_aligned(65, &e);
    assert_int_equal((uintptr_t)aligned % 64, 0);
    memset(aligned, 1, 128);
    free(aligned);
    assert_null(mem_aligned(SIZE_MAX - 3, &e));
    char *copy = mem_strdup("label", &e);
    assert_string_equal(copy, "label");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_mem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
