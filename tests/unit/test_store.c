/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <lmdb.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/store/index.h"
#include "tests/unit/folder_support.h"
#include "tests/unit/store_support.h"

/* -- writing and reading -- */

static void test_round_trip(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    struct store_writer *w;
    struct blob value;
    const char *path = support_path(folder, "a.lmdb"), *key;
    struct store_spec spec = store_support_spec();
    spec.settings = json_parse("{\"height\":256,\"ratio\":0.1}", 26, &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    json_free(spec.settings);
    assert_false(store_resumed(w));
    assert_string_equal(store_last_key(w), "");
    support_ok(store_put(w, "b", "two", 3, &e), &e);
    support_ok(store_put(w, "c", "", 0, &e), &e);
    support_ok(store_put(w, "a", "one", 3, &e), &e);
    assert_string_equal(store_last_key(w), "a");
    support_ok(store_peek(w, "b", &value, &e), &e);
    assert_int_equal(value.len, 3);
    assert_int_equal(store_peek(w, "d", &value, &e), ERR_NOT_FOUND);
    support_failed(store_put(w, "b", "again", 5, &e), &e, "key b: written already");
    support_ok(store_summary(w, "bad", json_new_i64(1), &e), &e);
    assert_false(file_exists(path));
    support_ok(store_publish(w, 2, &e), &e);
    assert_false(file_exists(support_path(folder, "a.lmdb.part")));

    support_ok(store_open(&s, path, "index", INDEX_VERSION, &e), &e);
    const struct store_meta *m = store_meta(s);
    assert_string_equal(m->schema, "index");
    assert_string_equal(m->tool, "test");
    assert_int_equal(m->version, INDEX_VERSION);
    assert_int_equal(m->count, 2);
    assert_true(m->complete);
    assert_int_equal(json_i64(json_member(m->settings, "height")), 256);
    assert_int_equal(json_i64(json_member(json_member(m->root, "summary"), "bad")), 1);
    assert_int_equal(strlen(m->identity), 32);
    assert_int_equal(store_n_records(s), 3);
    support_ok(store_get(s, "a", &value, &e), &e);
    assert_memory_equal(value.data, "one", 3);
    assert_int_equal(store_get(s, "x", &value, &e), ERR_NOT_FOUND);
    assert_int_equal(store_get(s, "", &value, &e), ERR_NOT_FOUND);

    static const char *const order[] = {"a", "b", "c"};
    for (int pass = 0; pass < 2; pass++) { /* without and with store_seek */
        for (int i = 0; i < 3; i++) {
            assert_int_equal(store_next(s, &key, &value, &e), 1);
            assert_string_equal(key, order[i]);
        }
        assert_int_equal(store_next(s, &key, &value, &e), 0);
        assert_int_equal(store_next(s, &key, &value, &e), 0);
        support_ok(store_seek(s, NULL, &e), &e);
    }
    support_ok(store_seek(s, "aa", &e), &e);
    assert_int_equal(store_next(s, &key, &value, &e), 1);
    assert_string_equal(key, "b");
    support_ok(store_seek(s, "d", &e), &e);
    assert_int_equal(store_next(s, &key, &value, &e), 0);

    struct store *copy;
    support_ok(store_share(&copy, s, &e), &e);
    support_ok(store_get(copy, "b", &value, &e), &e);
    assert_memory_equal(value.data, "two", 3);
    assert_string_equal(store_meta(copy)->identity, m->identity);
    store_close(copy);
    store_close(s);
    store_close(NULL);
    support_ok(store_verify(path, &e), &e);
}

static void test_keys(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct store *s;
    struct blob value;
    const char *path = support_path(folder, "a.lmdb");
    char key[STORE_MAX_KEY + 2];
    memset(key, 'k', sizeof key);
    key[STORE_MAX_KEY + 1] = '\0';
    struct store_spec spec = store_support_spec();
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_failed(store_put(w, key, "x", 1, &e), &e, "not 1..511 bytes");
    support_failed(store_put(w, "", "x", 1, &e), &e, "not 1..511 bytes");
    support_failed(store_put(w, "!meta", "x", 1, &e), &e, "leading '!'");
    key[STORE_MAX_KEY] = '\0';
    support_ok(store_put(w, key, "x", 1, &e), &e);
    support_ok(store_put(w, " before meta", "y", 1, &e), &e);
    support_ok(store_publish(w, 2, &e), &e);
    support_ok(store_open(&s, path, NULL, 0, &e), &e);
    support_ok(store_get(s, key, &value, &e), &e);
    const char *next;
    assert_int_equal(store_next(s, &next, &value, &e), 1);
    assert_string_equal(next, " before meta");
    assert_int_equal(store_next(s, &next, &value, &e), 1);
    assert_string_equal(next, key);
    assert_int_equal(store_next(s, &next, &value, &e), 0);
    store_close(s);
}

/* Values larger than what one transaction usually holds make the map grow. */
static void test_large_values(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct store *s;
    struct blob value;
    const char *path = support_path(folder, "a.lmdb");
    size_t len = (size_t)150 << 20;
    unsigned char *data = calloc(len, 1);
    assert_non_null(data);
    struct store_spec spec = store_support_spec();
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_put(w, "a", "small", 5, &e), &e);
    for (int i = 0; i < 2; i++) {
        data[len - 1] = (unsigned char)i;
        support_ok(store_put(w, i ? "c" : "b", data, len, &e), &e);
    }
    support_ok(store_put(w, "d", data, len / 3, &e), &e);
    support_ok(store_publish(w, 1, &e), &e);
    free(data);
    support_ok(store_open(&s, path, NULL, 0, &e), &e);
    support_ok(store_get(s, "c", &value, &e), &e);
    assert_int_equal(value.len, len);
    assert_int_equal(((const unsigned char *)value.data)[len - 1], 1);
    store_close(s);
    support_ok(store_verify(path, &e), &e);
}

