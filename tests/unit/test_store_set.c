/* SPDX-License-Identifier: Apache-2.0 */
/* Stores in shards: read as one, or refused with what is wrong. */
#include "common/store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/rng.h"
#include "tests/unit/store_support.h"

enum { PARTS = 5, N_ITEMS = 23 };

static char folder[256], path[300], single[300]; /* of a set; of the same store in one file */

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/set.lmdb", folder);
    snprintf(single, sizeof single, "%s/single.lmdb", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

/* -- what is written -- */

struct request {
    const char *path;
    size_t n_items;
    struct shard shard; /* the name and the setting */
    struct shard dealt; /* the items, where those of another shard are written; else zero */
    const char *schema, *tool, *settings, *inputs, *summary; /* NULL: as in all */
};

/* The parts of "v1" lie behind the item "v1-x" in the order of keys, and are written before it. */
static void make_id(char *id, size_t size, size_t item)
{
    snprintf(id, size, "v%zu%s", item / 2, item % 2 ? "-x" : "");
}

static void put_item(struct store_writer *w, size_t item)
{
    struct err e = {0};
    char id[32], key[64], value[200];
    make_id(id, sizeof id, item);
    for (int part = 0; part < PARTS; part++) {
        snprintf(key, sizeof key, "%s/%08d", id, part);
        memset(value, (int)(item + (size_t)part), sizeof value);
        support_ok(store_put(w, key, value, (item * 31 + (size_t)part) % sizeof value, &e), &e);
    }
    snprintf(value, sizeof value, "{\"item\":%zu}", item);
    support_ok(store_put(w, id, value, strlen(value), &e), &e);
}

static struct json *json_of(const char *text)
{
    struct err e = {0};
    struct json *j = json_parse(text, strlen(text), &e);
    if (!j)
        fail_msg("%s", e.text);
    return j;
}

static struct store_writer *begin(const struct request *r)
{
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = {.schema = r->schema ? r->schema : "index",
                              .version = 1,
                              .tool = r->tool ? r->tool : "teg-test",
                              .settings = json_of(r->settings ? r->settings : "{\"rate\":0.1}"),
                              .inputs = json_of(r->inputs ? r->inputs : "{\"index\":\"aa\"}"),
                              .shard = r->shard};
    support_ok(store_create(&w, r->path, &spec, &e), &e);
    json_free(spec.settings);
    json_free(spec.inputs);
    return w;
}

static void make(const struct request *r)
{
    struct err e = {0};
    struct store_writer *w = begin(r);
    const struct shard *dealt = r->dealt.of ? &r->dealt : &r->shard;
    size_t n = 0;
    for (size_t i = 0; i < r->n_items; i++)
        if (shard_has(dealt, i)) {
            put_item(w, i);
            n++;
        }
    if (r->summary)
        support_ok(store_summary(w, "kind", json_of(r->summary), &e), &e);
    support_ok(store_summary(w, "items", json_new_i64((int64_t)n), &e), &e);
    support_ok(store_publish(w, n, &e), &e);
}

static void make_set(size_t n_items, int of)
{
    for (int i = 1; i <= of; i++)
        make(&(struct request){.path = path, .n_items = n_items, .shard = {i, of}});
}

static const char *shard_file(int number, int of)
{
    static char text[4][400];
    static unsigned next;
    char *out = text[next++ % 4];
    snprintf(out, sizeof text[0], "%s.%d-of-%d", path, number, of);
    return out;
}

/* -- the same as in one file -- */

static void same_meta(struct store *a, struct store *b)
{
    struct err e = {0};
    struct blob x, y;
    support_ok(store_get(a, STORE_META_KEY, &x, &e), &e);
    support_ok(store_get(b, STORE_META_KEY, &y, &e), &e);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    assert_string_equal(store_meta(a)->identity, store_meta(b)->identity);
    assert_int_equal(store_meta(a)->count, store_meta(b)->count);
    assert_int_equal(store_n_records(a), store_n_records(b));
}

/* Up to `n` records from where both are; false at the end. */
static bool same_records(struct store *a, struct store *b, size_t n)
{
    struct err e = {0};
    struct blob x, y, got;
    const char *key_a, *key_b;
    for (size_t i = 0; i < n; i++) {
        int rc = store_next(a, &key_a, &x, &e);
        support_ok(rc, &e);
        assert_int_equal(store_next(b, &key_b, &y, &e), rc);
        if (rc == 0)
            return false;
        assert_string_equal(key_a, key_b);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
        support_ok(store_get(a, key_a, &got, &e), &e);
        assert_ptr_equal(got.data, x.data);
    }
    return true;
}

static void open_both(struct store **set, struct store **whole)
{
    struct err e = {0};
    support_ok(store_open(set, path, "index", 1, &e), &e);
    support_ok(store_open(whole, single, "index", 1, &e), &e);
    assert_string_equal(store_path(*set), path);
}

static void test_one_store(void **state)
{
    (void)state;
    static const size_t n_items[] = {0, 2, N_ITEMS};
    struct err e = {0};
    struct blob value;
    for (size_t k = 0; k < sizeof n_items / sizeof *n_items; k++)
        for (int of = 1; of < 6; of += 2) {
            struct store *set, *whole;
            make(&(struct request){.path = single, .n_items = n_items[k]});
            make_set(n_items[k], of);
            open_both(&set, &whole);
            same_meta(set, whole);
            assert_null(json_member(store_meta(set)->settings, "shard"));
            assert_int_equal(store_n_files(set), of);
            assert_string_equal(store_file_path(set, (size_t)of - 1), shard_file(of, of));
            for (int pass = 0; pass < 2; pass++) { /* without and with store_seek */
                assert_false(same_records(set, whole, SIZE_MAX));
                assert_false(same_records(set, whole, 1));
                support_ok(store_seek(set, NULL, &e), &e);
                support_ok(store_seek(whole, NULL, &e), &e);
            }
            assert_int_equal(store_get(set, "v1/9", &value, &e), ERR_NOT_FOUND);
            support_failed(-1, &e, "set.lmdb: no record v1/9");
            assert_int_equal(store_get(set, "", &value, &e), ERR_NOT_FOUND);
            store_close(set);
            store_close(whole);
            support_ok(store_verify(path, &e), &e);
            assert_int_equal(unlink(single), 0);
            for (int i = 1; i <= of; i++)
                assert_int_equal(unlink(shard_file(i, of)), 0);
        }
}

/* A key that is there, one that is not, the start, or beyond all. */
static void random_key(struct rng *r, char *key, size_t size)
{
    char id[32];
    make_id(id, sizeof id, rng_below(r, N_ITEMS + 2));
    switch (rng_below(r, 5)) {
    case 0:
        snprintf(key, size, "%s", id);
        break;
    case 1:
        snprintf(key, size, "%s/%08d", id, (int)rng_below(r, PARTS + 1));
        break;
    case 2:
        snprintf(key, size, "%s/:", id);
        break;
    case 3:
        snprintf(key, size, "%.*s", (int)rng_below(r, 3), "v!");
        break;
    default:
        memset(key, id[1], size);
        key[size - 1] = '\0'; /* longer than a key can be */
    }
}

/* Forwards and backwards, behind any number of records, and on a shared handle. */
static void test_seek(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    struct err e = {0};
    struct rng r;
    struct store *set, *whole, *copy;
    char key[STORE_MAX_KEY + 20];
    rng_init(&r, 1, 0, 0);
    make(&(struct request){.path = single, .n_items = N_ITEMS});
    make_set(N_ITEMS, 4);
    open_both(&set, &whole);
    support_ok(store_share(&copy, set, &e), &e);
    same_meta(copy, whole);
    for (int round = 0; round < ROUNDS; round++) {
        struct store *s = round < ROUNDS / 2 ? set : copy;
        random_key(&r, key, sizeof key);
        support_ok(store_seek(s, key, &e), &e);
        support_ok(store_seek(whole, key, &e), &e);
        same_records(s, whole, rng_below(&r, 2 * PARTS));
    }
    store_close(copy);
    store_close(set);
    store_close(whole);
}

static void expect_record(struct store *s, const char *from, const char *expected)
{
    struct err e = {0};
    struct blob value;
    const char *key;
    support_ok(store_seek(s, from, &e), &e);
    int rc = store_next(s, &key, &value, &e);
    support_ok(rc, &e);
    assert_int_equal(rc, expected != NULL);
    if (expected)
        assert_string_equal(key, expected);
}

/* Back to the last record from behind it, whether read or sought past. */
static void test_last_record(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    struct blob value;
    const char *key;
    char longest[STORE_MAX_KEY + 2];
    memset(longest, 'w', sizeof longest);
    longest[STORE_MAX_KEY] = '\0';
    make(&(struct request){.path = path, .n_items = 4, .shard = {1, 2}});
    struct store_writer *w = begin(&(struct request){.path = path, .shard = {2, 2}});
    support_ok(store_put(w, longest, "x", 1, &e), &e);
    support_ok(store_summary(w, "items", json_new_i64(1), &e), &e);
    support_ok(store_publish(w, 1, &e), &e);
    support_ok(store_open(&s, path, "index", 1, &e), &e);
    expect_record(s, "v1/:", longest);
    assert_int_equal(store_next(s, &key, &value, &e), 0);
    expect_record(s, longest, longest);
    longest[STORE_MAX_KEY] = 'w'; /* one more than a key can have */
    longest[STORE_MAX_KEY + 1] = '\0';
    expect_record(s, longest, NULL);
    longest[STORE_MAX_KEY] = '\0';
    expect_record(s, longest, longest);
    store_close(s);
}

/* -- what is beside a set -- */

static void test_beside(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    static const char *const others[] = {".1-of-2.bak", ".01-of-2", ".3-of-2",  ".part",
                                         ".1-of-2.tmp", ".0-of-2",  ".settings"};
    make_set(N_ITEMS, 2);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char name[400];
        snprintf(name, sizeof name, "%s%s", path, others[i]);
        support_write(name, "not a shard", 11);
    }
    /* A set that is being replaced by another is whole until that is. */
    store_abandon(begin(&(struct request){.path = path, .shard = {2, 3}}));
    support_ok(store_open(&s, path, NULL, 0, &e), &e);
    assert_int_equal(store_meta(s)->count, N_ITEMS);
    store_close(s);
    assert_true(store_in_shards(path));

    /* What is found under the path itself is what is meant. */
    assert_int_equal(unlink(support_path(folder, "set.lmdb.part")), 0);
    make(&(struct request){.path = path, .n_items = 3});
    support_ok(store_open(&s, path, NULL, 0, &e), &e);
    assert_int_equal(store_meta(s)->count, 3);
    assert_int_equal(store_n_files(s), 1);
    store_close(s);
    assert_false(store_in_shards(path));
    struct store_writer *w;
    struct store_spec spec = {.schema = "index", .version = 1, .tool = "teg-test", .shard = {1, 3}};
    support_failed(store_create(&w, path, &spec, &e), &e,
                   "set.lmdb: exists already and is read in place of any shards; remove it");
    spec.force = true;
    support_ok(store_create(&w, path, &spec, &e), &e);
    assert_string_equal(path_base(store_part(w)), "set.lmdb.1-of-3.part");
    store_abandon(w);

    support_ok(store_open(&s, shard_file(2, 2), NULL, 0, &e), &e);
    assert_int_equal(store_meta(s)->count, N_ITEMS / 2);
    assert_string_equal(json_str(json_member(store_meta(s)->settings, "shard")), "2/2");
    store_close(s);
}

