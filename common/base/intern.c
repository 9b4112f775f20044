/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/intern.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/hash.h"

enum { FIRST_SLOTS = 64 };

void intern_release(struct intern *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->text[i]);
    free(t->text);
    free(t->slot);
    *t = (struct intern){0};
}

/* The slot that holds the text, or the empty one where it belongs. */
static size_t slot_of(const struct intern *t, const char *text)
{
    size_t at = hash_bytes(text, strlen(text)).lo & (t->n_slots - 1);
    while (t->slot[at] && strcmp(t->text[t->slot[at] - 1], text) != 0)
        at = (at + 1) & (t->n_slots - 1);
    return at;
}

/* Makes room for one more; at most half of the slots are in use. */
static int grow(struct intern *t, struct err *e)
{
    if (t->n >= UINT32_MAX / 2)
        return err_set(e, "more than %zu different texts", t->n);
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : FIRST_SLOTS / 2;
        char **text = mem_grow(t->text, cap, sizeof *text, e);
        if (!text)
            return ERR_FAIL;
        t->text = text;
        t->cap = cap;
    }
    if (2 * t->n < t->n_slots)
        return 0;
    size_t n_slots = t->n_slots ? 2 * t->n_slots : FIRST_SLOTS;
    uint32_t *slot = mem_new(n_slots, sizeof *slot, e);
    if (!slot)
        return ERR_FAIL;
    free(t->slot);
    t->slot = slot;
    t->n_slots = n_slots;
    for (size_t i = 0; i < t->n; i++)
        slot[slot_of(t, t->text[i])] = (uint32_t)i + 1;
    return 0;
}

int intern_add(struct intern *t, const char *text, uint32_t *number, struct err *e)
{
    if (grow(t, e) < 0)
        return ERR_FAIL;
    size_t at = slot_of(t, text);
    if (!t->slot[at]) {
        if (!(t->text[t->n] = mem_strdup(text, e)))
            return ERR_FAIL;
        t->slot[at] = (uint32_t)++t->n;
    }
    *number = t->slot[at] - 1;
    return 0;
}

int64_t intern_find(const struct intern *t, const char *text)
{
    return t->n ? (int64_t)t->slot[slot_of(t, text)] - 1 : -1;
}
