/* SPDX-License-Identifier: Apache-2.0 */
/* What a training reads, and what decides its result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/nn/nn_device.h"
#include "common/nn/train_parts.h"

/* -- inputs -- */

int train_check_rows(struct trainer *t, const struct clip_request *q, struct err *e)
{
    for (size_t i = 0; i < q->n_rows; i++) {
        const struct sample *row = &q->rows[i];
        size_t *length = &t->run.length[row->role == SAMPLE_SHORT ? CLIP_SHORT : CLIP_LONG];
        const char *wrong = t->task->wrong(&t->run, row, i);
        if (wrong)
            return err_set(e, "%s: row %zu of epoch %zu %s", t->o.samples, q->first_row + i,
                           q->epoch, wrong);
        if (*length == 0)
            *length = row->length;
        if (row->length != *length)
            return err_set(e, "%s: row %zu of epoch %zu has %u frames, others %zu", t->o.samples,
                           q->first_row + i, q->epoch, row->length, *length);
    }
    return 0;
}

static int check_epoch(struct trainer *t, struct err *e)
{
    struct clip_request all = {.epoch = 0};
    size_t per_example = t->task->n_roles;
    if (samples_n_epochs(t->samples) == 0)
        return err_set(e, "%s: no epochs", t->o.samples);
    if (samples_epoch(t->samples, 0, &all.rows, &all.n_rows, e) < 0 ||
        train_check_rows(t, &all, e) < 0)
        return ERR_FAIL;
    if (all.n_rows % per_example != 0)
        return err_set(e, "%s: the last example of epoch 0 is not whole", t->o.samples);
    t->steps_per_epoch = all.n_rows / per_example / t->o.batch;
    t->left_over = all.n_rows / per_example % t->o.batch;
    if (t->steps_per_epoch == 0)
        return err_set(e, "%s: an epoch has %zu examples, fewer than one batch of %zu (--batch)",
                       t->o.samples, all.n_rows / per_example, t->o.batch);
    return 0;
}

static int plan_schedule(struct trainer *t, struct err *e)
{
    const struct train_options *o = &t->o;
    int64_t have = (int64_t)samples_n_epochs(t->samples), epochs = o->epochs < 0 ? have : o->epochs;
    if (epochs > have)
        return err_set(e, "%s: %lld epochs, %lld wanted (--epochs)", o->samples, (long long)have,
                       (long long)epochs);
    double warmup = o->warmup_epochs;
    if (warmup < 0.0)
        warmup = fmin(task_recipe(o->task)->warmup_epochs, (double)epochs / 4.0);
    t->end = (uint64_t)epochs * t->steps_per_epoch;
    t->schedule.base = o->lr;
    t->schedule.total_steps = t->end;
    t->schedule.warmup_steps = (uint64_t)(warmup * (double)t->steps_per_epoch);
    if (t->end && t->schedule.warmup_steps >= t->end)
        return err_set(e, "a warm-up of %g epochs leaves nothing of %lld (--warmup-epochs)", warmup,
                       (long long)epochs);
    return 0;
}

int train_open_inputs(struct trainer *t, struct err *e)
{
    if (frames_open(&t->frames, t->o.frames, e) < 0 ||
        samples_open(&t->samples, t->o.samples, e) < 0)
        return ERR_FAIL;
    if (store_check_input(samples_store(t->samples), "frames", frames_store(t->frames), e) < 0)
        return ERR_FAIL;
    t->run.samples = t->samples;
    t->run.frames = t->frames;
    snprintf(t->run.desc.backbone, sizeof t->run.desc.backbone, "%s", t->o.backbone);
    if (t->task->begin(&t->run, e) < 0 || check_epoch(t, e) < 0)
        return ERR_FAIL;
    return plan_schedule(t, e);
}

/* -- settings: all that decides the weights -- */

static struct json *settings_json(const struct trainer *t)
{
    const struct train_options *o = &t->o;
    struct json *j = json_new_object();
    json_add(j, "task", json_new_str(train_task_names[o->task]));
    json_add(j, "backbone", json_new_str(o->backbone));
    t->task->settings(&t->run, j);
    json_add(j, "batch", json_new_i64((int64_t)o->batch));
    json_add(j, "micro_batch", json_new_i64((int64_t)o->micro_batch));
    json_add(j, "crop_size", json_new_i64((int64_t)o->crop_size));
    json_add(j, "precision", json_new_str(nn_compute_name(o->dtype, o->tf32)));
    json_add(j, "steps", json_new_i64((int64_t)t->end));
    json_add(j, "steps_per_epoch", json_new_i64((int64_t)t->steps_per_epoch));
    json_add(j, "lr", json_new_f64(t->schedule.base));
    json_add(j, "warmup_steps", json_new_i64((int64_t)t->schedule.warmup_steps));
    json_add(j, "momentum", json_new_f64(o->momentum));
    json_add(j, "weight_decay", json_new_f64(o->weight_decay));
    json_add(j, "optimizer", json_new_str(o->lars ? "lars" : "sgd"));
    if (o->lars)
        json_add(j, "trust", json_new_f64(o->trust));
    json_add(j, "seed", json_new_i64((int64_t)o->seed));
    return j;
}

int train_describe(struct trainer *t, struct err *e)
{
    struct json *inputs = json_new_object();
    t->checkpoint.path = t->o.out;
    t->checkpoint.settings = settings_json(t);
    t->checkpoint.inputs = inputs;
    t->checkpoint.classes = t->run.classes;
    json_add(inputs, "frames", json_new_str(store_meta(frames_store(t->frames))->identity));
    json_add(inputs, "samples", json_new_str(store_meta(samples_store(t->samples))->identity));
    if (!t->o.init)
        return 0;
    char identity[HASH_TEXT_BYTES];
    if (model_file_identity(t->o.init, identity, e) < 0)
        return ERR_FAIL;
    return json_add(inputs, "init", json_new_str(identity));
}
