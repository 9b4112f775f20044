/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes samples stores: which clips of which videos, with which crops and colours, in which order,
 * for every epoch of a run (teg-sample).
 *
 *     struct sampling_request r = {.frames = "frames.lmdb", .index = "index.lmdb", .out =
 * "samples.lmdb"}; sampling_defaults(STRATEGY_CONTAINED, &r.options); r.options.n_epochs = 10;
 *     r.n_threads = 4;
 *     sampling_write(&r, &e);
 */
#ifndef TEG_SAMPLING_SAMPLING_H
#define TEG_SAMPLING_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/sampling/epoch.h"

enum { SAMPLING_MAX_EPOCHS = 99999999 }; /* their keys have 8 digits */

/*
 * What a strategy is mostly used with. Pairs: 32x4 and 16x2 (cvrl: 16x2 twice), pretrain
 * augmentation, 200 epochs, shuffled. single: 32x2, linear augmentation, 100 epochs, shuffled.
 * Fixed plans: 32x2, test crops, one epoch in key order (uniform: 10 clips; window: 16x2 every 3
 * frames); events have their own labels.
 */
void sampling_defaults(enum strategy strategy, struct sampling_options *o);

/* Refuses options that contradict each other ("the short clip's span, 62, is longer than the long
 * one's, 30"). */
int sampling_check(const struct sampling_options *o, struct err *e);

/* The options as they go into `!meta`: an object with a fixed order of members; NULL: no memory. */
struct json *sampling_settings(const struct sampling_options *o);

struct sampling_request {
    const char *frames, *index, *out; /* paths */
    struct sampling_options options;
    int64_t max_bad;   /* videos of the split that may lack frames */
    bool force;        /* replace `out` */
    size_t n_threads;  /* at least 1; never changes the result */
    struct json *argv; /* for `!meta`, borrowed; may be NULL */
    struct ui *ui;
};

/* Writes the store, resuming an interrupted one. ERR_STOPPED where the user asked to stop. */
int sampling_write(const struct sampling_request *r, struct err *e);

#endif
