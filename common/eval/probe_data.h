/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe works on: clip features from embeddings stores with labels from the index, as one
 * matrix for training and one for testing in the backend's memory. Nothing is left out in silence:
 * what the index has and the stores lack, what is bad and what has no label is listed.
 *
 *     probe_data_open(&d, &source, &e);          which videos, which labels, what is missing
 *     probe_data_load(d, backend, &load, &e);    reads the features
 *     d->set[PROBE_TRAIN].x ...
 *     probe_data_free(d);                        before backend_close
 *
 * A row is one clip (one view of it). A decision is what one prediction is made for: a video, or an
 * event of a video; its rows are averaged by whoever predicts.
 */
#ifndef TEG_EVAL_PROBE_DATA_H
#define TEG_EVAL_PROBE_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/ui.h"
#include "common/eval/similarity.h"
#include "common/store/embeddings.h"
#include "common/store/index.h"
#include "kernels/backend.h"

enum probe_side { PROBE_TRAIN, PROBE_TEST, PROBE_SIDES };

struct probe_source {
    const char *embeddings; /* training videos, or all where `test` is NULL */
    const char
        *test; /* test videos; NULL: the index's split decides, "train" against "val" and "test" */
    const char *index;
    bool scores;        /* embeddings are class scores: nothing is trained, all videos are tested */
    bool of_events;     /* labels of events, one decision an event; else the video's class */
    bool allow_overlap; /* a video may be in both stores */
    bool allow_unseen; /* classes without a training clip may occur in the test; they count as wrong
                        */
    uint64_t max_missing; /* labelled videos or events that may lack embeddings */
};

struct decision {
    uint32_t video; /* of the index */
    uint32_t event; /* 0 where videos are classified */
    int32_t label;  /* class number of the index */
};

struct probe_set {
    size_t n_videos, n_rows, n_decisions;
    size_t n_unlabelled; /* clips left out because they have no label */
    int32_t *label;      /* [n_rows] */
    uint32_t *decision;  /* [n_rows] of `decisions` */
    struct decision *decisions;
    void *x; /* [n_rows, width], backend memory */
};

/* A video or event of the index that is not in the result. */
struct probe_gap {
    uint32_t video;
    int32_t event; /* -1: the whole video */
};

struct gap_list {
    struct probe_gap *gaps;
    size_t n, cap;
};

/* A video that is used. Its labelled clips are consecutive rows in the order of the store. */
struct probe_video {
    uint32_t video; /* of the index */
    uint32_t at;    /* of the store */
    size_t first_row;
};

struct probe_data {
    struct index *index;
    struct embeddings *store[PROBE_SIDES]; /* the second is NULL where there is one store */
    bool of_events;
    size_t n_classes, n_channels;
    struct probe_set set[PROBE_SIDES];
    struct gap_list missing, bad, unlabelled;
    size_t n_overlap;
    size_t *n_train_clips;                   /* [n_classes] */
    size_t n_trained;                        /* classes with a training clip */
    size_t n_unseen;                         /* classes of the test without a training clip */
    struct probe_video *videos[PROBE_SIDES]; /* [set.n_videos], in index order */
    size_t n_moments,
        n_full; /* most common number (> 1) of clips a test video has; how many have it */
    /* since probe_data_load */
    struct backend *backend;
    enum dtype dtype;
    size_t width; /* elements of a row: channels, 1 for the bias where wanted, zeros up to a
                     multiple of 16 */
};

int probe_data_open(struct probe_data **d, const struct probe_source *source, struct err *e);
void probe_data_free(struct probe_data *d); /* NULL allowed */

/* What is done to a clip's features after the mean over time. */
enum probe_normalize {
    PROBE_AS_IS,
    PROBE_UNIT,    /* to unit length */
    PROBE_CENTRED, /* the mean of the training clips subtracted, then to unit length */
};

struct probe_load {
    enum dtype dtype;
    enum probe_normalize normalize;
    bool bias; /* a column of ones behind the channels */
    size_t n_threads;
    struct similarity *similarity; /* receives the test videos; or NULL */
    struct ui *ui;
};
int probe_data_load(struct probe_data *d, struct backend *b, const struct probe_load *load,
                    struct err *e);

/* The store that a side's videos come from, and its path. */
struct embeddings *probe_data_store(const struct probe_data *d, enum probe_side side);
const char *probe_data_path(const struct probe_data *d, enum probe_side side);
/* Class number of a clip of a video, -1 where it has no label. The clip's event exists. */
int probe_data_label(const struct probe_data *d, const struct video *v,
                     const struct embedding_clip *clip);

#endif
