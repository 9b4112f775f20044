/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/decode_store.h"

#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/frames.h"
#include "common/store/index.h"
#include "common/store/store.h"
#include "common/video/hardware.h"
#include "common/video/pipeline.h"

enum { FRAMES_A_REPORT = 64 }; /* on the progress line */

struct work {
    const struct decode_options *options;
    struct ui *ui;
    struct index *index;
    struct store_writer *writer;
    const struct video **videos;     /* in the order of writing */
    struct decode_request *requests; /* the same order */
    size_t n_videos;
    size_t n_done; /* written by an earlier run */
    int64_t n_bad, n_frames, n_new_frames;
    int64_t n_failed; /* of the bad videos of an earlier run: that are good by the index */
    const char *root; /* of the videos */
    struct hardware *hardware;
    double start;
};

/* -- what to do -- */

/* Frames of "a" have keys "a/...", which is behind "a-b": in this order their keys ascend. */
static int by_frame_key(const void *a, const void *b)
{
    const char *x = (*(const struct video *const *)a)->id,
               *y = (*(const struct video *const *)b)->id;
    while (*x && *x == *y) {
        x++;
        y++;
    }
    unsigned char left = (unsigned char)(*x ? *x : '/'), right = (unsigned char)(*y ? *y : '/');
    if (left != right)
        return left < right ? -1 : 1;
    return (*x != '\0') - (*y != '\0');
}

static int list_videos(struct work *w, struct err *e)
{
    struct stat about;
    if (stat(w->root, &about) < 0)
        return err_errno(e, "folder of the videos (--videos): %s", w->root);
    size_t n_all = index_n_videos(w->index);
    w->videos = mem_new(n_all + 1, sizeof *w->videos, e);
    w->requests = mem_new(n_all + 1, sizeof *w->requests, e);
    if (!w->videos || !w->requests)
        return ERR_FAIL;
    for (size_t i = 0; i < n_all; i++)
        w->videos[i] = index_video(w->index, i);
    qsort(w->videos, n_all, sizeof *w->videos, by_frame_key);
    for (size_t i = 0; i < n_all; i++)
        if (shard_has(&w->options->shard, i))
            w->videos[w->n_videos++] = w->videos[i];
    for (size_t i = 0; i < w->n_videos; i++) {
        const struct video *v = w->videos[i];
        bool has_rate = v->fps_num > 0 && v->fps_den > 0;
        char *path = path_join(w->root, v->path);
        if (!path)
            return err_set(e, "out of memory");
        w->requests[i] = (struct decode_request){
            .path = path,
            .rotation = v->rotation,
            .fps_num = has_rate ? v->fps_num : 1,
            .fps_den = has_rate ? v->fps_den : 1,
            .variable_rate = v->variable_rate,
            .width = v->width,
            .height = v->height,
            .n_frames = v->n_frames,
            .verified = v->verified,
        };
        if (!v->ok)
            w->requests[i].bad = v->reason ? v->reason : "bad in the index";
        else if (!has_rate)
            w->requests[i].bad = "no frame rate in the index";
    }
    return 0;
}

static struct json *settings_json(const struct decode_options *o)
{
    char fps[48] = "own";
    const struct decode_settings *s = &o->settings;
    if (s->fps_num)
        snprintf(fps, sizeof fps, "%lld/%lld", (long long)s->fps_num, (long long)s->fps_den);
    struct json *j = json_new_object();
    if (!j || json_add(j, "short_side", json_new_i64(s->short_side)) < 0 ||
        json_add(j, "fps", json_new_str(fps)) < 0 ||
        json_add(j, "frame_step", json_new_i64(s->frame_step)) < 0 ||
        json_add(j, "level", json_new_i64(o->level)) < 0 ||
        (o->cuda && json_add(j, "device", json_new_str("cuda")) < 0)) {
        json_free(j);
        return NULL;
    }
    return j;
}

