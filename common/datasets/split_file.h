/* SPDX-License-Identifier: Apache-2.0 */
/* A file that says which video is in which split: lines "PATH-OR-ID SPLIT", or CSV
 * "PATH-OR-ID,SPLIT". */
#ifndef TEG_DATASETS_SPLIT_FILE_H
#define TEG_DATASETS_SPLIT_FILE_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/datasets/video_list.h"

/* Lines that name none of the videos. */
struct split_unknown {
    size_t n;
    char first[256]; /* the name on the first of them, cut off where it is longer */
};

/*
 * Sets the split of every listed video of a finished list. A video named twice with different
 * splits is an error. A first CSV row with a field "path" (or "video", "file", "id") and one
 * "split" (or "subset") is a header, and may order the columns freely.
 */
int split_file_apply(const char *path, struct video_list *list, struct split_unknown *unknown,
                     struct err *e);

#endif
