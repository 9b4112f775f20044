/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/extract.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/stop.h"
#include "common/nn/clip_boxes.h"
#include "common/nn/clip_network.h"
#include "common/nn/loader.h"
#include "common/nn/nn_device.h"
#include "common/sampling/sampling.h"
#include "common/store/embeddings.h"
#include "common/store/index.h"
#include "common/store/safetensors.h"

/* What becomes one record: a clip, or a person in one. */
struct item {
    size_t row;
    const struct sample_box *box; /* NULL: the clip */
};

struct extractor {
    const struct extract_options *o;
    struct backend *backend;
    struct safetensors *file; /* of the model */
    struct model_desc desc;
    struct json *classes; /* names of the scores, where scores are written; else NULL */
    enum extract_form form;
    size_t crop_size;
    bool half;
    struct model *model;
    struct frames *frames;
    struct samples *samples; /* NULL: `plan` instead */
    struct index *index;
    struct plan plan;
    struct sampling_options plan_options;
    struct sample *rows; /* by video, clip, view */
    size_t n_rows, n_videos;
    struct clip_boxes *boxes; /* of a model that looks at people; else NULL */
    struct item *items;       /* in the order of the rows */
    size_t n_items;
    size_t requested;      /* rows handed to the loader */
    size_t done, resumed;  /* items written, and written by earlier runs */
    size_t first_of_video; /* first item of the video that is being written */
    struct clip_network *network;
    size_t batch; /* clips at a time */
    struct loader *loader;
    struct {
        float *values; /* NULL: none */
        size_t first_row, n;
    } late;        /* a batch that is to be written */
    float *pooled; /* [C] */
    double waited; /* seconds for the loader */
    struct store_writer *writer;
    struct codec *codec;
};

/* By default; a device of its own wants more work at a time. */
enum { BATCH = 8, BATCH_APART = 32 };

/* Puts after which a batch ends a transaction: what an interrupted run may lose. */
enum { PUTS_PER_COMMIT = 32 };

void extract_defaults(struct extract_options *o)
{
    *o = (struct extract_options){.form = FORM_OF_MODEL, .type = TYPE_OF_FORM, .device = "auto"};
}

const char *const extract_form_names[] = {"pooled", "dense", "logits", NULL};

/* -- inputs -- */

/* What the model is, and so what is written. */
static int open_model(struct extractor *x, struct err *e)
{
    if (model_open(&x->file, x->o->model, &x->desc, e) < 0)
        return ERR_FAIL;
    x->crop_size = x->o->crop_size ? x->o->crop_size : model_setting(x->file, "crop_size");
    if (x->crop_size < 16 || x->crop_size > 2048)
        return err_set(e, "%s: does not say what clips it was trained on (--crop-size)",
                       x->o->model);
    bool scores = x->desc.n_classes > 0;
    x->form = x->o->form;
    if (x->form == FORM_OF_MODEL)
        x->form = scores ? FORM_LOGITS : FORM_POOLED;
    x->half = x->o->type == TYPE_OF_FORM ? x->form != FORM_LOGITS : x->o->type == TYPE_FLOAT16;
    if (x->form == FORM_LOGITS && !scores)
        return err_set(e, "%s: has no classifier; teg-train --task classify makes one (--form)",
                       x->o->model);
    if (x->form == FORM_LOGITS && !(x->classes = model_classes(x->file, x->desc.n_classes, e)))
        return err_add(e, "%s", x->o->model);
    return 0;
}

static int load_model(struct extractor *x, struct err *e)
{
    struct model_desc d = x->desc;
    d.n_heads = 0;
    if (x->form != FORM_LOGITS)
        d.n_classes = 0;
    int rc = model_new(&x->model, x->backend, &d, e);
    if (rc == 0)
        rc = model_load(x->model, x->file, false, TOPS_ALL, e);
    return rc < 0 ? err_add(e, "%s", x->o->model) : 0;
}

static int by_clip(const void *a, const void *b)
{
    const struct sample *s = a, *t = b;
    if (s->video != t->video)
        return s->video < t->video ? -1 : 1;
    if (s->clip != t->clip)
        return s->clip < t->clip ? -1 : 1;
    if (s->view != t->view)
        return s->view < t->view ? -1 : 1;
    if (s->example != t->example)
        return s->example < t->example ? -1 : 1;
    return (s->role > t->role) - (s->role < t->role);
}

