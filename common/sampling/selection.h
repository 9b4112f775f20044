/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The videos that a sample table draws from: those of one split that have frames, in key order. The
 * others of the split are listed with the reason.
 *
 *     struct selection sel = {0};
 *     selection_init(&sel, frames, index, "train", &e);
 *     for (size_t i = 0; i < sel.n; i++) use(&sel.video[i]);
 *     selection_release(&sel);
 */
#ifndef TEG_SAMPLING_SELECTION_H
#define TEG_SAMPLING_SELECTION_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/store/frames.h"
#include "common/store/index.h"

struct selected {
    const char *id;                 /* borrowed from the frames store */
    const struct video *record;     /* borrowed from the index; NULL without one */
    const struct frames_info *info; /* borrowed from the frames store; n_frames > 0 */
    int32_t class_number;           /* -1 where the video has no class */
};

struct selection {
    struct selected *video; /* [n], in key order */
    size_t n;
    size_t n_wanted;       /* videos of the split */
    size_t n_partial;      /* selected although their decoding failed part-way */
    struct json *left_out; /* array of {"id", "reason"}, in key order */
};

/*
 * `index` NULL takes all videos of the frames store; they have no class. `split` NULL takes all
 * splits. Fails where the frames were not made from this index. An empty selection is no error
 * here.
 */
int selection_init(struct selection *s, struct frames *frames, const struct index *index,
                   const char *split, struct err *e);
void selection_release(struct selection *s);
size_t selection_n_left_out(const struct selection *s);

#endif
