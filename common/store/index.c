/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/index.h"

#include <inttypes.h>
#include <limits.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/fields.h"

struct class_name {
    const char *text; /* borrowed from the videos or the settings */
    int number;
};

struct class_list {
    struct class_name *by_number, *by_name; /* [n]; the second in byte order */
    size_t n;
};

struct index {
    struct store *store;
    struct video *videos;
    size_t n_videos;
    struct class_list classes, labels; /* of videos, of events */
};

/* -- one video -- */

void event_release(struct event *event)
{
    for (size_t i = 0; i < event->n_labels; i++)
        free(event->labels[i]);
    free(event->labels);
    free(event->label);
    *event = (struct event){0};
}

void video_release(struct video *v)
{
    free(v->id);
    free(v->path);
    free(v->split);
    free(v->class_name);
    free(v->codec);
    free(v->reason);
    for (size_t i = 0; i < v->n_events; i++)
        event_release(&v->events[i]);
    free(v->events);
    json_free(v->extra);
    *v = (struct video){0};
}

static int add_text(struct json *j, const char *name, const char *text)
{
    return text ? json_add(j, name, json_new_str(text)) : 0;
}

static int add_fps(struct json *j, const struct video *v)
{
    char text[48];
    if (v->fps_num <= 0 || v->fps_den <= 0)
        return 0;
    snprintf(text, sizeof text, "%" PRId64 "/%" PRId64, v->fps_num, v->fps_den);
    return add_text(j, "fps", text);
}

static int add_labels(struct json *j, const struct event *event)
{
    if (!event->n_labels)
        return 0;
    struct json *list = json_new_array();
    for (size_t i = 0; list && i < event->n_labels; i++)
        if (json_append(list, json_new_str(event->labels[i])) < 0) {
            json_free(list);
            return ERR_FAIL;
        }
    return json_add(j, "labels", list);
}

static struct json *event_to_json(const struct event *event)
{
    struct json *j = json_new_object();
    if (j && json_add(j, "start", json_new_f64(event->start)) == 0 &&
        json_add(j, "end", json_new_f64(event->end)) == 0 &&
        add_text(j, "label", event->label) == 0 && add_labels(j, event) == 0)
        return j;
    json_free(j);
    return NULL;
}

static int add_events(struct json *j, const struct video *v)
{
    if (!v->n_events)
        return 0;
    struct json *list = json_new_array();
    for (size_t i = 0; list && i < v->n_events; i++)
        if (json_append(list, event_to_json(&v->events[i])) < 0) {
            json_free(list);
            return ERR_FAIL;
        }
    return json_add(j, "events", list);
}

struct json *video_to_json(const struct video *v)
{
    struct json *j = json_new_object();
    if (j && add_text(j, "path", v->path) == 0 && add_text(j, "split", v->split) == 0 &&
        add_text(j, "class", v->class_name) == 0 &&
        json_add(j, "width", json_new_i64(v->width)) == 0 &&
        json_add(j, "height", json_new_i64(v->height)) == 0 &&
        json_add(j, "rotation", json_new_i64(v->rotation)) == 0 && add_fps(j, v) == 0 &&
        json_add(j, "n_frames", json_new_i64(v->n_frames)) == 0 &&
        json_add(j, "duration", json_new_f64(v->duration)) == 0 &&
        add_text(j, "codec", v->codec) == 0 &&
        json_add(j, "variable_rate", json_new_bool(v->variable_rate)) == 0 &&
        json_add(j, "verified", json_new_bool(v->verified)) == 0 &&
        add_text(j, "status", v->ok ? "ok" : "bad") == 0 && add_text(j, "reason", v->reason) == 0 &&
        add_events(j, v) == 0 && (!v->extra || json_add(j, "extra", json_ref(v->extra)) == 0))
        return j;
    json_free(j);
    return NULL;
}

