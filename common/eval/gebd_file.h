/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of event boundaries. Read: predictions and scores, JSON of the same shape as the official
 * pickles; predictions may also be lines of an id, a tab and times with commas between them.
 * Pickles are recognised and refused with the name of the converter. Written: one JSON object,
 * video by video.
 *
 *     gebd_out_open(&o, path, &e);
 *     gebd_out_add(&o, id, value, &e);           once a video; does not take the value over
 *     gebd_out_publish(&o, &e);                  or gebd_out_abandon
 */
#ifndef TEG_EVAL_GEBD_FILE_H
#define TEG_EVAL_GEBD_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/json.h"

struct gebd_loaded {
    struct json *json;              /* an object */
    char identity[HASH_TEXT_BYTES]; /* of the file's bytes */
};

/* Errors begin with the path. Free `json`. */
int gebd_load_json(struct gebd_loaded *l, const char *path, struct err *e);
int gebd_load_predictions(struct gebd_loaded *l, const char *path, struct err *e);

/* The same from memory, without a path; NULL on failure. */
struct json *gebd_parse_json(const char *data, size_t len, struct err *e);
struct json *gebd_parse_predictions(const char *data, size_t len, struct err *e);

bool gebd_is_pickle(const char *data, size_t len);
int gebd_pickle_error(struct err *e); /* what to do about it */

struct gebd_out {
    struct file_out *file;
    size_t n; /* videos so far */
};
int gebd_out_open(struct gebd_out *o, const char *path, struct err *e);
int gebd_out_add(struct gebd_out *o, const char *id, struct json *value, struct err *e);
int gebd_out_publish(struct gebd_out *o, struct err *e);
void gebd_out_abandon(struct gebd_out *o); /* fine where it was published, or not opened */

#endif
