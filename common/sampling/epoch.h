/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of an epoch: which examples, in which order, with which clips and draws.
 *
 *     struct epochs *x;
 *     epochs_new(&x, &options, &selection, index, &e);
 *     struct sample *rows = mem_new(epochs_n_rows(x), sizeof(*rows), &e);
 *     epochs_fill(x, epoch, rows, &e);            // any thread, any order of epochs
 *     epochs_free(x);
 *
 * An item is an example before the order is drawn: a video (pair strategies), or one crop of one
 * clip of a video, numbered by video in key order, clip and crop. All that is drawn for it comes
 * from the seed, a stream, and its number and the epoch's, so the clips depend neither on the
 * order, nor on the augmentation, nor on what other items drew.
 */
#ifndef TEG_SAMPLING_EPOCH_H
#define TEG_SAMPLING_EPOCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/sampling/augment.h"
#include "common/sampling/key_clips.h"
#include "common/sampling/labels.h"
#include "common/sampling/selection.h"
#include "common/sampling/strategy.h"
#include "common/store/samples.h"

/* Streams of rng_init that sampling uses, and what numbers the work items of each. */
enum sampling_stream {
    STREAM_ORDER = 0x100, /* 2 * epoch; 2 * epoch + 1 for the negatives of a balanced epoch */
    STREAM_CLIP = 0x101,  /* epoch * clips + clip: starts, shared by the crops of a clip */
    STREAM_VIEW = 0x102,  /* 2 * (epoch * items + item), + 1 for the short clip: augmentation */
};

/* Everything that decides the content of a samples store, besides the videos. */
struct sampling_options {
    enum strategy strategy;
    struct clip_shape shape[2]; /* long, short; strategies of one clip use shape[0] */
    int64_t n_clips;            /* single, uniform: clips a video */
    int64_t step;               /* window: frames between centres */
    bool inside;                /* window: those that lie wholly in the video */
    struct key_boxes boxes;     /* keyframes */
    enum labels labels;
    double tolerance; /* seconds, for LABELS_BOUNDARIES */
    bool shuffle;     /* random order; otherwise by video, clip, crop */
    bool balance;     /* targets 1 and 0 by turns, as many of each as the rarer one has */
    int64_t n_epochs;
    int64_t seed;      /* >= 0 */
    const char *split; /* NULL: all */
    struct augment augment;
};

struct epochs;
/* `index` may be NULL. Fails where no clip is to be had. */
int epochs_new(struct epochs **x, const struct sampling_options *o,
               const struct selection *selection, const struct index *index, struct err *e);
void epochs_free(struct epochs *x);

/* Rows of every epoch; at least 1, at most what a table can hold. */
size_t epochs_n_rows(const struct epochs *x);
int epochs_fill(const struct epochs *x, size_t epoch, struct sample *rows, struct err *e);

/* What is worth knowing about the clips: an object of counts for the store's summary. */
struct json *epochs_summary(const struct epochs *x);
/* Borrowed: the clips that every epoch is made of, without their crops. */
const struct clip_list *epochs_clips(const struct epochs *x);

#endif
