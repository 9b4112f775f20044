/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints of a training run: one .safetensors file (PATH.part) with weights, statistics,
 * velocities and, in its metadata, the settings, the inputs' identities and the step. A run started
 * again with the same settings goes on from it; other settings are refused, naming the first that
 * differs.
 */
#ifndef TEG_NN_CHECKPOINT_H
#define TEG_NN_CHECKPOINT_H

#include <stdint.h>

#include "common/nn/model.h"

struct checkpoint {
    const char *path;      /* of the model; the checkpoint is PATH.part */
    struct json *settings; /* everything that decides the result; borrowed */
    struct json *inputs;   /* name -> identity; borrowed */
    struct json
        *classes;    /* names in the order of the scores, for the model file; borrowed; or NULL */
    char *lock_path; /* PATH.lock, held from checkpoint_open on; NULL before */
    int lock;
};

struct progress_mark {
    uint64_t step;       /* steps done */
    uint64_t log_bytes;  /* length of the log at that moment */
    struct json *window; /* train_window.h: steps behind the log's last record */
};

/* A number of the settings that the checkpoint of the model `path` was begun with; 0: there is
 * none, or it does not say. */
size_t checkpoint_setting(const char *path, const char *name);

/* Keeps other runs away from the output, and fails early where it could not be written. */
int checkpoint_open(struct checkpoint *c, struct err *e);
void checkpoint_close(struct checkpoint *c);

/* 1: the model was filled and `mark` set (its window is the caller's to free); 0: there is no
 * checkpoint; < 0: it does not fit, and the model may be filled in part. */
int checkpoint_resume(const struct checkpoint *c, struct model *m, struct progress_mark *mark,
                      struct err *e);
int checkpoint_save(const struct checkpoint *c, struct model *m, const struct progress_mark *mark,
                    struct err *e);
/* Writes the finished model and its optimiser file (NAME.optimizer.safetensors), removes the
 * checkpoint. */
int checkpoint_publish(const struct checkpoint *c, struct model *m, uint64_t step, struct err *e);
/* Removes PATH.part. */
int checkpoint_discard(const struct checkpoint *c, struct err *e);

#endif
