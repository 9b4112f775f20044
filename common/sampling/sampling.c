/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/sampling.h"

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/pool.h"
#include "common/sampling/clip_list.h"
#include "common/sampling/key_clips.h"

/* Memory that epochs under way may take. */
static const size_t window_bytes = (size_t)1 << 30;

struct writing {
    const struct sampling_request *request;
    struct store_writer *writer;
    const struct index *index;
    const struct selection *selection;
    const struct epochs *epochs;
    size_t first_epoch; /* those before are in the store already */
};

static int fill_epoch(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct writing *w = user;
    (void)thread;
    struct sample *rows = mem_new(epochs_n_rows(w->epochs), sizeof(*rows), e);
    if (!rows)
        return ERR_FAIL;
    int rc = epochs_fill(w->epochs, w->first_epoch + item, rows, e);
    if (rc < 0)
        free(rows);
    else
        *result = rows;
    return rc;
}

static int put_epoch(void *user, size_t item, void *result, struct err *e)
{
    struct writing *w = user;
    int rc =
        samples_put_epoch(w->writer, w->first_epoch + item, result, epochs_n_rows(w->epochs), e);
    free(result);
    if (rc >= 0)
        ui_progress_add(w->request->ui, 1);
    return rc;
}

static void discard_epoch(void *user, void *result)
{
    (void)user;
    free(result);
}

/* Epochs that may wait in memory: twice the threads where `window_bytes` allows, at least one. */
static size_t epochs_at_once(const struct writing *w)
{
    size_t fitting = window_bytes / (epochs_n_rows(w->epochs) * sizeof(struct sample));
    size_t wanted = 2 * w->request->n_threads;
    return fitting < 1 ? 1 : fitting < wanted ? fitting : wanted;
}

static int put_epochs(struct writing *w, struct err *e)
{
    size_t n = (size_t)w->request->options.n_epochs - w->first_epoch, window = epochs_at_once(w);
    struct pool_job job = {
        .n_items = n,
        .n_threads = window < w->request->n_threads ? window : w->request->n_threads,
        .window = window,
        .work = fill_epoch,
        .emit = put_epoch,
        .discard = discard_epoch,
        .user = w,
    };
    ui_progress_start(w->request->ui, "sampling", n, "epochs");
    int rc = pool_run(&job, e);
    ui_progress_end(w->request->ui);
    return rc;
}

static int put_classes(struct writing *w, struct err *e)
{
    enum labels kind = w->request->options.labels;
    size_t n = labels_n_classes(kind, w->index);
    const char **names = n ? mem_new(n, sizeof(*names), e) : NULL;
    if (!names)
        return n ? ERR_FAIL : 0;
    for (size_t i = 0; i < n; i++)
        names[i] = labels_class(kind, w->index, i);
    int rc = samples_put_classes(w->writer, names, n, e);
    free(names);
    return rc;
}

/* Appends the boxes of a video's clips. */
static int append_boxes(struct buf *table, const struct key_clips *k, size_t video, struct err *e)
{
    for (size_t i = 0; i < k->n_boxes; i++)
        k->box[i].video = (uint32_t)video;
    return buf_append(table, k->box, k->n_boxes * sizeof *k->box, e);
}

/* Where clips are centred on key frames: the boxes in them. */
static int put_boxes(struct writing *w, struct err *e)
{
    const struct sampling_options *o = &w->request->options;
    struct key_clips k = {0};
    struct buf table = {0};
    if (o->strategy != STRATEGY_KEYFRAMES)
        return 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->selection->n; i++) {
        rc = key_clips_video(&k, &o->boxes, &w->selection->video[i], w->index, e);
        if (rc == 0)
            rc = append_boxes(&table, &k, i, e);
    }
    if (rc == 0)
        rc = samples_put_boxes(w->writer, (const struct sample_box *)table.data,
                               table.len / sizeof(struct sample_box), e);
    key_clips_release(&k);
    buf_release(&table);
    return rc;
}

/* The records in front of the epochs, as far as they are not there. */
static int put_front(struct writing *w, struct err *e)
{
    const char *last = store_last_key(w->writer);
    if (!*last && put_boxes(w, e) < 0)
        return ERR_FAIL;
    return *last && strcmp(last, "boxes") != 0 ? 0 : put_classes(w, e);
}