/* A path without a folder, and folders that are not there. */
static void test_paths(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    char before[4096];
    make_set(3, 2);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    support_ok(store_open(&s, "set.lmdb", NULL, 0, &e), &e);
    assert_string_equal(store_file_path(s, 1), "set.lmdb.2-of-2");
    store_close(s);
    assert_int_equal(chdir(before), 0);
    support_failed(store_open(&s, support_path(folder, "none/set.lmdb"), NULL, 0, &e), &e,
                   "set.lmdb: no such file");
    assert_false(store_in_shards(support_path(folder, "none/set.lmdb")));
    support_failed(store_open(&s, support_path(folder, "none/"), NULL, 0, &e), &e, "no such file");
}

/* -- refusals -- */

static void refused(const char *why)
{
    struct err e = {0};
    struct store *s;
    support_failed(store_open(&s, path, "index", 1, &e), &e, why);
    support_failed(-1, &e, path);
    assert_true(store_open_any(&s, path, &e) < 0);
    assert_true(store_verify(path, &e) < 0);
}

static void test_missing(void **state)
{
    (void)state;
    make_set(N_ITEMS, 6);
    assert_int_equal(unlink(shard_file(5, 6)), 0);
    refused("1 of 6 shards are missing: set.lmdb.5-of-6; run teg-test with --shard 5/6");
    store_abandon(begin(&(struct request){.path = path, .shard = {5, 6}}));
    refused("1 of 6 shards are missing: set.lmdb.5-of-6 (there is its .part); run teg-test");
    for (int i = 1; i < 5; i++)
        assert_int_equal(unlink(shard_file(i, 6)), 0);
    refused("5 of 6 shards are missing: set.lmdb.1-of-6, set.lmdb.2-of-6, set.lmdb.3-of-6, "
            "set.lmdb.4-of-6 and 1 more; run teg-test with --shard 1/6 and so on");
    assert_int_equal(unlink(shard_file(6, 6)), 0); /* only a .part is left */
    assert_true(store_in_shards(path));
    refused("6 of 6 shards are missing: ");
    refused("; run teg-test with --shard 1/6 and so on");
    make(&(struct request){.path = path, .shard = {9999, 9999}});
    refused("9998 of 9999 shards are missing: ");
}

