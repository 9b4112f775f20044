/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items of one long JSON array or object, parsed one after the other: memory for one of them
 * is enough, where json_parse needs it for all.
 *
 *     struct json_items items;
 *     json_items_init(&items, text, len);
 *     while ((rc = json_items_next(&items, &e)) == 1)
 *         ... items.name, items.value ...
 *     json_items_release(&items);
 */
#ifndef TEG_BASE_JSON_ITEMS_H
#define TEG_BASE_JSON_ITEMS_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"

struct json_items {
    const char *name;   /* of the member; NULL in an array; borrowed until the next call */
    struct json *value; /* borrowed until the next call */
    size_t n;           /* items so far */

    const char *text; /* borrowed */
    size_t len, at;
    char closing; /* of the array or object; 0 at the beginning */
    struct json *name_value;
};

void json_items_init(struct json_items *items, const char *text, size_t len);
void json_items_release(struct json_items *items);
/* 1 an item, 0 the end, < 0 an error that names line:column. */
int json_items_next(struct json_items *items, struct err *e);

#endif
