/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/npy.h"
#include "common/store/samples.h"
#include "tests/unit/support.h"

/* A version 1.0 array with this header text, padded to 16 bytes, and `n_data` zero bytes. */
static struct buf make(const char *text, size_t n_data)
{
    static const unsigned char zeros[256];
    struct buf b = {0};
    unsigned char prefix[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t padding = (16 - (sizeof prefix + strlen(text)) % 16) % 16;
    size_t header_len = strlen(text) + padding;
    prefix[8] = header_len & 0xff;
    prefix[9] = (unsigned char)(header_len >> 8);
    assert_int_equal(buf_append(&b, prefix, sizeof prefix, NULL), 0);
    assert_int_equal(buf_printf(&b, NULL, "%s%*s", text, (int)padding, ""), 0);
    assert_int_equal(buf_append(&b, zeros, n_data, NULL), 0);
    return b;
}

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t item_bytes;
        int n_dims;
        size_t n_data;
    } cases[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }  \n", 1, 2, 12},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }\n", 4, 1, 20},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (), }\n", 2, 0, 2},
        {"{\"shape\":(2,0,7),\"descr\":\"<c16\",\"fortran_order\":False}", 16, 3, 0},
        {"{'descr': '<U3', 'fortran_order': False, 'shape': (2,), }\n", 12, 1, 24},
        {"{'descr': '|S5', 'fortran_order': False, 'shape': (2,), }\n", 5, 1, 10},
        {"{'descr': [('a', '<u4'), ('b', '|u1', (3,))], 'fortran_order': False, 'shape': (2,), }\n",
         7, 1, 14},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 2), }\n", 1, 8,
         2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct npy a;
        struct buf b = make(cases[i].text, cases[i].n_data);
        support_ok(npy_parse(&a, b.data, b.len, &e), &e);
        assert_int_equal(a.item_bytes, cases[i].item_bytes);
        assert_int_equal(a.n_dims, cases[i].n_dims);
        assert_int_equal(a.data_bytes, cases[i].n_data);
        assert_ptr_equal((const unsigned char *)a.data + a.data_bytes, b.data + b.len);
        buf_release(&b);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n_data;
        const char *why;
    } cases[] = {
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (3, 4), }\n", 12, "Fortran order"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }\n", 11,
         "do not fit the 11 bytes"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }\n", 13,
         "do not fit the 13 bytes"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }\n", 4, "big-endian"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", 8, "no type"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }\n", 3, "no type"},
        {"{'descr': '<f4x', 'fortran_order': False, 'shape': (1,), }\n", 4, "no type"},
        {"{'descr': '|S0', 'fortran_order': False, 'shape': (1,), }\n", 0, "no type"},
        {"{'descr': '<U4611686018427387905', 'fortran_order': False, 'shape': (1,), }\n", 4,
         "no type"},
        {"{'descr': 'a\\'b', 'fortran_order': False, 'shape': (1,), }\n", 4, "neither"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4), }\n", 4, "not a tuple"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-4,), }\n", 4,
         "something else than sizes"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }\n", 1,
         "more than 8"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551616,), }\n", 0,
         "sizes"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n", 0,
         "fit"},
        {"{'descr': '|u1', 'fortran_order': False, }\n", 0, "lacks"},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n", 1, "twice"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'x': 1}\n", 1,
         "unknown member 'x'"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), } 1\n", 1, "behind"},
        {"{'descr': '|u1', 'fortran_order': Maybe, 'shape': (1,), }\n", 1,
         "neither True nor False"},
        {"{'descr': [], 'fortran_order': False, 'shape': (1,), }\n", 0, "without columns"},
        {"{'descr': [('a', '<u4')('b', '<u4')], 'fortran_order': False, 'shape': (1,), }\n", 8,
         "list"},
        {"{'descr': [('a', [('b', '<u4')])], 'fortran_order': False, 'shape': (1,), }\n", 4,
         "column"},
        {"{'descr': [('a', '<u4', (9223372036854775807, 9))], 'fortran_order': False, 'shape': "
         "(0,), }",
         0, "too large"},
        {"[]\n", 0, "not a dict"},
        {"", 0, "not a dict"},
        {"{'descr", 0, "not a dict"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct npy a;
        struct buf b = make(cases[i].text, cases[i].n_data);
        support_failed(npy_parse(&a, b.data, b.len, &e), &e, cases[i].why);
        buf_release(&b);
    }
}