static void test_two_sets(void **state)
{
    (void)state;
    make_set(N_ITEMS, 2);
    make(&(struct request){.path = path, .shard = {1, 3}});
    refused("there are shards of two sets, ");
    refused("set.lmdb.1-of-3");
    for (int i = 1; i <= 2; i++)
        assert_int_equal(unlink(shard_file(i, 2)), 0);
    assert_int_equal(unlink(shard_file(1, 3)), 0);
    store_abandon(begin(&(struct request){.path = path, .shard = {1, 3}}));
    store_abandon(begin(&(struct request){.path = path, .shard = {1, 2}}));
    refused("there are shards of two sets, ");
    refused("set.lmdb.1-of-3.part");
}

static void copy_file(const char *from, const char *to)
{
    struct err e = {0};
    struct buf bytes = {0};
    support_ok(file_read(from, &bytes, &e), &e);
    support_write(to, bytes.data, bytes.len);
    buf_release(&bytes);
}

static void test_wrong_names(void **state)
{
    (void)state;
    make_set(N_ITEMS, 3);
    copy_file(shard_file(1, 3), shard_file(2, 3));
    refused("set.lmdb.2-of-3: holds shard 1/3, not 2/3 as its name says");
    for (int i = 1; i <= 3; i++)
        assert_int_equal(unlink(shard_file(i, 3)), 0);
    make_set(N_ITEMS, 2);
    assert_int_equal(rename(shard_file(1, 2), shard_file(1, 1)), 0);
    refused("there are shards of two sets");
    assert_int_equal(unlink(shard_file(2, 2)), 0);
    refused("set.lmdb.1-of-1: holds shard 1/2, not 1/1");
    assert_int_equal(unlink(shard_file(1, 1)), 0);
    make(&(struct request){.path = single, .n_items = N_ITEMS});
    assert_int_equal(rename(single, shard_file(1, 1)), 0);
    refused("set.lmdb.1-of-1: holds a whole store, not shard 1/1");
}