static uint32_t item_video(const struct extractor *x, size_t item)
{
    return x->rows[x->items[item].row].video;
}

static size_t video_items(const struct extractor *x, size_t first)
{
    size_t n = 1;
    while (first + n < x->n_items && item_video(x, first + n) == item_video(x, first))
        n++;
    return n;
}

static int add_item(struct extractor *x, size_t *cap, size_t row, const struct sample_box *box,
                    struct err *e)
{
    if (x->n_items == *cap) {
        *cap = *cap ? 2 * *cap : x->n_rows + 1;
        struct item *grown = mem_grow(x->items, *cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        x->items = grown;
    }
    x->items[x->n_items++] = (struct item){row, box};
    return 0;
}

/* The clips, or the people in them. */
static int list_items(struct extractor *x, struct err *e)
{
    size_t cap = 0;
    bool people = x->form == FORM_LOGITS && x->desc.task == MODEL_LOCALIZE;
    if (people && !x->samples)
        return err_set(e, "%s scores people: it needs clips with boxes (--samples)", x->o->model);
    if (people && clip_boxes_open(&x->boxes, x->samples, x->frames, e) < 0)
        return ERR_FAIL;
    for (size_t row = 0; row < x->n_rows; row++) {
        const struct sample_box *box = NULL;
        size_t n = people ? clip_boxes_of(x->boxes, &x->rows[row], &box) : 1;
        for (size_t i = 0; i < n; i++)
            if (add_item(x, &cap, row, people ? box + i : NULL, e) < 0)
                return ERR_FAIL;
    }
    for (size_t i = 0; i < x->n_items; i += video_items(x, i))
        x->n_videos++;
    return 0;
}

/* The arrays of a dense store have one shape. */
static int check_lengths(const struct extractor *x, struct err *e)
{
    for (size_t i = 1; i < x->n_rows && x->form == FORM_DENSE; i++)
        if (x->rows[i].length != x->rows[0].length)
            return err_set(e,
                           "clips of %u and of %u frames cannot share a dense store; take --form "
                           "pooled",
                           x->rows[0].length, x->rows[i].length);
    return 0;
}

/* Keeps the rows of the videos that belong to the shard. */
static void keep_shard(struct extractor *x)
{
    size_t n_all = x->n_rows, video = 0;
    x->n_rows = 0;
    for (size_t i = 0; i < n_all; i++) {
        struct sample row = x->rows[i];
        if (shard_has(&x->o->shard, video))
            x->rows[x->n_rows++] = row;
        video += i + 1 < n_all && x->rows[i + 1].video != row.video;
    }
}

static int take_rows(struct extractor *x, const struct sample *rows, size_t n, struct err *e)
{
    if (n == 0)
        return err_set(e, "no clips to extract");
    x->rows = mem_new(n, sizeof *x->rows, e);
    if (!x->rows)
        return ERR_FAIL;
    memcpy(x->rows, rows, n * sizeof *rows);
    qsort(x->rows, n, sizeof *rows, by_clip);
    for (size_t i = 0; i < n; i++)
        x->rows[i].role = SAMPLE_SINGLE;
    x->n_rows = n;
    if (check_lengths(x, e) < 0)
        return ERR_FAIL;
    keep_shard(x);
    return 0;
}

static int open_samples(struct extractor *x, struct err *e)
{
    const struct sample *rows;
    size_t n;
    if (samples_open(&x->samples, x->o->samples, e) < 0 ||
        store_check_input(samples_store(x->samples), "frames", frames_store(x->frames), e) < 0)
        return ERR_FAIL;
    if (x->o->epoch >= samples_n_epochs(x->samples))
        return err_set(e, "%s: no epoch %zu: there are %zu, the first is 0 (--epoch)",
                       x->o->samples, x->o->epoch, samples_n_epochs(x->samples));
    if (samples_epoch(x->samples, x->o->epoch, &rows, &n, e) < 0)
        return ERR_FAIL;
    return take_rows(x, rows, n, e) < 0 ? err_add(e, "%s: epoch %zu", x->o->samples, x->o->epoch)
                                        : 0;
}

static int choose_plan(struct extractor *x, struct err *e)
{
    const struct extract_plan *wanted = &x->o->plan;
    struct sampling_options *o = &x->plan_options;
    bool boundaries = x->form == FORM_LOGITS && x->desc.task == MODEL_BOUNDARY;
    if (wanted->strategy_given || boundaries)
        sampling_defaults(wanted->strategy_given ? wanted->strategy : STRATEGY_WINDOW, o);
    else
        plan_defaults(x->index, o);
    if (boundaries)
        o->labels = LABELS_BOUNDARIES;
    if (o->strategy == STRATEGY_EVENTS && !x->index)
        return err_set(e, "strategy events needs the index that lists them (--index)");
    if (wanted->n_clips && o->strategy != STRATEGY_UNIFORM)
        return err_set(e, "strategy %s has no number of clips (--clips)",
                       strategy_names[o->strategy]);
    if (wanted->n_clips)
        o->n_clips = wanted->n_clips;
    if (wanted->clip.length)
        o->shape[0] = wanted->clip;
    return 0;
}

static int make_plan(struct extractor *x, struct err *e)
{
    const char *origin = x->o->index ? x->o->index : x->o->frames;
    if (x->o->index &&
        (index_open(&x->index, x->o->index, e) < 0 ||
         store_check_input(frames_store(x->frames), "index", index_store(x->index), e) < 0))
        return ERR_FAIL;
    if (choose_plan(x, e) < 0)
        return ERR_FAIL;
    if (plan_make(&x->plan, x->frames, x->index, &x->plan_options, e) < 0 ||
        take_rows(x, x->plan.rows, x->plan.n_rows, e) < 0)
        return err_add(e, "%s", origin);
    return 0;
}

static const char *video_id(const struct extractor *x, uint32_t video)
{
    return x->samples ? samples_id(x->samples, video) : x->plan.id[video];
}

static int open_inputs(struct extractor *x, struct err *e)
{
    if (open_model(x, e) < 0 || frames_open(&x->frames, x->o->frames, e) < 0)
        return ERR_FAIL;
    if ((x->o->samples ? open_samples(x, e) : make_plan(x, e)) < 0 || list_items(x, e) < 0)
        return ERR_FAIL;
    const struct shard *s = &x->o->shard;
    struct backend_options bo = {.device = x->o->device,
                                 .gpu = s->number > 0 ? (size_t)(s->number - 1) : 0,
                                 .n_threads = x->o->n_threads,
                                 .tf32 = x->o->tf32};
    if (nn_device_open(&x->backend, &bo, x->o->out, x->o->ui, e) < 0)
        return ERR_FAIL;
    x->batch = x->o->batch ? x->o->batch : x->backend->is_apart ? BATCH_APART : BATCH;
    return load_model(x, e);
}

/* Rows of the batch that is to be requested next; 0 at the end. */
static size_t next_batch_rows(const struct extractor *x)
{
    return loader_take(x->rows + x->requested, x->n_rows - x->requested, x->batch);
}

/* -- output -- */

static struct json *settings_json(const struct extractor *x)
{
    const struct extract_options *o = x->o;
    struct json *j = json_new_object();
    json_add(j, "backbone", json_new_str(x->model->desc.backbone));
    json_add(j, "crop_size", json_new_i64((int64_t)x->crop_size));
    json_add(j, "form", json_new_str(extract_form_names[x->form]));
    json_add(j, "type", json_new_str(x->half ? "float16" : "float32"));
    json_add(j, "precision", json_new_str(nn_compute_name(o->dtype, o->tf32)));
    if (o->batch) /* by default it is the device's, and several may share the work */
        json_add(j, "batch", json_new_i64((int64_t)o->batch));
    if (o->samples)
        json_add(j, "epoch", json_new_i64((int64_t)o->epoch));
    else
        json_add(j, "plan", sampling_settings(&x->plan_options));
    if (x->form == FORM_LOGITS) {
        json_add(j, "task", json_new_str(model_task_names[x->desc.task]));
        json_add(j, "classes", json_ref(x->classes));
    }
    return j;
}

static struct json *inputs_json(const struct extractor *x, struct err *e)
{
    char identity[HASH_TEXT_BYTES];
    if (model_file_identity(x->o->model, identity, e) < 0)
        return NULL;
    struct json *j = json_new_object();
    json_add(j, "model", json_new_str(identity));
    json_add(j, "frames", json_new_str(store_meta(frames_store(x->frames))->identity));
    if (x->samples)
        json_add(j, "samples", json_new_str(store_meta(samples_store(x->samples))->identity));
    if (x->index)
        json_add(j, "index", json_new_str(store_meta(index_store(x->index))->identity));
    return j;
}

static const char *units(const struct extractor *x)
{
    return x->boxes ? "people" : "clips";
}

/*
 * What an interrupted run has written: its records are those of the first items. Batches are the
 * same in every run, so that no number depends on where one stopped: this run begins with the batch
 * of the first row that is missing.
 */
static int skip_written(struct extractor *x, struct err *e)
{
    size_t first = 0, n;
    for (; x->done < x->n_items; x->done++) {
        char key[STORE_MAX_KEY + 1];
        struct blob value;
        if (item_video(x, x->done) != item_video(x, first))
            first = x->done;
        const char *id = video_id(x, item_video(x, first));
        if (frames_key(key, id, (int64_t)(x->done - first), e) < 0)
            return ERR_FAIL;
        if (store_peek(x->writer, key, &value, NULL) < 0)
            break;
    }
    x->resumed = x->done;
    size_t row = x->done < x->n_items ? x->items[x->done].row : x->n_rows;
    while ((n = next_batch_rows(x)) > 0 && x->requested + n <= row)
        x->requested += n;
    if (x->done)
        ui_note(x->o->ui, "going on behind %zu of %zu %s", x->done, x->n_items, units(x));
    return 0;
}

static int create(struct extractor *x, struct err *e)
{
    struct json *settings = settings_json(x), *inputs = inputs_json(x, e);
    struct store_spec spec = {.schema = EMBEDDINGS_SCHEMA,
                              .version = EMBEDDINGS_VERSION,
                              .tool = "teg-extract",
                              .argv = x->o->argv,
                              .settings = settings,
                              .inputs = inputs,
                              .shard = x->o->shard,
                              .force = x->o->force};
    int rc = inputs ? codec_new(&x->codec, e) : ERR_FAIL;
    if (rc == 0)
        rc = store_create(&x->writer, x->o->out, &spec, e);
    if (rc == 0 && store_resumed(x->writer))
        rc = skip_written(x, e);
    json_free(settings);
    json_free(inputs);
    return rc;
}

static struct embedding_person person_of(const struct sample_box *b)
{
    return (struct embedding_person){
        .box = {(double)b->left, (double)b->top, (double)b->right, (double)b->bottom},
        .score = (double)b->score,
        .timestamp = b->timestamp};
}

static struct embedding_clip clip_times(const struct sample *s, const struct frames_info *info)
{
    double frame = (double)info->fps_den / (double)info->fps_num;
    double last = (double)s->start + (double)s->stride * (double)(s->length - 1);
    return (struct embedding_clip){.clip = s->clip,
                                   .view = s->view,
                                   .start = (double)s->start * frame,
                                   .end = (last + 1.0) * frame,
                                   .centre = frames_seconds(info, 0.5 * ((double)s->start + last)),
                                   .target = s->target};
}

/* The record of the video of row x->first_of_video, unless it is there. */
static int put_video(struct extractor *x, const char *id, struct err *e)
{
    struct blob value;
    if (store_peek(x->writer, id, &value, NULL) == 0)
        return 0;
    size_t first = x->first_of_video, n = video_items(x, first);
    long video = frames_find(x->frames, id);
    if (video < 0)
        return err_set(e, "%s: no video %s", x->o->frames, id);
    struct embedding_clip *clips = mem_new(n, sizeof *clips, e);
    if (!clips)
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++) {
        const struct item *item = &x->items[first + i];
        clips[i] = clip_times(&x->rows[item->row], frames_video(x->frames, (size_t)video));
        clips[i].has_person = item->box != NULL;
        if (item->box)
            clips[i].person = person_of(item->box);
    }
    int rc = embeddings_put_video(x->writer, id, clips, n, e);
    free(clips);
    return rc;
}

