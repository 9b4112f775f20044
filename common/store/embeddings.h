/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embeddings store (schema "embeddings"): key `<id>` holds JSON {"clips": [{"clip", "view",
 * "start", "end", "centre" in seconds, "target"?, "person"?}, ...]}, key `<id>/<8 digits>` the
 * array of the clip at that position of the list: [T', C] (dense) or [C] (pooled), float16 or
 * float32. See schemas/embeddings.md.
 */
#ifndef TEG_STORE_EMBEDDINGS_H
#define TEG_STORE_EMBEDDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/store/codec.h"
#include "common/store/store.h"

#define EMBEDDINGS_SCHEMA "embeddings"
enum { EMBEDDINGS_VERSION = 1 };

/* Whom in a clip the numbers are of. */
struct embedding_person {
    double box[4];    /* left, top, right, bottom as shares of the whole picture */
    double score;     /* certainty of the box's detector; 1 where it was annotated */
    double timestamp; /* of the key frame, as the data set counts seconds */
};

struct embedding_clip {
    uint32_t clip; /* event number, window number ... as in the sample table */
    uint32_t view;
    double start, end, centre; /* seconds in the video */
    int32_t target;            /* class number the plan carried; -1 none */
    bool has_person;
    struct embedding_person person;
};

struct embeddings;
int embeddings_open(struct embeddings **m, const char *path, struct err *e);
/* A handle for another thread: the same videos and clips, its own codec. Close copies before the
 * original. */
int embeddings_share(struct embeddings **copy, struct embeddings *m, struct err *e);
void embeddings_close(struct embeddings *m);
const struct store *embeddings_store(const struct embeddings *m);
size_t embeddings_n_videos(const struct embeddings *m); /* in key order */
const char *embeddings_id(const struct embeddings *m, size_t video);
long embeddings_find(const struct embeddings *m, const char *id); /* -1 where absent */
size_t embeddings_n_clips(const struct embeddings *m, size_t video);
const struct embedding_clip *embeddings_clip(const struct embeddings *m, size_t video, size_t clip);
/* C, and T' (1 and dense = false where pooled), equal for the whole store. */
size_t embeddings_n_channels(const struct embeddings *m);
size_t embeddings_n_steps(const struct embeddings *m);
bool embeddings_dense(const struct embeddings *m);
/* One clip as float32 into out [T' * C] or [C]; numbers that are not finite are refused. */
int embeddings_read(struct embeddings *m, size_t video, size_t clip, float *out, struct err *e);

/* The record of a video; `clips` of the second is the caller's to free. */
struct json *embeddings_video_to_json(const struct embedding_clip *clips, size_t n);
int embeddings_video_from_json(struct embedding_clip **clips, size_t *n, const struct json *j,
                               struct err *e);

/* Writing: the record of a video, then its arrays (descr "<f4" or "<f2"; n_steps 0 = pooled). */
int embeddings_put_video(struct store_writer *w, const char *id, const struct embedding_clip *clips,
                         size_t n, struct err *e);
struct embedding_shape {
    size_t n_steps;    /* 0: pooled, [C] */
    size_t n_channels; /* C */
    bool half;         /* store float16 */
};
struct embedding {
    struct embedding_shape shape;
    const float
        *values; /* [n_steps * n_channels] or [n_channels]; finite, and not too large for float16 */
};
int embeddings_put(struct store_writer *w, struct codec *c, const char *id, size_t clip,
                   const struct embedding *x, struct err *e);

#endif
