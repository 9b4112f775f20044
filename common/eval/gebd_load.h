/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions and scores of event boundaries: JSON of the same shape as the official pickles;
 * predictions may also be lines of an id, a tab and times with commas between them. Pickles are
 * recognised and refused with the name of the converter.
 */
#ifndef TEG_EVAL_GEBD_LOAD_H
#define TEG_EVAL_GEBD_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
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

#endif
