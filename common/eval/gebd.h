/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generic event boundary detection (Kinetics-GEBD): F1 of detected boundaries against the raters of
 * a video, at ten distances relative to the video's length, by the arithmetic of the two official
 * evaluators (FORMATS section 2), bit for bit.
 *
 *     struct gebd_matcher m = {0};
 *     struct gebd_match best[GEBD_THRESHOLDS];
 *     gebd_match(&m, &example, best, &e);          once a video; add up its counts
 *     struct gebd_score s = gebd_score(&counts);
 *     gebd_matcher_release(&m);
 */
#ifndef TEG_EVAL_GEBD_H
#define TEG_EVAL_GEBD_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { GEBD_THRESHOLDS = 10 };
extern const double gebd_thresholds[GEBD_THRESHOLDS]; /* 0.05, 0.1 ... 0.5, ascending */

/* Boundaries in the order of their file, which decides ties. */
struct gebd_times {
    const double *at; /* [n] */
    size_t n;
};

/* One video; all its times have one unit, seconds or frames. */
struct gebd_example {
    const struct gebd_times *raters; /* [n_raters] */
    size_t n_raters;                 /* at least 1 */
    struct gebd_times detections;    /* at least 1, all of them within the video */
    double length;                   /* what thresholds are relative to */
};

/* The rater with the highest F1, the first one of equals. */
struct gebd_match {
    uint32_t rater;
    uint32_t tp;         /* boundaries found */
    uint32_t n_positive; /* boundaries of this rater */
    double f1;
};

/* Memory for matching, grown as needed; zero-initialise it. One a thread. */
struct gebd_matcher {
    double *distance; /* [positives, detections] of a rater */
    size_t cap;
    unsigned char *taken; /* [detections] */
    size_t taken_cap;
};
void gebd_matcher_release(struct gebd_matcher *m);

/*
 * Matches the detections to every rater: each boundary, in order, takes the nearest detection that
 * is left, the first one of equals, if it is within the threshold. out[k] is for
 * gebd_thresholds[k].
 */
int gebd_match(struct gebd_matcher *m, const struct gebd_example *x,
               struct gebd_match out[GEBD_THRESHOLDS], struct err *e);

/* Over all videos. */
struct gebd_counts {
    uint64_t tp, n_positive, n_detected;
};

struct gebd_score {
    double precision, recall, f1;
};
/* Recall is 1 where there is nothing to find; precision is 0 where nothing was detected. */
struct gebd_score gebd_score(const struct gebd_counts *c);

/* NumPy's mean of ten numbers, which adds them in pairs. */
double gebd_mean(const double values[GEBD_THRESHOLDS]);

#endif
