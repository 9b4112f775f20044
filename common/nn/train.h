/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training (teg-train), of every kind: a pure function of frames, samples, settings and initial
 * weights. Steps are numbered from 0; step s is batch s % steps_per_epoch of epoch s /
 * steps_per_epoch of the samples store, the examples left over at an epoch's end are not used.
 * Interrupted at any moment, the same call goes on.
 *
 * Several processes (kernels/processes.h) train together, each on its share of every batch: the
 * result is that of one but for the rounding, and one may go on where several stopped. Process 0
 * alone writes, and speaks: in the others a failure leaves `e` empty, unless nobody else knows it.
 * After a failure of theirs nothing is given back, and loader threads may still run: what is under
 * way with others may never come to an end, so the caller says why and ends the process (_exit).
 */
#ifndef TEG_NN_TRAIN_H
#define TEG_NN_TRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/ui.h"
#include "common/nn/objective.h"
#include "kernels/processes.h"

enum train_task {
    TASK_PRETRAIN,   /* pairs of clips, without labels */
    TASK_CLASSIFY,   /* single clips and their classes, from a pre-trained model */
    TASK_SUPERVISED, /* the same from new weights */
    TASK_BOUNDARY,   /* windows around a moment: is it a boundary */
    TASK_LOCALIZE,   /* clips around key frames: what each person in them does */
};
extern const char *const train_task_names[]; /* in the order of the enum, NULL-ended */

struct train_options {
    enum train_task task;
    const char *frames, *samples, *out; /* paths */
    const char *init;                   /* model to start from, or NULL: weights from `seed` */
    const char *log;                    /* JSON Lines, or NULL */
    const char *backbone;               /* of arch_names */
    struct objective objective;
    size_t head_width, head_dim;
    int head_layers;
    size_t batch, micro_batch; /* micro_batch 0: batch */
    bool recompute;            /* keep less in memory for the backward pass, compute it again */
    bool micro_auto;           /* the largest micro_batch that has room instead */
    size_t crop_size;
    enum dtype dtype;
    bool tf32;      /* on a GPU, products of float32 may round their factors */
    int64_t epochs; /* -1: as many as the samples store has; 0: write the untrained model */
    double lr;      /* of the whole batch; < 0: base_lr * batch / 1024 */
    double base_lr, weight_decay, warmup_epochs, dropout; /* < 0: the task's (task.h) */
    bool frozen_norm; /* batch normalisation keeps the running statistics of `init` */
    double momentum;
    bool lars;
    double trust;
    uint64_t seed;
    int64_t log_every; /* steps between records */
    double checkpoint_minutes;
    int64_t stop_at;             /* leave a checkpoint and stop after this step; -1: never */
    bool force;                  /* replace the output, drop a checkpoint that does not fit */
    const char *device;          /* "auto", "cpu", "cuda" */
    size_t n_threads;            /* 0: all processors, or this process's part of them */
    struct processes *processes; /* NULL: this one alone */
    struct ui *ui;
};

/* The defaults of RECIPE sections 2 to 4. */
void train_defaults(struct train_options *o);
int train_run(const struct train_options *o, struct err *e);

#endif
