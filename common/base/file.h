/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, atomic outputs (written beside the target, synced, renamed) and paths. */
#ifndef TEG_BASE_FILE_H
#define TEG_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/err.h"

int file_read(const char *path, struct buf *out, struct err *e); /* errors name the path */
bool file_exists(const char *path);
bool file_is_folder(const char *path); /* links are followed */
/* Whether two paths lead to one regular file or folder, there or to be made; devices and pipes are
 * never the same. */
bool file_is_same(const char *a, const char *b);

/* PATH, or where that is a link, what it leads to in the end, there or yet to be made. Caller
 * frees.
 */
char *file_target(const char *path, struct err *e);
/* The folder in which that lies. Caller frees. */
char *file_target_folder(const char *path, struct err *e);

/* Writes a file beside PATH (temporary.h), syncs, renames over PATH, syncs the folder. Links are
 * followed; devices and pipes are written directly. */
int file_write(const char *path, const void *data, size_t len, struct err *e);

/* The same for a stream: open, write with stdio, then publish or abandon (either frees `f`). */
struct file_out;
int file_out_open(struct file_out **f, const char *path, struct err *e);
FILE *file_out_stream(struct file_out *f);
int file_out_publish(struct file_out *f, struct err *e);
void file_out_abandon(struct file_out *f); /* removes the temporary; NULL is allowed */
/* Before long work: whether file_out_open would succeed. Leaves nothing behind, and removes what
 * killed processes left of this file. */
int file_out_check(const char *path, struct err *e);

/* rename(from, to) after syncing `from`, then syncs the folder. */
int file_publish(const char *from, const char *to, struct err *e);

/*
 * Opens a file, made where it is absent, and locks it against other processes until *fd is closed;
 * fails where another has it. File systems without locks leave this to the user.
 */
int file_lock(const char *path, int *fd, struct err *e);

int file_make_folder(const char *path, struct err *e); /* with parents; fine where it exists */

/* "a/b" from "a" and "b"; an absolute `name` stays itself. Caller frees. NULL when memory is
 * exhausted. */
char *path_join(const char *folder, const char *name);
/* The folder part of a path ("." where there is none), caller frees. */
char *path_folder(const char *path);
/* Borrowed: behind the last '/', and behind the last '.' of that ("" where there is none). */
const char *path_base(const char *path);
const char *path_extension(const char *path);
/* `path` as seen from `folder` ("../../data/v"); both must exist. Caller frees. */
char *path_relative(const char *path, const char *folder, struct err *e);

/*
 * Visits the regular files below `root` in byte order of their relative paths; links are followed.
 * A link that leads nowhere is visited as well: whoever opens it reports it. Hidden files and
 * folders, those whose name begins with a dot, are left out, but for `root` itself. The folder
 * `except` (NULL for none) is not entered from `root`, by whichever path. A negative return of `fn`
 * ends the walk.
 */
typedef int file_visit_fn(void *user, const char *relative_path, struct err *e);
int file_walk(const char *root, const char *except, file_visit_fn *fn, void *user, struct err *e);

#endif
