/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinetics-GEBD: the prepared ground truth (k400_mr345_*) as JSON of the same shape as its pickle,
 * {ID: {"path_video": "CLASS/ID_START_END.mp4", "substages_timestamps": [[seconds, ...] of each
 * rater], "f1_consis": [of each rater], "f1_consis_avg": ..., ...}}. Raw annotations, intervals
 * with labels, are prepared on the way; what that leaves out is listed without boundaries.
 */
#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/json_items.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/gebd_prepare.h"
#include "common/datasets/importer.h"

static int take_time(const struct json *time, struct json *times, struct err *e)
{
    double seconds = json_f64(time);
    if (!json_is_finite(time) || seconds < 0)
        return err_set(e, "%s is no time", json_text((struct json *)time));
    return json_append(times, json_new_f64(seconds)) < 0 ? err_set(e, "out of memory") : 0;
}

static int take_rater(const struct json *times, struct json *raters, struct err *e)
{
    struct json *list = json_new_array();
    if (json_kind(times) != JSON_ARRAY) {
        json_free(list);
        return err_set(e, "expected an array of times");
    }
    if (json_append(raters, list) < 0)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < json_len(times); i++)
        if (take_time(json_at(times, i), list, e) < 0)
            return ERR_FAIL;
    return 0;
}

static int take_boundaries(const struct json *entry, struct json *extra, struct err *e)
{
    struct json *raters, *boundaries = json_new_array();
    if (json_add(extra, "boundaries", boundaries) < 0)
        return err_set(e, "out of memory");
    if (json_get_array(entry, "substages_timestamps", &raters, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < json_len(raters); i++)
        if (take_rater(json_at(raters, i), boundaries, e) < 0)
            return err_add(e, "substages_timestamps: rater %zu", i + 1);
    return 0;
}

/* A number, or null where it is not one ("NaN"); NULL for other values. */
static struct json *agreement(const struct json *value)
{
    enum json_kind kind = json_kind(value);
    if (kind != JSON_INT && kind != JSON_REAL)
        return NULL;
    return isfinite(json_f64(value)) ? json_new_f64(json_f64(value)) : json_new_null();
}

static int take_consistency(const struct json *entry, struct json *extra, struct err *e)
{
    struct json *values, *list, *mean = json_member(entry, "f1_consis_avg");
    int rc = json_get_array(entry, "f1_consis", &values, e);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == 0) {
        if (json_add(extra, "consistency", list = json_new_array()) < 0)
            return err_set(e, "out of memory");
        for (size_t i = 0; i < json_len(values); i++)
            if (json_append(list, agreement(json_at(values, i))) < 0)
                return err_set(e, "f1_consis: %zu: expected a number", i);
    }
    if (mean && json_add(extra, "consistency_mean", agreement(mean)) < 0)
        return err_set(e, "f1_consis_avg: expected a number");
    return 0;
}

/* Path and class: "abseiling/ID_000001_000011.mp4". */
static int take_path(const char *id, const struct json *entry, struct video *v, struct err *e)
{
    const char *path;
    int rc = json_get_str(entry, "path_video", &path, e);
    if (rc == ERR_NOT_FOUND) {
        struct buf name = {0};
        rc = buf_printf(&name, e, "%s.mp4", id);
        v->path = (char *)name.data;
    } else if (rc == 0) {
        v->path = mem_strdup(path, e);
    }
    if (!v->path || rc < 0 || video_path_clean(v->path, e) < 0)
        return ERR_FAIL;
    const char *base = path_base(v->path);
    if (base == v->path)
        return 0;
    char *folder = strndup(v->path, (size_t)(base - 1 - v->path));
    v->class_name = folder ? mem_strdup(path_base(folder), e) : NULL;
    free(folder);
    return v->class_name ? 0 : err_set(e, "out of memory");
}

static bool is_raw(const struct json *entry)
{
    const struct json *raters = json_member(entry, "substages_timestamps");
    bool raw = false;
    for (size_t i = 0; json_kind(raters) == JSON_ARRAY && i < json_len(raters); i++) {
        const struct json *marks = json_at(raters, i);
        raw |= json_kind(marks) == JSON_ARRAY && json_kind(json_at(marks, 0)) == JSON_OBJECT;
    }
    return raw;
}

static int take_raw(const struct json *entry, struct video *v, struct err *e)
{
    enum gebd_prepared what;
    struct json *prepared;
    if (gebd_prepare_video(entry, &prepared, &what, e) < 0)
        return ERR_FAIL;
    int rc = prepared ? take_boundaries(prepared, v->extra, e) : 0;
    if (prepared && rc == 0)
        rc = take_consistency(prepared, v->extra, e);
    json_free(prepared);
    return rc;
}

static int take_entry(const char *id, const struct json *entry, struct video *v, struct err *e)
{
    v->extra = json_new_object();
    v->id = mem_strdup(id, e);
    if (!v->extra || !v->id)
        return err_set(e, "out of memory");
    if (json_kind(entry) != JSON_OBJECT)
        return err_set(e, "expected an object");
    if (take_path(id, entry, v, e) < 0)
        return ERR_FAIL;
    if (is_raw(entry))
        return take_raw(entry, v, e);
    if (take_boundaries(entry, v->extra, e) < 0)
        return ERR_FAIL;
    return take_consistency(entry, v->extra, e);
}

static int read_entries(struct json_items *items, const char *split, struct video_list *out,
                        struct err *e)
{
    int rc;
    while ((rc = json_items_next(items, e)) == 1) {
        struct video v = {0};
        if (!items->name)
            return err_set(e, "an array, not an object of videos");
        if (split && !(v.split = mem_strdup(split, e)))
            return ERR_FAIL;
        rc = take_entry(items->name, items->value, &v, e);
        if (rc == 0)
            rc = video_list_add(out, &v, e);
        video_release(&v);
        if (rc < 0)
            return err_add(e, "%s", items->name);
    }
    return rc;
}

int gebd_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                   struct err *e)
{
    struct json_items items;
    if (len && text[0] == '\x80')
        return err_set(e, "a pickle, not JSON: convert it first");
    json_items_init(&items, text, len);
    int rc = read_entries(&items, split, out, e);
    json_items_release(&items);
    return rc;
}

static int read_file(void *list, const char *path, const char *text, size_t len, struct err *e)
{
    return gebd_read_text(text, len, annotation_files_split(path), list, e);
}

static int read_gebd(const struct import_options *options, struct video_list *out, struct err *e)
{
    return annotation_files_read_all(options->annotations, ".json", read_file, out, e);
}

const struct importer importer_gebd = {
    .name = "gebd",
    .what = "Kinetics-GEBD: JSON file or folder, prepared or raw (--annotations)",
    .needs_annotations = true,
    .finds_files = true,
    .read = read_gebd,
};
