/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stores of frames and of embeddings have in common: key `<id>` holds an item's
 * description, the keys `<id>/<8 digits>` its parts.
 */
#ifndef TEG_STORE_ITEMS_H
#define TEG_STORE_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/store.h"

enum { ITEMS_MAX_PARTS = 100000000 }; /* what 8 digits can number */

struct item {
    char *id;          /* owned by the list */
    struct blob value; /* borrowed from the store */
};

struct item_list {
    struct item *item; /* in key order */
    size_t n, cap;
};

/* "<id>/<part, 8 digits>" into key (STORE_MAX_KEY + 1 bytes). */
int items_key(char *key, const char *id, int64_t part, struct err *e);

/* All items of a complete store, into a zeroed list; fails where `!meta` counts another number. */
int items_read(struct item_list *list, struct store *s, struct err *e);
void items_release(struct item_list *list);
long items_find(const struct item_list *list, const char *id); /* -1 where absent */

#endif