static int read_labels(struct event *event, const struct json *j, struct err *e)
{
    struct json *list;
    if (!fields_has(j, "labels"))
        return 0;
    if (json_get_array(j, "labels", &list, e) < 0)
        return ERR_FAIL;
    size_t n = json_len(list);
    if (n == 0)
        return err_set(e, "member 'labels' is empty");
    if (!(event->labels = mem_new(n, sizeof *event->labels, e)))
        return ERR_FAIL;
    while (event->n_labels < n) {
        const char *text = json_str(json_at(list, event->n_labels));
        if (!text)
            return err_set(e, "labels: %zu: expected a string", event->n_labels);
        if (!(event->labels[event->n_labels] = mem_strdup(text, e)))
            return ERR_FAIL;
        event->n_labels++;
    }
    return 0;
}

static int event_from_json(struct event *event, const struct json *j, struct err *e)
{
    static const char *const known[] = {"start", "end", "label", "labels", NULL};
    if (fields_check(j, known, e) < 0 || fields_f64(j, "start", 0, &event->start, e) < 0 ||
        fields_f64(j, "end", 0, &event->end, e) < 0 ||
        fields_text(j, "label", &event->label, e) < 0 || read_labels(event, j, e) < 0)
        return ERR_FAIL;
    if (event->end < event->start)
        return err_set(e, "ends at %g before it starts at %g", event->end, event->start);
    return 0;
}

static int read_events(struct video *v, const struct json *j, struct err *e)
{
    struct json *list;
    if (!fields_has(j, "events"))
        return 0;
    if (json_get_array(j, "events", &list, e) < 0 ||
        !(v->events = mem_new(json_len(list), sizeof *v->events, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < json_len(list); i++) {
        v->n_events = i + 1;
        if (event_from_json(&v->events[i], json_at(list, i), e) < 0)
            return err_add(e, "events: %zu", i);
    }
    return 0;
}

static int read_extra(struct video *v, const struct json *j, struct err *e)
{
    struct json *extra;
    if (!fields_has(j, "extra"))
        return 0;
    int rc = json_get_object(j, "extra", &extra, e);
    if (rc == 0 && (rc = index_check_extra(extra, e)) < 0)
        return err_add(e, "extra");
    if (rc == 0)
        v->extra = json_ref(extra);
    return rc;
}

/* What the file itself says, as far as it could be opened. */
static int read_stream(struct video *v, const struct json *j, struct err *e)
{
    int min_side = v->ok ? 1 : 0;
    if (fields_int(j, "width", min_side, &v->width, e) < 0 ||
        fields_int(j, "height", min_side, &v->height, e) < 0 ||
        fields_int(j, "rotation", 0, &v->rotation, e) < 0 ||
        fields_i64(j, "n_frames", 0, &v->n_frames, e) < 0 ||
        fields_f64(j, "duration", 0, &v->duration, e) < 0 ||
        fields_text(j, "codec", &v->codec, e) < 0 ||
        json_get_bool(j, "variable_rate", &v->variable_rate, e) < 0 ||
        json_get_bool(j, "verified", &v->verified, e) < 0)
        return ERR_FAIL;
    if (v->rotation % 90 || v->rotation >= 360)
        return err_set(e, "member 'rotation': %d, not 0, 90, 180 or 270", v->rotation);
    if (v->ok || fields_has(j, "fps"))
        return fields_fraction(j, "fps", &v->fps_num, &v->fps_den, e);
    return 0;
}

int video_from_json(struct video *v, const struct json *j, struct err *e)
{
    static const char *const known[] = {
        "path",     "split",    "class", "width",         "height",   "rotation", "fps",
        "n_frames", "duration", "codec", "variable_rate", "verified", "status",   "reason",
        "events",   "extra",    NULL};
    static const char *const statuses[] = {"bad", "ok", NULL};
    int status = 0;
    if (fields_check(j, known, e) < 0 || fields_choice(j, "status", statuses, &status, e) < 0)
        return ERR_FAIL;
    v->ok = status;
    if (fields_text(j, "path", &v->path, e) < 0 || fields_text(j, "split", &v->split, e) < 0 ||
        fields_text(j, "class", &v->class_name, e) < 0 ||
        fields_text(j, "reason", &v->reason, e) < 0)
        return ERR_FAIL;
    if (!v->path || !*v->path)
        return err_set(e, "member 'path' is missing or empty");
    if (!v->ok && !v->reason)
        return err_set(e, "member 'reason' is missing beside status bad");
    if (read_stream(v, j, e) < 0 || read_events(v, j, e) < 0)
        return ERR_FAIL;
    return read_extra(v, j, e);
}

/* -- ids -- */

/* Bytes of the UTF-8 character at `p`, or 0 where there is none (also surrogates and overlong
 * forms). */
static size_t utf8_len(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

int index_check_id(const char *id, struct err *e)
{
    enum { FRAME_DIGITS = 8 };
    size_t len = strlen(id);
    if (len == 0 || len > INDEX_MAX_ID)
        return err_set(e, "video id of %zu bytes, not 1..%d", len, INDEX_MAX_ID);
    if (id[0] == '!')
        return err_set(e, "video id '%s' starts with '!'", id);
    for (const unsigned char *p = (const unsigned char *)id; *p;) {
        size_t n = utf8_len(p);
        if (n == 0)
            return err_set(e, "video id '%s' is not UTF-8", id);
        if (*p < 0x20 || *p == 0x7f)
            return err_set(e, "video id '%s' holds a control character", id);
        p += n;
    }
    const char *part = path_base(id);
    if (strlen(part) == FRAME_DIGITS && strspn(part, "0123456789") == FRAME_DIGITS)
        return err_set(e, "video id '%s' ends in a part of 8 digits, as the name of a frame does",
                       id);
    return 0;
}

/* -- a whole index -- */

static int read_video(struct index *x, const char *key, const struct blob *value, struct err *e)
{
    struct video *v = &x->videos[x->n_videos];
    struct json *j = json_parse(value->data, value->len, e);
    if (!j)
        return ERR_FAIL;
    x->n_videos++;
    int rc = video_from_json(v, j, e);
    json_free(j);
    if (rc == 0)
        rc = index_check_id(key, e);
    if (rc == 0 && !(v->id = mem_strdup(key, e)))
        rc = ERR_FAIL;
    return rc;
}

static int read_videos(struct index *x, struct err *e)
{
    const char *key;
    struct blob value;
    x->videos = mem_new(store_n_records(x->store), sizeof *x->videos, e);
    if (!x->videos)
        return ERR_FAIL;
    int rc;
    while ((rc = store_next(x->store, &key, &value, e)) == 1)
        if (read_video(x, key, &value, e) < 0)
            return err_add(e, "%s: %s", store_path(x->store), key);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct class_name *)a)->text, ((const struct class_name *)b)->text);
}

