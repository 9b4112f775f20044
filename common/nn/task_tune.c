/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training with labels, end to end: classes of clips from a pre-trained model (classify) or from
 * new weights (supervised), and whether a moment is a boundary (boundary). One step for all.
 */
#include <string.h>

#include "common/nn/task.h"
#include "common/nn/tune_step.h"

static int take_classes(struct task_run *r, enum model_task task, struct err *e)
{
    const char *path = r->o->samples;
    struct json *classes = samples_classes(r->samples);
    if (!classes)
        return err_set(e,
                       "%s: names no classes; training with labels needs samples with targets "
                       "(teg-sample --labels)",
                       path);
    r->classes = json_ref(classes);
    r->desc.task = task;
    r->desc.n_classes = json_len(classes);
    r->n_values = 1;
    return 0;
}

static int check_boundaries(const struct task_run *r, struct err *e)
{
    const char *labels = "";
    json_get_str(store_meta(samples_store(r->samples))->settings, "labels", &labels, NULL);
    return strcmp(labels, "boundaries") == 0
               ? 0
               : err_set(e, "%s: targets are not boundaries (teg-sample --labels boundaries)",
                         r->o->samples);
}

static int begin(struct task_run *r, struct err *e)
{
    bool boundary = r->o->task == TASK_BOUNDARY;
    if (boundary && check_boundaries(r, e) < 0)
        return ERR_FAIL;
    return take_classes(r, boundary ? MODEL_BOUNDARY : MODEL_CLASSIFY, e);
}

static const char *wrong(const struct task_run *r, const struct sample *row, size_t i)
{
    (void)i;
    if (row->role != SAMPLE_SINGLE)
        return "is half of a long-short pair; training with labels needs single clips (teg-sample "
               "--strategy)";
    if (row->target < 0)
        return "has no target: its video or event has no label, or none that the index knows";
    if ((size_t)row->target >= r->desc.n_classes)
        return "has a target that is none of the classes";
    return NULL;
}

static int open_step(struct task_run *r, struct err *e)
{
    struct tune_options o = {.batch = r->o->batch,
                             .micro_batch = task_micro_batch(r),
                             .length = r->length[CLIP_SINGLE],
                             .size = r->o->crop_size,
                             .dtype = r->o->dtype,
                             .recompute = r->o->recompute,
                             .frozen_norm = r->o->frozen_norm,
                             .dropout = r->o->dropout,
                             .seed = r->o->seed};
    struct tune_step *s;
    if (tune_step_new(&s, r->model, &o, e) < 0)
        return ERR_FAIL;
    r->step = s;
    return 0;
}

static void close_step(struct task_run *r)
{
    tune_step_free(r->step);
    r->step = NULL;
}

static int set_weights(struct task_run *r, struct err *e)
{
    return tune_step_set_weights(r->step, e);
}

static struct tune_input input_of(const struct task_step *in)
{
    return (struct tune_input){.pixels = in->batch->pixels[CLIP_SINGLE],
                               .rows = in->batch->rows[CLIP_SINGLE],
                               .number = in->number};
}

static int post(struct task_run *r, const struct task_step *in, struct err *e)
{
    struct tune_input ti = input_of(in);
    return tune_step_post(r->step, &ti, e);
}

static int compute(struct task_run *r, const struct task_step *in, struct err *e)
{
    struct tune_input ti = input_of(in);
    return tune_step_compute(r->step, &ti, e);
}

static int result(struct task_run *r, struct task_result *out, struct err *e)
{
    struct tune_result tr;
    if (tune_step_result(r->step, &tr, e) < 0)
        return ERR_FAIL;
    out->loss = tr.loss;
    out->value[0] = tr.accuracy;
    return 0;
}

static double flops(const struct task_run *r)
{
    return tune_step_flops(r->step);
}

static size_t activation_bytes(const struct task_run *r)
{
    return tune_step_activation_bytes(r->step);
}

static void record(const struct task_run *r, const double *mean, struct json *j)
{
    (void)r;
    json_add(j, "accuracy", json_new_f64(mean[0]));
}

const struct task task_tune = {
    .n_roles = 1,
    .begin = begin,
    .wrong = wrong,
    .settings = task_class_settings,
    .tops = task_class_tops,
    .open = open_step,
    .close = close_step,
    .set_weights = set_weights,
    .post = post,
    .compute = compute,
    .result = result,
    .flops = flops,
    .activation_bytes = activation_bytes,
    .record = record,
};
