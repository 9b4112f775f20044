/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/array.h"

#include <math.h>

#include "tests/unit/support.h"

static struct scalar_type type_of(const char *descr, size_t bytes)
{
    return scalar_from_descr(descr, strlen(descr), bytes);
}

static void check_scalar(const char *descr, const void *p, size_t bytes, const char *expected)
{
    char text[SCALAR_TEXT_BYTES];
    struct scalar_type type = type_of(descr, bytes);
    scalar_text(type, p, text);
    assert_string_equal(text, expected);
    if (!scalar_is_number(type))
        assert_true(isnan(scalar_f64(type, p)));
    else if (strcmp(expected, "nan") != 0) /* the text holds as many digits as tell values apart */
        assert_true(fabs(scalar_f64(type, p) / strtod(expected, NULL) - 1) < 1e-4);
}

static void test_scalars(void **state)
{
    (void)state;
    check_scalar("|b1", "\1", 1, "1");
    check_scalar("|i1", "\x80", 1, "-128");
    check_scalar("|u1", "\x80", 1, "128");
    check_scalar("<i2", "\xfe\xff", 2, "-2");
    check_scalar("<u2", "\xfe\xff", 2, "65534");
    check_scalar("<i4", "\0\0\0\x80", 4, "-2147483648");
    check_scalar("<u4", "\xff\xff\xff\xff", 4, "4294967295");
    check_scalar("<i8", "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, "9223372036854775807");
    check_scalar("<i8", "\0\0\0\0\0\0\0\x80", 8, "-9223372036854775808");
    check_scalar("<u8", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "18446744073709551615");
    check_scalar("<f2", "\0\x3c", 2, "1");
    check_scalar("<f2", "\1\xc0", 2, "-2.002");
    check_scalar("<f4", "\xcd\xcc\xcc\x3d", 4, "0.100000001");
    check_scalar("<f8", "\x9a\x99\x99\x99\x99\x99\xb9\x3f", 8, "0.10000000000000001");
    check_scalar("<f8", "\0\0\0\0\0\0\xf8\x7f", 8, "nan");
    check_scalar("|S3", "ab\xff", 3, "6162ff");
    check_scalar("<c8", "\0\0\x80\x3f\0\0\0\0", 8, "0000803f00000000");
    check_scalar("|V20", "01234567890123456789", 20, "30313233343536373839303132333435...");
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(scalar_name(type_of("|b1", 1)), "bool");
    assert_string_equal(scalar_name(type_of("|u1", 1)), "uint8");
    assert_string_equal(scalar_name(type_of("<i2", 2)), "int16");
    assert_string_equal(scalar_name(type_of("<u4", 4)), "uint32");
    assert_string_equal(scalar_name(type_of("<i8", 8)), "int64");
    assert_string_equal(scalar_name(type_of("<f2", 2)), "float16");
    assert_string_equal(scalar_name(type_of("<f4", 4)), "float32");
    assert_string_equal(scalar_name(type_of("<f8", 8)), "float64");
    assert_string_equal(scalar_name(type_of("<U4", 16)), "bytes");
    assert_string_equal(scalar_name((struct scalar_type){SCALAR_BFLOAT, 2}), "bfloat16");
}

static void check_text(int (*text)(const struct array *, struct buf *, struct err *),
                       const struct array *a, const char *expected)
{
    struct err e = {0};
    struct buf b = {0};
    support_ok(text(a, &b, &e), &e);
    assert_string_equal((char *)b.data, expected);
    buf_release(&b);
}

static void test_columns(void **state)
{
    (void)state;
    static struct array a;
    static const unsigned char data[2 * 31] = {1, 0, 0, 0, 7};
    struct err e = {0};
    struct npy npy = {.descr = "[('a(b', '<u4'), (\"it's\", '|u1', (2, 3)), ('c', '<f8', ()), "
                               "('name', '<U2'), ('last', '|S5', (1,))]",
                      .item_bytes = 31,
                      .n_dims = 1,
                      .dim = {2},
                      .data = data,
                      .data_bytes = sizeof data};
    static const struct {
        const char *name, *type;
        size_t offset, n;
    } expected[] = {{"a(b", "uint32", 0, 1},
                    {"it's", "uint8", 4, 6},
                    {"c", "float64", 10, 1},
                    {"name", "bytes", 18, 1},
                    {"last", "bytes", 26, 1}};
    support_ok(array_from_npy(&a, &npy, &e), &e);
    assert_int_equal(a.n_columns, 5);
    assert_int_equal(a.n, 2);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(a.column[i].name, expected[i].name);
        assert_string_equal(scalar_name(a.column[i].type), expected[i].type);
        assert_int_equal(a.column[i].offset, expected[i].offset);
        assert_int_equal(a.column[i].n, expected[i].n);
    }
    assert_ptr_equal(array_item(&a, 1), data + 31);
    check_text(array_type_text, &a, "table");
    check_text(array_shape_text, &a, "[2]");
    npy.item_bytes = 30; /* not what the columns make */
    support_failed(array_from_npy(&a, &npy, &e), &e, "not a list of columns");
}

static void test_tensor(void **state)
{
    (void)state;
    static struct array a;
    static const uint16_t data[6] = {0x3f80, 0xbf00};
    struct safetensor t = {
        .name = "w", .dtype = "BF16", .n_dims = 2, .dim = {2, 3}, .data = data, .bytes = 12};
    array_from_tensor(&a, &t);
    assert_int_equal(a.n, 6);
    assert_string_equal(a.descr, "");
    check_text(array_type_text, &a, "bfloat16");
    check_text(array_shape_text, &a, "[2,3]");
    assert_true(scalar_f64(a.type, array_item(&a, 0)) == 1);
    assert_true(scalar_f64(a.type, array_item(&a, 1)) == -0.5);
    t = (struct safetensor){.name = "f", .dtype = "F8_E4M3", .data = data, .bytes = 1};
    array_from_tensor(&a, &t);
    assert_int_equal(a.n, 1);
    check_text(array_type_text, &a, "bytes");
    check_text(array_shape_text, &a, "[]");
    assert_false(scalar_is_number(a.type));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
