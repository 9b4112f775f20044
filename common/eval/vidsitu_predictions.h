/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predicted verbs in the official form, what the official code pickles as JSON:
 *     [{"ann_idx": 0, "pred_vbs_ev": [five lists of verbs, best first], "pred_scores_ev": ...},
 * ...] ann_idx counts the videos of the split from 0; the order is free, scores are not looked at.
 */
#ifndef TEG_EVAL_VIDSITU_PREDICTIONS_H
#define TEG_EVAL_VIDSITU_PREDICTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/intern.h"
#include "common/eval/vidsitu.h"

enum { VIDSITU_EVENTS = 5 };

struct vidsitu_prediction {
    bool there;
    uint32_t verbs[VIDSITU_EVENTS][VIDSITU_TOP]; /* numbers, best first */
    size_t n[VIDSITU_EVENTS];                    /* as many as were given and count */
};

struct vidsitu_predictions {
    struct intern *verbs;              /* numbers the verbs; the caller's */
    struct vidsitu_prediction *videos; /* [n_videos] by ann_idx */
    size_t n_videos, n_predicted;
    size_t n_repeated; /* entries for a video that had one: the first counts */
};

int vidsitu_predictions_init(struct vidsitu_predictions *p, size_t n_videos, struct intern *verbs,
                             struct err *e);
void vidsitu_predictions_release(struct vidsitu_predictions *p);
/* Errors begin with the place. */
int vidsitu_predictions_read_text(struct vidsitu_predictions *p, const char *text, size_t len,
                                  struct err *e);

#endif
