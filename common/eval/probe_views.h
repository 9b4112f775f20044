/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which examples an epoch of training on fixed features takes, and in which order: all, or of each
 * group of views (of a video, of an event) so many, drawn anew for every epoch. Follows from the
 * seed and the epoch alone.
 *
 *     views_init(&v, group, n, 1, &e);            one view of each group an epoch
 *     views_draw(&v, seed, epoch, order);         order [v.n_drawn], of room for n
 *     views_release(&v);
 */
#ifndef TEG_EVAL_PROBE_VIEWS_H
#define TEG_EVAL_PROBE_VIEWS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct views {
    size_t n;        /* examples */
    size_t n_drawn;  /* of an epoch */
    uint64_t n_each; /* of a group, or all where it has fewer; 0: all, and the rest is not used */
    size_t n_groups;
    uint32_t *first;    /* [n_groups + 1]: where the examples of a group begin */
    uint32_t *by_group; /* [n] */
};

/* `group` [n] holds numbers below n; not used where n_each is 0. n is at most 2^32 - 1. */
int views_init(struct views *v, const uint32_t *group, size_t n, uint64_t n_each, struct err *e);
void views_release(struct views *v);

/* The examples of an epoch in random order; `order` has room for n. */
void views_draw(const struct views *v, uint64_t seed, uint64_t epoch, uint32_t *order);

#endif
