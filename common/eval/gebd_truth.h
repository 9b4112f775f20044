/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ground truth of event boundaries: a JSON object, id -> video, of the shape of the official
 * prepared files. The text is cut into videos at once, and a video is parsed when it is asked for,
 * on any thread: that is faster, and smaller, than all of it as JSON values.
 *
 *     gebd_truth_open(&t, "gt.json", &e);
 *     struct json *video = gebd_truth_video(t, gebd_truth_find(t, "6Tz5xfnFl4c"), &e);
 *     json_free(video);
 *     gebd_truth_close(t);
 */
#ifndef TEG_EVAL_GEBD_TRUTH_H
#define TEG_EVAL_GEBD_TRUTH_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"

struct gebd_truth;
int gebd_truth_open(struct gebd_truth **t, const char *path, struct err *e);
/* From a copy of the text; `name` stands for the path in messages. */
int gebd_truth_parse(struct gebd_truth **t, const char *name, const char *text, size_t len,
                     struct err *e);
void gebd_truth_close(struct gebd_truth *t); /* NULL allowed */
const char *gebd_truth_name(const struct gebd_truth *t);
const char *gebd_truth_identity(const struct gebd_truth *t); /* hash of the bytes */
size_t gebd_truth_n_videos(const struct gebd_truth *t);
const char *gebd_truth_id(const struct gebd_truth *t, size_t i);  /* in the order of the file */
long gebd_truth_find(const struct gebd_truth *t, const char *id); /* -1 where absent */
/* An object, the caller's to free; NULL on failure, with path and id in the message. */
struct json *gebd_truth_video(const struct gebd_truth *t, size_t i, struct err *e);

#endif