/* The names that the settings list, in that order. */
static int list_classes(struct class_list *list, struct json *names, struct err *e)
{
    if (json_kind(names) != JSON_ARRAY || json_len(names) > INT_MAX)
        return err_set(e, "not a list");
    for (; list->n < json_len(names); list->n++) {
        const char *text = json_str(json_at(names, list->n));
        if (!text)
            return err_set(e, "%zu: expected a string", list->n);
        list->by_number[list->n] = (struct class_name){text, (int)list->n};
    }
    memcpy(list->by_name, list->by_number, list->n * sizeof *list->by_name);
    qsort(list->by_name, list->n, sizeof *list->by_name, by_text);
    for (size_t i = 1; i < list->n; i++)
        if (by_text(&list->by_name[i - 1], &list->by_name[i]) == 0)
            return err_set(e, "'%s' is listed twice", list->by_name[i].text);
    return 0;
}

/* The i-th name of a video, NULL where it has none there. */
static const char *name_of(const struct video *v, bool of_events, size_t i)
{
    return of_events ? v->events[i].label : v->class_name;
}

static size_t n_names_of(const struct video *v, bool of_events)
{
    return of_events ? v->n_events : 1;
}

/* The names that occur, each once, in byte order. */
static void collect_classes(struct class_list *list, const struct index *x, bool of_events)
{
    struct class_name *all = list->by_name;
    size_t n = 0;
    for (size_t i = 0; i < x->n_videos; i++)
        for (size_t k = 0; k < n_names_of(&x->videos[i], of_events); k++)
            if ((all[n].text = name_of(&x->videos[i], of_events, k)))
                n++;
    qsort(all, n, sizeof *all, by_text);
    for (size_t i = 0; i < n; i++)
        if (list->n == 0 || by_text(&all[list->n - 1], &all[i]) != 0) {
            all[list->n] = (struct class_name){all[i].text, (int)list->n};
            list->n++;
        }
    memcpy(list->by_number, list->by_name, list->n * sizeof *list->by_name);
}

