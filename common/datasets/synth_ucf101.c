/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/synth_files.h"

/*
 * The data set "ucf101": videos/<Class>/v_<Class>_g<group>_c<clip>.avi and annotations/classInd.txt
 * (with CRLF), trainlist01.txt, testlist01.txt ... A scene is a class, "Grating036". Division 1 has
 * the world's own splits; in the others as many videos are test videos, that are training videos in
 * the first.
 */

enum { N_DIVISIONS = 3, CLIPS_IN_GROUP = 7 };

/* Class and name of a file, "Grating036/v_Grating036_g01_c02.avi". Groups of both splits differ. */
static int put_name(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                    struct err *e)
{
    long degrees = synth_scene_degrees(o, p->scene);
    unsigned long long group = p->number / CLIPS_IN_GROUP * SYNTH_N_SPLITS + p->split + 1;
    return buf_printf(out, e, "Grating%03ld/v_Grating%03ld_g%02llu_c%02llu.avi", degrees, degrees,
                      group, (unsigned long long)(p->number % CLIPS_IN_GROUP) + 1);
}

static int ucf101_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                       struct err *e)
{
    return buf_printf(out, e, "videos/") < 0 ? ERR_FAIL : put_name(o, p, out, e);
}

struct listing {
    const struct synth_options *o;
    unsigned division; /* from 0 */
    struct buf train, test;
};

/* In division k > 0 the k-th run of training videos, as long as the test split, is exchanged. */
static bool is_test(const struct listing *l, const struct synth_plan *p)
{
    uint64_t n = synth_n_videos(l->o, SYNTH_VAL);
    if (l->division == 0 || n == 0)
        return p->split == SYNTH_VAL;
    return p->split == SYNTH_TRAIN && p->number / n == l->division - 1;
}

static int put_line(void *user, const struct synth_plan *p, struct err *e)
{
    struct listing *l = user;
    bool test = is_test(l, p);
    struct buf *out = test ? &l->test : &l->train;
    if (put_name(l->o, p, out, e) < 0)
        return ERR_FAIL;
    return test ? buf_printf(out, e, "\r\n") : buf_printf(out, e, " %u\r\n", p->scene + 1);
}

static int put_division(const struct synth_options *o, unsigned division, struct err *e)
{
    struct listing l = {.o = o, .division = division};
    char name[64];
    int rc = 0;
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++)
        rc = synth_each(o, (enum synth_split)s, put_line, &l, e);
    snprintf(name, sizeof name, "annotations/trainlist%02u.txt", division + 1);
    if (rc >= 0)
        rc = synth_put_text(o, name, &l.train, e);
    snprintf(name, sizeof name, "annotations/testlist%02u.txt", division + 1);
    if (rc >= 0)
        rc = synth_put_text(o, name, &l.test, e);
    buf_release(&l.train);
    buf_release(&l.test);
    return rc;
}

static int ucf101_annotate(const struct synth_options *o, struct err *e)
{
    struct buf classes = {0};
    int rc = 0;
    for (unsigned i = 0; rc >= 0 && i < (unsigned)o->n_scenes; i++)
        rc = buf_printf(&classes, e, "%u Grating%03ld\r\n", i + 1, synth_scene_degrees(o, i));
    if (rc >= 0)
        rc = synth_put_text(o, "annotations/classInd.txt", &classes, e);
    buf_release(&classes);
    for (unsigned i = 0; rc >= 0 && i < N_DIVISIONS; i++)
        rc = put_division(o, i, e);
    return rc;
}

const struct synth_kind synth_ucf101 = {
    .name = "ucf101",
    .what = "UCF101: a scene is a class, files are AVI",
    .defaults = {SYNTH_WORLD, .n_frames = 160, .jitter = 0.125, .codec = ENCODE_MPEG4},
    .path = ucf101_path,
    .annotate = ucf101_annotate,
};
