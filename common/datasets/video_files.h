/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The video files below a folder, found by name wherever they lie and whatever their extension:
 * copies of a data set differ in folders ("air drumming", "air_drumming", "train/air drumming") and
 * containers, not in the names of files.
 *
 *     struct video_files files;
 *     video_files_init(&files, folder, NULL, &e);
 *     const char *path = video_files_find(&files, "air drumming/abc_000001_000011.mp4");
 *     video_files_release(&files);
 */
#ifndef TEG_DATASETS_VIDEO_FILES_H
#define TEG_DATASETS_VIDEO_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/datasets/video_list.h"

struct video_file {
    char *path;        /* below the folder */
    size_t stem_bytes; /* of the file's name without folder and extension */
    bool used;
};

struct video_files {
    struct video_file *file; /* by stem without regard to case, then by path */
    size_t n, cap;
    bool ignore_case; /* where no name fits exactly; may be set after video_files_init */
    size_t n_other;   /* files that are no videos by their extension */
    size_t n_twice;   /* times that one of several files had to be taken */
};

/* `except`: a folder whose files do not count, NULL for none. */
int video_files_init(struct video_files *files, const char *folder, const char *except,
                     struct err *e);
void video_files_release(struct video_files *files);

/*
 * The file of the same name as `path`, the extension left aside, NULL where there is none. Of
 * several the one in a folder of the same name is taken, blanks and '_' and quotes left aside; of
 * several such, the first by path.
 */
const char *video_files_find(struct video_files *files, const char *path);

/* The files whose name begins with `prefix`, one a call; NULL behind the last. *at begins with 0.
 */
struct video_file *video_files_next(struct video_files *files, const char *prefix, size_t *at);

/*
 * Replaces every video's path by that of its file, called like the path or like the video's id;
 * where there is none the path stays, for the file is missing. What is odd becomes a note of the
 * list.
 */
int video_files_settle(struct video_files *files, struct video_list *list, struct err *e);

#endif
