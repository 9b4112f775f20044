/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an importer collects: videos with path, split, class and annotations; the files themselves
 * are looked at later (index_build.h). Ids are given at the end, when all paths are known.
 *
 *     struct video v = {.path = ..., .split = ..., .class_name = ...};   // all allocated
 *     video_list_add(&list, &v, &e);                                     // takes the members over
 *     video_list_finish(&list, &e);                                      // ids, order, duplicates
 *     video_list_release(&list);
 */
#ifndef TEG_DATASETS_VIDEO_LIST_H
#define TEG_DATASETS_VIDEO_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/intern.h"
#include "common/store/index.h"

struct video_list {
    struct video *videos;
    size_t n, cap;
    size_t n_other_files; /* that an importer which searches folders passed over: not video by their
                             name */
    struct json *settings; /* object for the index's settings: class names and the like; or NULL */
    char **notes;          /* [n_notes] what the user should know */
    size_t n_notes;
    struct intern paths; /* of video_list_once, and the line of each */
    struct buf lines;
};

void video_list_release(struct video_list *list);

/* Takes the members of `v` over and zeroes it, also on failure: of a class that no record can hold.
 */
int video_list_add(struct video_list *list, struct video *v, struct err *e);
/* The same from borrowed text; `split` and `class_name` may be NULL. */
int video_list_add_path(struct video_list *list, const char *path, const char *split,
                        const char *class_name, struct err *e);

/*
 * For files with a line a video: refuses a path that an earlier line has, naming that one. The list
 * would be refused at the end, where lines are not known.
 */
int video_list_once(struct video_list *list, const char *path, size_t line, struct err *e);

/* Whether a class is UTF-8 without control characters, as records and tables need it. */
int video_class_check(const char *name, struct err *e);

/* Adds a line for the user: what was passed over, what is not there. */
int video_list_note(struct video_list *list, struct err *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a member to the settings; takes `value` over. */
int video_list_set(struct video_list *list, const char *name, struct json *value, struct err *e);

/*
 * Makes one of all videos that have the same id, name of a file and split, and classes that do not
 * differ: the files of a data set may overlap. Other videos of one id stay, to be refused at the
 * end. All have ids.
 */
int video_list_merge(struct video_list *list, struct err *e);

/* A copy in which bytes that are no UTF-8, control characters and a leading '!' are "%XX"; caller
 * frees. */
char *video_text_escape(const char *text, struct err *e);

/*
 * Gives an id to every video without one: its path without the extension, escaped, and cut with a
 * hash behind it where it is too long for a store. The extension stays where two paths differ by
 * nothing else, and where an id without it would look like the key of a frame ("00000012.mp4"). A
 * path that is not UTF-8 is escaped, too, and its video gets a reason: a record cannot name the
 * file. Sorts by id; refuses ids that two videos share, and given ones that a store cannot hold.
 */
int video_list_finish(struct video_list *list, struct err *e);

/* Removes "./" and doubled '/' in place; refuses absolute paths and "..": everything lies below one
 * folder. */
int video_path_clean(char *path, struct err *e);

/* Whether a file is a video by its name; the extensions are in teg-index(1). */
bool video_path_is_video(const char *path);

/* "train", "val" or "test" for the usual names of splits ("training", "valid", "validation",
 * "testing" ...); NULL for others. */
const char *video_split_name(const char *text);

#endif