static int create_store(struct work *w, struct err *e)
{
    const struct decode_options *o = w->options;
    struct json *settings = settings_json(o), *inputs = json_new_object();
    const char *identity = store_meta(index_store(w->index))->identity;
    int rc = ERR_FAIL;
    if (!settings || !inputs || json_add(inputs, "index", json_new_str(identity)) < 0) {
        err_set(e, "out of memory");
        goto out;
    }
    struct store_spec spec = {
        .schema = FRAMES_SCHEMA,
        .version = FRAMES_VERSION,
        .tool = "teg-decode",
        .argv = o->argv,
        .settings = settings,
        .inputs = inputs,
        .shard = o->shard,
        .force = o->force,
    };
    rc = store_create(&w->writer, o->output, &spec, e);
out:
    json_free(settings);
    json_free(inputs);
    return rc;
}

/* -- what an earlier run has done -- */

static void count(struct work *w, const struct frames_info *info)
{
    w->n_bad += !info->ok;
    w->n_frames += info->n_frames;
}

/* 1: the next video is complete; 0: it is not. */
static int find_done(struct work *w, struct err *e)
{
    const char *id = w->videos[w->n_done]->id;
    struct blob value;
    struct frames_info info;
    int rc = store_peek(w->writer, id, &value, e);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    struct json *j = json_parse(value.data, value.len, e);
    rc = j ? frames_info_from_json(&info, j, e) : ERR_FAIL;
    json_free(j);
    if (rc < 0)
        return err_add(e, "%s: %s", store_part(w->writer), id);
    count(w, &info);
    w->n_failed += !info.ok && !w->requests[w->n_done].bad;
    return 1;
}

