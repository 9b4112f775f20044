/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/task.h"

const char *const train_task_names[] = {"pretrain", "classify", "supervised", "boundary", NULL};

static const struct {
    const struct task *task;
    struct task_recipe recipe;
} tasks[] = {
    [TASK_PRETRAIN] = {&task_pretrain, {0.32, 1e-6, 5.0, 0.0}},
    [TASK_CLASSIFY] = {&task_tune, {0.32, 1e-5, 5.0, 0.5}},
    /* Those of the recipe that the group's public code has for R3D-50 on Kinetics-400. */
    [TASK_SUPERVISED] = {&task_tune, {1.6, 1e-4, 5.0, 0.2}},
    [TASK_BOUNDARY] = {&task_tune, {0.4, 1e-5, 0.0, 0.0}},
};

const struct task *task_get(enum train_task task)
{
    return tasks[task].task;
}

const struct task_recipe *task_recipe(enum train_task task)
{
    return &tasks[task].recipe;
}

size_t task_micro_batch(const struct task_run *r)
{
    return r->o->micro_batch ? r->o->micro_batch : r->o->batch;
}
