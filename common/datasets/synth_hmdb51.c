/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/synth_files.h"

/*
 * The data set "hmdb51": videos/<class>/<name>.avi and annotations/<class>_test_split{1,2,3}.txt. A
 * scene is a class, "grating_036"; names hold the characters that the real ones do. In a division
 * every tenth training video is unused, another tenth in each.
 */

enum { N_DIVISIONS = 3, UNUSED_OF = 10 };

static int put_name(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                    struct err *e)
{
    static const char *const films[] = {"April_09", "AT&T#1", "Two_Words!", "Film(2)[x];"};
    return buf_printf(out, e, "%s_grating_%03ld_%s_%llu.avi", films[p->number % 4],
                      synth_scene_degrees(o, p->scene), synth_split_name(p->split),
                      (unsigned long long)p->number);
}

static int hmdb51_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                       struct err *e)
{
    if (buf_printf(out, e, "videos/grating_%03ld/", synth_scene_degrees(o, p->scene)) < 0)
        return ERR_FAIL;
    return put_name(o, p, out, e);
}

/* All lists of a division, by scene. */
struct listing {
    const struct synth_options *o;
    unsigned division;
    struct buf text[SYNTH_MAX_SCENES];
};

static int put_line(void *user, const struct synth_plan *p, struct err *e)
{
    struct listing *l = user;
    bool unused = p->split == SYNTH_TRAIN && p->number % UNUSED_OF == l->division;
    struct buf *out = &l->text[p->scene];
    if (put_name(l->o, p, out, e) < 0)
        return ERR_FAIL;
    return buf_printf(out, e, " %d \n", unused ? 0 : p->split == SYNTH_VAL ? 2 : 1);
}

static int put_division(const struct synth_options *o, unsigned division, struct err *e)
{
    struct listing l = {.o = o, .division = division};
    int rc = 0;
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++)
        rc = synth_each(o, (enum synth_split)s, put_line, &l, e);
    for (unsigned i = 0; i < (unsigned)o->n_scenes; i++) {
        char name[64];
        snprintf(name, sizeof name, "annotations/grating_%03ld_test_split%u.txt",
                 synth_scene_degrees(o, i), division + 1);
        if (rc >= 0)
            rc = synth_put_text(o, name, &l.text[i], e);
        buf_release(&l.text[i]);
    }
    return rc;
}

static int hmdb51_annotate(const struct synth_options *o, struct err *e)
{
    int rc = 0;
    for (unsigned i = 0; rc >= 0 && i < N_DIVISIONS; i++)
        rc = put_division(o, i, e);
    return rc;
}

const struct synth_kind synth_hmdb51 = {
    .name = "hmdb51",
    .what = "HMDB51: a scene is a class, files are AVI",
    .defaults = {SYNTH_WORLD, .n_frames = 160, .jitter = 0.125, .codec = ENCODE_MPEG4},
    .path = hmdb51_path,
    .annotate = hmdb51_annotate,
};
