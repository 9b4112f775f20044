/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Same records, same bytes, however often the writer was killed. What that rests on:
 *   - a transaction ends after a fixed number of puts or bytes, or where the caller says so, and a
 * new run goes on behind the last one that ended: the sequence of transactions is always the same;
 *   - LMDB is opened anew for each transaction. It keeps page buffers for re-use without clearing
 * them, so that unused bytes of a page would depend on what the process did before;
 *   - the size of the map, which LMDB stores, follows from the size of what is written.
 */
#include "common/store/store.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/store_lmdb.h"
#include "common/store/store_meta.h"
#include "common/store/store_pages.h"

enum { PUTS_PER_COMMIT = 256, BYTES_PER_COMMIT = 64 << 20 };
/* Beside the values themselves a transaction copies tree pages: far less than this. */
enum { TREE_BYTES_PER_COMMIT = 64 << 20 };

struct store_writer {
    char *path, *part;
    char *origin_path;  /* NULL without an origin */
    const char *origin; /* borrowed while the store is created */
    bool force;
    int lock; /* the .part itself, locked */
    MDB_env *env;
    MDB_txn *txn; /* NULL between transactions */
    MDB_dbi records;
    size_t map_bytes, used_bytes; /* of the map; of the file at the start of the transaction */
    size_t n_puts, put_bytes;     /* waiting in the transaction */
    struct json *head;            /* of `!meta` */
    struct json *summary;
    uint64_t n_records;
    struct hash128 content;
    char last[STORE_MAX_KEY + 1];     /* put last */
    char greatest[STORE_MAX_KEY + 1]; /* of all, `!meta` too */
    bool resumed, failed;
};

static int fail(struct store_writer *w, int code, struct err *e)
{
    w->failed = true;
    return store_lmdb_error(e, w->part, code);
}

/* -- the environment, opened for each transaction -- */

static void close_env(struct store_writer *w)
{
    if (w->txn)
        mdb_txn_abort(w->txn);
    if (w->env)
        mdb_env_close(w->env);
    w->txn = NULL;
    w->env = NULL;
}

/* The smallest power of two that holds what is there, a transaction, and a value of `value_bytes`.
 */
static int fit_map(struct store_writer *w, size_t value_bytes)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(w->env, &info);
    mdb_env_stat(w->env, &stat);
    w->used_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
    w->map_bytes = BYTES_PER_COMMIT;
    while (w->map_bytes < w->used_bytes + BYTES_PER_COMMIT + TREE_BYTES_PER_COMMIT + value_bytes)
        w->map_bytes *= 2;
    return mdb_env_set_mapsize(w->env, w->map_bytes);
}

static int open_env(struct store_writer *w, size_t value_bytes, struct err *e)
{
    int code = mdb_env_create(&w->env);
    if (code == 0)
        code = mdb_env_set_mapsize(w->env, BYTES_PER_COMMIT);
    if (code == 0)
        code = mdb_env_open(w->env, w->part, STORE_LMDB_FLAGS, 0666);
    if (code == 0)
        code = fit_map(w, value_bytes);
    return code ? fail(w, code, e) : 0;
}

static int begin(struct store_writer *w, struct err *e)
{
    if (w->failed)
        return err_set(e, "%s: an earlier write failed", w->part);
    if (w->txn)
        return 0;
    int code = mdb_txn_begin(w->env, NULL, 0, &w->txn);
    if (code == 0)
        code = mdb_dbi_open(w->txn, NULL, 0, &w->records);
    return code ? fail(w, code, e) : 0;
}

/* Writes `!meta` and ends the transaction durably. */
static int end(struct store_writer *w, struct json *meta, struct err *e)
{
    const char *text = json_text(meta);
    MDB_val key = {strlen(STORE_META_KEY), STORE_META_KEY}, value = {strlen(text), (void *)text};
    int rc = begin(w, e);
    if (rc < 0)
        return rc;
    int code = mdb_put(w->txn, w->records, &key, &value, 0);
    if (code == 0) {
        code = mdb_txn_commit(w->txn);
        w->txn = NULL;
    }
    w->n_puts = w->put_bytes = 0;
    return code ? fail(w, code, e) : 0;
}

/* A transaction ends here; the next one has room for a value of `value_bytes`. */
static int commit(struct store_writer *w, size_t value_bytes, struct err *e)
{
    struct meta_state state = {w->n_records, w->content, w->last};
    struct json *meta = meta_build(w->head, &state, NULL, 0, e);
    int rc = meta ? end(w, meta, e) : ERR_FAIL;
    json_free(meta);
    close_env(w);
    w->failed = rc < 0;
    return rc < 0 ? rc : open_env(w, value_bytes, e);
}

/* -- beginning and resuming -- */

static int refuse_finished(const struct store_writer *w, struct err *e)
{
    if (w->force || !file_exists(w->path))
        return 0;
    return err_set(e, "%s: exists already; remove it or give --force", w->path);
}

