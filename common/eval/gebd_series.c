/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_series.h"

#include <stdlib.h>

#include "common/base/buf.h"

void gebd_series_release(struct gebd_series_memory *m)
{
    free(m->time);
    free(m->score);
    *m = (struct gebd_series_memory){0};
}

int gebd_series_reserve(struct gebd_series_memory *m, size_t n, struct err *e)
{
    if (n <= m->cap)
        return 0;
    double *time = mem_grow(m->time, n, sizeof *time, e);
    if (!time)
        return ERR_FAIL;
    m->time = time;
    double *score = mem_grow(m->score, n, sizeof *score, e);
    if (!score)
        return ERR_FAIL;
    m->score = score;
    m->cap = n;
    return 0;
}

int gebd_series_add(struct gebd_series_memory *m, struct gebd_window *w,
                    const struct embedding_clip *clip, double value, struct err *e)
{
    bool same = w->n_windows && clip->clip == w->clip;
    size_t i = same ? w->n_windows - 1 : w->n_windows++;
    if (!same && i > 0 && !(clip->centre > m->time[i - 1]))
        return err_set(e, "window %u is at %g s, behind one at %g s; windows come in order of time",
                       clip->clip, clip->centre, m->time[i - 1]);
    w->n_views = same ? w->n_views + 1 : 1;
    w->clip = clip->clip;
    m->time[i] = clip->centre;
    m->score[i] = same ? m->score[i] + (value - m->score[i]) / (double)w->n_views : value;
    return 0;
}
