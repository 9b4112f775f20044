/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the evaluation of boundaries: one video from its JSON values, by the rules' order of
 * questions, so that what the official code does not look at may be absent. */
#ifndef TEG_EVAL_GEBD_VIDEO_H
#define TEG_EVAL_GEBD_VIDEO_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/eval/gebd.h"
#include "common/eval/gebd_eval.h"

/* Memory of one thread; zero-initialise it. */
struct gebd_video {
    double *numbers;
    size_t n_numbers, cap;
    struct gebd_times *raters;
    size_t cap_raters;
    struct gebd_example example; /* since gebd_video_read */
};
void gebd_video_release(struct gebd_video *v);

/* A video of the ground truth, with what was predicted for it. */
struct gebd_entry {
    const char *id;
    struct json *truth;
    struct json *predicted; /* NULL where there is none */
};

/* Fills v->example; its raters are read where they are needed: with state GEBD_SCORED all, with
 * others only the first one's count, which is v->example.raters[0].n. */
int gebd_video_read(struct gebd_video *v, const struct gebd_request *q,
                    const struct gebd_entry *entry, enum gebd_state *state, struct err *e);

/* To look at a video, whatever its state: length, detections (maybe none) and all raters. */
int gebd_video_look(struct gebd_video *v, const struct gebd_request *q,
                    const struct gebd_entry *entry, struct err *e);

#endif