static int put_videos(struct writing *w, struct err *e)
{
    size_t n = w->selection->n;
    const char **ids = mem_new(n, sizeof(*ids), e);
    if (!ids)
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++)
        ids[i] = w->selection->video[i].id;
    int rc = samples_put_videos(w->writer, ids, n, e);
    free(ids);
    return rc;
}

/* Adds a copy of every member of `counts`, and the videos that were left out. */
static int put_summary(struct writing *w, struct err *e)
{
    const struct selection *s = w->selection;
    struct json *counts = epochs_summary(w->epochs), *value;
    const char *name;
    int rc = counts ? 0 : err_set(e, "out of memory");
    for (size_t i = 0; rc >= 0 && json_pair(counts, i, &name, &value); i++)
        rc = store_summary(w->writer, name, json_ref(value), e);
    json_free(counts);
    if (rc >= 0)
        rc = store_summary(w->writer, "videos", json_new_i64((int64_t)s->n), e);
    if (rc >= 0)
        rc = store_summary(w->writer, "partial_videos", json_new_i64((int64_t)s->n_partial), e);
    if (rc >= 0)
        rc = store_summary(w->writer, "left_out", json_ref(s->left_out), e);
    return rc;
}

/* Finds out how far an interrupted run came; whether `videos`, the last record, is there. */
static int resume_point(struct writing *w, bool *complete, struct err *e)
{
    const char *last = store_last_key(w->writer);
    int64_t epoch = -1;
    *complete = strcmp(last, "videos") == 0;
    if (*complete || !*last || strcmp(last, "boxes") == 0 || strcmp(last, "classes") == 0)
        return 0;
    if (strncmp(last, "epoch/", 6) != 0 || num_i64(last + 6, 0, SAMPLING_MAX_EPOCHS, &epoch, e) < 0)
        return err_set(e, "%s.part: key \"%s\" does not belong here", w->request->out, last);
    w->first_epoch = (size_t)epoch + 1;
    ui_note(w->request->ui, "going on behind epoch %lld", (long long)epoch);
    return 0;
}

static int write_records(struct writing *w, struct err *e)
{
    bool complete;
    if (resume_point(w, &complete, e) < 0)
        return ERR_FAIL;
    if (!complete) {
        int rc = put_front(w, e);
        if (rc >= 0)
            rc = put_epochs(w, e);
        if (rc >= 0)
            rc = put_videos(w, e);
        if (rc < 0)
            return rc;
    }
    return put_summary(w, e);
}

static int report_left_out(const struct sampling_request *r, const struct selection *s,
                           struct err *e)
{
    size_t n = selection_n_left_out(s);
    const char *id = "", *reason = "";
    for (size_t i = 0; i < n; i++) {
        struct json *entry = json_at(s->left_out, i);
        if (json_get_str(entry, "id", &id, e) < 0 || json_get_str(entry, "reason", &reason, e) < 0)
            return ERR_FAIL;
        if ((int64_t)n > r->max_bad)
            return err_set(e, "%s: %s: %s (%zu of %zu videos cannot be used; see --max-bad)",
                           r->frames, id, reason, n, s->n_wanted);
        ui_warn_item(r->ui, "%s: left out: %s", id, reason);
    }
    if (n)
        ui_warn(r->ui, "%zu of %zu videos left out", n, s->n_wanted);
    if (s->n_partial)
        ui_warn(r->ui, "%zu videos were decoded in part only", s->n_partial);
    return 0;
}

/* No failures, but better known before a training than after it. */
static void report_clips(const struct sampling_request *r, const struct clip_list *clips,
                         size_t n_videos)
{
    enum labels labels = r->options.labels;
    if (clips->n_too_short)
        ui_note(r->ui, "%zu of %zu videos are shorter than a clip and fill it by repeating frames",
                clips->n_too_short, n_videos);
    if (r->options.inside && clips->n_without_clips)
        ui_note(r->ui, "%zu of %zu videos have no room for a window (--inside)",
                clips->n_without_clips, n_videos);
    if (clips->n_outside)
        ui_warn(r->ui, "%zu of %zu clips are of moments outside of their video and show its end",
                clips->n_outside, clips->n);
    if (labels != LABELS_EVENTS && labels != LABELS_BOUNDARIES)
        return;
    if (clips->n_without_target == clips->n)
        ui_warn(r->ui, "no clip has a target: %s has no %s for these videos", r->index,
                labels == LABELS_EVENTS ? "labels of events" : "boundaries");
    else if (clips->n_without_target)
        ui_note(r->ui, "%zu of %zu clips have no target", clips->n_without_target, clips->n);
}

