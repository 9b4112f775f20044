/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/codec.h"
#include <stdbool.h>
#include "tests/unit/support.h"

struct fixture {
    struct codec *c;
    struct buf value;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(codec_new(&f->c, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    codec_free(f->c);
    buf_release(&f->value);
    free(f);
    return 0;
}

/* A picture-like array: smooth with some noise. */
static struct npy make(unsigned char *data, size_t n)
{
    struct npy a = {.descr = "|u1", .n_dims = 1, .dim = {n}, .data = data, .data_bytes = n};
    for (size_t i = 0; i < n; i++)
        data[i] = (unsigned char)(i / 100 + (size_t)rand() % 4);
    return a;
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    static unsigned char data[300000];
    for (int round = 0; round < 60; round++) {
        struct npy a = make(data, (size_t)rand() % sizeof data), back;
        support_ok(codec_set_level(f->c, 1 + round % 3, &e), &e);
        support_ok(codec_pack(f->c, &a, &f->value, &e), &e);
        support_ok(codec_unpack(f->c, f->value.data, f->value.len, &back, &e), &e);
        assert_int_equal(back.data_bytes, a.data_bytes);
        assert_memory_equal(back.data, data, a.data_bytes);
    }
}

/* What a codec did before has no say in what it writes. */
static void test_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    static unsigned char data[200000], other[200000];
    struct npy a = make(data, sizeof data);
    struct buf first = {0};
    support_ok(codec_pack(f->c, &a, &first, &e), &e);
    for (int round = 0; round < 50; round++) {
        struct npy b = make(other, 1 + (size_t)rand() % sizeof other);
        support_ok(codec_pack(f->c, &b, &f->value, &e), &e);
        support_ok(codec_pack(f->c, &a, &f->value, &e), &e);
        assert_int_equal(f->value.len, first.len);
        assert_memory_equal(f->value.data, first.data, first.len);
    }
    buf_release(&first);
}

/* Every truncation is noticed; a flipped bit is noticed or (few bits have no say) changes nothing.
 */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    unsigned char data[5000];
    size_t n_noticed = 0;
    struct npy a = make(data, sizeof data), back;
    support_ok(codec_pack(f->c, &a, &f->value, &e), &e);
    for (size_t len = 0; len < f->value.len; len++)
        assert_true(codec_unpack(f->c, f->value.data, len, &back, &e) < 0);
    for (size_t i = 0; i < 8 * f->value.len; i++) {
        f->value.data[i / 8] ^= (unsigned char)(1 << i % 8);
        if (codec_unpack(f->c, f->value.data, f->value.len, &back, &e) < 0) {
            n_noticed++;
        } else {
            assert_int_equal(back.data_bytes, sizeof data);
            assert_memory_equal(back.data, data, sizeof data);
        }
        f->value.data[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    assert_true(n_noticed > 8 * f->value.len * 99 / 100);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    unsigned char data[100];
    struct npy a = make(data, sizeof data), back;
    support_failed(codec_unpack(f->c, "no zstd", 7, &back, &e), &e, "not a zstd frame");
    support_failed(codec_unpack(f->c, "", 0, &back, &e), &e, "not a zstd frame");
    /* Frames made by hand: magic, descriptor, window or content size, one raw block. */
    static const unsigned char unsized[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x09, 0, 0, 'x'};
    support_failed(codec_unpack(f->c, unsized, sizeof unsized, &back, &e), &e,
                   "does not say its size");
    static const unsigned char huge[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0,
                                         0,    1,    0,    0,    0,    1, 0, 0};
    support_failed(codec_unpack(f->c, huge, sizeof huge, &back, &e), &e, "more than");
    static const unsigned char no_npy[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 0x09, 0, 0, 'x'};
    support_failed(codec_unpack(f->c, no_npy, sizeof no_npy, &back, &e), &e, "not a .npy");

    support_ok(codec_pack(f->c, &a, &f->value, &e), &e);
    support_ok(buf_append(&f->value, "x", 1, &e), &e);
    support_failed(codec_unpack(f->c, f->value.data, f->value.len, &back, &e), &e,
                   "1 bytes behind");

    a.data_bytes--;
    support_failed(codec_pack(f->c, &a, &f->value, &e), &e, "do not fit");
    a.data_bytes = (size_t)CODEC_MAX_TENSOR_BYTES + 1;
    support_failed(codec_pack(f->c, &a, &f->value, &e), &e, "more than");
    support_failed(codec_set_level(f->c, 0, &e), &e, "level 0");
    support_failed(codec_set_level(f->c, 20, &e), &e, "level 20");
    codec_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
