/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/synth_files.h"

/*
 * The data set "ssv2": videos/<id>.webm and
 * annotations/something-something-v2-{labels,train,validation}.json. A scene is a label, "Showing
 * something in front of stripes of 036 degrees".
 */

/* Numbers as in the real set, where training and validation lie among each other. */
static unsigned long long id_of(const struct synth_plan *p)
{
    return p->number * SYNTH_N_SPLITS + p->split + 1;
}

static int put_label(const struct synth_options *o, unsigned scene, const char *something,
                     struct buf *out, struct err *e)
{
    return buf_printf(out, e, "Showing %s in front of stripes of %03ld degrees", something,
                      synth_scene_degrees(o, scene));
}

static int ssv2_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                     struct err *e)
{
    (void)o;
    return buf_printf(out, e, "videos/%llu.webm", id_of(p));
}

static int add_text(struct json *j, const char *name, const struct synth_options *o, unsigned scene,
                    const char *something)
{
    struct buf text = {0};
    int rc = put_label(o, scene, something, &text, NULL);
    if (rc == 0)
        rc = json_add(j, name, json_new_str((char *)text.data));
    buf_release(&text);
    return rc;
}

static int put_entry(void *user, const struct synth_plan *p, struct err *e)
{
    struct synth_listing *l = user;
    char id[24];
    const char *thing = synth_shape_name(p->event[0].shape);
    struct json *j = json_new_object(), *things = json_new_array();
    snprintf(id, sizeof id, "%llu", id_of(p));
    json_append(things, json_new_str(thing));
    int rc = json_add(j, "id", json_new_str(id));
    if (rc == 0)
        rc = add_text(j, "label", l->o, p->scene, thing);
    if (rc == 0)
        rc = add_text(j, "template", l->o, p->scene, "[something]");
    if (json_add(j, "placeholders", things) < 0 || json_append(l->entries, j) < 0 || rc < 0)
        return err_set(e, "out of memory");
    return 0;
}

static int put_labels(const struct synth_options *o, struct err *e)
{
    struct json *labels = json_new_object();
    for (unsigned i = 0; i < (unsigned)o->n_scenes; i++) {
        char number[12];
        struct buf name = {0};
        snprintf(number, sizeof number, "%u", i);
        if (put_label(o, i, "something", &name, e) < 0 ||
            json_add(labels, (char *)name.data, json_new_str(number)) < 0) {
            buf_release(&name);
            json_free(labels);
            return err_set(e, "out of memory");
        }
        buf_release(&name);
    }
    return synth_put_json(o, "annotations/something-something-v2-labels.json", labels, e);
}

static int ssv2_annotate(const struct synth_options *o, struct err *e)
{
    static const char *const names[SYNTH_N_SPLITS] = {
        "annotations/something-something-v2-train.json",
        "annotations/something-something-v2-validation.json"};
    int rc = put_labels(o, e);
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++) {
        struct synth_listing l = {o, json_new_array()};
        rc = synth_put_list(&l, (enum synth_split)s, names[s], put_entry, e);
    }
    return rc;
}

const struct synth_kind synth_ssv2 = {
    .name = "ssv2",
    .what = "Something-Something v2: a scene is a label, files are WebM",
    .defaults = {SYNTH_WORLD, .n_frames = 160, .jitter = 0.125, .codec = ENCODE_VP9},
    .path = ssv2_path,
    .annotate = ssv2_annotate,
};
