/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/synth_files.h"

/*
 * The data set "diving48": videos/rgb/<id>_<number>.mp4 and
 * annotations/Diving48_V2_{train,test}.json, Diving48_vocab.json. A scene is a class of four words,
 * ["Grating", "036", "Degrees", "FREE"].
 */

static int put_name(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                    struct err *e)
{
    char id[SYNTH_ID_BYTES];
    synth_youtube_id(o, p, id);
    return buf_printf(out, e, "%s_%05llu", id, (unsigned long long)p->number);
}

static int diving48_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                         struct err *e)
{
    if (buf_printf(out, e, "videos/rgb/") < 0 || put_name(o, p, out, e) < 0)
        return ERR_FAIL;
    return buf_printf(out, e, ".mp4");
}

static int put_entry(void *user, const struct synth_plan *p, struct err *e)
{
    struct synth_listing *l = user;
    struct buf name = {0};
    struct json *j = json_new_object();
    int rc = put_name(l->o, p, &name, e);
    if (rc == 0)
        json_add(j, "vid_name", json_new_str((char *)name.data));
    json_add(j, "label", json_new_i64(p->scene));
    json_add(j, "start_frame", json_new_i64(0));
    json_add(j, "end_frame", json_new_i64(l->o->n_frames));
    buf_release(&name);
    return json_append(l->entries, j) < 0 || rc < 0 ? err_set(e, "out of memory") : 0;
}

static int put_vocabulary(const struct synth_options *o, struct err *e)
{
    struct json *classes = json_new_array();
    for (unsigned i = 0; i < (unsigned)o->n_scenes; i++) {
        struct json *words = json_new_array();
        char degrees[12];
        snprintf(degrees, sizeof degrees, "%03ld", synth_scene_degrees(o, i));
        json_append(words, json_new_str("Grating"));
        json_append(words, json_new_str(degrees));
        json_append(words, json_new_str("Degrees"));
        json_append(words, json_new_str("FREE"));
        json_append(classes, words);
    }
    return synth_put_json(o, "annotations/Diving48_vocab.json", classes, e);
}

static int diving48_annotate(const struct synth_options *o, struct err *e)
{
    static const char *const names[SYNTH_N_SPLITS] = {"annotations/Diving48_V2_train.json",
                                                      "annotations/Diving48_V2_test.json"};
    int rc = put_vocabulary(o, e);
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++) {
        struct synth_listing l = {o, json_new_array()};
        rc = synth_put_list(&l, (enum synth_split)s, names[s], put_entry, e);
    }
    return rc;
}

const struct synth_kind synth_diving48 = {
    .name = "diving48",
    .what = "Diving48 V2: a scene is a class",
    .defaults = {SYNTH_WORLD, .n_frames = 160, .jitter = 0.125, .codec = ENCODE_H264},
    .path = diving48_path,
    .annotate = diving48_annotate,
};
