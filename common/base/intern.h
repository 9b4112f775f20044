/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for texts: the first text gets 0, the next one that differs 1, and so on. Numbers follow
 * from the order of the additions alone.
 *
 *     struct intern names = {0};
 *     intern_add(&names, "walk", &number, &e);   the number it has, or the next
 *     intern_find(&names, "run");                -1: it has none
 *     intern_release(&names);
 */
#ifndef TEG_BASE_INTERN_H
#define TEG_BASE_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct intern {
    char **text; /* [n] by number, owned */
    size_t n, cap;
    uint32_t *slot; /* [n_slots] hash table: number + 1, 0 where empty */
    size_t n_slots; /* a power of two, more than n */
};

void intern_release(struct intern *t); /* frees and zeroes */
/* `text` is copied where it is added. */
int intern_add(struct intern *t, const char *text, uint32_t *number, struct err *e);
int64_t intern_find(const struct intern *t, const char *text);

#endif
