/* SPDX-License-Identifier: Apache-2.0 */
/* A data set on disk to an index store: what the importer lists, with what the files themselves
 * say. */
#ifndef TEG_DATASETS_INDEX_BUILD_H
#define TEG_DATASETS_INDEX_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"
#include "common/datasets/importer.h"

struct index_options {
    const struct importer *importer;
    struct import_options import;
    const char *split_file; /* NULL for none */
    const char *output;
    bool verify;       /* decode every frame */
    double time_limit; /* see reader.h */
    int64_t max_bad;   /* bad and missing videos to be put up with */
    bool force;
    size_t n_threads;
    struct json *argv; /* for `!meta`, may be NULL */
};

/*
 * Looks at every listed file, on several threads, and writes the index. Files that are missing or
 * bad stay in it with the reason; `!meta`'s summary counts them per split and class. The index is
 * published in any case; more bad ones than max_bad are an error all the same.
 */
int index_build(const struct index_options *options, struct ui *ui, struct err *e);

#endif
