/* SPDX-License-Identifier: Apache-2.0 */
/* A file of raw annotations becomes a file of prepared ground truth (gebd_prepare.h). */
#ifndef TEG_EVAL_GEBD_PREPARE_FILE_H
#define TEG_EVAL_GEBD_PREPARE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/ui.h"

struct gebd_prepare_options {
    const char *raw, *out; /* JSON files */
    bool force;            /* `out` may replace a file that is no earlier output */
    size_t n_threads;
};

int gebd_prepare_file(const struct gebd_prepare_options *o, struct ui *ui, struct err *e);

#endif