/* -- resuming -- */

static void test_resume(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w, *second;
    struct blob value;
    const char *path = support_path(folder, "a.lmdb");
    struct store_spec spec = store_support_spec();
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_failed(store_create(&second, path, &spec, &e), &e, "another process is writing it");
    support_ok(store_put(w, "b", "1", 1, &e), &e);
    support_ok(store_commit(w, 2, &e), &e); /* too few: goes on */
    support_ok(store_put(w, "a", "2", 1, &e), &e);
    support_ok(store_commit(w, 2, &e), &e);
    support_ok(store_put(w, "c", "lost", 4, &e), &e);
    store_abandon(w);
    store_abandon(NULL);

    support_ok(store_create(&w, path, &spec, &e), &e);
    assert_true(store_resumed(w));
    assert_string_equal(store_last_key(w), "a");
    assert_int_equal(store_peek(w, "c", &value, &e), ERR_NOT_FOUND);
    support_ok(store_put(w, "c", "3", 1, &e), &e);
    support_ok(store_publish(w, 3, &e), &e);
    support_ok(store_verify(path, &e), &e);
}

/* A .part that a killed run had completed already is published as it stands. */
static void test_resume_complete(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    const char *path = support_path(folder, "a.lmdb"), *part = support_path(folder, "a.lmdb.part");
    struct buf before = {0}, after = {0};
    store_support_make(path, 1000);
    support_ok(file_read(path, &before, &e), &e);
    assert_int_equal(rename(path, part), 0);
    struct store_spec spec = store_support_spec();
    support_ok(store_create(&w, path, &spec, &e), &e);
    assert_true(store_resumed(w));
    assert_string_equal(store_last_key(w), "00000999");
    support_ok(store_publish(w, 1000, &e), &e);
    support_ok(file_read(path, &after, &e), &e);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.data, before.data, before.len);
    buf_release(&before);
    buf_release(&after);
}

