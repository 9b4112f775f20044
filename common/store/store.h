/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store: one LMDB file of records in key order, and `!meta` that says what it is
 * (schemas/README.md). LMDB is included by store_lmdb.h alone. Errors begin with the store's
 * path.
 *
 * Writing. Everything goes to PATH.part; store_publish makes it PATH. A restarted tool opens the
 * same `.part` and goes on behind the last record. The bytes of a published file depend on the
 * records and their order only: commits happen after fixed numbers of puts, never by time, so a run
 * that was killed and resumed ends with the file of a run that was not.
 *
 *     struct store_spec spec = {.schema = "frames", .version = 1, .tool = "teg-decode", ...};
 *     store_create(&w, path, &spec, &e);
 *     if (store_resumed(w)) skip everything up to store_last_key(w);
 *     store_put(w, key, value, len, &e);  ...  store_publish(w, n_videos, &e);
 *
 * Reading. Lock-free, read-only, also on read-only mounts; unknown schemas, other versions and
 * incomplete stores are refused with both sides named. One handle serves one thread at a time;
 * store_share gives another thread its own. Where PATH does not exist, but the shards PATH.1-of-N
 * to PATH.N-of-N do (shard.h), they are read as one store: the same `!meta`, identity and records.
 */
#ifndef TEG_STORE_STORE_H
#define TEG_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/store/shard.h"

enum { STORE_MAX_KEY = 511 }; /* bytes of a key, NUL not counted */
#define STORE_META_KEY "!meta"

struct blob {
    const void *data;
    size_t len;
};

/* What `!meta` says. Borrowed from the handle. */
struct store_meta {
    const char *schema;
    int version;
    const char *tool;
    uint64_t count; /* items: videos (index, frames, embeddings), epochs (samples) */
    bool complete;
    char identity[HASH_TEXT_BYTES]; /* hash of `!meta` without its argv */
    struct json *settings;          /* object */
    struct json *inputs; /* object: name -> identity of the store or model it was made from */
    struct json *root;   /* the whole record */
};

/* -- reading -- */

struct store;
/* `schema` NULL takes any known schema. `version` is the one this program reads. */
int store_open(struct store **s, const char *path, const char *schema, int version, struct err *e);
/* For inspection: takes incomplete stores and unknown schemas too. */
int store_open_any(struct store **s, const char *path, struct err *e);
/* For those who take other kinds of files too: PATH does not exist, but shards of it do, whole or
 * not. */
bool store_in_shards(const char *path);
int store_share(struct store **copy, struct store *s, struct err *e);
void store_close(struct store *s); /* close shared copies before the original; NULL allowed */
const struct store_meta *store_meta(const struct store *s);
const char *store_path(const struct store *s);
uint64_t store_n_records(const struct store *s); /* without `!meta` */
/* The files that it lies in: PATH, or the shards in the order of their numbers. */
size_t store_n_files(const struct store *s);
const char *store_file_path(const struct store *s, size_t file);
/* The file of the record that store_get or store_next gave out last. */
const char *store_record_path(const struct store *s);

/* Borrowed until store_close. ERR_NOT_FOUND where the key is absent. */
int store_get(struct store *s, const char *key, struct blob *value, struct err *e);

/*
 * Records in key order, `!meta` left out, starting at the first key >= `from` (NULL: at the first).
 * store_next: 1 a record, 0 the end, < 0 an error. `key` (NUL-terminated) is valid until the next
 * call. A key that two shards hold is an error.
 */
int store_seek(struct store *s, const char *from, struct err *e);
int store_next(struct store *s, const char **key, struct blob *value, struct err *e);

/* Refuses where `s` was not made from the store `from`, its input named "index", "frames" ... */
int store_check_input(const struct store *s, const char *input, const struct store *from,
                      struct err *e);

/*
 * Reads all of a store: every page of the file, and every record against the content hash of
 * `!meta`. Incomplete stores are checked as far as they are written.
 */
int store_verify(const char *path, struct err *e);

/* -- writing -- */

struct store_spec {
    const char *schema;
    int version;
    const char *tool;
    struct json *argv;     /* borrowed for the call; from cli.h; may be NULL */
    struct json *settings; /* borrowed for the call; everything that decides the content */
    struct json *inputs;   /* borrowed for the call; name -> identity; may be NULL */
    struct shard shard; /* zero: the whole store; else PATH.I-of-N is written, with the setting */
    /* Hash of what the store is made from besides, file times and all; borrowed for the call; may
     * be NULL. A .part is gone on with for the same one only. It is kept in PATH.part.origin and
     * never reaches the store, whose bytes depend on content alone. */
    const char *origin;
    bool force; /* throw away a .part of other settings, and replace a finished PATH */
};

struct store_writer;
/*
 * Opens PATH.part, new or to be resumed. Fails where PATH exists already (unless force), also where
 * a shard of it is to be written, which nobody would read then; where the .part was begun with
 * another spec (the first difference is named) or from another origin, or where another process is
 * writing it. Where PATH is a link, what it leads to is written; a folder, device or pipe is
 * refused.
 */
int store_create(struct store_writer **w, const char *path, const struct store_spec *spec,
                 struct err *e);
/* Throws away what was put, by earlier runs too. */
int store_restart(struct store_writer *w, struct err *e);
bool store_resumed(const struct store_writer *w);
/* The file that is being written. */
const char *store_part(const struct store_writer *w);
/* The key put last (by this run or the one before), "" in a new store; valid until the next put. */
const char *store_last_key(const struct store_writer *w);
/* Looks into all that was put so far, committed or not; borrowed until the next call with `w`. */
int store_peek(struct store_writer *w, const char *key, struct blob *value, struct err *e);
/* Keys must be new. Ascending keys are appended; any other order is right too, only slower. */
int store_put(struct store_writer *w, const char *key, const void *value, size_t len,
              struct err *e);
/*
 * Ends a transaction here, durably, if at least `min_puts` records wait. Call at fixed places of
 * the record sequence. (Puts also commit by themselves after every 256 records or 64 MiB.)
 */
int store_commit(struct store_writer *w, size_t min_puts, struct err *e);
/* Adds member `name` to `!meta`'s `summary` object at publication; takes `value` over. */
int store_summary(struct store_writer *w, const char *name, struct json *value, struct err *e);
/* Completes `!meta` (count, content hash), syncs, renames to PATH. Frees w in any case; where it
 * fails, the .part stays. */
int store_publish(struct store_writer *w, uint64_t count, struct err *e);
/* Drops what is not committed, leaves the .part for the next run, frees w; NULL allowed. */
void store_abandon(struct store_writer *w);

#endif
