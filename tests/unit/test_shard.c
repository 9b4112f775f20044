/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/shard.h"

#include "tests/unit/support.h"

static void test_parse(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "1",
                                      "1/",
                                      "/2",
                                      "0/2",
                                      "3/2",
                                      "1/0",
                                      "01/2",
                                      "1/02",
                                      "1/10000",
                                      "99999999/99999999",
                                      "-1/2",
                                      "1/2 ",
                                      " 1/2",
                                      "1/2/3",
                                      "1-of-2",
                                      "a/b"};
    struct err e = {0};
    struct shard s = {7, 8};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        support_failed(shard_parse(&s, bad[i], &e), &e, "want I/N with 1 <= I <= N <= 9999");
        assert_true(s.number == 7 && s.of == 8);
    }
    static const struct shard good[] = {{1, 1}, {2, 8}, {10, 10}, {9999, 9999}, {1, 9999}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[SHARD_TEXT_BYTES];
        shard_text(&good[i], text);
        support_ok(shard_parse(&s, text, &e), &e);
        assert_true(s.number == good[i].number && s.of == good[i].of);
    }
}

/* Every item is in one shard, and their sizes differ by one at most. */
static void test_dealing(void **state)
{
    (void)state;
    for (int of = 1; of < 9; of++)
        for (size_t n_items = 0; n_items < 20; n_items++) {
            size_t n_dealt = 0;
            for (int number = 1; number <= of; number++) {
                size_t n = 0;
                for (size_t i = 0; i < n_items; i++)
                    n += shard_has(&(struct shard){number, of}, i);
                assert_true(n == n_items / (size_t)of || n == n_items / (size_t)of + 1);
                n_dealt += n;
            }
            assert_int_equal(n_dealt, n_items);
        }
    assert_true(shard_has(&(struct shard){0}, 5));
    assert_true(shard_has(&(struct shard){2, 3}, 4));
    assert_false(shard_has(&(struct shard){2, 3}, 5));
}

static void expect_path(struct shard s, const char *expected)
{
    struct err e = {0};
    char *path = shard_path(&s, "a/b.lmdb", &e);
    assert_non_null(path);
    assert_string_equal(path, expected);
    free(path);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct shard shard;
        bool part;
    } good[] = {
        {"b.lmdb.1-of-1", {1, 1}, false},
        {"b.lmdb.2-of-13", {2, 13}, false},
        {"b.lmdb.9999-of-9999.part", {9999, 9999}, true},
    };
    static const char *const bad[] = {
        "b.lmdb",         "b.lmdb.",        "b.lmdb.part",         "b.lmdb.1-of-2.bak",
        "b.lmdb.01-of-2", "b.lmdb.1-of-02", "b.lmdb.0-of-2",       "b.lmdb.3-of-2",
        "b.lmdb.1-of-",   "b.lmdb.1-of-x",  "b.lmdb.1/2",          "b.lmdb.1-of-10000",
        "c.lmdb.1-of-2",  "b.lmdb1-of-2",   "b.lmdb.1-of-2.part2", "xb.lmdb.1-of-2",
        "b.lmd",          "b.lmdb.-1-of-2", "b.lmdb.1-of-2.",      "b.lmdb.1-of-2.part.part",
    };
    struct shard s;
    bool part;
    expect_path((struct shard){0}, "a/b.lmdb");
    expect_path((struct shard){2, 13}, "a/b.lmdb.2-of-13");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(shard_from_name(&s, &part, good[i].name, "b.lmdb"));
        assert_true(s.number == good[i].shard.number && s.of == good[i].shard.of);
        assert_int_equal(part, good[i].part);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (shard_from_name(&s, &part, bad[i], "b.lmdb"))
            fail_msg("%s was taken for a shard", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_dealing),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
