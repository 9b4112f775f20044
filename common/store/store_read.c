/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/store_lmdb.h"
#include "common/store/store_meta.h"
#include "common/store/store_pages.h"

/* The cursor of store_next; at first there is nothing behind it. */
/* In place of a version: schemas and versions are not looked at. */
enum { ANY_VERSION = -1 };

enum place { BEHIND_LAST_GIVEN, ON_NEXT, AT_END };

struct store {
    char *path;
    MDB_env *env;
    MDB_txn *txn; /* open for the life of the handle: what was read stays where it is */
    MDB_cursor *cursor;
    MDB_dbi records;
    struct store_meta meta; /* a shared copy borrows it, as it does path and env */
    int lock;               /* on a store under construction that is looked at; -1 without */
    bool shared;
    enum place place;
    char key[STORE_MAX_KEY + 1]; /* what store_next gave out */
};

/* -- opening -- */

static int explain_absent(const char *path, struct err *e)
{
    struct buf part = {0};
    int rc = ERR_NOT_FOUND;
    if (buf_printf(&part, e, "%s.part", path) == 0 && file_exists((char *)part.data))
        err_set(e, "%s: there is only %s: run the tool that makes it again to finish", path,
                part.data);
    else
        err_set(e, "%s: no such file", path);
    buf_release(&part);
    return rc;
}

static int begin(struct store *s, struct err *e)
{
    int code = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->txn);
    if (code == 0 && !s->shared)
        code = mdb_dbi_open(s->txn, NULL, 0, &s->records);
    if (code == 0)
        code = mdb_cursor_open(s->txn, s->records, &s->cursor);
    return code ? store_lmdb_error(e, s->path, code) : 0;
}

static int open_file(struct store *s, const char *path, struct err *e)
{
    size_t file_bytes;
    if (!(s->path = mem_strdup(path, e)))
        return ERR_FAIL;
    if (!file_exists(path))
        return explain_absent(path, e);
    if (pages_check(path, PAGES_TREE, &file_bytes, e) < 0)
        return err_add(e, "%s", path);
    int code = mdb_env_create(&s->env);
    if (code == 0)
        code = mdb_env_set_mapsize(s->env, file_bytes);
    if (code == 0)
        code = mdb_env_open(s->env, path, STORE_LMDB_FLAGS | MDB_RDONLY, 0);
    return code ? store_lmdb_error(e, path, code) : begin(s, e);
}

/* `schema` and `version` as in store_open, or ANY_VERSION. */
static int read_meta(struct store *s, const char *schema, int version, struct err *e)
{
    struct blob text;
    int rc = store_get(s, STORE_META_KEY, &text, e);
    if (rc < 0)
        return err_set(e, "%s: not a store (no record " STORE_META_KEY ")", s->path);
    struct json *root = json_parse(text.data, text.len, e);
    if (!root)
        return err_add(e, "%s: " STORE_META_KEY, s->path);
    rc = version == ANY_VERSION ? 0 : meta_check_kind(root, schema, version, e);
    if (rc == 0)
        rc = meta_read(&s->meta, root, e);
    if (rc < 0) {
        json_free(root);
        return err_add(e, "%s", s->path);
    }
    return 0;
}

