/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/sampling_plan.h"

#include "common/base/buf.h"
#include "common/sampling/sampling.h"

static bool has_events(const struct index *index)
{
    for (size_t i = 0; index && i < index_n_videos(index); i++) {
        if (index_video(index, i)->n_events)
            return true;
    }
    return false;
}

void plan_defaults(const struct index *index, struct sampling_options *o)
{
    sampling_defaults(has_events(index) ? STRATEGY_EVENTS : STRATEGY_UNIFORM, o);
}

static int copy_ids(struct plan *p, const struct selection *s, struct err *e)
{
    p->n_videos = s->n;
    p->n_left_out = selection_n_left_out(s);
    p->id = mem_new(s->n, sizeof(*p->id), e);
    if (!p->id)
        return ERR_FAIL;
    for (size_t i = 0; i < s->n; i++)
        p->id[i] = s->video[i].id;
    return 0;
}

static int fill_rows(struct plan *p, const struct epochs *epochs, struct err *e)
{
    p->n_rows = epochs_n_rows(epochs);
    p->rows = mem_new(p->n_rows, sizeof(*p->rows), e);
    return p->rows ? epochs_fill(epochs, 0, p->rows, e) : ERR_FAIL;
}

int plan_make(struct plan *p, struct frames *frames, const struct index *index,
              const struct sampling_options *o, struct err *e)
{
    struct selection selection = {0};
    struct epochs *epochs = NULL;
    *p = (struct plan){0};
    int rc = sampling_check(o, e);
    if (rc >= 0)
        rc = selection_init(&selection, frames, index, o->split, e);
    if (rc >= 0)
        rc = epochs_new(&epochs, o, &selection, index, e);
    if (rc >= 0)
        rc = copy_ids(p, &selection, e);
    if (rc >= 0)
        rc = fill_rows(p, epochs, e);
    epochs_free(epochs);
    selection_release(&selection);
    if (rc < 0)
        plan_release(p);
    return rc;
}

void plan_release(struct plan *p)
{
    free(p->id);
    free(p->rows);
    *p = (struct plan){0};
}