static int number_of(const struct class_list *list, const char *name)
{
    const struct class_name wanted = {.text = name};
    const struct class_name *found =
        bsearch(&wanted, list->by_name, list->n, sizeof *list->by_name, by_text);
    return found ? found->number : -1;
}

/* Every name that a video has is in the list. */
static int check_classes(const struct class_list *list, const struct index *x, bool of_events,
                         struct err *e)
{
    for (size_t i = 0; i < x->n_videos; i++)
        for (size_t k = 0; k < n_names_of(&x->videos[i], of_events); k++) {
            const char *name = name_of(&x->videos[i], of_events, k);
            if (name && number_of(list, name) < 0)
                return err_set(e, "'%s', which %s has, is not listed", name, x->videos[i].id);
        }
    return 0;
}

static int make_classes(struct class_list *list, const struct index *x, bool of_events,
                        struct err *e)
{
    const char *member = of_events ? "labels" : "classes";
    struct json *names = json_member(store_meta(x->store)->settings, member);
    size_t cap = names ? json_len(names) : 0;
    for (size_t i = 0; !names && i < x->n_videos; i++)
        cap += n_names_of(&x->videos[i], of_events);
    list->by_number = mem_new(cap + 1, sizeof *list->by_number, e);
    list->by_name = mem_new(cap + 1, sizeof *list->by_name, e);
    if (!list->by_number || !list->by_name)
        return ERR_FAIL;
    if (!names) {
        collect_classes(list, x, of_events);
        return 0;
    }
    if (list_classes(list, names, e) < 0 || check_classes(list, x, of_events, e) < 0)
        return err_add(e, "%s: !meta: settings: %s", store_path(x->store), member);
    return 0;
}

static void class_list_release(struct class_list *list)
{
    free(list->by_number);
    free(list->by_name);
}

int index_open(struct index **out, const char *path, struct err *e)
{
    struct index *x = mem_new(1, sizeof *x, e);
    if (!x)
        return ERR_FAIL;
    int rc = store_open(&x->store, path, INDEX_SCHEMA, INDEX_VERSION, e);
    if (rc == 0)
        rc = read_videos(x, e);
    if (rc == 0)
        rc = make_classes(&x->classes, x, false, e);
    if (rc == 0)
        rc = make_classes(&x->labels, x, true, e);
    if (rc < 0) {
        index_close(x);
        return rc;
    }
    *out = x;
    return 0;
}

void index_close(struct index *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->n_videos; i++)
        video_release(&x->videos[i]);
    free(x->videos);
    class_list_release(&x->classes);
    class_list_release(&x->labels);
    store_close(x->store);
    free(x);
}

size_t index_n_videos(const struct index *x)
{
    return x->n_videos;
}

const struct video *index_video(const struct index *x, size_t i)
{
    return &x->videos[i];
}

static int compare_id(const void *id, const void *video)
{
    return strcmp(id, ((const struct video *)video)->id);
}

const struct video *index_find(const struct index *x, const char *id)
{
    return bsearch(id, x->videos, x->n_videos, sizeof *x->videos, compare_id);
}

static const struct class_list *list_of(const struct index *x, bool of_events)
{
    return of_events ? &x->labels : &x->classes;
}

size_t index_n_classes(const struct index *x, bool of_events)
{
    return list_of(x, of_events)->n;
}

const char *index_class(const struct index *x, bool of_events, size_t i)
{
    return list_of(x, of_events)->by_number[i].text;
}

int index_class_number(const struct index *x, bool of_events, const char *name)
{
    return number_of(list_of(x, of_events), name);
}

struct json *index_actions(const struct index *x)
{
    return json_member(store_meta(x->store)->settings, "actions");
}

const struct store *index_store(const struct index *x)
{
    return x->store;
}

char *index_root(const struct index *x)
{
    const char *root = json_str(json_member(store_meta(x->store)->settings, "root"));
    char *folder = file_target_folder(store_path(x->store), NULL);
    char *path = folder ? path_join(folder, root ? root : ".") : NULL;
    free(folder);
    return path;
}
