/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_file.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/store/store_pages.h"

static int begin(struct store_file *f, struct err *e)
{
    int code = mdb_txn_begin(f->env, NULL, MDB_RDONLY, &f->txn);
    if (code == 0 && !f->shared)
        code = mdb_dbi_open(f->txn, NULL, 0, &f->records);
    if (code == 0)
        code = mdb_cursor_open(f->txn, f->records, &f->cursor);
    return code ? store_lmdb_error(e, f->path, code) : 0;
}

int store_file_open(struct store_file *f, const char *path, struct err *e)
{
    size_t file_bytes;
    if (!(f->path = mem_strdup(path, e)))
        return ERR_FAIL;
    if (pages_check(path, PAGES_TREE, &file_bytes, e) < 0)
        return err_add(e, "%s", path);
    int code = mdb_env_create(&f->env);
    if (code == 0)
        code = mdb_env_set_mapsize(f->env, file_bytes);
    if (code == 0)
        code = mdb_env_open(f->env, path, STORE_LMDB_FLAGS | MDB_RDONLY, 0);
    return code ? store_lmdb_error(e, path, code) : begin(f, e);
}

int store_file_share(struct store_file *copy, const struct store_file *f, struct err *e)
{
    *copy =
        (struct store_file){.path = f->path, .env = f->env, .records = f->records, .shared = true};
    return begin(copy, e);
}

void store_file_close(struct store_file *f)
{
    if (f->cursor)
        mdb_cursor_close(f->cursor);
    if (f->txn)
        mdb_txn_abort(f->txn);
    if (!f->shared) {
        if (f->env)
            mdb_env_close(f->env);
        free(f->path);
    }
    *f = (struct store_file){0};
}

uint64_t store_file_n_records(const struct store_file *f)
{
    MDB_stat stat;
    return mdb_stat(f->txn, f->records, &stat) == 0 ? stat.ms_entries - 1 : 0;
}

int store_file_get(const struct store_file *f, const char *key, struct blob *value, struct err *e)
{
    MDB_val k = {strlen(key), (void *)key}, v;
    int code = k.mv_size == 0 || k.mv_size > STORE_MAX_KEY ? MDB_NOTFOUND
                                                           : mdb_get(f->txn, f->records, &k, &v);
    if (code == MDB_NOTFOUND)
        return ERR_NOT_FOUND;
    if (code)
        return store_lmdb_error(e, f->path, code);
    *value = (struct blob){v.mv_data, v.mv_size};
    return 0;
}

static int move(struct store_file *f, MDB_val key, MDB_cursor_op how, struct err *e)
{
    static const char meta_key[] = STORE_META_KEY;
    MDB_val value;
    int code = mdb_cursor_get(f->cursor, &key, &value, how);
    if (code == 0 && key.mv_size == sizeof meta_key - 1 &&
        memcmp(key.mv_data, meta_key, key.mv_size) == 0)
        code = mdb_cursor_get(f->cursor, &key, &value, MDB_NEXT);
    if (code == MDB_NOTFOUND)
        return 0;
    if (code)
        return store_lmdb_error(e, f->path, code);
    f->key = (struct blob){key.mv_data, key.mv_size};
    f->value = (struct blob){value.mv_data, value.mv_size};
    return 1;
}

int store_file_seek(struct store_file *f, const char *from, struct err *e)
{
    MDB_val key = {from ? strlen(from) : 0, (void *)from};
    return move(f, key, key.mv_size ? MDB_SET_RANGE : MDB_FIRST, e);
}

int store_file_next(struct store_file *f, struct err *e)
{
    return move(f, (MDB_val){0, NULL}, MDB_NEXT, e);
}
