/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which examples of a batch are a process's (kernels/processes.h): an equal part of each
 * micro-batch, in the order of the ranks. So a batch is computed as by one process, whose
 * micro-batches, and so its batch statistics, are of the same examples.
 *
 *     batch 8, micro-batch 4, 2 processes     0 0 1 1 0 0 1 1
 *                                    place    0 1 0 1 2 3 2 3
 */
#ifndef TEG_NN_SHARE_H
#define TEG_NN_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "kernels/processes.h"

/* All 0: everything is this process's. */
struct share {
    size_t n;           /* processes, which divide micro_batch */
    size_t rank;        /* this one's */
    size_t micro_batch; /* of all processes */
};

static inline struct share share_of(const struct processes *p, size_t micro_batch)
{
    return (struct share){processes_n(p), processes_rank(p), micro_batch};
}

/* The same, of a batch: fails where the micro-batch does not divide it, or the processes that. */
static inline int share_make(struct share *s, const struct processes *p, size_t batch,
                             size_t micro_batch, struct err *e)
{
    if (micro_batch == 0 || batch % micro_batch != 0)
        return err_set(e, "micro-batch %zu does not divide batch %zu", micro_batch, batch);
    *s = share_of(p, micro_batch);
    if (micro_batch % s->n != 0)
        return err_set(e, "%zu processes do not divide micro-batch %zu", s->n, micro_batch);
    return 0;
}

/* How many of so many are this process's; of a micro-batch, or of a batch. */
static inline size_t share_count(const struct share *s, size_t examples)
{
    return s->n > 1 ? examples / s->n : examples;
}

static inline bool share_has(const struct share *s, size_t example)
{
    return s->n <= 1 || example % s->micro_batch / (s->micro_batch / s->n) == s->rank;
}

/* The place of one of its examples among those that it has; and back. */
static inline size_t share_place(const struct share *s, size_t example)
{
    if (s->n <= 1)
        return example;
    size_t own = s->micro_batch / s->n;
    return example / s->micro_batch * own + example % own;
}

static inline size_t share_example(const struct share *s, size_t place)
{
    if (s->n <= 1)
        return place;
    size_t own = s->micro_batch / s->n;
    return place / own * s->micro_batch + s->rank * own + place % own;
}

#endif
