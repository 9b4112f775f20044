/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of AVA's CSV files, "video,timestamp,x1,y1,x2,y2,class[,score or person]", read as one of
 * the two official programs reads them: SlowFast's ava_eval_helper.py, or
 * ActivityNet's get_ava_performance.py, which also serves AVA-Kinetics.
 *
 *     struct ava_data d;
 *     ava_data_init(&d, AVA_SLOWFAST, &labels);
 *     ava_read_exclusions(&d, text, len, &e);         SlowFast only, first
 *     ava_read_annotations(&d, files, n, &e);         then these
 *     ava_read_predictions(&d, text, len, &e);        and these
 *     d.annotations.rows ...
 *     ava_data_release(&d);
 *
 * Errors begin with "line N", the caller knows the file; those of annotations with the file's name.
 * What the official programs leave out is counted by reason.
 */
#ifndef TEG_EVAL_AVA_ROWS_H
#define TEG_EVAL_AVA_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/intern.h"
#include "common/eval/ava_labels.h"

enum ava_rules { AVA_SLOWFAST, AVA_ACTIVITYNET };
extern const char *const ava_rules_names[]; /* NULL-ended, in the order of the enum */
enum { AVA_CAPACITY = 50 }; /* predictions of a frame under ActivityNet's rules, over all classes */

struct ava_box {
    double y1, x1, y2, x2;
    uint32_t frame;
    uint32_t file; /* of several with annotations */
    size_t line;   /* of its file; of several rows the first */
};

/* One class of one box, to be scored. */
struct ava_row {
    double score; /* of a prediction */
    uint32_t box;
    uint32_t class; /* position in the label map */
};

struct ava_counts {
    uint64_t rows;          /* in the file */
    uint64_t frames;        /* that have rows of scored classes */
    uint64_t empty;         /* rows that only name a frame */
    uint64_t other_class;   /* left out: the label map lacks the class */
    uint64_t excluded;      /* left out: SlowFast's exclusions name the frame */
    uint64_t unlisted;      /* left out: ActivityNet's annotations do not name the frame */
    uint64_t over_capacity; /* left out: not among the frame's AVA_CAPACITY best */
    uint64_t invalid;       /* left out: predicted boxes without area */
};

/* A file in memory. */
struct ava_file {
    const char *name, *text;
    size_t len;
};

/* One file, or several as one. Rows of a frame stand in the order in which they are matched; the
 * order of the frames is in ava_frame. Predictions often list every class of a box: rows that
 * follow each other share it.
 */
struct ava_table {
    const struct ava_file *files; /* borrowed: their names, of annotations */
    struct ava_row *rows;         /* [n] */
    size_t n, cap;
    struct ava_box *boxes; /* [n_boxes] */
    size_t n_boxes, cap_boxes;
    struct ava_counts counts;
};

struct ava_frame {
    uint32_t
        order;   /* of its first prediction among those of all frames; AVA_NO_ORDER: it has none */
    bool seen;   /* in the file that is being read, with a row of a scored class */
    bool listed; /* named by the annotations */
    bool predicted; /* named by the predictions */
    bool excluded;
};
#define AVA_NO_ORDER UINT32_MAX

struct ava_data {
    enum ava_rules rules;
    const struct ava_labels *labels; /* borrowed */
    struct intern keys;              /* "VIDEO,TIMESTAMP" as the rules write it, one a frame */
    struct ava_frame *frames;        /* [keys.n] */
    size_t cap_frames;
    struct ava_table annotations, predictions;
};

void ava_data_init(struct ava_data *d, enum ava_rules rules, const struct ava_labels *labels);
void ava_data_release(struct ava_data *d);

int ava_read_exclusions(struct ava_data *d, const char *text, size_t len, struct err *e);
/* Files [n] as if one stood behind the other; their names are borrowed until the release. */
int ava_read_annotations(struct ava_data *d, const struct ava_file *files, size_t n, struct err *e);
int ava_read_predictions(struct ava_data *d, const char *text, size_t len, struct err *e);

#endif
