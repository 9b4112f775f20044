/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures of what is in the stores, as PNG contact sheets:
 *
 *  - of a frames store, frames of one video, evenly spaced;
 *  - of a samples store, the clips of one example exactly as the network sees them (rendered by the
 * CPU backend), with what equation (1) of RECIPE section 2 matches: a short-clip embedding and its
 * long-clip embedding have one colour.
 *
 *     struct preview_options o = {.store = "samples.lmdb", .frames = "frames.lmdb", .epoch = 3,
 * .example = 17, .crop_size = 112, .aggregate = {2, 1}, .n_tiles = 24, .output =
 * "sheet.png"}; preview_write(&o, &e);
 */
#ifndef TEG_NN_PREVIEW_H
#define TEG_NN_PREVIEW_H

#include <stddef.h>

#include "common/base/err.h"

struct preview_options {
    const char *store;  /* a frames store or a samples store */
    const char *output; /* the PNG file */
    size_t n_threads;   /* 0: all processors */

    const char *id; /* of a frames store: the video */
    size_t n_tiles; /* and how many of its frames at most */

    const char *frames; /* of a samples store: where the clips' frames are */
    size_t epoch, example;
    size_t crop_size;    /* pixels of a side as the network sees them */
    size_t aggregate[2]; /* feature steps behind an embedding, short and long; 0: all of the clip */
};

int preview_write(const struct preview_options *o, struct err *e);

#endif