static void begin_part(const char *path, const char *settings, const char *inputs)
{
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = store_support_spec();
    spec.settings = json_parse(settings, strlen(settings), &e);
    spec.inputs = json_parse(inputs, strlen(inputs), &e);
    spec.force = true;
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_put(w, "a", "1", 1, &e), &e);
    support_ok(store_commit(w, 1, &e), &e);
    store_abandon(w);
    json_free(spec.settings);
    json_free(spec.inputs);
}

static void test_other_spec(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *inputs, *why;
    } cases[] = {
        {"{\"a\":1,\"b\":2}", "{}", "settings.b is 2 there, absent now"},
        {"{\"a\":2}", "{}", "settings.a is 2 there, 1 now"},
        {"{}", "{}", "settings.a is absent there, 1 now"},
        {"{\"a\":1}", "{\"index\":\"ff\"}", "inputs.index is \"ff\" there, absent now"},
    };
    const char *path = support_path(folder, "a.lmdb");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct store_writer *w;
        begin_part(path, cases[i].settings, cases[i].inputs);
        struct store_spec spec = store_support_spec();
        spec.settings = json_parse("{\"a\":1}", 7, &e);
        support_failed(store_create(&w, path, &spec, &e), &e, cases[i].why);
        support_failed(-1, &e, "a.lmdb.part was begun in another way; give --force");
        spec.force = true;
        support_ok(store_create(&w, path, &spec, &e), &e);
        assert_false(store_resumed(w));
        support_ok(store_publish(w, 0, &e), &e);
        json_free(spec.settings);
        assert_int_equal(unlink(path), 0);
    }
    /* The spelling of the command line is no difference. */
    struct err e = {0};
    struct store_writer *w;
    begin_part(path, "{}", "{}");
    struct store_spec spec = store_support_spec();
    spec.argv = json_parse("[\"--index\",\"i.lmdb\"]", 20, &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    assert_true(store_resumed(w));
    store_abandon(w);
    spec.version++;
    support_failed(store_create(&w, path, &spec, &e), &e, "version is 1 there, 2 now");
    json_free(spec.argv);
}

static void test_finished(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct store *s;
    const char *path = support_path(folder, "a.lmdb");
    store_support_make(path, 3);
    struct store_spec spec = store_support_spec();
    support_failed(store_create(&w, path, &spec, &e), &e,
                   "exists already; remove it or give --force");
    assert_false(file_exists(support_path(folder, "a.lmdb.part")));
    spec.force = true;
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_open(&s, path, NULL, 0, &e), &e); /* still the old one */
    assert_int_equal(store_n_records(s), 3);
    store_close(s);
    support_ok(store_publish(w, 0, &e), &e);
    support_ok(store_open(&s, path, NULL, 0, &e), &e);
    assert_int_equal(store_n_records(s), 0);
    store_close(s);
}

static void test_bad_part(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    const char *path = support_path(folder, "a.lmdb"), *part = support_path(folder, "a.lmdb.part");
    struct store_spec spec = store_support_spec();
    support_write(part, "some text that is not a store", 29);
    support_failed(store_create(&w, path, &spec, &e), &e, "remove it or give --force: not a store");
    spec.force = true;
    support_ok(store_create(&w, path, &spec, &e), &e);
    store_abandon(w);
    /* Killed before the first record was there: begun anew. */
    support_write(part, "", 0);
    spec.force = false;
    support_ok(store_create(&w, path, &spec, &e), &e);
    assert_false(store_resumed(w));
    support_ok(store_publish(w, 0, &e), &e);
}

