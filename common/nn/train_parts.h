/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of train.h share: a run of training. train_inputs.c opens what it reads and says
 * what decides its result, train_room.c sees to memory, train_together.c to several processes,
 * train.c to all else.
 */
#ifndef TEG_NN_TRAIN_PARTS_H
#define TEG_NN_TRAIN_PARTS_H

#include "common/nn/checkpoint.h"
#include "common/nn/loader.h"
#include "common/nn/schedule.h"
#include "common/nn/task.h"
#include "common/nn/train.h"
#include "common/nn/train_log.h"
#include "common/nn/train_window.h"

enum { N_RECORDINGS = 4 }; /* more than the batches that the loader has in memory */

/* What a step puts on the device, for the pixels of one of the loader's batches. */
struct step_recording {
    const void *pixels;
    struct recording *recording;
};

struct trainer {
    struct train_options o; /* complete */
    const struct task *task;
    struct task_run run;         /* its model and samples are this one's */
    struct processes *processes; /* NULL: this one alone */
    bool stopping;               /* one of them was asked to */
    bool together;               /* the others may be in the middle of what is done together */
    struct backend *backend;
    struct frames *frames;
    struct samples *samples;
    struct model *model;
    struct loader *loader;
    struct train_log *log;
    struct checkpoint checkpoint;
    struct schedule schedule;
    size_t steps_per_epoch, left_over; /* examples behind the last whole batch of an epoch */
    uint64_t at, end;                  /* steps done, and of the whole run */
    uint64_t requested;                /* batches asked of the loader */
    uint64_t log_bytes;                /* of the log that the checkpoint stands for */
    struct step_recording recorded[N_RECORDINGS];
    struct train_window window;
    double peak_flops;
    double last_checkpoint; /* clock */
};

/* -- train_inputs.c -- */

/* Frames and samples, what an epoch has of them, and how long that is to go on. */
int train_open_inputs(struct trainer *t, struct err *e);
/*
 * Rows [first, first + n) of an epoch: examples as the task wants them, clips of a role of one
 * length, which the first example of the run decides.
 */
int train_check_rows(struct trainer *t, const struct clip_request *q, struct err *e);
/* The settings, all that decides the weights, and the inputs, for the checkpoint. */
int train_describe(struct trainer *t, struct err *e);

/* -- train_room.c -- */

/* The task's step, in the room that there is: found out before convolutions are measured, which
 * takes long. */
int train_open_step(struct trainer *t, struct err *e);
/* With --micro-batch auto: that of the checkpoint, or of those that divide the batch the largest
 * that has room in all processes. */
int train_choose_micro_batch(struct trainer *t, struct err *e);

/* -- train_together.c -- */

/* Process 0 alone speaks and writes. */
bool train_writes(const struct trainer *t);
/* As processes_agree, or where the others may not come to it, as processes_agree_soon. */
int train_agree(struct trainer *t, int rc, struct err *e);
/* Of the whole run. */
int train_agree_on_end(struct trainer *t, int rc, struct err *e);
/* Whether they divide the micro-batch. */
int train_check_parts(const struct trainer *t, struct err *e);
int train_open_device(struct trainer *t, struct err *e);
/* Whether all have a GPU, or none. */
int train_check_devices(struct trainer *t, struct err *e);
/* x becomes that of process 0; what fails in between, the others do not hear of. Alone: nothing. */
int train_take_first(struct trainer *t, void *x, size_t bytes, struct err *e);
/* Whether they find the size of micro-batches together, or none does. */
int train_check_auto(struct trainer *t, struct err *e);
/* Whether the processes were started for one run, and not each for its own. */
int train_check_command(struct trainer *t, struct err *e);
/* They begin where process 0 does, and with the same. */
int train_take_state(struct trainer *t, struct err *e);

#endif
