/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of an index by split and class. */
#ifndef TEG_DATASETS_INDEX_SUMMARY_H
#define TEG_DATASETS_INDEX_SUMMARY_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/store/index.h"

#define INDEX_MISSING "missing" /* the reason of a video whose file is not there */

struct index_counts {
    int64_t found, missing, bad; /* found: usable */
    int64_t noted;               /* of those found: with a reason all the same */
};

struct index_summary {
    struct index_counts all;
    int64_t n_events, n_boundaries, n_key_frames, n_boxes; /* annotations of all videos */
    int64_t n_outside; /* events, boundaries, key frames that lie behind the end of their video */
    int64_t n_whole_films, n_cut_films; /* of those found: begin with the original, or later */
    struct json *splits, *classes;      /* {"train": {"found": 1, "missing": 0, "bad": 0}, ...} */
};

int index_summary_init(struct index_summary *s, struct err *e);
void index_summary_release(struct index_summary *s);
int index_summary_add(struct index_summary *s, const struct video *v, struct err *e);
/* When all are added: puts splits and classes in byte order. */
int index_summary_sort(struct index_summary *s, struct err *e);
/* The counts of a row of `splits` or `classes`. */
struct index_counts index_summary_row(const struct json *row);

#endif