/* The disk was full when LMDB wrote its two headers: a page or less of them is there. */
static void test_part_without_headers(void **state)
{
    (void)state;
    static const off_t lengths[] = {4096, 8191, 600};
    struct err e = {0};
    struct store_writer *w;
    const char *path = support_path(folder, "a.lmdb"), *part = support_path(folder, "a.lmdb.part");
    struct store_spec spec = store_support_spec();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        support_ok(store_create(&w, path, &spec, &e), &e);
        store_abandon(w);
        assert_int_equal(truncate(part, lengths[i]), 0);
        support_ok(store_create(&w, path, &spec, &e), &e);
        assert_false(store_resumed(w));
        store_abandon(w);
    }
    store_support_make(path, 5);
    support_ok(store_verify(path, &e), &e);
}

/* A store is written where links lead, and replaces regular files only. */
static void test_place(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct stat st;
    struct store_spec spec = store_support_spec();
    spec.force = true;
    char link_path[300], real[300], pipe[300];
    snprintf(link_path, sizeof link_path, "%s/link.lmdb", folder);
    snprintf(real, sizeof real, "%s/far/real.lmdb", folder);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkdir(support_path(folder, "far"), 0700), 0);
    assert_int_equal(symlink("far/real.lmdb", link_path), 0);
    for (int round = 0; round < 2; round++) { /* first nothing is there */
        support_ok(store_create(&w, link_path, &spec, &e), &e);
        assert_true(file_exists(support_path(folder, "far/real.lmdb.part")));
        support_ok(store_publish(w, 0, &e), &e);
        assert_int_equal(lstat(link_path, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_int_equal(lstat(real, &st), 0);
        assert_true(S_ISREG(st.st_mode));
    }
    support_failed(store_create(&w, folder, &spec, &e), &e, "is a folder");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink("pipe", link_path), 0);
    support_failed(store_create(&w, pipe, &spec, &e), &e, "pipe: is a device or a pipe");
    support_failed(store_create(&w, link_path, &spec, &e), &e, "link.lmdb: is a device or a pipe");
    spec.force = false;
    support_failed(store_create(&w, pipe, &spec, &e), &e, "pipe: is a device or a pipe");
    assert_false(file_exists(support_path(folder, "pipe.part")));
}

/* -- refusals of the reader -- */

static void test_refusals(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    struct store_writer *w;
    const char *path = support_path(folder, "a.lmdb"), *part = support_path(folder, "a.lmdb.part");
    assert_int_equal(store_open(&s, path, "index", 1, &e), ERR_NOT_FOUND);
    support_failed(-1, &e, "a.lmdb: no such file");
    struct store_spec spec = store_support_spec();
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_failed(store_open(&s, path, "index", 1, &e), &e, "there is only");
    support_failed(store_open(&s, part, "index", 1, &e), &e,
                   "incomplete: test was stopped; run it again");
    support_failed(store_open_any(&s, part, &e), &e, "another process is writing it");
    store_abandon(w);
    support_ok(store_open_any(&s, part, &e), &e);
    assert_false(store_meta(s)->complete);
    assert_int_equal(store_n_records(s), 0);
    support_failed(store_create(&w, path, &spec, &e), &e, "another process is writing it");
    store_close(s);
    support_ok(store_verify(part, &e), &e);

    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_publish(w, 0, &e), &e);
    support_failed(store_open(&s, path, "frames", 1, &e), &e, "a.lmdb: holds index, not frames");
    support_failed(store_open(&s, path, "index", 2, &e), &e,
                   "schema index version 1, this program reads 2");
    support_failed(store_open(&s, folder, "index", 1, &e), &e, "not a file");
    support_failed(store_open(&s, "/dev/null", "index", 1, &e), &e, "not a file");
    spec.schema = "pictures";
    spec.force = true;
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_publish(w, 0, &e), &e);
    support_failed(store_open(&s, path, NULL, 0, &e), &e, "schema pictures is unknown");
    support_ok(store_open_any(&s, path, &e), &e);
    store_close(s);
}

