/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets of clips, from the annotations of the index.
 *
 *     struct labeller l = {.kind = LABELS_EVENTS, .index = index};
 *     labeller_video(&l, &video, &e);                 // once a video
 *     int32_t target = labeller_target(&l, centre, event);
 *     labeller_release(&l);
 */
#ifndef TEG_SAMPLING_LABELS_H
#define TEG_SAMPLING_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/sampling/selection.h"

/* Where the column `target` comes from. */
enum labels {
    LABELS_CLASS,  /* class of the video */
    LABELS_EVENTS, /* label of the clip's own event, else of the first one at the clip's centre */
    LABELS_BOUNDARIES, /* 1 where a boundary is nearer to the clip's centre than `tolerance`, else 0
                        */
    LABELS_ACTIONS,    /* -1: those of the boxes in a clip, by the actions of the index */
    LABELS_NONE,       /* -1 */
};
extern const char *const labels_names[]; /* in the order of the enum, NULL-ended */

/* The targets that a kind of labels has, and their names; none without an index or labels. */
size_t labels_n_classes(enum labels kind, const struct index *index);
const char *labels_class(enum labels kind, const struct index *index, size_t target);

struct labeller {
    enum labels kind;
    double tolerance;          /* seconds, LABELS_BOUNDARIES */
    const struct index *index; /* NULL: no targets but the class numbers of the selection */
    const struct selected *video;
    double *boundary; /* seconds; of the rater with the highest consistency (the first such one) */
    size_t n_boundaries;
    bool annotated; /* the video has a list of boundaries */
};

/*
 * Makes `v` the video that targets are asked for. Boundaries are the index's `boundaries`, an array
 * of raters' arrays of seconds, and `consistency`, one number a rater (absent: the first rater
 * counts).
 */
int labeller_video(struct labeller *l, const struct selected *v, struct err *e);

/* Target of a clip whose frames have the mean position `centre`; `event` is its own event's number,
 * or -1. -1: no label known. */
int32_t labeller_target(const struct labeller *l, double centre, int64_t event);
void labeller_release(struct labeller *l);

#endif