/* Frames of the first incomplete video that are there already. */
static int count_frames(struct work *w, const char *id, int64_t *n, struct err *e)
{
    char key[STORE_MAX_KEY + 1];
    struct blob value;
    int rc = 0;
    for (*n = 0; rc >= 0; *n += rc >= 0) {
        if (frames_key(key, id, *n, e) < 0)
            return ERR_FAIL;
        rc = store_peek(w->writer, key, &value, e);
    }
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* What made the videos fail may have passed. */
static int begin_anew(struct work *w, struct err *e)
{
    ui_note(w->ui, "%s.part is complete with %lld bad videos: beginning anew", w->options->output,
            (long long)w->n_bad);
    w->n_done = 0;
    w->n_bad = w->n_frames = w->n_failed = 0;
    return store_restart(w->writer, e);
}

static int resume(struct work *w, struct err *e)
{
    int rc = 1;
    if (!store_resumed(w->writer))
        return 0;
    while (w->n_done < w->n_videos && (rc = find_done(w, e)) > 0)
        w->n_done++;
    if (rc < 0)
        return rc;
    if (w->options->force && w->n_done == w->n_videos && w->n_failed &&
        w->n_bad > w->options->max_bad)
        return begin_anew(w, e);
    ui_note(w->ui, "going on behind %zu of %zu videos", w->n_done, w->n_videos);
    if (w->n_done == w->n_videos)
        return 0;
    return count_frames(w, w->videos[w->n_done]->id, &w->requests[w->n_done].n_done, e);
}

/* -- writing -- */

static int put_frame(void *user, size_t video, int64_t frame, const struct blob *value,
                     struct err *e)
{
    struct work *w = user;
    char key[STORE_MAX_KEY + 1];
    if (frames_key(key, w->videos[w->n_done + video]->id, frame, e) < 0)
        return ERR_FAIL;
    if (w->n_new_frames++ % FRAMES_A_REPORT == 0)
        ui_progress_text(w->ui, "%lld frames, %.0f/s", (long long)w->n_new_frames,
                         (double)w->n_new_frames / (ui_seconds() - w->start));
    return store_put(w->writer, key, value->data, value->len, e);
}

static void report(struct work *w, const char *id, const struct frames_info *info)
{
    if (!info->ok)
        ui_warn_item(w->ui, "%s: %s (%lld frames kept)", id, info->reason,
                     (long long)info->n_frames);
    else if (info->reason[0])
        ui_warn_item(w->ui, "%s: %s", id, info->reason);
    ui_progress_add(w->ui, 1);
}

/* The record of a video, and the same with its id for the log. */
static int put_video(void *user, size_t video, const struct frames_info *info, struct err *e)
{
    struct work *w = user;
    const char *id = w->videos[w->n_done + video]->id;
    struct json *j = frames_info_to_json(info);
    const char *text = j ? json_text(j) : NULL;
    int rc = text ? store_put(w->writer, id, text, strlen(text), e) : err_set(e, "out of memory");
    if (rc < 0) {
        json_free(j);
        return rc;
    }
    json_add(j, "id", json_new_str(id));
    ui_log(w->ui, j);
    count(w, info);
    report(w, id, info);
    return 0;
}

/* A GPU that was asked for and does less than that is told of. */
static void tell_left(struct work *w)
{
    struct err why;
    size_t n = w->hardware ? hardware_n_left(w->hardware, &why) : 0;
    if (n)
        ui_warn(w->ui,
                "the processor decoded %zu videos that the GPU's decoder does not take, or failed "
                "on%s%s",
                n, why.text[0] ? ": " : "", why.text);
}

static int run(struct work *w, struct err *e)
{
    const struct decode_options *o = w->options;
    struct pipeline_job job = {
        .videos = w->requests + w->n_done,
        .n_videos = w->n_videos - w->n_done,
        .n_threads = o->n_threads,
        .settings = o->settings,
        .level = o->level,
        .frame = put_frame,
        .end = put_video,
        .user = w,
    };
    job.settings.hardware = w->hardware;
    w->start = ui_seconds();
    ui_progress_start(w->ui, "decoding", w->n_videos, "videos");
    ui_progress_skip(w->ui, w->n_done);
    int rc = pipeline_run(&job, e);
    ui_progress_end(w->ui);
    tell_left(w);
    return rc;
}

static int publish(struct work *w, struct err *e)
{
    const struct decode_options *o = w->options;
    if (store_commit(w->writer, 1, e) <
        0) /* also before publishing, so that both ways give the same bytes */
        return ERR_FAIL;
    if (w->n_bad > o->max_bad)
        return err_set(e,
                       "%lld of %zu videos below %s are bad, --max-bad is %lld; %s is complete: "
                       "the same command "
                       "with --max-bad %lld publishes it, with --force decodes all of them again",
                       (long long)w->n_bad, w->n_videos, w->root, (long long)o->max_bad,
                       store_part(w->writer), (long long)w->n_bad);
    if (store_summary(w->writer, "bad", json_new_i64(w->n_bad), e) < 0 ||
        store_summary(w->writer, "frames", json_new_i64(w->n_frames), e) < 0)
        return ERR_FAIL;
    struct store_writer *writer = w->writer;
    w->writer = NULL;
    if (store_publish(writer, w->n_videos, e) < 0)
        return ERR_FAIL;
    ui_note(w->ui, "%zu videos, %lld frames, %lld bad videos, %.1f s", w->n_videos,
            (long long)w->n_frames, (long long)w->n_bad, ui_seconds() - w->start);
    return 0;
}

int decode_store(const struct decode_options *options, struct ui *ui, struct err *e)
{
    struct work w = {.options = options, .ui = ui};
    char *root = NULL;
    int rc = index_open(&w.index, options->index, e);
    if (rc < 0)
        goto out;
    root = options->videos ? mem_strdup(options->videos, e) : index_root(w.index);
    if (!root) {
        rc = err_set(e, "out of memory");
        goto out;
    }
    w.root = root;
    if ((rc = list_videos(&w, e)) < 0 ||
        (rc = options->cuda ? hardware_open(&w.hardware, e) : 0) < 0 ||
        (rc = create_store(&w, e)) < 0 || (rc = resume(&w, e)) < 0 || (rc = run(&w, e)) < 0)
        goto out;
    rc = publish(&w, e);
out:
    store_abandon(w.writer);
    hardware_close(w.hardware);
    for (size_t i = 0; w.requests && i < w.n_videos; i++)
        free((void *)w.requests[i].path);
    free(w.requests);
    free(w.videos);
    index_close(w.index);
    free(root);
    return rc;
}