static void test_prefix(void **state)
{
    (void)state;
    struct err e = {0};
    struct npy a;
    struct buf b = make("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n", 1);
    support_failed(npy_parse(&a, b.data, 9, &e), &e, "not a .npy array");
    support_failed(npy_parse(&a, b.data, 30, &e), &e, "cut off");
    b.data[8]--;
    support_failed(npy_parse(&a, b.data, b.len, &e), &e, "does not align");
    b.data[8]++;
    b.data[6] = 2;
    support_failed(npy_parse(&a, b.data, b.len, &e), &e, "version 2.0, this program reads 1.0");
    b.data[0] = 'x';
    support_failed(npy_parse(&a, b.data, b.len, &e), &e, "not a .npy array");
    buf_release(&b);
}

/* Arrays of every type and random shape read back as they were written, behind other bytes. */
static void test_round_trip(void **state)
{
    (void)state;
    static const char *const descrs[] = {"|u1", "|i1", "|b1", "<f2", "<f4", "<f8",
                                         "<i8", "<c8", "|S3", "<U2", "|V9", NULL};
    srand(7);
    for (int round = 0; round < 2000; round++) {
        struct err e = {0};
        struct npy a = {.n_dims = rand() % (NPY_MAX_DIMS + 1)}, back;
        const char *descr = descrs[rand() % 12];
        snprintf(a.descr, sizeof a.descr, "%s", descr ? descr : samples_descr());
        size_t n = 1, before = 1 + (size_t)rand() % 100;
        for (int i = 0; i < a.n_dims; i++)
            n *= a.dim[i] = (size_t)rand() % 4;
        struct buf b = {0};
        support_ok(buf_reserve(&b, before, &e), &e);
        memset(b.data, 'x', before);
        b.len = before;
        support_ok(npy_put_header(&b, &a, &e), &e);
        assert_int_equal((b.len - before) % 64, 0);
        assert_int_equal(b.data[b.len - 1], '\n');
        size_t item_bytes = descr ? (descr[1] == 'U' ? 8 : (size_t)(descr[2] - '0')) : 64;
        support_ok(buf_reserve(&b, n * item_bytes, &e), &e);
        memset(b.data + b.len, round, n * item_bytes);
        b.len += n * item_bytes;
        support_ok(npy_parse(&back, b.data + before, b.len - before, &e), &e);
        assert_string_equal(back.descr, a.descr);
        assert_int_equal(back.item_bytes, item_bytes);
        assert_int_equal(back.n_dims, a.n_dims);
        assert_memory_equal(back.dim, a.dim, (size_t)a.n_dims * sizeof *a.dim);
        buf_release(&b);
    }
}

static void test_header_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "f4", "<f4', 'shape': (1,), 'x': '", "<f4'",
                                      "[('a', '<f4')"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        struct buf b = {0};
        struct npy a = {.n_dims = 1, .dim = {1}};
        snprintf(a.descr, sizeof a.descr, "%s", bad[i]);
        support_failed(npy_put_header(&b, &a, &e), &e, ".npy");
        buf_release(&b);
    }
    struct err e = {0};
    struct buf b = {0};
    struct npy a = {.descr = "|u1", .n_dims = NPY_MAX_DIMS + 1};
    support_failed(npy_put_header(&b, &a, &e), &e, "dimensions");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_prefix),         cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_header_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
