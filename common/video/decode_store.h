/* SPDX-License-Identifier: Apache-2.0 */
/* An index to a frames store: every video decoded, put on a constant rate, scaled, packed
 * (schemas/frames.md). */
#ifndef TEG_VIDEO_DECODE_STORE_H
#define TEG_VIDEO_DECODE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/store/shard.h"
#include "common/video/decode.h"

struct decode_options {
    const char *index;  /* index store */
    const char *videos; /* folder that its paths start from; NULL: the index's own root */
    const char *output;
    struct shard shard; /* zero: all videos, into one file */
    struct decode_settings settings;
    bool cuda;       /* a GPU decodes the videos; settings.hardware is opened for it */
    int level;       /* zstd */
    int64_t max_bad; /* bad videos to be put up with */
    bool force;      /* replace what is there */
    size_t n_threads;
    struct json *argv; /* for `!meta`, may be NULL */
};

/*
 * Writes the store, going on where an earlier run stopped. A bad video (bad in the index,
 * unreadable, or damaged part-way) keeps the frames that were decoded and has ok = false and the
 * reason in its record. With more than max_bad of them (in this shard) this is an error and the
 * store stays unpublished, though complete: the same call with a greater max_bad publishes it at
 * once.
 */
int decode_store(const struct decode_options *options, struct ui *ui, struct err *e);

#endif
