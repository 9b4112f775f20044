/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of rendered clips, prepared on threads of their own while the caller computes. The caller
 * says through a `source` which rows come next; batches arrive in that order and never depend on
 * the number of threads.
 *
 *     struct loader_walk walk = {.samples = samples, .epoch = 0, .n_examples = 8};
 *     struct loader_options o = {.frames = frames, .ids = samples_ids(samples),
 *                                .n_ids = samples_n_videos(samples), .origin = "samples.lmdb",
 *                                .backend = b, .clips = {224, DTYPE_BF16},
 *                                .source = loader_walk_next, .user = &walk};
 *     loader_new(&l, &o, &e);
 *     while ((rc =
 * loader_next(l, &batch, &e)) > 0)
 *         ... batch->pixels[CLIP_LONG] is [n, T, S, S, 3], batch->rows[CLIP_LONG] [n] ...
 *     loader_free(l);
 */
#ifndef TEG_NN_LOADER_H
#define TEG_NN_LOADER_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/nn/clips.h"
#include "common/nn/share.h"
#include "common/store/frames.h"
#include "common/store/samples.h"
#include "kernels/backend.h"

/* Which buffer of a batch; single clips are in the first. */
enum clip_role { CLIP_LONG, CLIP_SHORT, CLIP_SINGLE = 0, CLIP_N_ROLES = 2 };

struct clip_batch {
    size_t epoch, first_row;                 /* where its rows begin in the sample table */
    size_t n;                                /* examples */
    size_t n_roles;                          /* 2: a long and a short clip each; 1: single clips */
    size_t length[CLIP_N_ROLES];             /* frames T of a clip */
    void *pixels[CLIP_N_ROLES];              /* device memory [n, T, S, S, 3]; of the share */
    const struct sample *rows[CLIP_N_ROLES]; /* [n], in the order of the table; of all */
    double waited;                           /* seconds that loader_next waited for it */
};

/*
 * Rows of one batch. Either every example has two rows side by side, one of role long and one of
 * role short, or all are single clips; clips of a role have one length. `rows` is borrowed until
 * the source is called again.
 */
struct clip_request {
    size_t epoch, first_row; /* named in errors */
    const struct sample *rows;
    size_t n_rows;
};
/* Gives the next batch: 1, at the end 0, < 0 an error. Called on the caller's thread from
 * loader_next alone. */
typedef int loader_source(void *user, struct clip_request *request, struct err *e);

struct loader_options {
    struct frames *frames;
    const char *const *ids; /* what a row's `video` is a position in, [n_ids]; borrowed */
    size_t n_ids;
    const char *origin; /* where the rows come from, for errors: a path; borrowed */
    struct backend *backend;
    struct clips_options clips;
    struct share
        share;   /* what this process reads of each batch; then all are of whole micro-batches */
    size_t room; /* examples that `pixels` are for at least, so that more than n can be read */
    size_t n_threads; /* 0: the backend's; half of them where reading competes with computing */
    size_t
        n_ahead; /* batches prepared beside the one in use; 0: 1. Memory is (n_ahead + 1) batches */
    loader_source *source;
    void *user;
};

struct loader;
int loader_new(struct loader **l, const struct loader_options *o, struct err *e);
/* Waits for the threads; NULL allowed. Close before the frames, the samples and the backend. */
void loader_free(struct loader *l);
/*
 * The next batch: 1, at the end 0, < 0 an error ("samples.lmdb: epoch 3: clip 17: why"; of several
 * the first in row order). The batch is valid until the next call.
 */
int loader_next(struct loader *l, const struct clip_batch **batch, struct err *e);

/*
 * A source that walks once through an epoch: batches of n_examples, or fewer where the length or
 * kind of clip changes and at the end.
 */
struct loader_walk {
    struct samples *samples;
    size_t epoch, n_examples;
    size_t row; /* the next one */
};
int loader_walk_next(void *walk, struct clip_request *request, struct err *e);

/* How many of the rows, from the first on, go into one batch of up to n_examples; 0 only where
 * n_rows is 0. */
size_t loader_take(const struct sample *rows, size_t n_rows, size_t n_examples);

#endif