static int take_greatest(struct store_writer *w, struct err *e)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(w->txn, w->records, &cursor);
    if (code)
        return fail(w, code, e);
    code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    mdb_cursor_close(cursor);
    if (code)
        return fail(w, code, e);
    if (key.mv_size > STORE_MAX_KEY)
        return err_set(e, "%s: a key of %zu bytes", w->part, key.mv_size);
    memcpy(w->greatest, key.mv_data, key.mv_size);
    w->greatest[key.mv_size] = '\0';
    return 0;
}

/* Beside the .part, as pages keep what was once written to them. */
static int keep_origin(const struct store_writer *w, struct err *e)
{
    return w->origin ? file_write(w->origin_path, w->origin, strlen(w->origin), e) : 0;
}

static int check_origin(const struct store_writer *w, struct err *e)
{
    struct buf there = {0};
    int rc = w->origin ? file_read(w->origin_path, &there, e) : 0;
    if (rc == 0 && w->origin &&
        (there.len != strlen(w->origin) || memcmp(there.data, w->origin, there.len) != 0))
        rc = err_set(e, "what it is made from has changed");
    buf_release(&there);
    return rc;
}

/* Goes on from the `!meta` of the .part, which must have been begun with this head. */
static int take_over(struct store_writer *w, const struct blob *text, struct err *e)
{
    struct meta_state state;
    struct json *root = json_parse(text->data, text->len, e);
    if (!root)
        return err_add(e, "%s: " STORE_META_KEY, w->part);
    int rc = meta_compare(root, w->head, e);
    bool same = rc == 0;
    if (same && (rc = meta_read_state(&state, root, e)) < 0)
        err_add(e, "%s", w->part);
    if (rc == 0) {
        rc = state.n_records ? check_origin(w, e) : keep_origin(w, e);
        same = rc == 0;
    }
    if (!same)
        err_add(e, "%s was begun in another way; give --force to begin anew, or remove it",
                w->part);
    if (rc == 0) {
        w->n_records = state.n_records;
        w->content = state.content;
        memcpy(w->last, state.last, strlen(state.last) + 1);
        w->resumed = w->n_records > 0;
        rc = take_greatest(w, e);
    }
    json_free(root);
    return rc;
}

