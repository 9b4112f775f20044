/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scores of the windows along each video, from an embeddings store of class scores (one logit, or
 * two: no boundary, boundary), or from JSON as the official PC baseline saves them:
 * id -> {"frame_idx": [3, 6, ...], "scores": [0.1, ...]}.
 *
 *     gebd_scores_open(&s, path, &e);
 *     gebd_scores_group(s, &how, &predictions, &e);     id -> boundaries in seconds
 *     gebd_scores_close(s);
 */
#ifndef TEG_EVAL_GEBD_SCORES_H
#define TEG_EVAL_GEBD_SCORES_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/eval/gebd_group.h"
#include "common/eval/gebd_series.h"
#include "common/eval/gebd_truth.h"

struct gebd_scores;
int gebd_scores_open(struct gebd_scores **s, const char *path, struct err *e);
void gebd_scores_close(struct gebd_scores *s); /* NULL allowed */
const char *gebd_scores_identity(const struct gebd_scores *s);

struct gebd_scores_how {
    enum gebd_grouping grouping;
    double threshold;               /* probability from which a window is positive */
    const struct gebd_truth *truth; /* for the frame rates of scores in JSON; else may be NULL */
    size_t n_threads;
};
/* Scores in JSON of videos without ground truth have no times and are left out: *n_left_out. */
int gebd_scores_group(struct gebd_scores *s, const struct gebd_scores_how *how, struct json **out,
                      size_t *n_left_out, struct err *e);

/*
 * The probabilities of one video by the centre times of its windows; views of a window are
 * averaged. `annotation` as above. ERR_NOT_FOUND where the video has no scores.
 */
int gebd_scores_series(struct gebd_scores *s, const char *id, const struct json *annotation,
                       struct gebd_series_memory *m, struct gebd_series *out, struct err *e);

#endif
