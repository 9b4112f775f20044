/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/task.h"

#include "common/store/safetensors.h"

const char *const train_task_names[] = {"pretrain", "classify", "supervised",
                                        "boundary", "localize", NULL};

static const struct {
    const struct task *task;
    struct task_recipe recipe;
} tasks[] = {
    [TASK_PRETRAIN] = {&task_pretrain, {0.32, 1e-6, 5.0, 0.0}},
    [TASK_CLASSIFY] = {&task_tune, {0.32, 1e-5, 5.0, 0.5}},
    /* Those of the recipe that the group's public code has for R3D-50 on Kinetics-400. */
    [TASK_SUPERVISED] = {&task_tune, {1.6, 1e-4, 5.0, 0.2}},
    [TASK_BOUNDARY] = {&task_tune, {0.4, 1e-5, 0.0, 0.0}},
    [TASK_LOCALIZE] = {&task_localize, {0.04, 1e-5, 0.0, 0.5}},
};

const struct task *task_get(enum train_task task)
{
    return tasks[task].task;
}

const struct task_recipe *task_recipe(enum train_task task)
{
    return &tasks[task].recipe;
}

void task_class_settings(const struct task_run *r, struct json *j)
{
    json_add(j, "n_classes", json_new_i64((int64_t)r->desc.n_classes));
    json_add(j, "dropout", json_new_f64(r->o->dropout));
    json_add(j, "normalisation", json_new_str(r->o->frozen_norm ? "frozen" : "batch"));
}

int task_class_tops(const struct task_run *r, const struct safetensors *f,
                    const struct model_desc *theirs, struct err *e)
{
    (void)e;
    if (theirs->task != r->desc.task || theirs->n_classes != r->desc.n_classes)
        return TOPS_NONE;
    struct json *classes = model_classes(f, theirs->n_classes, NULL);
    bool same = classes && json_equal(classes, r->classes);
    json_free(classes);
    return same ? TOPS_ALL : TOPS_NONE;
}

size_t task_micro_batch(const struct task_run *r)
{
    return r->o->micro_batch ? r->o->micro_batch : r->o->batch;
}