static void time_mean(const float *dense, size_t steps, size_t channels, float *out)
{
    for (size_t c = 0; c < channels; c++) {
        double sum = 0.0;
        for (size_t t = 0; t < steps; t++)
            sum += (double)dense[t * channels + c];
        out[c] = (float)(sum / (double)steps);
    }
}

/* Writes the features [T', C] or scores of item x->done. */
static int put_item(struct extractor *x, const float *values, struct err *e)
{
    size_t steps = clip_network_steps(x->network), channels = x->model->backbone.desc.c_out;
    struct embedding clip = {{0, channels, x->half}, values};
    uint32_t video = item_video(x, x->done);
    while (item_video(x, x->first_of_video) != video)
        x->first_of_video++;
    if (x->form == FORM_LOGITS) {
        clip.shape.n_channels = x->desc.n_classes;
    } else if (x->form == FORM_DENSE) {
        clip.shape.n_steps = steps;
    } else {
        time_mean(values, steps, channels, x->pooled);
        clip.values = x->pooled;
    }
    const char *id = video_id(x, video);
    if (put_video(x, id, e) < 0 ||
        embeddings_put(x->writer, x->codec, id, x->done - x->first_of_video, &clip, e) < 0)
        return ERR_FAIL;
    x->done++;
    return 0;
}

