/* SPDX-License-Identifier: Apache-2.0 */
/* Sets: the shards that make up a store together (shard.h). Internal to the store. */
#ifndef TEG_STORE_STORE_SET_H
#define TEG_STORE_STORE_SET_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/store/store.h"

/* How many shards the store at `path` has, all of which are there; 0 where no file is named as one.
 * Fails where some are missing, or where there are shards of two sets. */
int set_find(const char *path, struct err *e);

struct set_member {
    const char *path;
    struct store_meta meta;
};

/*
 * `!meta` of the set as the store that was written in one file has it, byte for byte: so both have
 * one identity. Fails where the members, in the order of their numbers, are not the shards of one
 * store. It takes the shard numbers out of the members' settings. NULL and `e` on failure.
 */
struct json *set_meta(struct set_member *member, size_t n, struct err *e);

#endif
