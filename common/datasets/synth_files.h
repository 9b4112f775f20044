/* SPDX-License-Identifier: Apache-2.0 */
/* What the official layouts of teg-synth share: ids, clips of longer videos, writing files. */
#ifndef TEG_DATASETS_SYNTH_FILES_H
#define TEG_DATASETS_SYNTH_FILES_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/rng.h"
#include "common/datasets/synth.h"

/* The defaults that layouts have in common, to be followed by those of their own. */
#define SYNTH_WORLD                                                                                \
    .n_videos = 64, .val_fraction = 0.25, .seed = 1, .size = 64, .fps_num = 30, .fps_den = 1,      \
    .n_events = 5, .n_scenes = 10, .n_shapes = SYNTH_N_SHAPES, .quality = -1, .gop = 30

/* Uses of the seed beside the world's; the generator of one belongs to a video. */
enum synth_use { SYNTH_USE_ID, SYNTH_USE_CLIP, SYNTH_USE_LABELS, SYNTH_USE_DETECTIONS };
void synth_rng(const struct synth_options *o, const struct synth_plan *p, enum synth_use use,
               struct rng *r);

/* Like an id of YouTube, different for every video; one of four begins with '-', one with '_'. */
enum { SYNTH_ID_BYTES = 12 };
void synth_youtube_id(const struct synth_options *o, const struct synth_plan *p,
                      char out[SYNTH_ID_BYTES]);

/* The video as a clip of a longer one: whole seconds. */
struct synth_clip {
    char id[SYNTH_ID_BYTES];
    int start, end;
};
void synth_clip(const struct synth_options *o, const struct synth_plan *p, struct synth_clip *c);

/* Seconds of a frame's beginning. */
double synth_seconds(const struct synth_options *o, int64_t frame);

/* Calls `fn` for every video of a split in order; a negative return ends it and is returned. */
typedef int synth_visit_fn(void *user, const struct synth_plan *p, struct err *e);
int synth_each(const struct synth_options *o, enum synth_split split, synth_visit_fn *fn,
               void *user, struct err *e);

/* Writes FOLDER/NAME with all its folders. The second takes the value over. */
int synth_put_text(const struct synth_options *o, const char *name, const struct buf *text,
                   struct err *e);
int synth_put_json(const struct synth_options *o, const char *name, struct json *value,
                   struct err *e);

/* What the visits of synth_put_list add to. */
struct synth_listing {
    const struct synth_options *o;
    struct json *entries;
};
/* Writes `entries`, an array or object that is taken over, with what `put` adds for every video of
 * a split; its user is a struct synth_listing. */
int synth_put_list(struct synth_listing *l, enum synth_split split, const char *name,
                   synth_visit_fn *put, struct err *e);

#endif