/* Where the numbers of item x->done are in those of a batch whose rows begin at `first`. */
static size_t place_of(const struct extractor *x, size_t first)
{
    const struct item *item = &x->items[x->done];
    size_t number = 0; /* of the person in the clip */
    while (x->done > number && x->items[x->done - number - 1].row == item->row)
        number++;
    return (item->row - first) * clip_network_clip_values(x->network) +
           number * clip_network_item_values(x->network);
}

/* Writes what is new of a batch of n rows that begin at `first`. */
static int put_rows(struct extractor *x, const float *values, size_t first, size_t n, struct err *e)
{
    size_t before = x->done;
    while (x->done < x->n_items && x->items[x->done].row < first + n)
        if (put_item(x, values + place_of(x, first), e) < 0)
            return ERR_FAIL;
    ui_progress_add(x->o->ui, x->done - before);
    return store_commit(x->writer, PUTS_PER_COMMIT, e);
}

/* -- the loop -- */

static int next_batch(void *user, struct clip_request *request, struct err *e)
{
    struct extractor *x = user;
    (void)e;
    request->epoch = x->o->epoch;
    request->first_row = x->requested;
    request->rows = x->rows + x->requested;
    request->n_rows = next_batch_rows(x);
    x->requested += request->n_rows;
    return request->n_rows > 0;
}

