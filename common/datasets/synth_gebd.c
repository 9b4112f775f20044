/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/datasets/synth_files.h"

/*
 * The data set "gebd": videos/<class>/<id>_<start>_<end>.mp4 and
 * annotations/k400_mr345_{train,val}_min_change_duration0.3.json, of the same shape as the pickles
 * of that name. Three to five raters mark where one event ends and the next begins: the first
 * exactly, the others more or less, and they miss some. A scene is the class.
 */

enum { MIN_RATERS = 3, MAX_RATERS = 5 };

struct rater {
    double time[SYNTH_MAX_EVENTS];
    int n;
};

static int put_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                    struct err *e)
{
    struct synth_clip c;
    synth_clip(o, p, &c);
    return buf_printf(out, e, "grating_%03ld/%s_%06d_%06d", synth_scene_degrees(o, p->scene), c.id,
                      c.start, c.end);
}

static int gebd_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                     struct err *e)
{
    if (buf_printf(out, e, "videos/") < 0 || put_path(o, p, out, e) < 0)
        return ERR_FAIL;
    return buf_printf(out, e, ".mp4");
}

/* A rater's marks stay in order and within the video. */
static void draw_rater(const struct synth_options *o, const struct synth_plan *p, struct rng *r,
                       struct rater *rater)
{
    const double end = synth_seconds(o, o->n_frames), spread = 0.01 * end;
    rater->n = 0;
    for (int i = 1; i < p->n_events; i++) {
        double moved = synth_seconds(o, p->event[i].start) + spread * rng_normal(r);
        double before = rater->n ? rater->time[rater->n - 1] : 0;
        if (!rng_chance(r, 0.1) && moved > before && moved < end)
            rater->time[rater->n++] = moved;
    }
}

static int draw_raters(const struct synth_options *o, const struct synth_plan *p,
                       struct rater rater[MAX_RATERS])
{
    struct rng r;
    synth_rng(o, p, SYNTH_USE_LABELS, &r);
    int n = MIN_RATERS + (int)rng_below(&r, MAX_RATERS - MIN_RATERS + 1);
    rater[0].n = 0;
    for (int i = 1; i < p->n_events; i++)
        rater[0].time[rater[0].n++] = synth_seconds(o, p->event[i].start);
    for (int i = 1; i < n; i++)
        draw_rater(o, p, &r, &rater[i]);
    return n;
}

/* F1 of two raters: marks that follow one another within the tolerance are the same. */
static double agreement(const struct rater *a, const struct rater *b, double tolerance)
{
    int i = 0, k = 0, n = 0;
    while (i < a->n && k < b->n) {
        double apart = a->time[i] - b->time[k];
        n += fabs(apart) <= tolerance;
        i += apart <= tolerance;
        k += apart >= -tolerance;
    }
    return a->n + b->n ? 2.0 * n / (a->n + b->n) : 1;
}

/* Mean agreement of a rater with the others, at 5 % of the video's duration. */
static double consistency(const struct synth_options *o, const struct rater *rater, int n, int of)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (i != of)
            sum += agreement(&rater[of], &rater[i], 0.05 * synth_seconds(o, o->n_frames));
    return sum / (n - 1);
}

static void add_raters(const struct synth_options *o, const struct synth_plan *p, struct json *j)
{
    struct rater rater[MAX_RATERS];
    struct json *each = json_new_array(), *frames = json_new_array(), *times = json_new_array();
    double fps = (double)o->fps_num / (double)o->fps_den, sum = 0;
    int n = draw_raters(o, p, rater);
    for (int i = 0; i < n; i++) {
        struct json *f = json_new_array(), *t = json_new_array();
        double value = consistency(o, rater, n, i);
        for (int k = 0; k < rater[i].n; k++) {
            json_append(t, json_new_f64(rater[i].time[k]));
            json_append(f, json_new_f64(fmin(o->n_frames - 1, floor(rater[i].time[k] * fps))));
        }
        json_append(each, json_new_f64(value));
        json_append(frames, f);
        json_append(times, t);
        sum += value;
    }
    json_add(j, "f1_consis", each);
    json_add(j, "f1_consis_avg", json_new_f64(sum / n));
    json_add(j, "substages_myframeidx", frames);
    json_add(j, "substages_timestamps", times);
}

static int put_entry(void *user, const struct synth_plan *p, struct err *e)
{
    struct synth_listing *l = user;
    struct buf path = {0};
    struct synth_clip c;
    synth_clip(l->o, p, &c);
    if (put_path(l->o, p, &path, e) < 0) {
        buf_release(&path);
        return ERR_FAIL;
    }
    struct json *j = json_new_object(), *folder = json_new_str((char *)path.data);
    int rc = buf_printf(&path, e, ".mp4");
    json_add(j, "num_frames", json_new_i64(l->o->n_frames));
    json_add(j, "path_video", json_new_str((char *)path.data));
    json_add(j, "fps", json_new_f64((double)l->o->fps_num / (double)l->o->fps_den));
    json_add(j, "video_duration", json_new_f64(synth_seconds(l->o, l->o->n_frames)));
    json_add(j, "path_frame", folder);
    add_raters(l->o, p, j);
    buf_release(&path);
    return json_add(l->entries, c.id, j) < 0 || rc < 0 ? err_set(e, "out of memory") : 0;
}

static int gebd_annotate(const struct synth_options *o, struct err *e)
{
    int rc = 0;
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++) {
        struct synth_listing l = {o, json_new_object()};
        char name[80];
        snprintf(name, sizeof name, "annotations/k400_mr345_%s_min_change_duration0.3.json",
                 synth_split_name((enum synth_split)s));
        rc = synth_put_list(&l, (enum synth_split)s, name, put_entry, e);
    }
    return rc;
}

const struct synth_kind synth_gebd = {
    .name = "gebd",
    .what = "Kinetics-GEBD: boundaries of events, three to five raters",
    .defaults = {SYNTH_WORLD, .n_frames = 160, .jitter = 0.125, .codec = ENCODE_H264},
    .path = gebd_path,
    .annotate = gebd_annotate,
};
