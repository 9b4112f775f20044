/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/index_summary.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

int index_summary_init(struct index_summary *s, struct err *e)
{
    *s = (struct index_summary){.splits = json_new_object(), .classes = json_new_object()};
    if (s->splits && s->classes)
        return 0;
    index_summary_release(s);
    return err_set(e, "out of memory");
}

void index_summary_release(struct index_summary *s)
{
    json_free(s->splits);
    json_free(s->classes);
    *s = (struct index_summary){0};
}

static int add_count(struct json *row, const char *name, bool one)
{
    int64_t n = json_i64(json_member(row, name)) + one;
    return json_add(row, name, json_new_i64(n));
}

static int add_to(struct json *table, const char *name, const struct index_counts *c)
{
    struct json *row = json_member(table, name);
    if (!row) {
        row = json_new_object();
        if (json_add(table, name, row) < 0)
            return ERR_FAIL;
    }
    if (add_count(row, "found", c->found) < 0 || add_count(row, "missing", c->missing) < 0)
        return ERR_FAIL;
    return add_count(row, "bad", c->bad);
}

/* Annotators round: an event may end a little behind the last frame. */
static const double end_slack = 0.5; /* seconds */

static int64_t count_outside(const struct video *v, const struct json *raters,
                             const struct json *key_frames)
{
    int64_t n = 0;
    if (!v->ok || !(v->duration > 0))
        return 0;
    for (size_t i = 0; i < v->n_events; i++)
        n += v->events[i].start >= v->duration || v->events[i].end > v->duration + end_slack;
    for (size_t i = 0; raters && i < json_len(raters); i++)
        for (size_t k = 0; k < json_len(json_at(raters, i)); k++)
            n += json_f64(json_at(json_at(raters, i), k)) > v->duration;
    for (size_t i = 0; key_frames && i < json_len(key_frames); i++)
        n += json_f64(json_member(json_at(key_frames, i), "time")) > v->duration + end_slack;
    return n;
}

static void count_annotations(struct index_summary *s, const struct video *v)
{
    const struct json *raters = v->extra ? json_member(v->extra, "boundaries") : NULL;
    const struct json *key_frames = v->extra ? json_member(v->extra, "key_frames") : NULL;
    const struct json *start = v->extra ? json_member(v->extra, "video_start") : NULL;
    s->n_outside += count_outside(v, raters, key_frames);
    s->n_events += (int64_t)v->n_events;
    for (size_t i = 0; raters && i < json_len(raters); i++)
        s->n_boundaries += (int64_t)json_len(json_at(raters, i));
    if (key_frames)
        s->n_key_frames += (int64_t)json_len(key_frames);
    if (v->extra && json_member(v->extra, "boxes"))
        s->n_boxes += (int64_t)json_len(json_member(v->extra, "boxes"));
    if (v->ok && start)
        *(json_f64(start) > 0 ? &s->n_cut_films : &s->n_whole_films) += 1;
}

int index_summary_add(struct index_summary *s, const struct video *v, struct err *e)
{
    bool missing = !v->ok && v->reason && strcmp(v->reason, INDEX_MISSING) == 0;
    struct index_counts one = {
        .found = v->ok, .missing = missing, .bad = !v->ok && !missing, .noted = v->ok && v->reason};
    count_annotations(s, v);
    s->all.found += one.found;
    s->all.missing += one.missing;
    s->all.bad += one.bad;
    s->all.noted += one.noted;
    if (add_to(s->splits, v->split ? v->split : "none", &one) < 0)
        return err_set(e, "out of memory");
    if (v->class_name && add_to(s->classes, v->class_name, &one) < 0)
        return err_set(e, "out of memory");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_members(struct json **object, struct err *e)
{
    const char **names = mem_new(json_len(*object), sizeof *names, e);
    struct json *sorted = names ? json_new_object() : NULL, *value;
    struct json_walk w = {0};
    size_t n = 0;
    int rc = sorted ? 0 : err_set(e, "out of memory");
    while (rc == 0 && json_next(*object, &w, &names[n], &value))
        n++;
    if (n)
        qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (json_add(sorted, names[i], json_ref(json_member(*object, names[i]))) < 0)
            rc = err_set(e, "out of memory");
    free(names);
    if (rc < 0) {
        json_free(sorted);
        return rc;
    }
    json_free(*object);
    *object = sorted;
    return 0;
}

int index_summary_sort(struct index_summary *s, struct err *e)
{
    return sort_members(&s->splits, e) < 0 ? ERR_FAIL : sort_members(&s->classes, e);
}

struct index_counts index_summary_row(const struct json *row)
{
    return (struct index_counts){.found = json_i64(json_member(row, "found")),
                                 .missing = json_i64(json_member(row, "missing")),
                                 .bad = json_i64(json_member(row, "bad"))};
}
