/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the evaluation of boundaries: what came out, as JSON and text. */
#ifndef TEG_EVAL_GEBD_REPORT_H
#define TEG_EVAL_GEBD_REPORT_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/eval/gebd_run.h"

struct gebd_report {
    const struct gebd_options *options;
    const struct gebd_result *result;
    size_t n_extra; /* predictions and scores of videos that have no annotation */
    const char *annotations_identity, *predictions_identity;
};

/* The whole metrics document. NULL when memory is exhausted. */
struct json *gebd_report(const struct gebd_report *r);
/* One line a video, below the head. */
extern const char gebd_per_video_head[];
int gebd_write_per_video(const struct gebd_report *r, const char *path, struct err *e);

#endif
