/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample table in memory, without a samples store: what teg-extract uses where it is given none.
 *
 *     struct sampling_options o;
 *     plan_defaults(index, &o);                 // events where there are any, else uniform
 *     o.shape[0] = (struct clip_shape){32, 2};  // change what the user asked for
 *     struct plan p;
 *     plan_make(&p, frames, index, &o, &e);
 *     for (size_t i = 0; i < p.n_rows; i++)
 *         extract(p.id[p.rows[i].video], &p.rows[i]);
 *     plan_release(&p);
 */
#ifndef TEG_SAMPLING_PLAN_H
#define TEG_SAMPLING_PLAN_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/sampling/epoch.h"

/* The same content as a samples store of one epoch. */
struct plan {
    const char **id; /* [n_videos] in key order; borrowed from the frames store */
    size_t n_videos; /* videos of the split that have frames */
    size_t n_left_out;
    struct sample *rows; /* [n_rows] in batch order; `video` is a position in `id` */
    size_t n_rows;
};

/*
 * Options of the default plan: one 32x2 clip centred on each event where a video of the index has
 * events, else 10 such clips evenly over each video; the centre square; all splits. `index` may be
 * NULL.
 */
void plan_defaults(const struct index *index, struct sampling_options *o);

/*
 * The table of epoch 0. `index` NULL: all videos of the frames store, no targets. Both stores must
 * stay open while the plan is used. Fails where the options contradict each other or no clip comes
 * of them.
 */
int plan_make(struct plan *p, struct frames *frames, const struct index *index,
              const struct sampling_options *o, struct err *e);
void plan_release(struct plan *p);

#endif
