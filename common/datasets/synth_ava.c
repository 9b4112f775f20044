/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/datasets/ava_files.h"
#include "common/datasets/synth_files.h"

/*
 * The data sets "ava" and "ava-kinetics". A shape is a person, its box the pixels that it covers;
 * it does the action of its name, and is large or small. A disc is nobody: a key frame that shows
 * it has no box.
 *
 * AVA: videos/<id>.mp4, which begin at second 900 of a film, and annotations/
 * ava_{train,val}_v2.2.csv with key frames every second from 0902 on, excluded ones, label maps,
 * and what a detector finds. AVA-Kinetics: one of four videos is such a film; the others are clips
 * <id>_<start>_<end>.mp4 with one key frame each, in kinetics_{train,val}_v1.0.csv.
 */

enum { LARGE = 11, SMALL = 14, FIRST_KEY_FRAME = 2, FILM_OF = 4, EXCLUDED_OF = 5 };
static const double large_radius = 0.26;
/* By shape; not consecutive. One is not scored: the shorter label map lacks it. */
enum { UNSCORED = 16 };
static const int action_ids[SYNTH_N_SHAPES] = {0, 1, 3, 4, UNSCORED, 12, 17, 80};

static bool of_kinetics(const struct synth_options *o)
{
    return o->kind == &synth_ava_kinetics;
}

static bool is_film(const struct synth_options *o, const struct synth_plan *p)
{
    return !of_kinetics(o) || p->number % FILM_OF == 0;
}

static int ava_check(const struct synth_options *o, struct err *e)
{
    if (synth_seconds(o, o->n_frames) < FIRST_KEY_FRAME + 1)
        return err_set(e,
                       "--frames: %g s are too few: key frames begin at second %d and end a "
                       "second before the video",
                       synth_seconds(o, o->n_frames), FIRST_KEY_FRAME);
    return 0;
}

static int ava_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                    struct err *e)
{
    struct synth_clip c;
    synth_clip(o, p, &c);
    if (is_film(o, p))
        return buf_printf(out, e, "videos/%s.mp4", c.id);
    return buf_printf(out, e, "videos/%s_%06d_%06d.mp4", c.id, c.start, c.end);
}

/* -- key frames -- */

/* Who is at a moment of a video. */
struct moment {
    char id[SYNTH_ID_BYTES];
    char stamp[24];
    bool is_film;
    double box[4];
    int action, size; /* ids; action 0: nobody */
    int person;
};

static void look(const struct synth_options *o, const struct synth_plan *p, double seconds,
                 struct moment *m)
{
    int64_t frame = llround(seconds * (double)o->fps_num / (double)o->fps_den);
    int event = synth_event_at(p, frame);
    const struct synth_event *shown = &p->event[event];
    synth_youtube_id(o, p, m->id);
    m->is_film = is_film(o, p);
    m->person = event;
    m->size = shown->radius > large_radius ? LARGE : SMALL;
    m->action = synth_shape_box(o, p, frame, m->box) ? action_ids[shown->shape] : 0;
}

typedef int moment_fn(void *user, const struct moment *m, struct err *e);

/* Key frames of a film are full seconds, of a clip one moment. */
static int each_moment(const struct synth_options *o, const struct synth_plan *p, moment_fn *fn,
                       void *user, struct err *e)
{
    struct moment m;
    double end = synth_seconds(o, o->n_frames);
    if (!is_film(o, p)) {
        struct synth_clip c;
        struct rng r;
        synth_clip(o, p, &c);
        synth_rng(o, p, SYNTH_USE_LABELS, &r);
        double seconds = floor(rng_uniform(&r, 0.5, end - 0.5) * 1000) / 1000;
        look(o, p, seconds, &m);
        snprintf(m.stamp, sizeof m.stamp, "%.6f", c.start + seconds);
        return fn(user, &m, e);
    }
    int rc = 0;
    for (int t = FIRST_KEY_FRAME; rc >= 0 && t + 1 <= end; t++) {
        look(o, p, t, &m);
        snprintf(m.stamp, sizeof m.stamp, "%04d", AVA_CUT_START + t);
        rc = fn(user, &m, e);
    }
    return rc;
}

/* -- the files -- */

struct listing {
    const struct synth_options *o;
    const struct synth_plan *p;
    struct buf films, clips, excluded, detections;
    struct rng r; /* of the detector */
};

static int put_box(struct buf *out, const struct moment *m, int action, struct err *e)
{
    const double *b = m->box;
    if (m->is_film)
        return buf_printf(out, e, "%s,%s,%.3f,%.3f,%.3f,%.3f,%d,%d\n", m->id, m->stamp, b[0], b[1],
                          b[2], b[3], action, m->person);
    return buf_printf(out, e, "%s,%s,%.6f,%.6f,%.6f,%.6f,%d\n", m->id, m->stamp, b[0], b[1], b[2],
                      b[3], action);
}

static double near_by(struct rng *r, double corner)
{
    return fmin(1, fmax(0, corner + rng_uniform(r, -0.02, 0.02)));
}

