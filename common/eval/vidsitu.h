/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VidSitu's verb metric, as the official code computes it (class EvlFn_Vb), to the bit: accuracy of
 * events and of whole videos, and recall of verbs. An event has up to five predicted verbs, best
 * first, and the verbs that about ten annotators gave.
 *
 *     struct vidsitu_event events[n] = {{.video = 0, .predicted = p, .n_predicted = 5, ...}, ...};
 *     struct vidsitu_scores s;
 *     vidsitu_score(&s, events, n, VIDSITU_OFFICIAL, &e);
 *
 * Which verbs are right for the accuracy depends on the rules: any that one annotator gave (the
 * official code), or those that at least two gave (TeG's paper, RECIPE section 4). For the recall
 * it is the latter under both.
 */
#ifndef TEG_EVAL_VIDSITU_H
#define TEG_EVAL_VIDSITU_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"

enum vidsitu_rules { VIDSITU_OFFICIAL, VIDSITU_MIN_AGREE_2, VIDSITU_N_RULES };
extern const char *const vidsitu_rules_names[]; /* NULL-ended, in the order of the enum */
enum { VIDSITU_TOP = 5, VIDSITU_GIVEN = 10, VIDSITU_THRESHOLDS = 10 };

/* Verbs are numbers that the caller gives them. Events of a video follow each other. */
struct vidsitu_event {
    uint32_t video;
    const uint32_t *predicted; /* [n_predicted], best first; those behind the fifth do not count */
    const uint32_t *given;     /* [n_given]; those behind the tenth do not count */
    size_t n_predicted, n_given;
};

struct vidsitu_scores {
    double per_event[VIDSITU_TOP]; /* share of events with a right verb among the best k + 1 */
    double per_video[VIDSITU_TOP]; /* share of videos of which all events have */
    /* Mean over the verbs that more than t events call for of the share of those events that have
     * the verb among the best five; how many verbs that are. */
    double recall[VIDSITU_THRESHOLDS];
    size_t n_verbs[VIDSITU_THRESHOLDS];
    size_t n_events, n_videos;
    size_t n_agreed; /* events with a verb that at least two annotators gave */
};

/* Shares of nothing are 0. */
int vidsitu_score(struct vidsitu_scores *s, const struct vidsitu_event *events, size_t n,
                  enum vidsitu_rules rules, struct err *e);

/* The scores under both rules, with the official names; NULL when memory is exhausted. */
struct json *vidsitu_report(const struct vidsitu_scores scores[VIDSITU_N_RULES]);
/* What vidsitu_report made, as lines for people. */
void vidsitu_print(FILE *out, const struct json *report);

#endif