static void test_other_members(void **state)
{
    (void)state;
    static const struct {
        struct request second;
        const char *why;
    } cases[] = {
        {{.settings = "{\"rate\":0.2}"}, "settings.rate is 0.1 in the one, 0.2 in the other"},
        {{.settings = "{\"rate\":0.1,\"a\":1}"}, "settings.a is absent in the one, 1 in the other"},
        {{.settings = "{}"}, "settings.rate is 0.1 in the one, absent in the other"},
        {{.inputs = "{\"index\":\"bb\"}"}, "inputs.index is \"aa\" in the one, \"bb\" in the"},
        {{.tool = "teg-other"}, "tool is \"teg-test\" in the one, \"teg-other\" in the other"},
        {{.summary = "\"x\""},
         "summary is {\"items\":12} in the one, {\"kind\":\"x\",\"items\":11}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request second = cases[i].second;
        make(&(struct request){.path = path, .n_items = N_ITEMS, .shard = {1, 2}});
        second.path = path;
        second.n_items = N_ITEMS;
        second.shard = (struct shard){2, 2};
        make(&second);
        refused(cases[i].why);
        refused("set.lmdb.2-of-2 are not shards of one store");
        assert_int_equal(unlink(shard_file(1, 2)), 0);
        assert_int_equal(unlink(shard_file(2, 2)), 0);
    }
    struct request other = {.path = path, .shard = {2, 2}, .schema = "frames"};
    make(&(struct request){.path = path, .n_items = N_ITEMS, .shard = {1, 2}});
    make(&other);
    refused("set.lmdb.2-of-2: holds frames, not index");
    struct err e = {0};
    struct store *s;
    support_failed(store_open_any(&s, path, &e), &e, "schema is \"index\" in the one, \"frames\"");
}

/* Of a summary, integers are summed (test_one_store), the rest is as it is in all. */
static void test_summary(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    for (int i = 1; i <= 3; i++)
        make(&(struct request){
            .path = path, .n_items = N_ITEMS, .shard = {i, 3}, .summary = "[0.5,\"x\"]"});
    support_ok(store_open(&s, path, "index", 1, &e), &e);
    struct json *summary = json_member(store_meta(s)->root, "summary");
    assert_string_equal(json_text(summary), "{\"kind\":[0.5,\"x\"],\"items\":23}");
    store_close(s);
    assert_int_equal(unlink(shard_file(2, 3)), 0);
    make(&(struct request){
        .path = path, .n_items = N_ITEMS, .shard = {2, 3}, .summary = "[0.5,\"y\"]"});
    refused("summary is ");
}

static void test_incomplete(void **state)
{
    (void)state;
    char part[500];
    make_set(N_ITEMS, 2);
    assert_int_equal(unlink(shard_file(2, 2)), 0);
    store_abandon(begin(&(struct request){.path = path, .shard = {2, 2}}));
    snprintf(part, sizeof part, "%s.part", shard_file(2, 2));
    assert_int_equal(rename(part, shard_file(2, 2)), 0);
    refused("set.lmdb.2-of-2: incomplete: teg-test was stopped; run it again to finish");
    assert_int_equal(unlink(shard_file(2, 2)), 0);
    assert_int_equal(mkdir(shard_file(2, 2), 0700), 0);
    refused("set.lmdb.2-of-2: not a store (not a file)");
}

/* -- damage -- */

/* A shard that says to be the second and holds the items of the first. */
static void test_twice(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    struct blob value;
    const char *key;
    make(&(struct request){.path = path, .n_items = N_ITEMS, .shard = {1, 2}});
    make(&(struct request){.path = path, .n_items = N_ITEMS, .shard = {2, 2}, .dealt = {1, 2}});
    support_ok(store_open(&s, path, "index", 1, &e), &e);
    assert_int_equal(store_next(s, &key, &value, &e), 1);
    assert_string_equal(key, "v0");
    support_failed(store_next(s, &key, &value, &e), &e, "set.lmdb.2-of-2");
    support_failed(-1, &e, "both hold record v0");
    store_close(s);
    support_failed(store_verify(path, &e), &e, "both hold record v0");
}

/* Damage is found in its file. */
static void test_damage(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf bytes = {0};
    make_set(N_ITEMS, 3);
    support_ok(store_verify(path, &e), &e);
    support_ok(file_read(shard_file(2, 3), &bytes, &e), &e);
    support_write(shard_file(2, 3), bytes.data, bytes.len / 2);
    refused("set.lmdb.2-of-3: truncated");
    unsigned char *value = memmem(bytes.data, bytes.len, "{\"item\":4}", 10);
    assert_non_null(value);
    value[8] = '5';
    support_write(shard_file(2, 3), bytes.data, bytes.len);
    support_failed(store_verify(path, &e), &e, "set.lmdb.2-of-3: damaged: its records do not");
    buf_release(&bytes);
}

/* The file of a record, for messages. */
static void test_record_path(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    struct blob value;
    const char *key;
    make_set(N_ITEMS, 3);
    support_ok(store_open(&s, path, "index", 1, &e), &e);
    for (size_t i = 0; i < N_ITEMS; i++) {
        char id[32];
        make_id(id, sizeof id, i);
        support_ok(store_get(s, id, &value, &e), &e);
        assert_string_equal(store_record_path(s), shard_file((int)(i % 3) + 1, 3));
    }
    support_ok(store_seek(s, "v0-x", &e), &e);
    assert_int_equal(store_next(s, &key, &value, &e), 1);
    assert_string_equal(store_record_path(s), shard_file(2, 3));
    store_close(s);
}

static void test_resume(void **state)
{
    (void)state;
    struct err e = {0};
    struct store *s;
    char identity[HASH_TEXT_BYTES];
    const struct request r = {.path = path, .n_items = N_ITEMS, .shard = {2, 3}};
    make(&r);
    support_ok(store_open(&s, shard_file(2, 3), "index", 1, &e), &e);
    memcpy(identity, store_meta(s)->identity, sizeof identity);
    store_close(s);
    assert_int_equal(unlink(shard_file(2, 3)), 0);
    struct store_writer *w = begin(&r);
    put_item(w, 1);
    support_ok(store_commit(w, 1, &e), &e);
    store_abandon(w);
    w = begin(&r);
    assert_true(store_resumed(w));
    assert_string_equal(store_last_key(w), "v0-x");
    for (size_t i = 4; i < N_ITEMS; i += 3)
        put_item(w, i);
    support_ok(store_summary(w, "items", json_new_i64(8), &e), &e);
    support_ok(store_publish(w, 8, &e), &e);
    support_ok(store_open(&s, shard_file(2, 3), "index", 1, &e), &e);
    assert_string_equal(store_meta(s)->identity, identity);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seek, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_last_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_beside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_sets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_summary, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_incomplete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resume, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
