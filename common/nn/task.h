/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kind of training is, beside what all have in common: a table of functions that train.c
 * calls. The loop owns inputs, schedule, checkpoints, log, loader and optimiser; a task knows what
 * an example is, what its model ends in, and how the gradients of a step come about.
 *
 *     const struct task *t = task_get(TASK_CLASSIFY);
 *     struct task_run r = {.o = &options, .samples = samples};
 *     t->begin(&r, &e);                          r.desc, r.classes, r.n_values
 *     model_new(&r.model, backend, &r.desc, &e);
 *     t->open(&r, &e);  t->set_weights(&r, &e);
 *     t->post(&r, &in, &e);  t->compute(&r, &in, &e);     gradients are in r.model->grads
 *     t->result(&r, &result, &e);
 *     t->close(&r);
 */
#ifndef TEG_NN_TASK_H
#define TEG_NN_TASK_H

#include "common/nn/loader.h"
#include "common/nn/model.h"
#include "common/nn/train.h"
#include "common/nn/train_window.h"

struct task_run {
    const struct train_options *o;
    struct samples *samples;
    const struct frames *frames; /* that the samples were made from */
    struct model_desc desc;
    struct model *model;         /* made of `desc`, owned by the loop */
    struct json *classes;        /* owned; NULL where the model has no classifier */
    size_t length[CLIP_N_ROLES]; /* frames of the clips of an example, from the table */
    size_t n_values;             /* numbers of a step beside its loss, at most TRAIN_MAX_VALUES */
    void *step;                  /* of the task, between open and close */
};

struct task_step {
    const struct clip_batch *batch;
    uint64_t number; /* of the step within the run */
};

struct task_result {
    double loss;
    double value[TRAIN_MAX_VALUES];
};

struct task {
    size_t n_roles; /* rows of an example: 2, long and short, or 1 */

    /* Fills desc, classes and n_values; fails where samples or options do not fit. */
    int (*begin)(struct task_run *r, struct err *e);
    /* What is wrong with row i of an epoch ("has no target"), or NULL. Its length is checked
     * already. */
    const char *(*wrong)(const struct task_run *r, const struct sample *row, size_t i);
    /* Members of the settings that are this task's alone. */
    void (*settings)(const struct task_run *r, struct json *j);
    /* Which parts behind the backbone are taken from a model to start from. */
    int (*tops)(const struct task_run *r, const struct safetensors *f,
                const struct model_desc *theirs, struct err *e);

    int (*open)(struct task_run *r, struct err *e);
    void (*close)(struct task_run *r); /* also where open failed or was not called */
    int (*set_weights)(struct task_run *r, struct err *e);
    /* Gives the device what changes from step to step but the pixels. */
    int (*post)(struct task_run *r, const struct task_step *in, struct err *e);
    /* Puts the step on the device; may be recorded, for the pixels of one batch. */
    int (*compute)(struct task_run *r, const struct task_step *in, struct err *e);
    /* Waits for it; fails where a number is not finite. */
    int (*result)(struct task_run *r, struct task_result *out, struct err *e);
    double (*flops)(const struct task_run *r);
    size_t (*activation_bytes)(const struct task_run *r);
    /* Members of a log record from the means of the values. */
    void (*record)(const struct task_run *r, const double *mean, struct json *record);
};

/* As `settings` and `tops`, of the tasks with labels: a head of the same task and classes is gone
 * on with, any other is left behind. */
void task_class_settings(const struct task_run *r, struct json *j);
int task_class_tops(const struct task_run *r, const struct safetensors *f,
                    const struct model_desc *theirs, struct err *e);

extern const struct task task_pretrain, task_tune, task_localize;
const struct task *task_get(enum train_task task);

/* What a task is mostly trained with (RECIPE sections 3 and 4). */
struct task_recipe {
    double base_lr; /* for a batch of 1024, the rate of others in proportion */
    double weight_decay;
    double warmup_epochs; /* or a quarter of the epochs where that is less */
    double dropout;
};
const struct task_recipe *task_recipe(enum train_task task);

/* Examples in memory at a time. */
size_t task_micro_batch(const struct task_run *r);

#endif