/* Writes the batch before, while the device may be computing the next. */
static int put_late(struct extractor *x, struct err *e)
{
    float *values = x->late.values;
    if (!values)
        return 0;
    x->late.values = NULL;
    int rc = put_rows(x, values, x->late.first_row, x->late.n, e);
    free(values);
    return rc;
}

static int one_batch(struct extractor *x, const struct clip_batch *batch, struct err *e)
{
    struct backend *b = x->backend;
    if (!clip_network_fits(x->network, batch) && /* what is late has the old network's form */
        (put_late(x, e) < 0 || clip_network_fit(x->network, batch, e) < 0))
        return ERR_FAIL;
    const float *output = clip_network_forward(x->network, batch, e);
    if (!output || put_late(x, e) < 0)
        return ERR_FAIL;
    size_t n_values = batch->n * clip_network_clip_values(x->network);
    float *values = mem_new(n_values, sizeof *values, e);
    if (!values)
        return ERR_FAIL;
    if (b->ops->download(b, values, output, n_values * sizeof *values, e) < 0) {
        free(values);
        return ERR_FAIL;
    }
    x->late.values = values;
    x->late.first_row = batch->first_row;
    x->late.n = batch->n;
    x->waited += batch->waited;
    return 0;
}

static int start_network(struct extractor *x, struct err *e)
{
    struct clip_network_options o = {.model = x->model,
                                     .boxes = x->boxes,
                                     .crop_size = x->crop_size,
                                     .dtype = x->o->dtype,
                                     .most = x->batch < x->n_rows ? x->batch : x->n_rows,
                                     .ui = x->o->ui};
    return clip_network_new(&x->network, &o, e);
}

