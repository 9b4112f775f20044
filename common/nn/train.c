/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/stop.h"
#include "common/nn/checkpoint.h"
#include "common/nn/nn_device.h"
#include "common/nn/loader.h"
#include "common/nn/memory.h"
#include "common/nn/schedule.h"
#include "common/nn/task.h"
#include "common/nn/train_log.h"
#include "common/store/safetensors.h"

enum { N_RECORDINGS = 4 }; /* more than the batches that the loader has in memory */

/* Memory that operations take, of that of activations, where micro-batches are to be the largest.
 */
#define SPARE 0.25

/* What a step puts on the device, for the pixels of one of the loader's batches. */
struct step_recording {
    const void *pixels;
    struct recording *recording;
};

struct trainer {
    struct train_options o; /* complete */
    const struct task *task;
    struct task_run run; /* its model and samples are this one's */
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

void train_defaults(struct train_options *o)
{
    *o = (struct train_options){.backbone = "r3d50",
                                .head_dim = 128,
                                .head_layers = 3,
                                .batch = 32,
                                .crop_size = 224,
                                .epochs = -1,
                                .lr = -1.0,
                                .base_lr = -1.0,
                                .weight_decay = -1.0,
                                .warmup_epochs = -1.0,
                                .dropout = -1.0,
                                .momentum = 0.9,
                                .trust = 0.001,
                                .log_every = 10,
                                .checkpoint_minutes = 10.0,
                                .stop_at = -1,
                                .device = "auto"};
    objective_parse(&o->objective, "teg-fg", NULL);
}

/* What was left to the task, its warm-up excepted, which depends on the epochs. */
static void complete(struct train_options *o)
{
    const struct task_recipe *recipe = task_recipe(o->task);
    double base = o->base_lr < 0.0 ? recipe->base_lr : o->base_lr;
    if (o->lr < 0.0)
        o->lr = base * (double)o->batch / 1024.0;
    if (o->weight_decay < 0.0)
        o->weight_decay = recipe->weight_decay;
    if (o->dropout < 0.0)
        o->dropout = recipe->dropout;
    if (o->micro_batch == 0)
        o->micro_batch = o->batch;
}

/* -- inputs -- */

/*
 * Rows [first, first + n) of an epoch: examples as the task wants them, clips of a role of one
 * length, which the first example of the run decides.
 */
static int check_rows(struct trainer *t, const struct clip_request *q, struct err *e)
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
    if (samples_epoch(t->samples, 0, &all.rows, &all.n_rows, e) < 0 || check_rows(t, &all, e) < 0)
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

static int open_inputs(struct trainer *t, struct err *e)
{
    if (frames_open(&t->frames, t->o.frames, e) < 0 ||
        samples_open(&t->samples, t->o.samples, e) < 0)
        return ERR_FAIL;
    if (store_check_input(samples_store(t->samples), "frames", frames_store(t->frames), e) < 0)
        return ERR_FAIL;
    t->run.samples = t->samples;
    t->run.frames = t->frames;
    snprintf(t->run.desc.backbone, sizeof t->run.desc.backbone, "%s", t->o.backbone);
    return t->task->begin(&t->run, e) < 0 ? ERR_FAIL : check_epoch(t, e);
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

static int describe(struct trainer *t, struct err *e)
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

/* -- the model, new, from a file, or as a checkpoint left it -- */

static int load_init(struct trainer *t, struct err *e)
{
    struct safetensors *f;
    struct model_desc d;
    if (model_open(&f, t->o.init, &d, e) < 0)
        return ERR_FAIL;
    int rc = t->task->tops(&t->run, f, &d, e);
    if (strcmp(d.backbone, t->o.backbone) != 0)
        rc = err_set(e, "it is an %s, not an %s (--model)", d.backbone, t->o.backbone);
    if (rc >= 0)
        rc = model_load(t->model, f, false, (enum model_tops)rc, e);
    safetensors_close(f);
    return rc < 0 ? err_add(e, "%s", t->o.init) : 0;
}

static int make_model(struct trainer *t, struct err *e)
{
    if (model_new(&t->model, t->backend, &t->run.desc, e) < 0)
        return ERR_FAIL;
    struct optimizer_desc how = {.momentum = (float)t->o.momentum,
                                 .weight_decay = (float)t->o.weight_decay,
                                 .lars = t->o.lars,
                                 .trust = (float)t->o.trust};
    t->run.model = t->model;
    return model_make_trainable(t->model, &how, e);
}

static int begin(struct trainer *t, struct err *e)
{
    struct model *m = t->model;
    train_window_reset(&t->window);
    if (t->backend->ops->zero(t->backend, m->velocity, m->n_values * sizeof(float), e) < 0 ||
        model_init_weights(m, t->o.seed, e) < 0)
        return ERR_FAIL;
    return t->o.init ? load_init(t, e) : 0;
}

static int take_mark(struct trainer *t, const struct progress_mark *mark, struct err *e)
{
    int rc = train_window_from_json(&t->window, mark->window, t->run.n_values, e);
    if (rc == 0 && mark->step > t->end)
        rc = err_set(e, "step %llu of %llu", (unsigned long long)mark->step,
                     (unsigned long long)t->end);
    if (rc < 0)
        return err_add(e, "%s.part: cannot go on from this checkpoint (--force starts anew)",
                       t->o.out);
    t->at = mark->step;
    t->log_bytes = mark->log_bytes;
    ui_note(t->o.ui, "going on at step %llu of %llu", (unsigned long long)t->at,
            (unsigned long long)t->end);
    return 1;
}

/* 1: goes on from a checkpoint; 0: there is none, or none that fits and it may be dropped. */
static int resume(struct trainer *t, struct err *e)
{
    struct progress_mark mark = {0};
    if (file_exists(t->o.out) && !t->o.force)
        return err_set(e, "%s: exists already; remove it or give --force", t->o.out);
    if (checkpoint_open(&t->checkpoint, e) < 0)
        return ERR_FAIL;
    int rc = checkpoint_resume(&t->checkpoint, t->model, &mark, e);
    if (rc == 1)
        rc = take_mark(t, &mark, e);
    json_free(mark.window);
    if (rc >= 0 || !t->o.force)
        return rc;
    ui_warn(t->o.ui, "a checkpoint is dropped: %s", e->text);
    return checkpoint_discard(&t->checkpoint, e);
}

/* -- log -- */

/* Numbers of the method are means over the window, those of the machine over what was timed. */
static struct json *record_of(const struct trainer *t)
{
    const struct train_window *w = &t->window;
    double seconds = ui_seconds() - w->began, n = (double)w->n_steps, timed = (double)w->n_timed;
    double clips = (double)(t->task->n_roles * t->o.batch), mean[TRAIN_MAX_VALUES];
    for (size_t i = 0; i < t->run.n_values; i++)
        mean[i] = w->value[i] / n;
    struct json *j = json_new_object();
    json_add(j, "step", json_new_i64((int64_t)t->at));
    json_add(j, "epoch", json_new_f64((double)t->at / (double)t->steps_per_epoch));
    json_add(j, "loss", json_new_f64(w->loss / n));
    t->task->record(&t->run, mean, j);
    json_add(j, "lr", json_new_f64(schedule_lr(&t->schedule, t->at - 1)));
    json_add(j, "clips_per_second", json_new_f64(timed * clips / seconds));
    json_add(j, "waiting_share", json_new_f64(w->waited / seconds));
    json_add(j, "peak_share",
             json_new_f64(timed * t->task->flops(&t->run) / seconds / t->peak_flops));
    return j;
}

static int log_step(struct trainer *t, struct err *e)
{
    if (t->at % (uint64_t)t->o.log_every != 0 && t->at != t->end)
        return 0;
    int rc = train_log_add(t->log, record_of(t), e);
    train_window_reset(&t->window);
    return rc;
}

/* -- the loop -- */

static int save(struct trainer *t, struct err *e)
{
    struct progress_mark mark = {.step = t->at};
    if (train_log_sync(t->log, &mark.log_bytes, e) < 0)
        return ERR_FAIL;
    mark.window = train_window_to_json(&t->window, t->run.n_values);
    t->last_checkpoint = ui_seconds();
    int rc = checkpoint_save(&t->checkpoint, t->model, &mark, e);
    json_free(mark.window);
    return rc;
}

/* One step: what is computed, and who computes it. */
struct one_step {
    struct trainer *t;
    struct task_step in;
};

/* The part that is the same every time but for what is in the device's memory. */
static int compute(void *user, struct err *e)
{
    struct one_step *s = user;
    struct trainer *t = s->t;
    if (t->task->compute(&t->run, &s->in, e) < 0 || model_update(t->model, e) < 0)
        return ERR_FAIL;
    return t->task->set_weights(&t->run, e);
}

static struct recording **recording_of(struct trainer *t, const struct clip_batch *batch)
{
    int i = 0;
    while (i < N_RECORDINGS - 1 && t->recorded[i].pixels &&
           t->recorded[i].pixels != batch->pixels[0])
        i++;
    struct step_recording *r = &t->recorded[i];
    if (r->pixels != batch->pixels[0]) {
        t->backend->ops->recording_free(t->backend, r->recording);
        *r = (struct step_recording){.pixels = batch->pixels[0]};
    }
    return &r->recording;
}

static int run_step(struct trainer *t, const struct clip_batch *batch, struct task_result *out,
                    struct err *e)
{
    struct one_step s = {t, {batch, t->at}};
    if (t->task->post(&t->run, &s.in, e) < 0 ||
        model_post_lr(t->model, schedule_lr(&t->schedule, t->at), e) < 0 ||
        t->backend->ops->repeat(t->backend, recording_of(t, batch), compute, &s, e) < 0)
        return ERR_FAIL;
    return t->task->result(&t->run, out, e);
}

static int one_step(struct trainer *t, struct err *e)
{
    const struct clip_batch *batch;
    struct task_result out;
    if (loader_next(t->loader, &batch, e) <= 0)
        return ERR_FAIL;
    if (run_step(t, batch, &out, e) < 0)
        return err_add(e, "step %llu", (unsigned long long)t->at);
    nn_device_tell(t->backend, t->o.ui);
    t->at++;
    train_window_add(&t->window, out.loss, out.value, t->run.n_values);
    t->window.waited += batch->waited;
    ui_progress_add(t->o.ui, 1);
    ui_progress_text(t->o.ui, "loss %.4f", out.loss);
    return log_step(t, e);
}

static int stopped(const struct trainer *t, struct err *e)
{
    return err_code(e, ERR_STOPPED, "after step %llu of %llu; the same command goes on",
                    (unsigned long long)t->at, (unsigned long long)t->end);
}

static int loop(struct trainer *t, struct err *e)
{
    t->window.began = t->last_checkpoint = ui_seconds();
    while (t->at < t->end) {
        if (one_step(t, e) < 0)
            return ERR_FAIL;
        bool stopping = stop_requested() || t->at == (uint64_t)t->o.stop_at;
        if (stopping || ui_seconds() - t->last_checkpoint > 60.0 * t->o.checkpoint_minutes)
            if (save(t, e) < 0)
                return ERR_FAIL;
        if (stopping && t->at < t->end)
            return stopped(t, e);
    }
    return 0;
}

/* The loader's source: batch after batch from where the run stands. */
static int next_batch(void *user, struct clip_request *request, struct err *e)
{
    struct trainer *t = user;
    if (t->requested == t->end)
        return 0;
    const struct sample *rows;
    size_t n_rows, per_batch = t->task->n_roles * t->o.batch;
    request->epoch = (size_t)(t->requested / t->steps_per_epoch);
    request->first_row = (size_t)(t->requested % t->steps_per_epoch) * per_batch;
    request->n_rows = per_batch;
    if (samples_epoch(t->samples, request->epoch, &rows, &n_rows, e) < 0)
        return ERR_FAIL;
    if (request->first_row + per_batch > n_rows)
        return err_set(e, "%s: epoch %zu has %zu rows, fewer than epoch 0", t->o.samples,
                       request->epoch, n_rows);
    request->rows = rows + request->first_row;
    t->requested++;
    return check_rows(t, request, e) < 0 ? ERR_FAIL : 1;
}

static int make_loader(struct trainer *t, struct err *e)
{
    struct loader_options o = {.frames = t->frames,
                               .ids = samples_ids(t->samples),
                               .n_ids = samples_n_videos(t->samples),
                               .origin = t->o.samples,
                               .backend = t->backend,
                               .clips = {.crop_size = t->o.crop_size, .dtype = t->o.dtype},
                               .source = next_batch,
                               .user = t};
    t->requested = t->at;
    return loader_new(&t->loader, &o, e);
}

/* Of the pixels of two batches in the loader. */
static size_t loader_bytes(const struct trainer *t)
{
    size_t frames = t->run.length[CLIP_LONG] + t->run.length[CLIP_SHORT];
    size_t pixels = frames * t->o.crop_size * t->o.crop_size * 3 * dtype_bytes(t->o.dtype);
    return 2 * t->o.batch * pixels;
}

/* Activations of a micro-batch, and what the loader takes. */
static int check_memory(const struct trainer *t, struct err *e)
{
    return memory_check(t->backend, t->task->activation_bytes(&t->run) + loader_bytes(t),
                        "a smaller --micro-batch, --batch or --crop-size", e);
}

static int open_step(struct trainer *t, struct err *e)
{
    ui_progress_start(t->o.ui, "preparing", 0, "steps");
    int rc = t->task->open(&t->run, e);
    ui_progress_end(t->o.ui);
    return rc < 0 && stop_requested() ? ERR_STOPPED : rc;
}

/* Whether micro-batches of this size have room, with what is beside them and `spare` bytes for each
 * of activations. */
static int try_room(struct trainer *t, double spare, struct err *e)
{
    void *beside;
    int rc = open_step(t, e);
    if (rc == 0)
        rc = check_memory(t, e);
    size_t scratch = rc == 0 ? (size_t)(spare * (double)t->task->activation_bytes(&t->run)) : 0;
    if (rc == 0)
        rc = t->backend->ops->alloc(t->backend, loader_bytes(t) + scratch, &beside, e);
    if (rc == 0)
        t->backend->ops->release(t->backend, beside);
    t->task->close(&t->run);
    return rc;
}

/* The same before convolutions are measured, which takes long. */
static int try_unmeasured(struct trainer *t, double spare, struct err *e)
{
    if (!t->backend->measures)
        return 0;
    t->backend->sizing = true;
    int rc = try_room(t, spare, e);
    t->backend->sizing = false;
    return rc;
}

static int prepare(struct trainer *t, struct err *e)
{
    int rc = try_unmeasured(t, 0.0, e);
    if (rc == 0)
        rc = open_step(t, e);
    if (rc < 0)
        return rc;
    if (check_memory(t, e) < 0 || t->task->set_weights(&t->run, e) < 0 || make_loader(t, e) < 0)
        return ERR_FAIL;
    return backend_peak_flops(t->backend, t->o.dtype, &t->peak_flops, e);
}

/* The log is opened, and so cut, when nothing but the training itself can fail any more. */
static int train(struct trainer *t, struct err *e)
{
    int rc = t->at < t->end ? prepare(t, e) : 0;
    if (rc < 0)
        return rc;
    nn_device_tell(t->backend, t->o.ui);
    if (t->o.micro_batch < t->o.batch && !t->o.frozen_norm)
        ui_warn(t->o.ui, "batch normalisation is over micro-batches of %zu, not the batch of %zu",
                t->o.micro_batch, t->o.batch);
    if (t->left_over)
        ui_note(t->o.ui, "%zu examples of every epoch are less than a batch and not trained",
                t->left_over);
    if (train_log_open(&t->log, t->o.log, t->log_bytes, e) < 0)
        return ERR_FAIL;
    ui_progress_start(t->o.ui, "training", t->end, "steps");
    ui_progress_skip(t->o.ui, t->at);
    rc = loop(t, e);
    ui_progress_end(t->o.ui);
    return rc < 0 ? rc : checkpoint_publish(&t->checkpoint, t->model, t->end, e);
}

/* That of the checkpoint, or of those that divide the batch the largest that has room. */
static int choose_micro_batch(struct trainer *t, struct err *e)
{
    struct err why = {0};
    size_t begun = t->o.micro_auto ? checkpoint_setting(t->o.out, "micro_batch") : 0;
    if (begun && t->o.batch % begun == 0) {
        t->o.micro_batch = begun;
        return 0;
    }
    for (size_t parts = 1; parts <= t->o.batch && t->o.micro_auto; parts++) {
        if (t->o.batch % parts != 0)
            continue;
        t->o.micro_batch = t->o.batch / parts;
        int rc = try_unmeasured(t, SPARE, &why);
        if (rc == 0)
            rc = try_room(t, SPARE, &why);
        if (rc == ERR_STOPPED)
            return err_code(e, rc, "%s", why.text);
        if (rc == 0) {
            if (parts > 1)
                ui_note(t->o.ui, "micro-batches of %zu: the largest that fit into memory",
                        t->o.micro_batch);
            return 0;
        }
    }
    return t->o.micro_auto ? err_set(e, "%s", why.text) : 0; /* of one example */
}

static void trainer_release(struct trainer *t)
{
    loader_free(t->loader);
    for (int i = 0; i < N_RECORDINGS; i++)
        if (t->recorded[i].recording)
            t->backend->ops->recording_free(t->backend, t->recorded[i].recording);
    t->task->close(&t->run);
    json_free(t->run.classes);
    model_free(t->model);
    samples_close(t->samples);
    frames_close(t->frames);
    backend_close(t->backend);
    checkpoint_close(&t->checkpoint);
    json_free(t->checkpoint.settings);
    json_free(t->checkpoint.inputs);
}

int train_run(const struct train_options *o, struct err *e)
{
    struct trainer t = {.o = *o, .task = task_get(o->task), .run = {.o = &t.o}};
    struct backend_options bo = {.device = o->device, .n_threads = o->n_threads, .tf32 = o->tf32};
    complete(&t.o);
    int rc = open_inputs(&t, e);
    if (rc == 0)
        rc = plan_schedule(&t, e);
    if (rc == 0)
        rc = nn_device_open(&t.backend, &bo, o->out, o->ui, e);
    if (rc == 0)
        rc = make_model(&t, e);
    if (rc == 0)
        rc = choose_micro_batch(&t, e);
    if (rc == 0)
        rc = describe(&t, e);
    if (rc == 0 && (rc = resume(&t, e)) == 0)
        rc = begin(&t, e);
    if (rc >= 0)
        rc = train(&t, e);
    int log_rc = train_log_close(t.log, rc == 0 ? e : NULL);
    trainer_release(&t);
    return rc < 0 ? rc : log_rc;
}
