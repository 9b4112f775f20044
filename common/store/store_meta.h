/* SPDX-License-Identifier: Apache-2.0 */
/* The record `!meta`, made and read (schemas/meta.schema.json). Internal to the store. */
#ifndef TEG_STORE_STORE_META_H
#define TEG_STORE_STORE_META_H

#include "common/store/store.h"

/* What grows while a store is written, and what a resumed writer goes on from. */
struct meta_state {
    uint64_t n_records;     /* without `!meta` */
    struct hash128 content; /* sum of hash_record over them */
    const char *last;       /* key put last, "" at the start */
};

/* The members that the writer's request decides: schema ... inputs. NULL and `e` on failure. */
struct json *meta_head(const struct store_spec *spec, struct err *e);

/* The first member of two heads that differs: "version", "settings.fps" ... How the command was
 * spelt does not matter. */
struct meta_difference {
    char name[128];
    struct json *a, *b; /* borrowed; NULL where it is absent */
};
bool meta_differ(const struct json *a, const struct json *b, struct meta_difference *d);

/* Fails with the first difference between the head that is there and the one wanted now. */
int meta_compare(const struct json *there, const struct json *head, struct err *e);

/*
 * The whole record from a head: `summary` (an object) and `count` complete it; with NULL it says
 * complete: false. NULL and `e` on failure.
 */
struct json *meta_build(const struct json *head, const struct meta_state *state,
                        struct json *summary, uint64_t count, struct err *e);

/* Refuses another schema (NULL: any that this program knows) or version. */
int meta_check_kind(const struct json *root, const char *schema, int version, struct err *e);

/* Reads the record into `m`, whose strings are borrowed from `root`. */
int meta_read(struct store_meta *m, struct json *root, struct err *e);
int meta_read_state(struct meta_state *state, const struct json *root, struct err *e);

#endif
