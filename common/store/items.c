/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/items.h"

#include <inttypes.h>

#include "common/base/buf.h"

enum { PART_DIGITS = 8 };

int items_key(char *key, const char *id, int64_t part, struct err *e)
{
    if (part < 0 || part >= ITEMS_MAX_PARTS)
        return err_set(e, "%s: number %" PRId64 " does not fit into %d digits", id, part,
                       PART_DIGITS);
    int len = snprintf(key, STORE_MAX_KEY + 1, "%s/%0*" PRId64, id, PART_DIGITS, part);
    return len <= STORE_MAX_KEY ? 0 : err_set(e, "%.80s...: the id is too long for a key", id);
}

static bool names_part(const char *key)
{
    size_t len = strlen(key);
    return len > PART_DIGITS && key[len - PART_DIGITS - 1] == '/' &&
           strspn(key + len - PART_DIGITS, "0123456789") == PART_DIGITS;
}

static int add(struct item_list *list, const char *id, const struct blob *value, struct err *e)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 256;
        struct item *grown = mem_grow(list->item, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        list->item = grown;
        list->cap = cap;
    }
    char *copy = mem_strdup(id, e);
    if (!copy)
        return ERR_FAIL;
    list->item[list->n++] = (struct item){copy, *value};
    return 0;
}

static void clear(struct item_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->item[i].id);
    list->n = 0;
}

/*
 * Collects the keys that name no part. `jump`: goes from the first part of an item behind all that
 * starts with "<id>/" and a digit. That leaves most keys unread, but also an item of such a name.
 */
static int scan(struct item_list *list, struct store *s, bool jump, struct err *e)
{
    char behind[STORE_MAX_KEY + 3];
    const char *key;
    struct blob value;
    clear(list);
    int rc = store_seek(s, NULL, e);
    while (rc == 0 && (rc = store_next(s, &key, &value, e)) == 1) {
        if (!names_part(key)) {
            rc = add(list, key, &value, e);
        } else if (jump) {
            size_t stem = strlen(key) - PART_DIGITS;
            memcpy(behind, key, stem);
            memcpy(behind + stem, ":", 2); /* follows '9' */
            rc = store_seek(s, behind, e);
        } else {
            rc = 0;
        }
    }
    return rc;
}

int items_read(struct item_list *list, struct store *s, struct err *e)
{
    uint64_t count = store_meta(s)->count;
    int rc = scan(list, s, true, e);
    if (rc == 0 && list->n != count)
        rc = scan(list, s, false, e);
    if (rc == 0 && list->n != count)
        rc = err_set(e, "%s: holds %zu videos, " STORE_META_KEY " says %" PRIu64, store_path(s),
                     list->n, count);
    return rc;
}

void items_release(struct item_list *list)
{
    clear(list);
    free(list->item);
    *list = (struct item_list){0};
}

long items_find(const struct item_list *list, const char *id)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, list->item[middle].id);
        if (order == 0)
            return (long)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}
