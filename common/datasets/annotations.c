/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TeG's own annotation file: JSON Lines, one object a video:
 *   {"path": "a/b.mp4", "id": "b", "split": "train", "class": "jump", "events": [{"start": 0,
 * "end": 2, "label": "run"}], "extra": {...}} Only the path is needed. `extra` is an object that
 * goes into the index as it is.
 */
#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/datasets/importer.h"
#include "common/store/fields.h"

/* A text member, allocated; NULL where it is absent or null. */
static int take_text(const struct json *j, const char *name, char **out, struct err *e)
{
    const char *text;
    const struct json *member = json_member(j, name);
    if (!member || json_kind(member) == JSON_NULL)
        return 0;
    if (json_get_str(j, name, &text, e) < 0)
        return ERR_FAIL;
    if (!*text)
        return err_set(e, "%s: empty", name);
    *out = mem_strdup(text, e);
    return *out ? 0 : ERR_FAIL;
}

static int take_event(const struct json *j, struct event *event, struct err *e)
{
    static const char *const known[] = {"start", "end", "label", NULL};
    if (!j)
        return err_set(e, "not an object");
    if (fields_check(j, known, e) < 0 || json_get_f64(j, "start", &event->start, e) < 0 ||
        json_get_f64(j, "end", &event->end, e) < 0)
        return ERR_FAIL;
    if (!isfinite(event->start) || !isfinite(event->end) || event->start < 0 ||
        event->end < event->start)
        return err_set(e, "%g..%g is no interval", event->start, event->end);
    return take_text(j, "label", &event->label, e);
}

static int take_events(const struct json *j, struct video *v, struct err *e)
{
    struct json *events;
    int rc = json_get_array(j, "events", &events, e);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    size_t n = json_len(events);
    v->events = mem_new(n + 1, sizeof *v->events, e);
    if (!v->events)
        return ERR_FAIL;
    for (v->n_events = 0; v->n_events < n; v->n_events++)
        if (take_event(json_at(events, v->n_events), &v->events[v->n_events], e) < 0) {
            rc = err_add(e, "event %zu", v->n_events + 1);
            v->n_events++; /* its label may be there already */
            return rc;
        }
    return 0;
}

static int take_extra(const struct json *j, struct video *v, struct err *e)
{
    struct json *extra;
    int rc = json_get_object(j, "extra", &extra, e);
    if (rc == 0 && index_check_extra(extra, e) < 0)
        return err_add(e, "extra");
    if (rc == 0)
        v->extra = json_ref(extra);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int take_split(struct video *v, struct err *e)
{
    const char *name = v->split ? video_split_name(v->split) : NULL;
    if (!v->split)
        return 0;
    if (!name)
        return err_set(e, "split %s is none of train, val, test", v->split);
    free(v->split);
    v->split = mem_strdup(name, e);
    return v->split ? 0 : ERR_FAIL;
}

static int take_video(const struct json *j, struct video *v, struct err *e)
{
    static const char *const known[] = {"path", "id", "split", "class", "events", "extra", NULL};
    if (fields_check(j, known, e) < 0 || take_text(j, "path", &v->path, e) < 0 ||
        take_text(j, "id", &v->id, e) < 0 || take_text(j, "split", &v->split, e) < 0 ||
        take_text(j, "class", &v->class_name, e) < 0 || take_split(v, e) < 0 ||
        take_events(j, v, e) < 0 || take_extra(j, v, e) < 0)
        return ERR_FAIL;
    if (!v->path)
        return err_set(e, "no path");
    if (v->id && index_check_id(v->id, e) < 0)
        return err_add(e, "id");
    return video_path_clean(v->path, e);
}

static int take_line(const char *text, size_t len, size_t line, struct video_list *out,
                     struct err *e)
{
    struct video v = {0};
    struct json *j = json_parse(text, len, e);
    int rc = j ? take_video(j, &v, e) : ERR_FAIL;
    if (rc == 0)
        rc = video_list_once(out, v.path, line, e);
    if (rc == 0)
        rc = video_list_add(out, &v, e);
    video_release(&v);
    json_free(j);
    return rc;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r", text[i]) || !text[i])
            return false;
    return true;
}

int annotations_read_text(const char *text, size_t len, struct video_list *out, struct err *e)
{
    const char *end = text + len;
    for (size_t line = 1; text < end; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        size_t n = (size_t)(stop - text);
        if (!is_blank(text, n) && take_line(text, n, line, out, e) < 0)
            return err_add(e, "line %zu", line);
        text = newline ? newline + 1 : end;
    }
    return 0;
}

static int read_annotations(const struct import_options *options, struct video_list *out,
                            struct err *e)
{
    struct buf text = {0};
    int rc = file_read(options->annotations, &text, e);
    if (rc == 0 && annotations_read_text((const char *)text.data, text.len, out, e) < 0)
        rc = err_add(e, "%s", options->annotations);
    buf_release(&text);
    return rc;
}

const struct importer importer_annotations = {
    .name = "annotations",
    .what = "JSON Lines, one video each, with events (--annotations)",
    .needs_annotations = true,
    .read = read_annotations,
};
