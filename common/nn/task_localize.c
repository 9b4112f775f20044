/* SPDX-License-Identifier: Apache-2.0 */
/* Training with boxes: which of the actions each person in the middle of a clip carries out. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/nn/clip_boxes.h"
#include "common/nn/share.h"
#include "common/nn/task.h"
#include "common/nn/tune_step.h"
#include "common/store/safetensors.h"

/* Behind task_run.step. */
struct localizing {
    struct clip_boxes *boxes;
    struct tune_step *step;
    struct share share;
    size_t per_clip, n_places; /* of the share of the batch */
    float *box;                /* [n_places, 4] */
    uint8_t *target;           /* [n_places, n_classes] */
    float *weight;             /* [n_places] */
};

static int begin(struct task_run *r, struct err *e)
{
    struct json *classes = samples_classes(r->samples);
    const struct json *how = store_meta(samples_store(r->samples))->settings;
    const char *labels = "", *boxes = "";
    json_get_str(how, "labels", &labels, NULL);
    json_get_str(how, "boxes", &boxes, NULL);
    if (strcmp(boxes, "detected") == 0)
        return err_set(e,
                       "%s: its boxes are a detector's, who knows no actions (teg-sample --boxes)",
                       r->o->samples);
    if (strcmp(labels, "actions") != 0 || !classes)
        return err_set(e,
                       "%s: holds no actions of boxes; training needs those of teg-sample "
                       "--strategy keyframes",
                       r->o->samples);
    r->classes = json_ref(classes);
    r->desc.task = MODEL_LOCALIZE;
    r->desc.n_classes = json_len(classes);
    r->n_values = 1;
    return 0;
}

static const char *wrong(const struct task_run *r, const struct sample *row, size_t i)
{
    (void)r;
    (void)i;
    return row->role == SAMPLE_SINGLE ? NULL : "is half of a long-short pair";
}

static void close_step(struct task_run *r)
{
    struct localizing *x = r->step;
    if (!x)
        return;
    tune_step_free(x->step);
    clip_boxes_free(x->boxes);
    free(x->box);
    free(x->target);
    free(x->weight);
    free(x);
    r->step = NULL;
}

static int new_places(struct localizing *x, size_t n, size_t n_classes, struct err *e)
{
    x->n_places = n;
    x->box = mem_new(4 * n, sizeof *x->box, e);
    x->target = mem_new(n * n_classes, 1, e);
    x->weight = mem_new(n, sizeof *x->weight, e);
    return x->box && x->target && x->weight ? 0 : ERR_FAIL;
}

static int open_step(struct task_run *r, struct err *e)
{
    struct localizing *x = mem_new(1, sizeof *x, e);
    if (!x)
        return ERR_FAIL;
    r->step = x;
    if (clip_boxes_open(&x->boxes, r->samples, r->frames, e) < 0)
        return ERR_FAIL;
    struct tune_options o = {.batch = r->o->batch,
                             .micro_batch = task_micro_batch(r),
                             .length = r->length[CLIP_SINGLE],
                             .size = r->o->crop_size,
                             .boxes = clip_boxes_most(x->boxes),
                             .dtype = r->o->dtype,
                             .recompute = r->o->recompute,
                             .frozen_norm = r->o->frozen_norm,
                             .dropout = r->o->dropout,
                             .seed = r->o->seed};
    x->share = share_of(r->model->backend->processes, o.micro_batch);
    x->per_clip = o.boxes;
    if (new_places(x, share_count(&x->share, o.batch) * o.boxes, r->desc.n_classes, e) < 0)
        return ERR_FAIL;
    return tune_step_new(&x->step, r->model, &o, e);
}

static int set_weights(struct task_run *r, struct err *e)
{
    return tune_step_set_weights(((struct localizing *)r->step)->step, e);
}

/* The boxes of an example, in the places from `first` on. */
static void place_boxes(struct localizing *x, const struct sample *row, size_t first,
                        size_t n_classes)
{
    const struct sample_box *box;
    size_t n = clip_boxes_of(x->boxes, row, &box);
    for (size_t i = 0; i < n; i++) {
        size_t place = first + i;
        if (!clip_boxes_in_crop(x->boxes, row, &box[i], x->box + 4 * place))
            continue;
        x->weight[place] = 1.0f;
        for (size_t k = 0; k < n_classes; k++)
            x->target[place * n_classes + k] = sample_box_has(&box[i], k);
    }
}

static struct tune_input input_of(const struct localizing *x, const struct task_step *in)
{
    return (struct tune_input){.pixels = in->batch->pixels[CLIP_SINGLE],
                               .number = in->number,
                               .people = {x->box, x->target, x->weight}};
}

static int post(struct task_run *r, const struct task_step *in, struct err *e)
{
    struct localizing *x = r->step;
    size_t n_classes = r->desc.n_classes;
    memset(x->box, 0, 4 * x->n_places * sizeof *x->box);
    memset(x->weight, 0, x->n_places * sizeof *x->weight);
    memset(x->target, 0, x->n_places * n_classes);
    for (size_t i = 0; i < x->n_places / x->per_clip; i++) {
        size_t example = share_example(&x->share, i);
        place_boxes(x, &in->batch->rows[CLIP_SINGLE][example], i * x->per_clip, n_classes);
    }
    struct tune_input ti = input_of(x, in);
    return tune_step_post(x->step, &ti, e);
}

static int compute(struct task_run *r, const struct task_step *in, struct err *e)
{
    struct localizing *x = r->step;
    struct tune_input ti = input_of(x, in);
    return tune_step_compute(x->step, &ti, e);
}

static int result(struct task_run *r, struct task_result *out, struct err *e)
{
    struct localizing *x = r->step;
    struct tune_result tr;
    if (tune_step_result(x->step, &tr, e) < 0)
        return ERR_FAIL;
    out->loss = tr.loss;
    out->value[0] = tr.n_people / (double)r->o->batch;
    return 0;
}

static double flops(const struct task_run *r)
{
    return tune_step_flops(((struct localizing *)r->step)->step);
}

static size_t activation_bytes(const struct task_run *r)
{
    return tune_step_activation_bytes(((struct localizing *)r->step)->step);
}

static void record(const struct task_run *r, const double *mean, struct json *j)
{
    (void)r;
    json_add(j, "boxes", json_new_f64(mean[0]));
}

const struct task task_localize = {
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
