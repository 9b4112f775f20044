/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/file.h"
#include "common/datasets/synth.h"

const struct synth_kind *const synth_kinds[] = {
    &synth_events, &synth_kinetics,     &synth_ucf101,  &synth_hmdb51,
    &synth_ssv2,   &synth_diving48,     &synth_vidsitu, &synth_gebd,
    &synth_ava,    &synth_ava_kinetics, NULL,
};

const struct synth_kind *synth_find(const char *name)
{
    size_t i = 0;
    while (synth_kinds[i] && strcmp(synth_kinds[i]->name, name) != 0)
        i++;
    return synth_kinds[i];
}

void synth_options_init(struct synth_options *o)
{
    *o = (struct synth_options){
        .n_videos = -1,
        .val_fraction = -1,
        .seed = 1,
        .size = -1,
        .n_frames = -1,
        .fps_num = -1,
        .fps_den = -1,
        .n_events = -1,
        .n_scenes = -1,
        .n_shapes = -1,
        .jitter = -1,
        .codec = -1,
        .quality = -1,
        .gop = -1,
    };
}

static void fill(int *value, int missing)
{
    if (*value < 0)
        *value = missing;
}

static void fill_missing(struct synth_options *o, const struct synth_options *d)
{
    if (o->n_videos < 0)
        o->n_videos = d->n_videos;
    if (o->val_fraction < 0)
        o->val_fraction = d->val_fraction;
    if (o->jitter < 0)
        o->jitter = d->jitter;
    if (o->fps_num < 0) {
        o->fps_num = d->fps_num;
        o->fps_den = d->fps_den;
    }
    fill(&o->size, d->size);
    fill(&o->n_frames, d->n_frames);
    fill(&o->n_events, d->n_events);
    fill(&o->n_scenes, d->n_scenes);
    fill(&o->n_shapes, d->n_shapes);
    fill(&o->codec, d->codec);
    fill(&o->quality, d->quality);
    fill(&o->quality, encode_default_quality((enum encode_codec)o->codec));
    fill(&o->gop, d->gop);
}

static int check_range(const char *option, int value, int min, int max, struct err *e)
{
    if (value < min || value > max)
        return err_set(e, "--%s: %d is not from %d to %d", option, value, min, max);
    return 0;
}

/* The kind's files must be able to hold the codec. */
static int check_container(const struct synth_options *o, struct err *e)
{
    struct synth_plan p;
    struct buf path = {0};
    synth_plan(o, SYNTH_TRAIN, 0, &p);
    int rc = o->kind->path(o, &p, &path, e);
    if (rc >= 0 && !encode_fits((char *)path.data, (enum encode_codec)o->codec))
        rc = err_set(e, "--codec: the files of %s, .%s, cannot hold %s", o->kind->name,
                     path_extension((char *)path.data), encode_codec_names[o->codec]);
    buf_release(&path);
    return rc;
}

int synth_options_complete(struct synth_options *o, struct err *e)
{
    fill_missing(o, &o->kind->defaults);
    enum encode_codec codec = (enum encode_codec)o->codec;
    if (check_range("size", o->size, 16, 4096, e) < 0 ||
        check_range("events", o->n_events, 1, SYNTH_MAX_EVENTS, e) < 0 ||
        check_range("scenes", o->n_scenes, 1, SYNTH_MAX_SCENES, e) < 0 ||
        check_range("shapes", o->n_shapes, 2, SYNTH_N_SHAPES, e) < 0 ||
        check_range("quality", o->quality, 0, encode_worst_quality(codec), e) < 0)
        return ERR_FAIL;
    if (o->n_videos < 1 || o->gop < 1)
        return err_set(e, "--%s: must be at least 1", o->gop < 1 ? "gop" : "videos");
    if (o->size % 2)
        return err_set(e, "--size: %d is odd: colour is stored for pairs of pixels", o->size);
    if (o->n_frames < 4 * o->n_events)
        return err_set(e, "--frames: %d are too few for %d events: each needs 4", o->n_frames,
                       o->n_events);
    if (!(o->val_fraction <= 1))
        return err_set(e, "--val-fraction: %g is above 1", o->val_fraction);
    if (!(o->jitter <= 0.25))
        return err_set(e, "--jitter: %g is above 0.25", o->jitter);
    if (o->kind->check && o->kind->check(o, e) < 0)
        return ERR_FAIL;
    return check_container(o, e);
}
