/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key frames of a video that clips are centred on, and the boxes in them, from the annotations
 * of the index: those that show somebody and are not excluded.
 *
 *     struct key_boxes choice = {.kind = BOXES_DETECTED, .min_score = 0.2};
 *     struct key_clips k = {0};
 *     key_clips_video(&k, &choice, &video, index, &e);       again for every video
 *     k.clip[i].number, k.clip[i].time, k.box + k.clip[i].first_box
 *     key_clips_release(&k);
 */
#ifndef TEG_SAMPLING_KEY_CLIPS_H
#define TEG_SAMPLING_KEY_CLIPS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/sampling/selection.h"
#include "common/store/samples.h"

/* Which boxes of an index count. */
enum box_kind { BOXES_ANNOTATED, BOXES_DETECTED };
struct key_boxes {
    enum box_kind kind;
    double min_score; /* detected: more certain than this */
};

extern const char *const box_kind_names[]; /* in the order of the enum, NULL-ended */

struct key_clip {
    uint32_t number; /* of the key frame within the video */
    double time;     /* seconds from the start of the file */
    size_t first_box, n_boxes;
};

struct key_clips {
    struct key_clip *clip; /* [n] */
    size_t n, cap;
    struct sample_box *box; /* [n_boxes]; `video` is 0 */
    size_t n_boxes, cap_boxes;
};

/* Fails where the index has more actions than a box can hold labels. */
int key_clips_check(const struct index *index, struct err *e);

/*
 * Key frames and boxes of a video; none where it has no annotations. The index's actions give the
 * positions that ids of labels become; a label that they lack fails.
 */
int key_clips_video(struct key_clips *k, const struct key_boxes *choice, const struct selected *v,
                    const struct index *index, struct err *e);
void key_clips_release(struct key_clips *k);

#endif
