/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of windows along a video become boundaries: a run of windows with high scores is one. */
#ifndef TEG_EVAL_GEBD_GROUP_H
#define TEG_EVAL_GEBD_GROUP_H

#include <stddef.h>

#include "common/eval/gebd_series.h"

/*
 * paper: the mean of the times of the run (appendix A.2). official: the time of the window in its
 * middle, the earlier one of two (FORMATS 2.5).
 */
enum gebd_grouping { GEBD_PAPER, GEBD_OFFICIAL };
extern const char *const gebd_grouping_names[]; /* NULL-ended */

/* Runs of scores >= threshold. Writes the boundaries to out [at least (n + 1) / 2], returns their
 * number. */
size_t gebd_group(const struct gebd_series *s, enum gebd_grouping grouping, double threshold,
                  double *out);

#endif
