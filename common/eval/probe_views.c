/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_views.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/rng.h"

enum { RNG_STREAM_PROBE_ORDER = 0x70726f62, RNG_STREAM_PROBE_VIEWS = 0x70726f76 };

static size_t group_size(const struct views *v, size_t group)
{
    return v->first[group + 1] - v->first[group];
}

static size_t taken(const struct views *v, size_t group)
{
    size_t size = group_size(v, group);
    return size < v->n_each ? size : (size_t)v->n_each;
}

/* Sorts the examples by group, those of a group in their own order. */
static void sort(struct views *v, const uint32_t *group)
{
    for (size_t i = 0; i < v->n; i++)
        v->first[group[i] + 1]++;
    for (size_t g = 0; g < v->n_groups; g++)
        v->first[g + 1] += v->first[g];
    for (size_t i = 0; i < v->n; i++)
        v->by_group[v->first[group[i]]++] = (uint32_t)i;
    for (size_t g = v->n_groups; g > 0; g--)
        v->first[g] = v->first[g - 1];
    v->first[0] = 0;
}

int views_init(struct views *v, const uint32_t *group, size_t n, uint64_t n_each, struct err *e)
{
    *v = (struct views){.n = n, .n_drawn = n, .n_each = n_each};
    if (n_each == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        v->n_groups = group[i] < v->n_groups ? v->n_groups : (size_t)group[i] + 1;
    v->first = mem_new(v->n_groups + 1, sizeof *v->first, e);
    v->by_group = mem_new(n, sizeof *v->by_group, e);
    if (!v->first || !v->by_group) {
        views_release(v);
        return ERR_FAIL;
    }
    sort(v, group);
    v->n_drawn = 0;
    for (size_t g = 0; g < v->n_groups; g++)
        v->n_drawn += taken(v, g);
    return 0;
}

void views_release(struct views *v)
{
    free(v->first);
    free(v->by_group);
    *v = (struct views){0};
}

/* The examples of all groups one after the other, each group's in random order as far as they are
 * taken; what the next group writes over is not. */
static void draw_groups(const struct views *v, struct rng *r, uint32_t *order)
{
    for (size_t g = 0; g < v->n_groups; g++) {
        size_t size = group_size(v, g), n = taken(v, g);
        for (size_t i = 0; i < size; i++)
            order[i] = v->by_group[v->first[g] + i];
        for (size_t i = 0; n < size && i < n; i++) {
            size_t other = i + (size_t)rng_below(r, size - i);
            uint32_t drawn = order[other];
            order[other] = order[i];
            order[i] = drawn;
        }
        order += n;
    }
}

void views_draw(const struct views *v, uint64_t seed, uint64_t epoch, uint32_t *order)
{
    struct rng r;
    for (size_t i = 0; v->n_each == 0 && i < v->n; i++)
        order[i] = (uint32_t)i;
    rng_init(&r, seed, RNG_STREAM_PROBE_VIEWS, epoch);
    if (v->n_each > 0)
        draw_groups(v, &r, order);
    rng_init(&r, seed, RNG_STREAM_PROBE_ORDER, epoch);
    rng_shuffle_u32(&r, order, v->n_drawn);
}
