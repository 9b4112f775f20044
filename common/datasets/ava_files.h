/* SPDX-License-Identifier: Apache-2.0 */
/* Which files there are of AVA and AVA-Kinetics, and what both do with them. */
#ifndef TEG_DATASETS_AVA_FILES_H
#define TEG_DATASETS_AVA_FILES_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/datasets/importer.h"
#include "common/datasets/key_frames.h"

enum { AVA_FILM_START = 900 }; /* second of the film at which copies of the videos begin */

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

/* Second at which the films' files begin; it goes into the list's settings. */
int ava_files_start(const struct import_options *options, struct video_list *out, double *start,
                    struct err *e);
/* Adds a film, whose file begins at `start`. */
int ava_files_add_film(struct key_frames *k, size_t video, double start, struct video_list *out,
                       struct err *e);
/* Adds a video of this path, whose file shows the seconds start to end of the original. */
int ava_files_add_video(struct key_frames *k, size_t video, const char *path,
                        const double seconds[2], struct video_list *out, struct err *e);

#endif
