/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clips that one epoch is made of, before their order and their draws, by video in key order
 * and clip; of pairs one entry a video.
 */
#ifndef TEG_SAMPLING_CLIP_LIST_H
#define TEG_SAMPLING_CLIP_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/sampling/key_clips.h"
#include "common/sampling/labels.h"
#include "common/sampling/selection.h"
#include "common/sampling/strategy.h"

/* All that an epoch asks of a clip, in one place: epochs visit them in random order. */
struct listed_clip {
    uint32_t video, clip;
    int32_t start;  /* of a fixed plan; 0 where it is drawn */
    int32_t target; /* class number, -1 none */
    int32_t n_frames;
    uint16_t width, height;
};

struct clip_list {
    struct listed_clip *clip; /* [n] */
    size_t n;
    size_t n_without_clips;  /* videos that give none (no events, no boxes, no room inside) */
    size_t n_too_short;      /* videos with no room for a clip: wrapped or clamped */
    size_t n_without_target; /* clips with target -1 */
    size_t n_outside;        /* clips of moments before or behind their video */
};

/*
 * `labels` says which targets; its index is asked for class numbers. `boxes` says which key frames
 * show somebody, for STRATEGY_KEYFRAMES. Fails above 2^31 - 1 clips.
 */
int clip_list_init(struct clip_list *x, const struct clip_plan *plan, const struct key_boxes *boxes,
                   const struct selection *selection, struct labeller *labels, struct err *e);
void clip_list_release(struct clip_list *x);

#endif
