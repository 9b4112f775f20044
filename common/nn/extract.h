/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features of clips by a trained backbone (teg-extract): every row of one epoch of a samples store,
 * or of a default plan made from frames and index alone, becomes one array of an embeddings store.
 * Batch normalisation uses its running statistics, so a clip's features do not depend on its batch.
 */
#ifndef TEG_NN_EXTRACT_H
#define TEG_NN_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/sampling/sampling_plan.h"
#include "common/store/shard.h"
#include "kernels/tensor.h"

/* Clips to take where there is no samples store; what is zero is as plan_defaults has it. */
struct extract_plan {
    bool strategy_given;
    enum strategy strategy; /* a fixed one */
    struct clip_shape clip;
    int64_t n_clips; /* of uniform */
};

struct extract_options {
    const char *model, *frames, *out; /* paths */
    struct shard shard;               /* zero: all videos, into one file */
    const char *samples;              /* a plan, or NULL */
    size_t epoch;                     /* of the samples store */
    const char *index;                /* for the plan, or NULL: all videos, no labels */
    struct extract_plan plan;
    size_t batch; /* clips at a time */
    size_t crop_size;
    bool dense; /* [T', C] instead of [C], its mean */
    bool half;  /* float16 instead of float32 */
    enum dtype dtype;
    bool force;
    const char *device;
    size_t n_threads;
    struct json *argv; /* for `!meta`, borrowed */
    struct ui *ui;
};

void extract_defaults(struct extract_options *o);
int extract_run(const struct extract_options *o, struct err *e);

#endif
