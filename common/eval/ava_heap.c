/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/ava_heap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

static bool is_less(const struct ava_entry *a, const struct ava_entry *b)
{
    if (a->score != b->score)
        return a->score < b->score;
    if (a->class != b->class)
        return a->class < b->class;
    if (a->box.y1 != b->box.y1)
        return a->box.y1 < b->box.y1;
    if (a->box.x1 != b->box.x1)
        return a->box.x1 < b->box.x1;
    if (a->box.y2 != b->box.y2)
        return a->box.y2 < b->box.y2;
    return a->box.x2 < b->box.x2;
}

/* Up from `at` until its parent is not greater. */
static void rise(struct ava_heap *h, size_t at, const struct ava_entry *entry)
{
    while (at > 0 && is_less(entry, &h->entries[(at - 1) / 2])) {
        h->entries[at] = h->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->entries[at] = *entry;
}

int ava_heap_push(struct ava_heap *h, const struct ava_entry *entry, struct err *e)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? 2 * h->cap : 8;
        struct ava_entry *entries = mem_grow(h->entries, cap, sizeof *entries, e);
        if (!entries)
            return ERR_FAIL;
        h->entries = entries;
        h->cap = cap;
    }
    rise(h, h->n++, entry);
    return 0;
}

/* The smaller child moves up all the way down, then the entry rises from there. */
void ava_heap_replace(struct ava_heap *h, const struct ava_entry *entry)
{
    size_t at = 0;
    for (size_t child = 1; child < h->n; child = 2 * at + 1) {
        if (child + 1 < h->n && !is_less(&h->entries[child], &h->entries[child + 1]))
            child++;
        h->entries[at] = h->entries[child];
        at = child;
    }
    rise(h, at, entry);
}

struct ranked {
    double score;
    size_t at;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

int ava_heap_sort(struct ava_heap *h, struct err *e)
{
    struct ranked *ranked = mem_new(h->n + 1, sizeof *ranked, e);
    struct ava_entry *sorted = mem_new(h->n + 1, sizeof *sorted, e);
    if (!ranked || !sorted) {
        free(ranked);
        free(sorted);
        return ERR_FAIL;
    }
    for (size_t i = 0; i < h->n; i++)
        ranked[i] = (struct ranked){h->entries[i].score, i};
    qsort(ranked, h->n, sizeof *ranked, by_rank);
    for (size_t i = 0; i < h->n; i++)
        sorted[i] = h->entries[ranked[i].at];
    free(ranked);
    free(h->entries);
    h->entries = sorted;
    h->cap = h->n + 1;
    return 0;
}

void ava_heap_release(struct ava_heap *h)
{
    free(h->entries);
    *h = (struct ava_heap){0};
}