/* An LMDB file of somebody else: without `!meta`, or with one that is not ours. */
static void make_foreign(const char *path, const char *meta, unsigned flags)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {1, "k"}, meta_key = {5, "!meta"}, value = {strlen(meta), (void *)meta};
    unlink(path);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0666), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, flags, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, *meta ? &meta_key : &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void test_foreign(void **state)
{
    (void)state;
    static const struct {
        const char *meta, *why;
    } cases[] = {
        {"", "no record !meta"},
        {"{", "!meta: 1:"},
        {"[]", "!meta is not an object"},
        {"{}", "'schema' is missing"},
        {"{\"schema\":\"index\"}", "'version' is missing"},
        {"{\"schema\":\"index\",\"version\":-1}", "version is -1"},
        {"{\"schema\":\"index\",\"version\":1}", "'tool' is missing"},
    };
    const char *path = support_path(folder, "f.lmdb");
    struct err e = {0};
    struct store *s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_foreign(path, cases[i].meta, 0);
        support_failed(store_open(&s, path, "index", 1, &e), &e, cases[i].why);
        support_failed(-1, &e, path);
        assert_true(store_open_any(&s, path, &e) < 0);
    }
    make_foreign(path, "{}", MDB_DUPSORT);
    support_failed(store_open(&s, path, "index", 1, &e), &e, "an LMDB file of another form");
    struct store_writer *w;
    struct store_spec spec = store_support_spec();
    make_foreign(support_path(folder, "g.lmdb.part"), "{\"schema\":7}", 0);
    support_failed(store_create(&w, support_path(folder, "g.lmdb"), &spec, &e), &e,
                   "schema is 7 there");
}

static void test_check_input(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *a, *b, *c;
    struct store_writer *w;
    const char *path_a = support_path(folder, "a.lmdb"), *path_b = support_path(folder, "b.lmdb");
    const char *path_c = support_path(folder, "c.lmdb");
    store_support_make(path_a, 3);
    store_support_make(path_b, 4);
    support_ok(store_open(&a, path_a, NULL, 0, &e), &e);
    support_ok(store_open(&b, path_b, NULL, 0, &e), &e);
    struct store_spec spec = store_support_spec();
    spec.inputs = json_new_object();
    assert_int_equal(json_add(spec.inputs, "index", json_new_str(store_meta(a)->identity)), 0);
    support_ok(store_create(&w, path_c, &spec, &e), &e);
    support_ok(store_publish(w, 0, &e), &e);
    json_free(spec.inputs);
    support_ok(store_open(&c, path_c, NULL, 0, &e), &e);
    support_ok(store_check_input(c, "index", a, &e), &e);
    support_failed(store_check_input(c, "index", b, &e), &e, "c.lmdb was made from index ");
    support_failed(-1, &e, "b.lmdb is ");
    support_failed(store_check_input(c, "frames", b, &e), &e, "does not say which frames");
    store_close(a);
    store_close(b);
    store_close(c);
}

static void make_spelt(const char *path, const char *argv, char identity[HASH_TEXT_BYTES])
{
    struct err e = {0};
    struct store_writer *w;
    struct store *s;
    struct store_spec spec = store_support_spec();
    spec.argv = json_parse(argv, strlen(argv), &e);
    assert_non_null(spec.argv);
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(store_publish(w, 0, &e), &e);
    support_ok(store_open(&s, path, NULL, 0, &e), &e);
    assert_true(json_equal(json_member(store_meta(s)->root, "argv"), spec.argv));
    memcpy(identity, store_meta(s)->identity, HASH_TEXT_BYTES);
    json_free(spec.argv);
    store_close(s);
}

/* Defaults that are spelt out, or not, are no other store. */
static void test_identity_without_argv(void **state)
{
    (void)state;
    char one[HASH_TEXT_BYTES], other[HASH_TEXT_BYTES];
    make_spelt(support_path(folder, "a.lmdb"), "[\"--seed=0\",\"--split=all\"]", one);
    make_spelt(support_path(folder, "b.lmdb"), "[]", other);
    assert_string_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_identity_without_argv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resume_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_spec, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_part_without_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check_input, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