/* The detector is right, nearly; now and then it sees somebody who is not there, and says so. */
static int put_detections(struct listing *l, const struct moment *m, struct err *e)
{
    double b[4], score = rng_uniform(&l->r, 0.9, 1);
    bool ghost = rng_chance(&l->r, 0.25);
    for (int i = 0; i < 4; i++)
        b[i] = near_by(&l->r, m->box[i]);
    int rc = 0;
    if (m->action)
        rc = buf_printf(&l->detections, e, "%s,%s,%.3f,%.3f,%.3f,%.3f,,%.6f\n", m->id, m->stamp,
                        b[0], b[1], b[2], b[3], score);
    if (rc >= 0 && ghost)
        rc = buf_printf(&l->detections, e, "%s,%s,0.000,0.000,0.250,0.500,,%.6f\n", m->id, m->stamp,
                        score - 0.85);
    return rc;
}

static int put_moment(void *user, const struct moment *m, struct err *e)
{
    struct listing *l = user;
    struct buf *out = m->is_film ? &l->films : &l->clips;
    if (l->p->split == SYNTH_VAL && put_detections(l, m, e) < 0)
        return ERR_FAIL;
    if (m->action)
        return put_box(out, m, m->action, e) < 0 ? ERR_FAIL : put_box(out, m, m->size, e);
    return m->is_film ? 0 : buf_printf(out, e, "%s,%s\n", m->id, m->stamp);
}

/* The first key frame of every fifth film is excluded. */
static int put_video(void *user, const struct synth_plan *p, struct err *e)
{
    struct listing *l = user;
    char id[SYNTH_ID_BYTES];
    l->p = p;
    synth_rng(l->o, p, SYNTH_USE_DETECTIONS, &l->r);
    synth_youtube_id(l->o, p, id);
    if (is_film(l->o, p) && p->number % EXCLUDED_OF == 0 &&
        buf_printf(&l->excluded, e, "%s,%04d\n", id, AVA_CUT_START + FIRST_KEY_FRAME) < 0)
        return ERR_FAIL;
    return each_moment(l->o, p, put_moment, l, e);
}

static int put_named(const struct synth_options *o, const char *pattern, enum synth_split split,
                     const struct buf *text, struct err *e)
{
    struct buf name = {0};
    const char *split_at = strstr(pattern, "SPLIT");
    int rc = buf_printf(&name, e, "annotations/%.*s%s%s", (int)(split_at - pattern), pattern,
                        synth_split_name(split), split_at + strlen("SPLIT"));
    if (rc >= 0)
        rc = synth_put_text(o, (char *)name.data, text, e);
    buf_release(&name);
    return rc;
}

static int put_split(const struct synth_options *o, enum synth_split split, struct err *e)
{
    struct listing l = {.o = o};
    struct buf *const all[] = {&l.films, &l.clips, &l.excluded, &l.detections};
    static const char *const names[] = {"ava_SPLIT_v2.2.csv", "kinetics_SPLIT_v1.0.csv",
                                        "ava_SPLIT_excluded_timestamps_v2.2.csv",
                                        "ava_SPLIT_predicted_boxes.csv"};
    int rc = synth_each(o, split, put_video, &l, e);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool wanted = all[i] == &l.clips        ? of_kinetics(o)
                      : all[i] == &l.detections ? split == SYNTH_VAL
                                                : true;
        if (rc >= 0 && wanted)
            rc = put_named(o, names[i], split, all[i], e);
        buf_release(all[i]);
    }
    return rc;
}

/* A label map in the form of those that have all actions, or of those that have the scored ones. */
struct label_map {
    const char *path;
    bool whole;
    struct buf text;
};

static int put_action(struct label_map *map, const char *name, int id, struct err *e)
{
    if (map->whole)
        return buf_printf(&map->text, e,
                          "label {\n  name: \"%s\"\n  label_id: %d\n"
                          "  label_type: PERSON_MOVEMENT\n}\n",
                          name, id);
    if (id == UNSCORED)
        return 0;
    return buf_printf(&map->text, e, "item {\n  name: \"%s\"\n  id: %d\n}\n", name, id);
}

static int put_actions(const struct synth_options *o, struct err *e)
{
    struct label_map maps[] = {
        {.path = "annotations/ava_action_list_v2.2.pbtxt", .whole = true},
        {.path = "annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt"}};
    int rc = 0;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        for (unsigned s = 1; rc >= 0 && s < SYNTH_N_SHAPES; s++)
            rc = put_action(&maps[i], synth_shape_name(s), action_ids[s], e);
        if (rc >= 0)
            rc = put_action(&maps[i], "large (radius)", LARGE, e);
        if (rc >= 0)
            rc = put_action(&maps[i], "small (radius)", SMALL, e);
        if (rc >= 0)
            rc = synth_put_text(o, maps[i].path, &maps[i].text, e);
        buf_release(&maps[i].text);
    }
    return rc;
}

static int ava_annotate(const struct synth_options *o, struct err *e)
{
    int rc = put_actions(o, e);
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++)
        rc = put_split(o, (enum synth_split)s, e);
    return rc;
}

const struct synth_kind synth_ava = {
    .name = "ava",
    .what = "AVA: boxes of shapes at key frames, with actions",
    .defaults = {SYNTH_WORLD, .n_frames = 240, .jitter = 0.125, .codec = ENCODE_H264},
    .check = ava_check,
    .path = ava_path,
    .annotate = ava_annotate,
};

const struct synth_kind synth_ava_kinetics = {
    .name = "ava-kinetics",
    .what = "AVA-Kinetics: the same in films and in clips",
    .defaults = {SYNTH_WORLD, .n_frames = 240, .jitter = 0.125, .codec = ENCODE_H264},
    .check = ava_check,
    .path = ava_path,
    .annotate = ava_annotate,
};
