/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/datasets/synth.h"

/*
 * The data set "events": videos/<split>/<scene>/<split>-<number>.mp4 and annotations.jsonl, one
 * line a video:
 * {"path": below videos/, "split", "class": scene, "events": [{"start", "end" in seconds, "label":
 * shape}, ...]}. What `teg-index --format annotations` reads.
 */

/* The path below videos/. */
static int relative_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                         struct err *e)
{
    char scene[SYNTH_NAME_BYTES];
    const char *split = synth_split_name(p->split);
    synth_scene_name(o, p->scene, scene);
    return buf_printf(out, e, "%s/%s/%s-%05llu.mp4", split, scene, split,
                      (unsigned long long)p->number);
}

static int events_path(const struct synth_options *o, const struct synth_plan *p, struct buf *out,
                       struct err *e)
{
    return buf_printf(out, e, "videos/") < 0 ? ERR_FAIL : relative_path(o, p, out, e);
}

static struct json *event_to_json(const struct synth_options *o, const struct synth_event *event)
{
    struct json *j = json_new_object();
    double frame = (double)o->fps_den / (double)o->fps_num;
    json_add(j, "start", json_new_f64((double)event->start * frame));
    json_add(j, "end", json_new_f64((double)event->end * frame));
    json_add(j, "label", json_new_str(synth_shape_name(event->shape)));
    return j;
}

static struct json *video_line(const struct synth_options *o, const struct synth_plan *p,
                               const char *path)
{
    char scene[SYNTH_NAME_BYTES];
    synth_scene_name(o, p->scene, scene);
    struct json *j = json_new_object(), *events = json_new_array();
    for (int i = 0; i < p->n_events; i++)
        json_append(events, event_to_json(o, &p->event[i]));
    json_add(j, "path", json_new_str(path));
    json_add(j, "split", json_new_str(synth_split_name(p->split)));
    json_add(j, "class", json_new_str(scene));
    json_add(j, "events", events);
    return j;
}

static int append_split(const struct synth_options *o, enum synth_split split, struct buf *text,
                        struct err *e)
{
    struct buf path = {0};
    int rc = 0;
    for (uint64_t i = 0; rc >= 0 && i < synth_n_videos(o, split); i++) {
        struct synth_plan p;
        synth_plan(o, split, i, &p);
        buf_clear(&path);
        if ((rc = relative_path(o, &p, &path, e)) < 0)
            break;
        struct json *line = video_line(o, &p, (const char *)path.data);
        rc = buf_printf(text, e, "%s\n", json_text(line));
        json_free(line);
    }
    buf_release(&path);
    return rc;
}

static int events_annotate(const struct synth_options *o, struct err *e)
{
    struct buf text = {0};
    char *path = path_join(o->folder, "annotations.jsonl");
    int rc = path ? 0 : err_set(e, "out of memory");
    for (int s = 0; rc >= 0 && s < SYNTH_N_SPLITS; s++)
        rc = append_split(o, (enum synth_split)s, &text, e);
    if (rc >= 0)
        rc = file_write(path, text.data, text.len, e);
    free(path);
    buf_release(&text);
    return rc;
}

const struct synth_kind synth_events = {
    .name = "events",
    .what = "scenes and events as JSON Lines, for --format annotations",
    .defaults = {.n_videos = 384,
                 .val_fraction = 0.25,
                 .seed = 1,
                 .size = 64,
                 .n_frames = 160,
                 .fps_num = 30,
                 .fps_den = 1,
                 .n_events = 5,
                 .n_scenes = 10,
                 .n_shapes = SYNTH_N_SHAPES,
                 .jitter = 0.125,
                 .codec = ENCODE_H264,
                 .quality = -1,
                 .gop = 30},
    .path = events_path,
    .annotate = events_annotate,
};
