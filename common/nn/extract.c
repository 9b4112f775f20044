/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/extract.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/stop.h"
#include "common/nn/encoder.h"
#include "common/nn/loader.h"
#include "common/sampling/sampling.h"
#include "common/store/embeddings.h"
#include "common/store/index.h"
#include "common/store/safetensors.h"

struct extractor {
    const struct extract_options *o;
    struct backend *backend;
    struct model *model;
    struct frames *frames;
    struct samples *samples; /* NULL: `plan` instead */
    struct index *index;
    struct plan plan;
    struct sampling_options plan_options;
    struct sample *rows; /* by video, clip, view */
    size_t n_rows;
    size_t requested; /* rows handed to the loader */
    size_t done;      /* rows written */
    struct encoder *encoder;
    size_t encoder_n, encoder_length;
    struct loader *loader;
    struct store_writer *writer;
    struct codec *codec;
    size_t n_steps; /* T' of the first clip: the same for all of a dense store */
};

void extract_defaults(struct extract_options *o)
{
    *o = (struct extract_options){.batch = 8, .crop_size = 224, .half = true, .device = "auto"};
}

/* -- inputs -- */

static int load_model(struct extractor *x, struct err *e)
{
    struct safetensors *f = NULL;
    struct model_desc d;
    int rc = safetensors_open(&f, x->o->model, e);
    if (rc == 0)
        rc = model_read_desc(f, &d, e);
    if (rc == 0) {
        d.n_heads = 0;
        rc = model_new(&x->model, x->backend, &d, e);
    }
    if (rc == 0)
        rc = model_load(x->model, f, false, true, e);
    safetensors_close(f);
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
    return (s->role > t->role) - (s->role < t->role);
}

static int take_rows(struct extractor *x, const struct sample *rows, size_t n, struct err *e)
{
    x->rows = mem_new(n ? n : 1, sizeof *x->rows, e);
    if (!x->rows)
        return ERR_FAIL;
    memcpy(x->rows, rows, n * sizeof *rows);
    qsort(x->rows, n, sizeof *rows, by_clip);
    for (size_t i = 0; i < n; i++)
        x->rows[i].role = SAMPLE_SINGLE;
    x->n_rows = n;
    return n ? 0 : err_set(e, "no clips to extract");
}

static int open_samples(struct extractor *x, struct err *e)
{
    const struct sample *rows;
    size_t n;
    if (samples_open(&x->samples, x->o->samples, e) < 0 ||
        store_check_input(samples_store(x->samples), "frames", frames_store(x->frames), e) < 0)
        return ERR_FAIL;
    if (x->o->epoch >= samples_n_epochs(x->samples))
        return err_set(e, "%s: epoch %zu of %zu does not exist", x->o->samples, x->o->epoch,
                       samples_n_epochs(x->samples));
    if (samples_epoch(x->samples, x->o->epoch, &rows, &n, e) < 0)
        return ERR_FAIL;
    return take_rows(x, rows, n, e);
}

static int make_plan(struct extractor *x, struct err *e)
{
    struct sampling_options *o = &x->plan_options;
    *o = x->o->plan;
    if (x->o->index &&
        (index_open(&x->index, x->o->index, e) < 0 ||
         store_check_input(frames_store(x->frames), "index", index_store(x->index), e) < 0))
        return ERR_FAIL;
    if (!x->o->plan_given)
        plan_defaults(x->index, o);
    if (plan_make(&x->plan, x->frames, x->index, o, e) < 0)
        return ERR_FAIL;
    return take_rows(x, x->plan.rows, x->plan.n_rows, e);
}

static const char *video_id(const struct extractor *x, uint32_t video)
{
    return x->samples ? samples_id(x->samples, video) : x->plan.id[video];
}

static int open_inputs(struct extractor *x, struct err *e)
{
    struct backend_options bo = {.device = x->o->device, .n_threads = x->o->n_threads};
    if (frames_open(&x->frames, x->o->frames, e) < 0)
        return ERR_FAIL;
    if ((x->o->samples ? open_samples(x, e) : make_plan(x, e)) < 0)
        return ERR_FAIL;
    if (backend_open(&x->backend, &bo, e) < 0)
        return ERR_FAIL;
    return load_model(x, e);
}