/* 1: taken over; 0: there is nothing in it; < 0: it cannot be gone on with. */
static int resume(struct store_writer *w, struct err *e)
{
    struct blob text;
    size_t file_bytes;
    if (pages_are_none(w->lock))
        return 0;
    if (pages_check(w->part, PAGES_TREE, &file_bytes, e) < 0)
        return err_add(e, "%s: remove it or give --force", w->part);
    int rc = open_env(w, 0, e);
    if (rc == 0)
        rc = store_peek(w, STORE_META_KEY, &text, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = take_over(w, &text, e);
    return rc < 0 ? rc : 1;
}

int store_restart(struct store_writer *w, struct err *e)
{
    close_env(w);
    if (ftruncate(w->lock, 0) < 0)
        return err_errno(e, "%s", w->part);
    w->failed = w->resumed = false;
    w->n_records = w->n_puts = w->put_bytes = 0;
    w->content = (struct hash128){0};
    w->last[0] = '\0';
    snprintf(w->greatest, sizeof w->greatest, STORE_META_KEY);
    int rc = open_env(w, 0, e);
    return rc < 0 ? rc : commit(w, 0, e);
}

static int start(struct store_writer *w, struct err *e)
{
    int rc = resume(w, e);
    if (rc == 1 || (rc < 0 && !w->force))
        return rc < 0 ? rc : 0;
    rc = keep_origin(w, e);
    return rc < 0 ? rc : store_restart(w, e);
}

static void writer_free(struct store_writer *w)
{
    close_env(w);
    if (w->lock >= 0)
        close(w->lock);
    json_free(w->head);
    json_free(w->summary);
    free(w->path);
    free(w->part);
    free(w->origin_path);
    free(w);
}

/* Where the store will be: links lead there, and nothing but a regular file is ever replaced. */
static char *find_place(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return file_target(path, e);
    if (S_ISDIR(st.st_mode))
        err_set(e, "%s: is a folder", path);
    else
        err_set(e, "%s: is a device or a pipe, which cannot become a store", path);
    return NULL;
}

static int prepare(struct store_writer *w, const char *path, const struct store_spec *spec,
                   struct err *e)
{
    struct buf part = {0}, origin = {0};
    w->lock = -1;
    w->force = spec->force;
    w->origin = spec->origin;
    char *given = shard_path(&spec->shard, path, e);
    w->path = given ? find_place(given, e) : NULL;
    free(given);
    if (!w->path || buf_printf(&part, e, "%s.part", w->path) < 0)
        return ERR_FAIL;
    w->part = (char *)part.data;
    if (w->origin && buf_printf(&origin, e, "%s.origin", w->part) < 0)
        return ERR_FAIL;
    w->origin_path = (char *)origin.data;
    if (!(w->head = meta_head(spec, e)))
        return err_add(e, "%s", w->part);
    if (!(w->summary = json_new_object()))
        return err_set(e, "%s: out of memory", w->part);
    return 0;
}

int store_create(struct store_writer **out, const char *path, const struct store_spec *spec,
                 struct err *e)
{
    struct store_writer *w = mem_new(1, sizeof *w, e);
    if (!w)
        return ERR_FAIL;
    int rc = prepare(w, path, spec, e);
    if (rc == 0)
        rc = refuse_finished(w, e);
    if (rc == 0 && spec->shard.of && !w->force && file_exists(path))
        rc = err_set(e,
                     "%s: exists already and is read in place of any shards; remove it, or give "
                     "--force to write %s all the same",
                     path, w->path);
    if (rc == 0)
        rc = file_lock(w->part, &w->lock, e);
    if (rc == 0)
        rc = start(w, e);
    if (rc < 0) {
        writer_free(w);
        return rc;
    }
    w->origin = NULL;
    *out = w;
    return 0;
}

bool store_resumed(const struct store_writer *w)
{
    return w->resumed;
}

const char *store_part(const struct store_writer *w)
{
    return w->part;
}

const char *store_last_key(const struct store_writer *w)
{
    return w->last;
}

/* -- writing -- */

int store_peek(struct store_writer *w, const char *key, struct blob *value, struct err *e)
{
    MDB_val k = {strlen(key), (void *)key}, v;
    int rc = begin(w, e);
    if (rc < 0)
        return rc;
    int code = k.mv_size == 0 || k.mv_size > STORE_MAX_KEY ? MDB_NOTFOUND
                                                           : mdb_get(w->txn, w->records, &k, &v);
    if (code == MDB_NOTFOUND)
        return err_code(e, ERR_NOT_FOUND, "%s: no record %s", w->part, key);
    if (code)
        return fail(w, code, e);
    *value = (struct blob){v.mv_data, v.mv_size};
    return 0;
}

/* The map cannot grow inside of a transaction. */
static int make_room(struct store_writer *w, size_t value_bytes, struct err *e)
{
    if (w->map_bytes - w->used_bytes >= w->put_bytes + value_bytes + TREE_BYTES_PER_COMMIT)
        return 0;
    if (w->n_puts)
        return commit(w, value_bytes, e);
    close_env(w);
    return open_env(w, value_bytes, e);
}

int store_put(struct store_writer *w, const char *key, const void *value, size_t len, struct err *e)
{
    size_t key_len = strlen(key);
    if (key_len == 0 || key_len > STORE_MAX_KEY || key[0] == STORE_META_KEY[0])
        return err_set(e, "%s: key '%.80s': not 1..%d bytes without a leading '!'", w->part, key,
                       STORE_MAX_KEY);
    if (make_room(w, len, e) < 0 || begin(w, e) < 0)
        return ERR_FAIL;
    bool last = strcmp(key, w->greatest) > 0;
    MDB_val k = {key_len, (void *)key}, v = {len, (void *)value};
    int code = mdb_put(w->txn, w->records, &k, &v, last ? MDB_APPEND : MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST)
        return err_set(e, "%s: key %s: written already", w->part, key);
    if (code)
        return fail(w, code, e);
    hash_sum(&w->content, hash_record(key, key_len, value, len));
    w->n_records++;
    w->n_puts++;
    w->put_bytes += len;
    memcpy(w->last, key, key_len + 1);
    if (last)
        memcpy(w->greatest, key, key_len + 1);
    if (w->n_puts < PUTS_PER_COMMIT && w->put_bytes < BYTES_PER_COMMIT)
        return 0;
    return commit(w, 0, e);
}

int store_commit(struct store_writer *w, size_t min_puts, struct err *e)
{
    return w->n_puts && w->n_puts >= min_puts ? commit(w, 0, e) : 0;
}

int store_summary(struct store_writer *w, const char *name, struct json *value, struct err *e)
{
    return json_add(w->summary, name, value) < 0 ? err_set(e, "%s: out of memory", w->part) : 0;
}

/* Writes the final `!meta`, unless a run that was killed behind that had done so. */
static int complete(struct store_writer *w, uint64_t count, struct err *e)
{
    struct meta_state state = {w->n_records, w->content, w->last};
    struct blob there;
    struct json *meta = meta_build(w->head, &state, w->summary, count, e);
    int rc = meta ? store_peek(w, STORE_META_KEY, &there, e) : ERR_FAIL;
    if (rc == 0) {
        const char *text = json_text(meta);
        bool done = there.len == strlen(text) && memcmp(there.data, text, there.len) == 0;
        rc = done ? 0 : end(w, meta, e);
    }
    json_free(meta);
    return rc;
}

int store_publish(struct store_writer *w, uint64_t count, struct err *e)
{
    int rc = complete(w, count, e);
    close_env(w);
    if (rc == 0)
        rc = refuse_finished(w, e);
    if (rc == 0)
        rc = file_publish(w->part, w->path, e);
    if (rc == 0 && w->origin_path && unlink(w->origin_path) < 0 && errno != ENOENT)
        rc = err_errno(e, "%s", w->origin_path);
    writer_free(w);
    return rc;
}

void store_abandon(struct store_writer *w)
{
    if (w)
        writer_free(w);
}
