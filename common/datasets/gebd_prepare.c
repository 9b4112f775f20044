/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/gebd_prepare.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

static const double min_change = 0.3; /* seconds */

/* A list as Python has it: things are removed by value, which takes the first that is equal. */
struct list {
    double *at;
    size_t n;
};

static void remove_value(struct list *l, double value)
{
    size_t i = 0;
    while (i < l->n && l->at[i] != value)
        i++;
    if (i == l->n)
        return;
    memmove(l->at + i, l->at + i + 1, (l->n - i - 1) * sizeof *l->at);
    l->n--;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(struct list *l)
{
    qsort(l->at, l->n, sizeof *l->at, ascending);
}

/* What one rater marked, by kind. */
struct changes {
    struct list event, shot; /* moments */
    struct list start, end;  /* gradual changes of the shot */
    struct list all;         /* the result */
    double *memory;          /* behind all five */
};

/* -- the steps of the notebook -- */

/* Ranges that overlap become one, in the order of the annotation. */
static void merge_ranges(struct changes *c)
{
    double *start = c->start.at, *end = c->end.at;
    for (size_t i = 0; i + 1 < c->start.n; i++)
        while (end[i] >= start[i + 1]) {
            remove_value(&c->start, start[i + 1]);
            remove_value(&c->end, end[i] <= end[i + 1] ? end[i] : end[i + 1]);
            if (i + 1 == c->start.n)
                break;
        }
}

static bool in_range(const struct changes *c, double at)
{
    for (size_t i = 0; i < c->start.n; i++)
        if (at <= c->end.at[i] + min_change && at >= c->start.at[i] - min_change)
            return true;
    return false;
}

/* Moments within a range go. The walk goes on over the shortened list: who follows a removed one is
 * not looked at. */
static void remove_in_ranges(const struct changes *c, struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (in_range(c, l->at[i]))
            remove_value(l, l->at[i]);
}

/* Of two moments that are close the later one goes. */
static void remove_close(struct list *l)
{
    for (size_t i = 0; i + 1 < l->n;) {
        if (l->at[i + 1] - l->at[i] <= 2 * min_change)
            remove_value(l, l->at[i + 1]);
        else
            i++;
    }
}

/* Events close to a change of the shot go; the last such change is not asked. */
static void remove_near_shots(struct changes *c)
{
    struct list *event = &c->event;
    for (size_t i = 0; i + 1 < c->shot.n; i++)
        for (size_t k = 0; k < event->n;) {
            if (fabs(c->shot.at[i] - event->at[k]) <= 2 * min_change)
                remove_value(event, event->at[k]);
            else
                k++;
        }
}

static void consolidate(struct changes *c)
{
    merge_ranges(c);
    remove_in_ranges(c, &c->event);
    remove_in_ranges(c, &c->shot);
    sort(&c->event);
    sort(&c->shot);
    remove_close(&c->event);
    remove_close(&c->shot);
    remove_near_shots(c);
    for (size_t i = 0; i < c->event.n; i++)
        c->all.at[c->all.n++] = c->event.at[i];
    for (size_t i = 0; i < c->shot.n; i++)
        c->all.at[c->all.n++] = c->shot.at[i];
    for (size_t i = 0; i < c->start.n; i++)
        c->all.at[c->all.n++] = (c->start.at[i] + c->end.at[i]) / 2;
    sort(&c->all);
}

/* -- reading -- */

static int new_changes(struct changes *c, size_t n, struct err *e)
{
    struct list *lists[] = {&c->event, &c->shot, &c->start, &c->end, &c->all};
    enum { N_LISTS = sizeof lists / sizeof *lists };
    *c = (struct changes){0};
    if (!(c->memory = mem_new(n ? n : 1, N_LISTS * sizeof *c->memory, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < N_LISTS; i++)
        lists[i]->at = c->memory + i * n;
    return 0;
}

static int read_time(const struct json *change, const char *name, double *out, struct err *e)
{
    if (json_get_f64(change, name, out, e) < 0)
        return ERR_FAIL;
    return isfinite(*out) ? 0 : err_set(e, "member '%s' is not finite", name);
}

/* The first word of a label. */
static bool is_kind(const char *label, const char *kind)
{
    size_t len = strlen(kind);
    return strncmp(label, kind, len) == 0 && (label[len] == ' ' || !label[len]);
}

static int read_change(struct changes *c, const struct json *change, double duration, struct err *e)
{
    double start, end;
    const char *label;
    if (read_time(change, "start_time", &start, e) < 0 ||
        read_time(change, "end_time", &end, e) < 0 || json_get_str(change, "label", &label, e) < 0)
        return ERR_FAIL;
    double middle = (start + end) / 2;
    if (middle < min_change || middle > duration - min_change)
        return 0;
    if (is_kind(label, "EventChange")) {
        c->event.at[c->event.n++] = middle;
    } else if (is_kind(label, "ShotChangeGradualRange:")) {
        c->start.at[c->start.n++] = start;
        c->end.at[c->end.n++] = end;
    } else {
        c->shot.at[c->shot.n++] = middle;
    }
    return 0;
}

/* -- writing -- */

struct clock {
    double fps, duration;
    int64_t n_frames;
};

static struct json *times(const struct list *l)
{
    struct json *array = json_new_array();
    int rc = array ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < l->n; i++)
        rc = json_append(array, json_new_f64(l->at[i]));
    if (rc == 0)
        return array;
    json_free(array);
    return NULL;
}

/* Frames are real numbers, but the last frame, to which they are cut, is an integer. */
static struct json *frames(const struct list *l, const struct clock *clock)
{
    struct json *array = json_new_array();
    int rc = array ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        double frame = floor(l->at[i] * clock->fps);
        bool inside = frame < (double)(clock->n_frames - 1);
        rc = json_append(array, inside ? json_new_f64(frame) : json_new_i64(clock->n_frames - 1));
    }
    if (rc == 0)
        return array;
    json_free(array);
    return NULL;
}

struct raters {
    struct json *frames, *times, *consistency;
};

static int add_rater(struct raters *r, const struct json *changes, const struct clock *clock,
                     struct err *e)
{
    struct changes c;
    if (json_kind(changes) != JSON_ARRAY)
        return err_set(e, "expected an array of changes");
    int rc = new_changes(&c, json_len(changes), e);
    for (size_t i = 0; rc == 0 && i < json_len(changes); i++)
        if ((rc = read_change(&c, json_at(changes, i), clock->duration, e)) < 0)
            err_add(e, "change %zu", i);
    if (rc == 0) {
        consolidate(&c);
        if (json_append(r->frames, frames(&c.all, clock)) < 0 ||
            json_append(r->times, times(&c.all)) < 0)
            rc = err_set(e, "out of memory");
    }
    free(c.memory);
    return rc;
}

static int add_raters(struct raters *r, const struct json *raw, const struct clock *clock,
                      struct err *e)
{
    const struct json *list = json_member(raw, "substages_timestamps");
    struct json *consistency;
    if (json_get_array(raw, "f1_consis", &consistency, e) < 0)
        return ERR_FAIL;
    if (json_len(consistency) < json_len(list))
        return err_set(e, "member 'f1_consis': %zu numbers for %zu raters", json_len(consistency),
                       json_len(list));
    for (size_t i = 0; i < json_len(list); i++) {
        if (add_rater(r, json_at(list, i), clock, e) < 0)
            return err_add(e, "member 'substages_timestamps': rater %zu", i);
        if (json_append(r->consistency, json_ref(json_at(consistency, i))) < 0)
            return err_set(e, "out of memory");
    }
    return 0;
}

/* The path up to ".mp4". */
static struct json *path_frame(const char *path)
{
    const char *end = strstr(path, ".mp4");
    char *copy = strndup(path, end ? (size_t)(end - path) : strlen(path));
    struct json *text = copy ? json_new_str(copy) : NULL;
    free(copy);
    return text;
}

static int build(struct json *out, const struct json *raw, const struct clock *clock, struct err *e)
{
    const char *path;
    if (json_get_str(raw, "path_video", &path, e) < 0)
        return ERR_FAIL;
    struct raters r = {json_new_array(), json_new_array(), json_new_array()};
    int rc = r.frames && r.times && r.consistency ? add_raters(&r, raw, clock, e)
                                                  : err_set(e, "out of memory");
    if (rc == 0 &&
        (json_add(out, "num_frames", json_new_i64(clock->n_frames)) < 0 ||
         json_add(out, "path_video", json_new_str(path)) < 0 ||
         json_add(out, "fps", json_ref(json_member(raw, "fps"))) < 0 ||
         json_add(out, "video_duration", json_ref(json_member(raw, "video_duration"))) < 0 ||
         json_add(out, "path_frame", path_frame(path)) < 0 ||
         json_add(out, "f1_consis", json_ref(r.consistency)) < 0 ||
         json_add(out, "f1_consis_avg", json_ref(json_member(raw, "f1_consis_avg"))) < 0 ||
         json_add(out, "substages_myframeidx", json_ref(r.frames)) < 0 ||
         json_add(out, "substages_timestamps", json_ref(r.times)) < 0))
        rc = err_set(e, "out of memory");
    json_free(r.frames);
    json_free(r.times);
    json_free(r.consistency);
    return rc;
}

/* -- videos -- */

/* The notebook passes over a video that lacks one of these, or whose frames are no number. */
static bool is_complete(const struct json *raw, struct clock *clock)
{
    double n;
    if (!json_member(raw, "fps") || !json_member(raw, "video_duration") ||
        !json_member(raw, "f1_consis_avg") || json_get_f64(raw, "num_frames", &n, NULL) < 0 ||
        !(fabs(n) < 0x1p53))
        return false;
    clock->n_frames = (int64_t)n;
    return true;
}

int gebd_prepare_video(const struct json *raw, struct json **out, enum gebd_prepared *what,
                       struct err *e)
{
    struct json *raters;
    struct clock clock;
    *out = NULL;
    if (json_get_array(raw, "substages_timestamps", &raters, e) < 0)
        return ERR_FAIL;
    *what = json_len(raters) < 3       ? GEBD_FEW_RATERS
            : is_complete(raw, &clock) ? GEBD_PREPARED
                                       : GEBD_INCOMPLETE;
    if (*what != GEBD_PREPARED)
        return 0;
    if (json_get_f64(raw, "fps", &clock.fps, e) < 0 ||
        json_get_f64(raw, "video_duration", &clock.duration, e) < 0)
        return ERR_FAIL;
    if (!isfinite(clock.fps) || !isfinite(clock.duration))
        return err_set(e, "members 'fps' and 'video_duration': expected finite numbers");
    struct json *video = json_new_object();
    int rc = video ? build(video, raw, &clock, e) : err_set(e, "out of memory");
    if (rc == 0)
        *out = video;
    else
        json_free(video);
    return rc;
}

int gebd_prepare(const struct json *raw, struct json **out, size_t *counts, struct err *e)
{
    struct json_walk walk = {0};
    struct json *value, *all, *video;
    enum gebd_prepared what;
    const char *id;
    int rc = 0;
    memset(counts, 0, GEBD_PREPARED_N * sizeof *counts);
    if (json_kind(raw) != JSON_OBJECT)
        return err_set(e, "expected an object, id -> annotations of a video");
    if (!(all = json_new_object()))
        return err_set(e, "out of memory");
    while (rc == 0 && json_next(raw, &walk, &id, &value)) {
        rc = gebd_prepare_video(value, &video, &what, e);
        if (rc < 0)
            err_add(e, "video '%s'", id);
        else
            counts[what]++;
        if (rc == 0 && video && json_add(all, id, video) < 0)
            rc = err_set(e, "out of memory");
    }
    if (rc == 0)
        *out = all;
    else
        json_free(all);
    return rc;
}
