/* SPDX-License-Identifier: Apache-2.0 */
/* Which files there are of AVA and AVA-Kinetics, and what both do with them. */
#ifndef TEG_DATASETS_AVA_FILES_H
#define TEG_DATASETS_AVA_FILES_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/datasets/importer.h"
#include "common/datasets/key_frames.h"

enum { AVA_CUT_START = 900 }; /* second of the film at which a file that is cut out begins */

/* Reads annotated boxes and excluded key frames of AVA, of every split that is there: how many. */
int ava_files_read_films(const char *folder, struct key_frames *k, struct err *e);
/* The same of the Kinetics part of AVA-Kinetics. */
int ava_files_read_clips(const char *folder, struct key_frames *k, struct err *e);
/* One file of annotated boxes; its name may tell the split. */
int ava_files_read_boxes(const char *path, struct key_frames *k, struct err *e);
/* Proposals as JSON, {"ID,SECONDS": [[x1, y1, x2, y2, score], ...]}, as rows of a CSV file. */
int ava_files_proposals_to_csv(const char *text, size_t len, struct buf *csv, struct err *e);
/* Boxes of a detector, CSV or JSON; of videos that are in no other file, the split is test. */
int ava_files_read_detections(const char *path, struct key_frames *k, struct err *e);
/*
 * All actions into the list's settings: named from the label maps that are in the folder, some of
 * which have only those that are scored, or else by their numbers. NULL: no folder.
 */
int ava_files_read_actions(const char *folder, struct video_list *out, struct err *e);

/* What an action is called that no label map names, "action 12". */
enum { AVA_ACTION_NAME_BYTES = 32 };
void ava_files_action_name(char *name, int64_t id); /* [AVA_ACTION_NAME_BYTES] */
int64_t ava_files_action_id(const char *name);      /* 0: it has another name */

/* --video-start, where it was given, into the list's settings. */
int ava_files_note_start(const struct import_options *options, struct video_list *out,
                         struct err *e);
/*
 * Adds a film. Its key frames are counted from the second at which the option has the file begin;
 * without the option from that of the film, until ava_files_complete.
 */
int ava_files_add_film(struct key_frames *k, size_t video, const struct import_options *options,
                       struct video_list *out, struct err *e);
/*
 * Where a film's file begins, unless the option says it: it is whole where it is long and shows the
 * last key frame when counted from its beginning, or where the first one lies before second 900;
 * else it is cut out of the film from second 900 on.
 */
int ava_files_complete(const struct import_options *options, struct video *v, struct err *e);
/* Adds a video of this path, whose file shows the seconds start to end of the original. */
int ava_files_add_video(struct key_frames *k, size_t video, const char *path,
                        const double seconds[2], struct video_list *out, struct err *e);

#endif
