/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/synth_files.h"

/*
 * The data set "kinetics": videos/<label>/<id>_<start>_<end>.mp4 and
 * annotations/kinetics-400_{train,val}.csv in the form of ActivityNet's crawler. Labels are scenes,
 * "grating 036": the blank is quoted in the file and stays in the folder's name.
 */

static int kinetics_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                         struct err *e)
{
    struct synth_clip c;
    synth_clip(o, p, &c);
    return buf_printf(out, e, "videos/grating %03ld/%s_%06d_%06d.mp4",
                      synth_scene_degrees(o, p->scene), c.id, c.start, c.end);
}

struct listing {
    const struct synth_options *o;
    struct buf text;
};

static int put_row(void *user, const struct synth_plan *p, struct err *e)
{
    struct listing *l = user;
    struct synth_clip c;
    synth_clip(l->o, p, &c);
    return buf_printf(&l->text, e, "\"grating %03ld\",%s,%d,%d,%s,0\n",
                      synth_scene_degrees(l->o, p->scene), c.id, c.start, c.end,
                      synth_split_name(p->split));
}

static int kinetics_annotate(const struct synth_options *o, struct err *e)
{
    int rc = 0;
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++) {
        struct listing l = {.o = o};
        char name[64];
        snprintf(name, sizeof name, "annotations/kinetics-400_%s.csv",
                 synth_split_name((enum synth_split)s));
        rc = buf_printf(&l.text, e, "label,youtube_id,time_start,time_end,split,is_cc\n");
        if (rc >= 0)
            rc = synth_each(o, (enum synth_split)s, put_row, &l, e);
        if (rc >= 0)
            rc = synth_put_text(o, name, &l.text, e);
        buf_release(&l.text);
    }
    return rc;
}

const struct synth_kind synth_kinetics = {
    .name = "kinetics",
    .what = "Kinetics: a scene is a label",
    .defaults = {SYNTH_WORLD, .n_frames = 160, .jitter = 0.125, .codec = ENCODE_H264},
    .path = kinetics_path,
    .annotate = kinetics_annotate,
};