static int start_loader(struct extractor *x, struct err *e)
{
    struct loader_options o = {.frames = x->frames,
                               .ids = x->samples ? samples_ids(x->samples) : x->plan.id,
                               .n_ids =
                                   x->samples ? samples_n_videos(x->samples) : x->plan.n_videos,
                               .origin = x->o->samples ? x->o->samples : "plan",
                               .backend = x->backend,
                               .room = clip_network_room(x->network, 1),
                               .clips = {.crop_size = x->crop_size, .dtype = x->o->dtype},
                               .source = next_batch,
                               .user = x};
    x->pooled = mem_new(x->model->backbone.desc.c_out, sizeof *x->pooled, e);
    return x->pooled ? loader_new(&x->loader, &o, e) : ERR_FAIL;
}

static int loop(struct extractor *x, struct err *e)
{
    const struct clip_batch *batch;
    struct err second = {0};
    int rc = start_network(x, e);
    if (rc == 0)
        rc = start_loader(x, e);
    while (rc >= 0 && !stop_requested() && (rc = loader_next(x->loader, &batch, e)) > 0)
        rc = one_batch(x, batch, e);
    if (put_late(x, rc < 0 ? &second : e) < 0 && rc >= 0) /* also of a run that fails */
        return ERR_FAIL;
    if (rc < 0) /* what is measured for convolutions fails where it is stopped */
        return stop_requested() ? ERR_STOPPED : rc;
    return stop_requested() && x->done < x->n_items
               ? err_code(e, ERR_STOPPED, "after %zu of %zu %s; the same command goes on", x->done,
                          x->n_items, units(x))
               : 0;
}

static void report(const struct extractor *x, double seconds)
{
    size_t n = x->done - x->resumed;
    struct json *record = json_new_object();
    json_add(record, "event", json_new_str("extracted"));
    json_add(record, "videos", json_new_i64((int64_t)x->n_videos));
    json_add(record, "clips", json_new_i64((int64_t)x->n_items));
    json_add(record, "seconds", json_new_f64(seconds));
    json_add(record, "clips_per_second", json_new_f64((double)n / seconds));
    json_add(record, "waiting_share", json_new_f64(x->waited / seconds));
    ui_log(x->o->ui, record);
    ui_note(x->o->ui, "%zu %s of %zu videos, %.3g a second", x->n_items, units(x), x->n_videos,
            (double)n / seconds);
}

static int extract(struct extractor *x, struct err *e)
{
    double began = ui_seconds();
    ui_progress_start(x->o->ui, "extracting", x->n_items, units(x));
    ui_progress_skip(x->o->ui, x->done);
    int rc = loop(x, e);
    ui_progress_end(x->o->ui);
    if (rc < 0)
        return rc;
    struct store_writer *w = x->writer;
    x->writer = NULL;
    rc = store_publish(w, x->n_videos, e);
    if (rc == 0)
        report(x, ui_seconds() - began);
    return rc;
}

static void extractor_release(struct extractor *x)
{
    loader_free(x->loader);
    clip_network_free(x->network);
    clip_boxes_free(x->boxes);
    store_abandon(x->writer);
    codec_free(x->codec);
    model_free(x->model);
    free(x->late.values);
    free(x->pooled);
    free(x->rows);
    free(x->items);
    plan_release(&x->plan);
    index_close(x->index);
    samples_close(x->samples);
    frames_close(x->frames);
    safetensors_close(x->file);
    json_free(x->classes);
    backend_close(x->backend);
}

int extract_run(const struct extract_options *o, struct err *e)
{
    struct extractor x = {.o = o};
    int rc = open_inputs(&x, e);
    if (rc == 0)
        rc = create(&x, e);
    if (rc == 0)
        rc = extract(&x, e);
    extractor_release(&x);
    return rc;
}
