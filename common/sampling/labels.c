/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/labels.h"

#include <math.h>

#include "common/base/buf.h"
#include "common/sampling/agreement.h"

const char *const labels_names[] = {"class", "events", "boundaries", "actions", "none", NULL};

static const char *const boundary_classes[] = {"no boundary", "boundary"};

size_t labels_n_classes(enum labels kind, const struct index *index)
{
    if (kind == LABELS_BOUNDARIES)
        return sizeof boundary_classes / sizeof *boundary_classes;
    if (index && kind == LABELS_ACTIONS)
        return json_len(index_actions(index));
    return index && kind != LABELS_NONE ? index_n_classes(index, kind == LABELS_EVENTS) : 0;
}

const char *labels_class(enum labels kind, const struct index *index, size_t target)
{
    if (kind == LABELS_ACTIONS)
        return json_str(json_member(json_at(index_actions(index), target), "name"));
    return kind == LABELS_BOUNDARIES ? boundary_classes[target]
                                     : index_class(index, kind == LABELS_EVENTS, target);
}

static int read_boundaries(struct labeller *l, const struct json *extra, struct err *e)
{
    struct json *raters;
    int rc = json_get_array(extra, "boundaries", &raters, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return rc;
    if (json_len(raters) == 0)
        return 0;
    struct json *consistency = NULL;
    rc = json_get_array(extra, "consistency", &consistency, e);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    const struct json *times =
        json_at(raters, consistency ? agreement_best(consistency, json_len(raters)) : 0);
    if (json_kind(times) != JSON_ARRAY)
        return err_set(e, "boundaries: want one array of seconds a rater");
    size_t n = json_len(times);
    double *grown = mem_grow(l->boundary, n ? n : 1, sizeof(*grown), e);
    if (!grown)
        return ERR_FAIL;
    l->boundary = grown;
    for (size_t i = 0; i < n; i++)
        l->boundary[i] = json_f64(json_at(times, i));
    l->n_boundaries = n;
    l->annotated = true;
    return 0;
}

int labeller_video(struct labeller *l, const struct selected *v, struct err *e)
{
    l->video = v;
    l->n_boundaries = 0;
    l->annotated = false;
    if (l->kind != LABELS_BOUNDARIES || !v->record || !v->record->extra)
        return 0;
    int rc = read_boundaries(l, v->record->extra, e);
    return rc < 0 ? err_add(e, "%s", v->id) : 0;
}

static int32_t event_target(const struct labeller *l, double centre, int64_t event)
{
    const struct video *record = l->video->record;
    double t = frames_seconds(l->video->info, centre);
    if (!record)
        return -1;
    for (size_t i = 0; i < record->n_events && event < 0; i++) {
        if (record->events[i].start <= t && t < record->events[i].end)
            event = (int64_t)i;
    }
    if (event < 0 || !record->events[event].label)
        return -1;
    return index_class_number(l->index, true, record->events[event].label);
}

static int32_t boundary_target(const struct labeller *l, double centre)
{
    double t = frames_seconds(l->video->info, centre);
    for (size_t i = 0; i < l->n_boundaries; i++) {
        if (fabs(t - l->boundary[i]) < l->tolerance)
            return 1;
    }
    return l->annotated ? 0 : -1;
}

int32_t labeller_target(const struct labeller *l, double centre, int64_t event)
{
    switch (l->kind) {
    case LABELS_CLASS:
        return l->video->class_number;
    case LABELS_EVENTS:
        return event_target(l, centre, event);
    case LABELS_BOUNDARIES:
        return boundary_target(l, centre);
    default:
        return -1;
    }
}

void labeller_release(struct labeller *l)
{
    free(l->boundary);
    *l = (struct labeller){0};
}
