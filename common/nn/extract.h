/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features or class scores of clips by a trained model (teg-extract): every row of one epoch of a
 * samples store, or of a default plan made from frames and index alone, becomes one array of an
 * embeddings store. Batch normalisation uses its running statistics, so a clip's features do not
 * depend on its batch.
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

enum extract_form {
    FORM_POOLED,   /* the mean of the features over time, [C] */
    FORM_DENSE,    /* features of every step, [T', C] */
    FORM_LOGITS,   /* class scores before the softmax, [n_classes] */
    FORM_OF_MODEL, /* logits where the model has a classifier, else pooled */
};
extern const char *const extract_form_names[]; /* of the first three, NULL-ended */

enum extract_type { TYPE_FLOAT16, TYPE_FLOAT32, TYPE_OF_FORM }; /* of form: float32 for logits */

struct extract_options {
    const char *model, *frames, *out; /* paths */
    struct shard shard;               /* zero: all videos, into one file */
    const char *samples;              /* a plan, or NULL */
    size_t epoch;                     /* of the samples store */
    const char *index;                /* for the plan, or NULL: all videos, no labels */
    struct extract_plan plan;
    size_t batch;     /* clips at a time; 0: 8, or 32 on a GPU */
    size_t crop_size; /* 0: the model's */
    enum extract_form form;
    enum extract_type type; /* of the stored numbers */
    enum dtype dtype;
    bool tf32; /* on a GPU, products of float32 may round their factors */
    bool force;
    const char *device;
    size_t n_threads;
    struct json *argv; /* for `!meta`, borrowed */
    struct ui *ui;
};

void extract_defaults(struct extract_options *o);
int extract_run(const struct extract_options *o, struct err *e);

#endif
