/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boxes at key frames as the files of AVA and AVA-Kinetics list them, one row for each box and each
 * of its actions: collected, and put together to what an index holds of a video.
 *
 *     struct key_frames k = {0};
 *     key_frames_read_boxes(&k, text, len, "train", &e);    // and others, in any order
 *     key_frames_finish(&k, &e);
 *     key_frames_extra(&k, video, 900, INFINITY, &extra, &e);
 *     key_frames_release(&k);
 */
#ifndef TEG_DATASETS_KEY_FRAMES_H
#define TEG_DATASETS_KEY_FRAMES_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"

enum { KEY_FRAMES_N_ACTIONS = 80 }; /* ids of actions are 1 to this */

struct key_row;
struct key_file;

struct key_video {
    char *name;
    char *split;              /* of the file that lists it; NULL where that does not tell */
    size_t first, n;          /* its rows, after key_frames_finish */
    size_t n_outside;         /* key frames left out by key_frames_extra */
    const char *outside_file; /* of the first of them; NULL where files have no names */
};

struct key_frames {
    struct key_row *row;
    size_t n, cap;
    struct key_video *video;
    size_t n_videos, cap_videos;
    struct json *numbers; /* name: number of the video */
    size_t last;          /* video of the row before */
    struct key_file *file;
    size_t n_files;
};

void key_frames_release(struct key_frames *k);

/* Gives what is read next the name of its file. */
int key_frames_name_file(struct key_frames *k, const char *path, struct err *e);

/*
 * Annotated boxes: ID,SECONDS[,X1,Y1,X2,Y2,ACTION[,PERSON]]; a row without a box is a key frame
 * that shows nobody. A video belongs to one split only.
 */
int key_frames_read_boxes(struct key_frames *k, const char *text, size_t len, const char *split,
                          struct err *e);
/*
 * Boxes that a detector found: ID,SECONDS,X1,Y1,X2,Y2,[ACTION],SCORE. `split` is for videos that no
 * file of annotated boxes lists; those are read first.
 */
int key_frames_read_detections(struct key_frames *k, const char *text, size_t len,
                               const char *split, struct err *e);
/* ID,SECONDS of key frames that are not to be used. */
int key_frames_read_excluded(struct key_frames *k, const char *text, size_t len, struct err *e);

/* When all is read. Videos that have excluded key frames and nothing else are left with n = 0. */
int key_frames_finish(struct key_frames *k, struct err *e);

/*
 * The object with `key_frames` and `boxes` of a video (schemas/index.md) whose file shows what is
 * between two seconds of the original. Key frames outside are left out and counted.
 */
int key_frames_extra(struct key_frames *k, size_t video, double start, double end,
                     struct json **extra, struct err *e);
/* How many key frames of a video lie between these seconds. */
size_t key_frames_n_inside(const struct key_frames *k, size_t video, double start, double end);

/*
 * A label map, "item { name: "..." id: 1 }" or "label { name ... label_id ... }": an array of
 * {"id", "name"}, in the order of the file.
 */
int key_frames_read_actions(const char *text, size_t len, struct json **actions, struct err *e);

#endif
