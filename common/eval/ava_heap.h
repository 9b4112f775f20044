/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary heap of boxes with a class, the smallest in front, that moves them exactly as Python's
 * heapq does: ActivityNet's program keeps those of a frame in one, and among equal scores the order
 * of its array decides what is matched first. Entries compare as (score, class, y1, x1, y2, x2).
 */
#ifndef TEG_EVAL_AVA_HEAP_H
#define TEG_EVAL_AVA_HEAP_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/eval/ava_rows.h"

struct ava_entry {
    double score;
    uint32_t class;
    struct ava_box box;
};

struct ava_heap {
    struct ava_entry *entries; /* [n] */
    size_t n, cap;
};

int ava_heap_push(struct ava_heap *h, const struct ava_entry *entry, struct err *e);
/* In place of the smallest; n > 0. */
void ava_heap_replace(struct ava_heap *h, const struct ava_entry *entry);
/* By falling score, those of equal score in the order of the array; it is no heap then. */
int ava_heap_sort(struct ava_heap *h, struct err *e);
void ava_heap_release(struct ava_heap *h);

#endif
