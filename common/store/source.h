/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of any kind, or a .safetensors file, as a sequence of records under keys. For looking at
 * files: unknown schemas and incomplete stores are taken as well.
 */
#ifndef TEG_STORE_SOURCE_H
#define TEG_STORE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/store/array.h"
#include "common/store/store.h"

struct record {
    const char *path;  /* of the file that it is in: of a set, one of the shards */
    const char *key;   /* borrowed until the next record */
    struct blob value; /* as it is stored: JSON text, a packed array, a tensor's bytes */
    bool is_array;     /* else JSON */
};

struct source;
/* What the file is, is found by its content. */
int source_open(struct source **s, const char *path, struct err *e);
void source_close(struct source *s);
const char *source_path(const struct source *s);
/* NULL for a .safetensors file. */
struct store *source_store(const struct source *s);
bool source_holds_frames(const struct source *s);
/* The object that describes the whole file: `!meta`, `__metadata__`. */
struct json *source_meta(const struct source *s);
/* The key under which source_get finds it. */
const char *source_meta_key(const struct source *s);
size_t source_n_records(const struct source *s);
/* safetensors_check_content of a .safetensors file. */
int source_check_content(const struct source *s, struct err *e);

/* Records in order, without the meta record: 1 a record, 0 the end, < 0 an error. */
int source_next(struct source *s, struct record *r, struct err *e);
int source_rewind(struct source *s, struct err *e);
int source_get(struct source *s, const char *key, struct record *r, struct err *e);

/*
 * The content of a record; errors name file and key. An array is valid until the next call. A
 * picture of a frames store comes as it was decoded, its row differences undone.
 */
int source_array(struct source *s, const struct record *r, struct array *a, struct err *e);
struct json *source_json(const struct record *r, struct err *e);

#endif