/* {"frames": identity, "index": identity} */
static struct json *input_identities(struct frames *frames, const struct index *index)
{
    struct json *out = json_new_object();
    const char *from[2] = {store_meta(frames_store(frames))->identity,
                           store_meta(index_store(index))->identity};
    if (json_add(out, "frames", json_new_str(from[0])) < 0 ||
        json_add(out, "index", json_new_str(from[1])) < 0) {
        json_free(out);
        return NULL;
    }
    return out;
}

static int write_store(struct writing *w, struct json *inputs, struct err *e)
{
    const struct sampling_request *r = w->request;
    struct json *settings = sampling_settings(&r->options);
    struct store_spec spec = {
        .schema = SAMPLES_SCHEMA,
        .version = SAMPLES_VERSION,
        .tool = "teg-sample",
        .argv = r->argv,
        .settings = settings,
        .inputs = inputs,
        .force = r->force,
    };
    int rc = settings && inputs ? 0 : err_set(e, "out of memory");
    if (rc >= 0)
        ui_detail(r->ui, "settings %s, inputs %s", json_text(settings), json_text(inputs));
    if (rc >= 0)
        rc = store_create(&w->writer, r->out, &spec, e);
    json_free(settings);
    if (rc < 0)
        return rc;
    rc = write_records(w, e);
    if (rc >= 0)
        return store_publish(w->writer, (uint64_t)r->options.n_epochs, e);
    store_abandon(w->writer);
    return rc;
}

static void report_written(const struct sampling_request *r, size_t n_videos, size_t n_rows,
                           double seconds)
{
    struct json *record = json_new_object();
    int rc = json_add(record, "event", json_new_str("sampled"));
    rc |= json_add(record, "videos", json_new_i64((int64_t)n_videos));
    rc |= json_add(record, "rows", json_new_i64((int64_t)n_rows));
    rc |= json_add(record, "epochs", json_new_i64(r->options.n_epochs));
    rc |= json_add(record, "seconds", json_new_f64(seconds));
    if (rc == 0)
        ui_log(r->ui, record);
    else
        json_free(record);
    ui_note(r->ui, "%zu videos, %zu rows an epoch, %lld epochs", n_videos, n_rows,
            (long long)r->options.n_epochs);
}

static int sample_from(const struct sampling_request *r, struct frames *frames,
                       const struct index *index, struct err *e)
{
    struct selection selection = {0};
    struct epochs *epochs = NULL;
    struct json *inputs = input_identities(frames, index);
    const struct sampling_options *o = &r->options;
    double start = ui_seconds();
    int rc = selection_init(&selection, frames, index, o->split, e);
    if (rc >= 0)
        rc = report_left_out(r, &selection, e);
    if (rc >= 0 && (rc = epochs_new(&epochs, o, &selection, index, e)) < 0)
        err_add(e, o->split ? "%s, split %s" : "%s", r->index, o->split);
    if (rc >= 0) {
        report_clips(r, epochs_clips(epochs), selection.n);
        struct writing w = {
            .request = r, .index = index, .selection = &selection, .epochs = epochs};
        rc = write_store(&w, inputs, e);
    }
    if (rc >= 0)
        report_written(r, selection.n, epochs_n_rows(epochs), ui_seconds() - start);
    epochs_free(epochs);
    selection_release(&selection);
    json_free(inputs);
    return rc;
}

int sampling_write(const struct sampling_request *r, struct err *e)
{
    struct frames *frames = NULL;
    struct index *index = NULL;
    int rc = sampling_check(&r->options, e);
    if (rc >= 0)
        rc = index_open(&index, r->index, e);
    if (rc >= 0)
        rc = frames_open(&frames, r->frames, e);
    if (rc >= 0)
        rc = sample_from(r, frames, index, e);
    frames_close(frames);
    index_close(index);
    return rc;
}