static int open_store(struct store **out, const char *path, const char *schema, int version,
                      struct err *e)
{
    struct store *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    s->lock = -1;
    int rc = open_file(s, path, e);
    if (rc == 0)
        rc = read_meta(s, schema, version, e);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int store_open(struct store **out, const char *path, const char *schema, int version, struct err *e)
{
    struct store *s;
    int rc = open_store(&s, path, schema, schema ? version : 0, e);
    if (rc < 0)
        return rc;
    if (!s->meta.complete) {
        rc = err_set(e, "%s: incomplete: %s was stopped; run it again to finish", path,
                     s->meta.tool);
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int store_open_any(struct store **out, const char *path, struct err *e)
{
    struct store *s;
    /* Held while a store under construction is looked at; a complete one is never written again. */
    int lock = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool busy = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    int rc = open_store(&s, path, NULL, ANY_VERSION, e);
    if (busy && (rc < 0 || !s->meta.complete)) {
        if (rc == 0)
            store_close(s);
        rc = err_set(e, "%s: another process is writing it", path);
    }
    if (rc < 0) {
        if (lock >= 0)
            close(lock);
        return rc;
    }
    s->lock = lock;
    *out = s;
    return 0;
}

int store_share(struct store **out, struct store *s, struct err *e)
{
    struct store *copy = mem_new(1, sizeof *copy, e);
    if (!copy)
        return ERR_FAIL;
    *copy = (struct store){.path = s->path,
                           .env = s->env,
                           .records = s->records,
                           .meta = s->meta,
                           .lock = -1,
                           .shared = true};
    int rc = begin(copy, e);
    if (rc < 0) {
        store_close(copy);
        return rc;
    }
    *out = copy;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->cursor)
        mdb_cursor_close(s->cursor);
    if (s->txn)
        mdb_txn_abort(s->txn);
    if (!s->shared) {
        if (s->env)
            mdb_env_close(s->env);
        json_free(s->meta.root);
        free(s->path);
    }
    if (s->lock >= 0)
        close(s->lock);
    free(s);
}

/* -- reading -- */

const struct store_meta *store_meta(const struct store *s)
{
    return &s->meta;
}

const char *store_path(const struct store *s)
{
    return s->path;
}

uint64_t store_n_records(const struct store *s)
{
    MDB_stat stat;
    return mdb_stat(s->txn, s->records, &stat) == 0 ? stat.ms_entries - 1 : 0;
}

int store_get(struct store *s, const char *key, struct blob *value, struct err *e)
{
    MDB_val k = {strlen(key), (void *)key}, v;
    int code = k.mv_size == 0 || k.mv_size > STORE_MAX_KEY ? MDB_NOTFOUND
                                                           : mdb_get(s->txn, s->records, &k, &v);
    if (code == MDB_NOTFOUND)
        return err_code(e, ERR_NOT_FOUND, "%s: no record %s", s->path, key);
    if (code)
        return store_lmdb_error(e, s->path, code);
    *value = (struct blob){v.mv_data, v.mv_size};
    return 0;
}

int store_seek(struct store *s, const char *from, struct err *e)
{
    MDB_val k = {from ? strlen(from) : 0, (void *)from}, v;
    int code = mdb_cursor_get(s->cursor, &k, &v, k.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    if (code && code != MDB_NOTFOUND)
        return store_lmdb_error(e, s->path, code);
    s->place = code ? AT_END : ON_NEXT;
    return 0;
}

/* The key as text, for the caller; a file that was not written here may hold any bytes. */
static int give_key(struct store *s, const MDB_val *k, const char **key, struct err *e)
{
    if (k->mv_size > STORE_MAX_KEY || memchr(k->mv_data, '\0', k->mv_size))
        return err_set(e, "%s: a key that is not text, behind %s", s->path, s->key);
    memcpy(s->key, k->mv_data, k->mv_size);
    s->key[k->mv_size] = '\0';
    *key = s->key;
    return 1;
}

int store_next(struct store *s, const char **key, struct blob *value, struct err *e)
{
    static const char meta_key[] = STORE_META_KEY;
    MDB_val k, v;
    do {
        int code = MDB_NOTFOUND;
        if (s->place != AT_END)
            code =
                mdb_cursor_get(s->cursor, &k, &v, s->place == ON_NEXT ? MDB_GET_CURRENT : MDB_NEXT);
        s->place = code ? AT_END : BEHIND_LAST_GIVEN;
        if (code == MDB_NOTFOUND)
            return 0;
        if (code)
            return store_lmdb_error(e, s->path, code);
    } while (k.mv_size == sizeof meta_key - 1 && memcmp(k.mv_data, meta_key, k.mv_size) == 0);
    *value = (struct blob){v.mv_data, v.mv_size};
    return give_key(s, &k, key, e);
}

int store_check_input(const struct store *s, const char *input, const struct store *from,
                      struct err *e)
{
    const char *made_from = json_str(json_member(s->meta.inputs, input));
    if (!made_from)
        return err_set(e, "%s: does not say which %s it was made from", s->path, input);
    if (strcmp(made_from, from->meta.identity) != 0)
        return err_set(e, "%s was made from %s %.8s, but %s is %.8s", s->path, input, made_from,
                       from->path, from->meta.identity);
    return 0;
}