/* -- output -- */

static struct json *settings_json(const struct extractor *x)
{
    const struct extract_options *o = x->o;
    struct json *j = json_new_object();
    json_add(j, "backbone", json_new_str(x->model->desc.backbone));
    json_add(j, "crop_size", json_new_i64((int64_t)o->crop_size));
    json_add(j, "form", json_new_str(o->dense ? "dense" : "pooled"));
    json_add(j, "type", json_new_str(o->half ? "float16" : "float32"));
    json_add(j, "precision", json_new_str(o->dtype == DTYPE_BF16 ? "bf16" : "f32"));
    json_add(j, "batch", json_new_i64((int64_t)o->batch));
    if (o->samples)
        json_add(j, "epoch", json_new_i64((int64_t)o->epoch));
    else
        json_add(j, "plan", sampling_settings(&x->plan_options));
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

static size_t video_rows(const struct extractor *x, size_t first)
{
    size_t n = 1;
    while (first + n < x->n_rows && x->rows[first + n].video == x->rows[first].video)
        n++;
    return n;
}

/* What an interrupted run has written already: its records are those of the first rows. */
static int skip_written(struct extractor *x, struct err *e)
{
    size_t at_video = 0;
    for (size_t i = 0; i < x->n_rows; i++) {
        char key[STORE_MAX_KEY + 1];
        struct blob value;
        at_video = i && x->rows[i].video == x->rows[i - 1].video ? at_video : i;
        if (frames_key(key, video_id(x, x->rows[i].video), (int64_t)(i - at_video), e) < 0)
            return ERR_FAIL;
        if (store_peek(x->writer, key, &value, NULL) < 0)
            break;
        x->done = i + 1;
    }
    x->requested = x->done;
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

static struct embedding_clip clip_times(const struct sample *s, const struct frames_info *info)
{
    double frame = (double)info->fps_den / (double)info->fps_num;
    double last = (double)s->start + (double)s->stride * (double)(s->length - 1);
    return (struct embedding_clip){.clip = s->clip,
                                   .view = s->view,
                                   .start = (double)s->start * frame,
                                   .end = (last + 1.0) * frame,
                                   .centre = 0.5 * ((double)s->start + last + 1.0) * frame,
                                   .target = s->target};
}

static int put_video(struct extractor *x, size_t first, struct err *e)
{
    size_t n = video_rows(x, first);
    const char *id = video_id(x, x->rows[first].video);
    long video = frames_find(x->frames, id);
    if (video < 0)
        return err_set(e, "%s: no video %s", x->o->frames, id);
    struct embedding_clip *clips = mem_new(n, sizeof *clips, e);
    if (!clips)
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++)
        clips[i] = clip_times(&x->rows[first + i], frames_video(x->frames, (size_t)video));
    struct blob value;
    int rc = store_peek(x->writer, id, &value, NULL) == 0
                 ? 0
                 : embeddings_put_video(x->writer, id, clips, n, e);
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

/* Writes the features of rows done .. done + n. */
static int put_rows(struct extractor *x, const float *features, size_t n, float *pooled,
                    struct err *e)
{
    size_t steps = encoder_steps(x->encoder), channels = x->model->backbone.desc.c_out;
    struct embedding_shape shape = {x->o->dense ? steps : 0, channels, x->o->half};
    if (x->n_steps && x->n_steps != steps && x->o->dense)
        return err_set(e, "clips of different lengths cannot share a dense store");
    x->n_steps = steps;
    for (size_t i = 0; i < n; i++, x->done++) {
        const struct sample *s = &x->rows[x->done];
        size_t first = x->done;
        while (first > 0 && x->rows[first - 1].video == s->video)
            first--;
        if ((first == x->done || i == 0) && put_video(x, first, e) < 0)
            return ERR_FAIL;
        const float *values = features + i * steps * channels;
        if (!x->o->dense) {
            time_mean(values, steps, channels, pooled);
            values = pooled;
        }
        struct embedding clip = {shape, values};
        if (embeddings_put(x->writer, x->codec, video_id(x, s->video), x->done - first, &clip, e) <
            0)
            return ERR_FAIL;
    }
    return 0;
}

/* -- the loop -- */

static int next_batch(void *user, struct clip_request *request, struct err *e)
{
    struct extractor *x = user;
    (void)e;
    if (x->requested == x->n_rows)
        return 0;
    request->epoch = x->o->epoch;
    request->first_row = x->requested;
    request->rows = x->rows + x->requested;
    request->n_rows = loader_take(request->rows, x->n_rows - x->requested, x->o->batch);
    x->requested += request->n_rows;
    return 1;
}

static int encoder_for(struct extractor *x, size_t n, size_t length, struct err *e)
{
    if (x->encoder && x->encoder_n == n && x->encoder_length == length)
        return 0;
    struct encoder_options o = {
        .n = n, .length = length, .size = x->o->crop_size, .dtype = x->o->dtype};
    encoder_free(x->encoder);
    x->encoder = NULL;
    x->encoder_n = n;
    x->encoder_length = length;
    return encoder_new(&x->encoder, x->model, &o, e) < 0 ? ERR_FAIL
                                                         : encoder_set_weights(x->encoder, e);
}

static int one_batch(struct extractor *x, const struct clip_batch *batch, float *pooled,
                     struct err *e)
{
    struct backend *b = x->backend;
    if (encoder_for(x, batch->n, batch->length[CLIP_SINGLE], e) < 0 ||
        encoder_forward(x->encoder, batch->pixels[CLIP_SINGLE], NORM_RUNNING, e) < 0)
        return ERR_FAIL;
    size_t values = batch->n * encoder_steps(x->encoder) * x->model->backbone.desc.c_out;
    float *features = mem_new(values, sizeof *features, e);
    if (!features)
        return ERR_FAIL;
    int rc =
        b->ops->download(b, features, encoder_features(x->encoder), values * sizeof *features, e);
    if (rc == 0)
        rc = put_rows(x, features, batch->n, pooled, e);
    free(features);
    ui_progress_add(x->o->ui, batch->n);
    return rc;
}

static int loop(struct extractor *x, struct err *e)
{
    struct loader_options o = {.frames = x->frames,
                               .ids = x->samples ? samples_ids(x->samples) : x->plan.id,
                               .n_ids =
                                   x->samples ? samples_n_videos(x->samples) : x->plan.n_videos,
                               .origin = x->o->samples ? x->o->samples : "plan",
                               .backend = x->backend,
                               .clips = {.crop_size = x->o->crop_size, .dtype = x->o->dtype},
                               .source = next_batch,
                               .user = x};
    float *pooled = mem_new(x->model->backbone.desc.c_out, sizeof *pooled, e);
    int rc = pooled ? loader_new(&x->loader, &o, e) : ERR_FAIL;
    const struct clip_batch *batch;
    while (rc >= 0 && (rc = loader_next(x->loader, &batch, e)) > 0) {
        rc = one_batch(x, batch, pooled, e);
        if (rc == 0 && stop_requested())
            rc = err_code(e, ERR_STOPPED, "after %zu of %zu clips; the same command goes on",
                          x->done, x->n_rows);
    }
    free(pooled);
    return rc;
}

static void extractor_release(struct extractor *x)
{
    loader_free(x->loader);
    encoder_free(x->encoder);
    store_abandon(x->writer);
    codec_free(x->codec);
    model_free(x->model);
    free(x->rows);
    plan_release(&x->plan);
    index_close(x->index);
    samples_close(x->samples);
    frames_close(x->frames);
    backend_close(x->backend);
}

static int publish(struct extractor *x, struct err *e)
{
    uint64_t n_videos = 0;
    for (size_t i = 0; i < x->n_rows; i += video_rows(x, i))
        n_videos++;
    struct store_writer *w = x->writer;
    x->writer = NULL;
    return store_publish(w, n_videos, e);
}

int extract_run(const struct extract_options *o, struct err *e)
{
    struct extractor x = {.o = o};
    int rc = open_inputs(&x, e);
    if (rc == 0)
        rc = create(&x, e);
    if (rc == 0) {
        ui_progress_start(o->ui, "extracting", x.n_rows - x.done, "clips");
        rc = loop(&x, e);
        ui_progress_end(o->ui);
    }
    if (rc == 0)
        rc = publish(&x, e);
    extractor_release(&x);
    return rc;
}
