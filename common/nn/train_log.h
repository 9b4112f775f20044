/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The training log: JSON Lines, one record every few steps (schemas/train-log.md). A resumed run
 * cuts the log back to where its checkpoint was, so that no step stands in it twice.
 */
#ifndef TEG_NN_TRAIN_LOG_H
#define TEG_NN_TRAIN_LOG_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"

struct train_log;
/* Opens PATH (NULL: nothing is written) and cuts it to `keep_bytes`. */
int train_log_open(struct train_log **l, const char *path, uint64_t keep_bytes, struct err *e);
/* Appends one line; takes `record` over. */
int train_log_add(struct train_log *l, struct json *record, struct err *e);
/* Makes it durable and gives its length. */
int train_log_sync(struct train_log *l, uint64_t *bytes, struct err *e);
int train_log_close(struct train_log *l, struct err *e); /* NULL allowed */

#endif
