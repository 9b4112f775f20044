/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-training: a long and a short clip of a video, the objective over the whole batch. */
#include <string.h>

#include "common/nn/step.h"
#include "common/nn/task.h"

enum { VALUES_OF_PART = 3 };
_Static_assert(VALUES_OF_PART *OBJECTIVE_MAX <= TRAIN_MAX_VALUES, "the window holds all parts");

static int begin(struct task_run *r, struct err *e)
{
    const struct train_options *o = r->o;
    (void)e;
    r->desc.head_width = o->head_width;
    r->desc.head_dim = o->head_dim;
    r->desc.head_layers = o->head_layers;
    objective_heads(&o->objective, &r->desc);
    r->n_values = VALUES_OF_PART * (size_t)o->objective.n_parts;
    return 0;
}

static const char *wrong(const struct task_run *r, const struct sample *row, size_t i)
{
    (void)r;
    return row->role == (i % N_ROLES ? SAMPLE_SHORT : SAMPLE_LONG)
               ? NULL
               : "is not half of a long-short pair; pre-training needs --strategy contained, "
                 "random "
                 "or cvrl";
}

static void settings(const struct task_run *r, struct json *j)
{
    const struct train_options *o = r->o;
    char objective[OBJECTIVE_TEXT_BYTES];
    objective_text(&o->objective, objective, sizeof objective);
    json_add(j, "objective", json_new_str(objective));
    json_add(j, "negatives", json_new_str(o->objective.other_only ? "other" : "all"));
    json_add(j, "temperature", json_new_f64(o->objective.temperature));
    json_add(j, "head_width", json_new_i64((int64_t)r->model->desc.head_width));
    json_add(j, "head_dim", json_new_i64((int64_t)o->head_dim));
    json_add(j, "head_layers", json_new_i64(o->head_layers));
}

/* Heads that the model lacks start new; one that both have must have the same layers in both. */
static int tops(const struct task_run *r, const struct safetensors *f,
                const struct model_desc *theirs, struct err *e)
{
    const struct model_desc *mine = &r->model->desc;
    bool same = theirs->head_width == mine->head_width && theirs->head_dim == mine->head_dim &&
                theirs->head_layers == mine->head_layers;
    (void)f;
    for (int i = 0; i < theirs->n_heads && !same; i++)
        for (int k = 0; k < mine->n_heads; k++)
            if (strcmp(theirs->head[i], mine->head[k]) == 0)
                return err_set(e,
                               "its head %s has %d hidden layers of width %zu and %zu outputs, not "
                               "%d, %zu and %zu (--head-layers, --head-width, --head-dim)",
                               mine->head[k], theirs->head_layers, theirs->head_width,
                               theirs->head_dim, mine->head_layers, mine->head_width,
                               mine->head_dim);
    return TOPS_IF_THERE;
}

static int open_step(struct task_run *r, struct err *e)
{
    struct step_options o = {.batch = r->o->batch,
                             .micro_batch = task_micro_batch(r),
                             .length = {r->length[CLIP_LONG], r->length[CLIP_SHORT]},
                             .size = r->o->crop_size,
                             .dtype = r->o->dtype,
                             .recompute = r->o->recompute};
    struct step *s;
    if (step_new(&s, r->model, &r->o->objective, &o, e) < 0)
        return ERR_FAIL;
    r->step = s;
    return 0;
}

static void close_step(struct task_run *r)
{
    step_free(r->step);
    r->step = NULL;
}

static int set_weights(struct task_run *r, struct err *e)
{
    return step_set_weights(r->step, e);
}

static struct step_input input_of(const struct task_step *in)
{
    const struct clip_batch *b = in->batch;
    return (struct step_input){{b->pixels[CLIP_LONG], b->pixels[CLIP_SHORT]},
                               {b->rows[CLIP_LONG], b->rows[CLIP_SHORT]}};
}

static int post(struct task_run *r, const struct task_step *in, struct err *e)
{
    struct step_input si = input_of(in);
    return step_post(r->step, &si, e);
}

static int compute(struct task_run *r, const struct task_step *in, struct err *e)
{
    struct step_input si = input_of(in);
    return step_compute(r->step, &si, e);
}

static int result(struct task_run *r, struct task_result *out, struct err *e)
{
    if (step_result(r->step, &out->loss, e) < 0)
        return ERR_FAIL;
    const struct loss_part *part = step_parts(r->step);
    for (int i = 0; i < r->o->objective.n_parts; i++) {
        double *value = out->value + VALUES_OF_PART * i;
        value[0] = part[i].loss;
        value[1] = part[i].positive_sim;
        value[2] = part[i].negative_sim;
    }
    return 0;
}

static double flops(const struct task_run *r)
{
    return step_flops(r->step);
}

static size_t activation_bytes(const struct task_run *r)
{
    return step_activation_bytes(r->step);
}

static void record(const struct task_run *r, const double *mean, struct json *j)
{
    struct json *parts = json_new_array();
    for (int i = 0; i < r->o->objective.n_parts; i++, mean += VALUES_OF_PART) {
        struct json *p = json_new_object();
        json_add(p, "head", json_new_str(r->o->objective.part[i].head));
        json_add(p, "loss", json_new_f64(mean[0]));
        json_add(p, "positive_similarity", json_new_f64(mean[1]));
        json_add(p, "negative_similarity", json_new_f64(mean[2]));
        json_append(parts, p);
    }
    json_add(j, "parts", parts);
}

const struct task task_pretrain = {
    .n_roles = N_ROLES,
    .begin = begin,
    .wrong = wrong,
    .settings = settings,
    .tops = tops,
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
