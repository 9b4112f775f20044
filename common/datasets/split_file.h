/* SPDX-License-Identifier: Apache-2.0 */
/* A file that says which video is in which split: lines "PATH-OR-ID SPLIT", or CSV
 * "PATH-OR-ID,SPLIT". */
#ifndef TEG_DATASETS_SPLIT_FILE_H
#define TEG_DATASETS_SPLIT_FILE_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/datasets/video_list.h"

/*
 * Sets the split of every listed video of a finished list. `n_unknown` counts lines that name none
 * of them. A video named twice with different splits is an error.
 */
int split_file_apply(const char *path, struct video_list *list, size_t *n_unknown, struct err *e);

#endif
