/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole evaluation of boundary detections: ground truth against predictions as the official
 * submission has them (a JSON object, id -> array of numbers).
 *
 *     struct gebd_request q = {.truth = truth, .predictions = {"p.json", json},
 *                              .rules = GEBD_CHALLENGE, .unit = GEBD_SECONDS, .n_threads = 2};
 *     gebd_evaluate(&result, &q, &e);
 *     result.counts[k] ...
 *     gebd_result_release(&result);
 *
 * Where the official code raises an exception, this fails and names file, video and member.
 */
#ifndef TEG_EVAL_GEBD_EVAL_H
#define TEG_EVAL_GEBD_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/eval/gebd.h"
#include "common/eval/gebd_truth.h"

/*
 * challenge: seconds; a video without predictions costs the boundaries of its first rater.
 * notebook: frames; a video without predictions costs nothing.
 * Both leave out videos on which the raters disagree (f1_consis_avg below 0.3).
 */
enum gebd_rules { GEBD_CHALLENGE, GEBD_NOTEBOOK };
/* What predictions are: seconds, or frames divided by `downsample`. */
enum gebd_unit { GEBD_SECONDS, GEBD_FRAMES };
extern const char *const gebd_rules_names[], *const gebd_unit_names[]; /* NULL-ended */

struct gebd_predictions {
    const char *name; /* for messages */
    const struct json *json;
};

struct gebd_request {
    const struct gebd_truth *truth; /* borrowed, as are the predictions */
    struct gebd_predictions predictions;
    enum gebd_rules rules;
    enum gebd_unit unit;
    double downsample; /* of predictions in frames */
    size_t n_threads;  /* the result does not depend on it */
};

enum gebd_state {
    GEBD_SCORED,
    GEBD_EMPTY,   /* predicted, but nothing within the video */
    GEBD_MISSING, /* not predicted */
    GEBD_SKIPPED, /* left out: the raters disagree */
    GEBD_STATES
};
extern const char *const gebd_state_names[]; /* NULL-ended */

struct gebd_outcome {
    const char *id; /* borrowed from the ground truth */
    enum gebd_state state;
    bool predicted;
    uint32_t n_detected;                      /* within the video */
    struct gebd_match match[GEBD_THRESHOLDS]; /* what the video adds to the counts */
};

struct gebd_result {
    struct gebd_outcome *videos; /* [n_videos] in the order of the ground truth */
    size_t n_videos, n_state[GEBD_STATES];
    struct gebd_counts counts[GEBD_THRESHOLDS];
    size_t n_extra; /* predictions for videos that are not in the ground truth */
};

int gebd_evaluate(struct gebd_result *r, const struct gebd_request *q, struct err *e);
void gebd_result_release(struct gebd_result *r);

/*
 * What `predictions` holds for a video: under its id, or else under the `path_frame` of its
 * annotation, which is the id of a video indexed by folder. NULL where there is nothing.
 */
struct json *gebd_find(const struct json *predictions, const char *id, const struct json *video);

#endif
