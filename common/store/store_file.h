/* SPDX-License-Identifier: Apache-2.0 */
/* One LMDB file of a store, for reading. Internal to the store. */
#ifndef TEG_STORE_STORE_FILE_H
#define TEG_STORE_STORE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/store.h"
#include "common/store/store_lmdb.h"

struct store_file {
    char *path;
    MDB_env *env;
    MDB_txn *txn; /* open for the life of the handle: what was read stays where it is */
    MDB_cursor *cursor;
    MDB_dbi records;
    bool shared; /* path and env are the original's */

    /* Under the cursor, where the last seek or next returned 1. */
    struct blob key, value;
};

/* Into a zeroed handle; close it also where this failed. */
int store_file_open(struct store_file *f, const char *path, struct err *e);
int store_file_share(struct store_file *copy, const struct store_file *f, struct err *e);
void store_file_close(struct store_file *f); /* shared copies before the original */

uint64_t store_file_n_records(const struct store_file *f); /* without `!meta` */

/* ERR_NOT_FOUND, and no text, where the key is absent. */
int store_file_get(const struct store_file *f, const char *key, struct blob *value, struct err *e);

/* To the first record with a key >= `from` (NULL: the first of all), or to the next; `!meta` is
 * passed over. 1 a record, 0 the end. */
int store_file_seek(struct store_file *f, const char *from, struct err *e);
int store_file_next(struct store_file *f, struct err *e);

#endif
