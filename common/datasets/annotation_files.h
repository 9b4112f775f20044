/* SPDX-License-Identifier: Apache-2.0 */
/* Finding and reading the annotation files of a data set as it was released. */
#ifndef TEG_DATASETS_ANNOTATION_FILES_H
#define TEG_DATASETS_ANNOTATION_FILES_H

#include <stddef.h>

#include "common/base/err.h"

/*
 * The first of the NULL-ended names that is below `folder`: 1, and its path, to be freed; 0 where
 * none is.
 */
int annotation_files_find(const char *folder, const char *const *names, char **path, struct err *e);
/* The same; none is an error that names the first. */
int annotation_files_need(const char *folder, const char *const *names, char **path, struct err *e);

/* Handed the content of a file; `path` for what its name tells. */
typedef int annotation_text_fn(void *user, const char *path, const char *text, size_t len,
                               struct err *e);
/* Errors begin with the path, those of `fn` too. */
int annotation_files_read(const char *path, annotation_text_fn *fn, void *user, struct err *e);
/*
 * Reads `path` itself, or where it is a folder the files in it (not below it) whose names end like
 * this, in byte order. None is an error.
 */
int annotation_files_read_all(const char *path, const char *ending, annotation_text_fn *fn,
                              void *user, struct err *e);

/* The split that a file's name tells ("kinetics-400_val.csv", "train.json"), or NULL. */
const char *annotation_files_split(const char *path);

#endif
