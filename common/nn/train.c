/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a training: where it begins, its steps, its checkpoints and its end. */
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/stop.h"
#include "common/nn/nn_device.h"
#include "common/nn/train_parts.h"
#include "common/store/safetensors.h"

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
    if (!train_writes(t))
        return 0;
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
    int rc = loader_next(t->loader, &batch, e);
    rc = processes_all(t->processes, rc <= 0 ? ERR_FAIL : 0, !stop_requested(), e);
    if (rc < 0)
        return rc;
    t->stopping = rc == 0;
    if (t->stopping && t->processes) /* nothing is left of this batch */
        return 0;
    t->together = true;
    if (run_step(t, batch, &out, e) < 0)
        return err_add(e, "step %llu", (unsigned long long)t->at);
    t->together = false;
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
        int rc = one_step(t, e);
        if (rc < 0)
            return rc;
        bool stopping = t->stopping || (train_writes(t) && t->at == (uint64_t)t->o.stop_at) ||
                        (!t->processes && stop_requested());
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
    return train_check_rows(t, request, e) < 0 ? ERR_FAIL : 1;
}

static int make_loader(struct trainer *t, struct err *e)
{
    struct loader_options o = {.frames = t->frames,
                               .ids = samples_ids(t->samples),
                               .n_ids = samples_n_videos(t->samples),
                               .origin = t->o.samples,
                               .backend = t->backend,
                               .clips = {.crop_size = t->o.crop_size, .dtype = t->o.dtype},
                               .share = share_of(t->processes, t->o.micro_batch),
                               .source = next_batch,
                               .user = t};
    t->requested = t->at;
    return loader_new(&t->loader, &o, e);
}

static int prepare(struct trainer *t, struct err *e)
{
    int rc = train_open_step(t, e);
    if (rc < 0)
        return rc;
    if (t->task->set_weights(&t->run, e) < 0 || make_loader(t, e) < 0)
        return ERR_FAIL;
    if (!train_writes(t)) /* nor logs how near it came to it */
        return 0;
    return backend_peak_flops(t->backend, t->o.dtype, &t->peak_flops, e);
}

static void tell(const struct trainer *t)
{
    size_t n = processes_n(t->processes);
    nn_device_tell(t->backend, t->o.ui);
    if (n > 1)
        ui_note(t->o.ui, "%zu processes, each with %zu of the %zu examples of a batch", n,
                t->o.batch / n, t->o.batch);
    if (n > 1)
        ui_detail(t->o.ui, "threads of each: %zu", t->backend->n_threads);
    if (t->o.micro_batch < t->o.batch && !t->o.frozen_norm)
        ui_warn(t->o.ui, "batch normalisation is over micro-batches of %zu, not the batch of %zu",
                t->o.micro_batch, t->o.batch);
    if (t->left_over)
        ui_note(t->o.ui, "%zu examples of every epoch are less than a batch and not trained",
                t->left_over);
}

/* The log is opened, and so cut, when nothing but the training itself can fail any more. */
static int train(struct trainer *t, struct err *e)
{
    int rc = t->at < t->end ? prepare(t, e) : 0;
    rc = train_agree(t, rc, e);
    if (rc < 0)
        return rc;
    tell(t);
    if (train_log_open(&t->log, t->o.log, t->log_bytes, e) < 0)
        return ERR_FAIL;
    ui_progress_start(t->o.ui, "training", t->end, "steps");
    ui_progress_skip(t->o.ui, t->at);
    rc = loop(t, e);
    ui_progress_end(t->o.ui);
    return rc < 0 || !train_writes(t) ? rc
                                      : checkpoint_publish(&t->checkpoint, t->model, t->end, e);
}

/* -- all of it -- */

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

static int open_all(struct trainer *t, struct err *e)
{
    if (train_open_inputs(t, e) < 0 || train_check_parts(t, e) < 0)
        return ERR_FAIL;
    int rc = train_open_device(t, e);
    return rc < 0 ? rc : make_model(t, e);
}

static int start(struct trainer *t, struct err *e)
{
    int rc = train_writes(t) ? resume(t, e) : 1;
    return rc == 0 ? begin(t, e) : rc;
}

static int run(struct trainer *t, struct err *e)
{
    int rc = train_agree(t, open_all(t, e), e);
    if (rc == 0)
        rc = train_check_devices(t, e);
    if (rc == 0)
        rc = train_choose_micro_batch(t, e);
    if (rc == 0)
        rc = train_describe(t, e);
    rc = train_agree(t, rc, e);
    if (rc == 0)
        rc = train_check_command(t, e);
    if (rc == 0)
        rc = start(t, e);
    rc = train_agree(t, rc, e);
    if (rc >= 0)
        rc = train_take_state(t, e);
    return rc < 0 ? rc : train(t, e);
}

int train_run(const struct train_options *o, struct err *e)
{
    struct trainer t = {
        .o = *o, .task = task_get(o->task), .run = {.o = &t.o}, .processes = o->processes};
    complete(&t.o);
    if (!train_writes(&t)) {
        t.o.ui = NULL;
        t.o.log = NULL;
    }
    int rc = run(&t, e);
    int log_rc = train_log_close(t.log, rc == 0 ? e : NULL);
    rc = train_agree_on_end(&t, rc < 0 ? rc : log_rc, e);
    if (t.processes && rc < 0 && rc != ERR_STOPPED)
        checkpoint_close(&t.checkpoint);
    else
        trainer_release(&t);
    return rc;
}
