/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/pool.h"
#include "common/base/version.h"
#include "common/datasets/synth.h"

/* Everything that decides the bytes. */
static struct json *settings(const struct synth_options *o)
{
    struct json *j = json_new_object(), *fps = json_new_array();
    json_append(fps, json_new_i64(o->fps_num));
    json_append(fps, json_new_i64(o->fps_den));
    json_add(j, "tool", json_new_str("teg-synth"));
    json_add(j, "tool_version", json_new_str(TEG_VERSION));
    json_add(j, "dataset", json_new_str(o->kind->name));
    json_add(j, "videos", json_new_i64(o->n_videos));
    json_add(j, "val_fraction", json_new_f64(o->val_fraction));
    json_add(j, "seed", json_new_i64(o->seed));
    json_add(j, "size", json_new_i64(o->size));
    json_add(j, "frames", json_new_i64(o->n_frames));
    json_add(j, "fps", fps);
    json_add(j, "events", json_new_i64(o->n_events));
    json_add(j, "scenes", json_new_i64(o->n_scenes));
    json_add(j, "shapes", json_new_i64(o->n_shapes));
    json_add(j, "jitter", json_new_f64(o->jitter));
    json_add(j, "codec", json_new_str(encode_codec_names[o->codec]));
    json_add(j, "quality", json_new_i64(o->quality));
    json_add(j, "gop", json_new_i64(o->gop));
    return j;
}

static int compare_settings(const char *path, struct json *wanted, struct err *e)
{
    struct json *found = json_load(path, e), *value;
    const char *name;
    int rc = found ? 0 : ERR_FAIL;
    for (size_t i = 0; rc >= 0 && json_pair(wanted, i, &name, &value); i++) {
        struct json *other = json_member(found, name);
        if (!other || !json_equal(other, value))
            rc = err_set(
                e, "%s: %s is %s, now %s is asked for: take another folder or remove this one",
                path, name, other ? json_text(other) : "absent", json_text(value));
    }
    json_free(found);
    return rc;
}

/* A new settings.json, or one that says the same. */
static int put_settings(const struct synth_options *o, struct err *e)
{
    char *path = path_join(o->folder, "settings.json");
    struct json *j = settings(o);
    struct buf text = {0};
    int rc = path && j ? 0 : err_set(e, "out of memory");
    if (rc >= 0 && file_exists(path)) {
        rc = compare_settings(path, j, e);
    } else if (rc >= 0) {
        rc = buf_printf(&text, e, "%s\n", json_pretty(j));
        if (rc >= 0)
            rc = file_write(path, text.data, text.len, e);
    }
    buf_release(&text);
    json_free(j);
    free(path);
    return rc;
}

static int encode_video(const struct synth_options *o, const struct synth_plan *p, const char *path,
                        struct err *e)
{
    struct encode_options to = {.codec = (enum encode_codec)o->codec,
                                .width = o->size,
                                .height = o->size,
                                .fps_num = o->fps_num,
                                .fps_den = o->fps_den,
                                .quality = o->quality,
                                .gop = o->gop};
    struct synth_canvas *canvas = NULL;
    struct encoder *x = NULL;
    size_t side = (size_t)o->size;
    uint8_t *nv12 = mem_new(side * side / 2, 3, e);
    int rc = nv12 ? synth_canvas_new(&canvas, o->size, e) : ERR_FAIL;
    if (rc < 0 || (rc = encoder_open(&x, path, &to, e)) < 0)
        goto out;
    synth_paint_scene(canvas, p);
    for (int64_t t = 0; rc >= 0 && t < o->n_frames; t++) {
        synth_paint_frame(canvas, p, t, nv12);
        rc = encoder_put(x, nv12, e);
    }
    if (rc >= 0) {
        rc = encoder_publish(x, e);
        x = NULL;
    }
out:
    encoder_abandon(x);
    synth_canvas_free(canvas);
    free(nv12);
    return rc;
}

struct job {
    const struct synth_options *o;
    struct ui *ui;
};

/* The item-th video over both splits, unless its file is there. */
static int make_video(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    const struct synth_options *o = ((struct job *)user)->o;
    uint64_t n_train = synth_n_videos(o, SYNTH_TRAIN);
    enum synth_split split = item < n_train ? SYNTH_TRAIN : SYNTH_VAL;
    struct synth_plan p;
    struct buf name = {0};
    char *path = NULL, *folder = NULL;
    (void)thread;
    *result = NULL;
    synth_plan(o, split, split == SYNTH_VAL ? item - n_train : item, &p);
    int rc = o->kind->path(o, &p, &name, e);
    if (rc < 0)
        goto out;
    path = path_join(o->folder, (const char *)name.data);
    folder = path ? path_folder(path) : NULL;
    if (!folder)
        rc = err_set(e, "out of memory");
    else if (!file_exists(path) && (rc = file_make_folder(folder, e)) >= 0)
        rc = encode_video(o, &p, path, e);
out:
    buf_release(&name);
    free(folder);
    free(path);
    return rc;
}

static int count_video(void *user, size_t item, void *result, struct err *e)
{
    (void)item;
    (void)result;
    (void)e;
    ui_progress_add(((struct job *)user)->ui, 1);
    return 0;
}

static int write_all(const struct synth_options *o, size_t n_threads, struct ui *ui, struct err *e)
{
    struct job job = {o, ui};
    struct pool_job pool = {.n_items = (size_t)o->n_videos,
                            .n_threads = n_threads,
                            .work = make_video,
                            .emit = count_video,
                            .user = &job};
    if (put_settings(o, e) < 0)
        return ERR_FAIL;
    if (!o->annotations_only) {
        ui_progress_start(ui, "writing", (uint64_t)o->n_videos, "videos");
        int rc = pool_run(&pool, e);
        ui_progress_end(ui);
        if (rc < 0)
            return rc;
    }
    return o->kind->annotate(o, e);
}

/* Two at once would rename each other's temporary files away. */
int synth_write(const struct synth_options *given, size_t n_threads, struct ui *ui, struct err *e)
{
    struct synth_options o = *given;
    if (synth_options_complete(&o, e) < 0)
        return ERR_FAIL;
    if (!o.annotations_only && !encode_available((enum encode_codec)o.codec))
        return err_set(e, "--codec: the installed FFmpeg cannot write %s",
                       encode_codec_names[o.codec]);
    char *lock_path = path_join(o.folder, ".lock");
    int lock, rc = lock_path ? file_make_folder(o.folder, e) : err_set(e, "out of memory");
    if (rc == 0 && (rc = file_lock(lock_path, &lock, e)) == 0) {
        rc = write_all(&o, n_threads, ui, e);
        unlink(lock_path); /* first: file_lock sees a lock on a file that is gone */
        close(lock);
    }
    free(lock_path);
    return rc;
}
