/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samples on which Kinetics-GEBD's PC baseline learns to tell boundaries (FORMATS 2.6): every
 * third frame of a video with the five sampled frames on each side of it, labelled by the
 * boundaries of the rater who agrees best with the others.
 *
 *     gebd_pc_samples(video, offset, &list, &e);      video: prepared ground truth, JSON
 *     list.samples[i].label ...
 *     gebd_pc_release(&list);
 */
#ifndef TEG_SAMPLING_GEBD_PC_H
#define TEG_SAMPLING_GEBD_PC_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"

enum { GEBD_PC_STEP = 3, GEBD_PC_SIDE = 5, GEBD_PC_BLOCK = 2 * GEBD_PC_SIDE };

/* Frames are numbered from 1, as the files of extracted frames are. */
struct gebd_pc_sample {
    int64_t current;
    int64_t block[GEBD_PC_BLOCK]; /* those before `current`, then those behind, within the video */
    int label;                    /* 1: within 0.15 seconds of a boundary, else 0 */
};

struct gebd_pc_list {
    struct gebd_pc_sample *samples; /* owned */
    size_t n;
};

/* `offset` 0, 1 or 2 (drawn at random for training) makes frame offset + 1 the first sample. */
int gebd_pc_samples(const struct json *video, int offset, struct gebd_pc_list *list, struct err *e);
void gebd_pc_release(struct gebd_pc_list *list);

#endif
