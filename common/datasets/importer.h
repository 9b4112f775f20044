/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One importer per data set layout: it reads annotation files or walks folders and lists the videos
 * that there should be. Each is one file that defines one `struct importer`; the table in
 * importer.c names them all, and nothing else has to change for a new one.
 */
#ifndef TEG_DATASETS_IMPORTER_H
#define TEG_DATASETS_IMPORTER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/datasets/video_list.h"

struct import_options {
    const char *videos;      /* folder that all paths are relative to */
    const char *annotations; /* file or folder of annotations; NULL where none was given */
    const char *exclude;     /* folder in these whose files do not count; NULL for none */
    /* Of some importers only, see import_extras. */
    int fold;               /* which of several divisions into training and test; 0: the first */
    const char *detections; /* file of boxes that a detector found; NULL for none */
    double video_start;     /* second of the original at which the files begin; < 0: not given */
};

/* Options that an importer takes besides the folders. */
enum import_extras { IMPORT_FOLD = 1, IMPORT_DETECTIONS = 2, IMPORT_VIDEO_START = 4 };

struct importer {
    const char *name; /* --format NAME */
    const char *what; /* one line for --help */
    bool needs_annotations;
    unsigned extras; /* enum import_extras */
    /* The paths are those of the data set as it was released: the files are looked for by name. */
    bool finds_files;
    bool ignores_case; /* of the files' names, where none fits exactly */
    /*
     * Adds videos: path, and what is known of id, split, class_name, events, extra; and what there
     * is of notes and settings.
     */
    int (*read)(const struct import_options *options, struct video_list *out, struct err *e);
    /*
     * Completes the record of a video by what follows from its file, which was looked at or is
     * missing or bad; on any thread. NULL: nothing does.
     */
    int (*complete)(const struct import_options *options, struct video *v, struct err *e);
};

const struct importer *importer_find(const char *name); /* NULL where there is none */
const struct importer *importer_at(size_t i);           /* NULL behind the last */
/* Refuses options that are missing or mean nothing to the importer. */
int importer_check(const struct importer *importer, const struct import_options *o, struct err *e);

/*
 * The readers behind the formats, on text: the content of one file each. A `split` is what the rows
 * belong to, NULL where the file does not tell.
 */
int list_read_text(const char *text, size_t len, struct video_list *out, struct err *e);
int annotations_read_text(const char *text, size_t len, struct video_list *out, struct err *e);
int kinetics_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                       struct err *e);
/* The classes come first. */
int ucf101_read_classes(const char *text, size_t len, struct video_list *out, struct err *e);
int ucf101_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                     struct err *e);
int hmdb51_read_text(const char *text, size_t len, const char *class_name, struct video_list *out,
                     struct err *e);
/* The vocabulary comes first. */
int diving48_read_vocabulary(const char *text, size_t len, struct video_list *out, struct err *e);
int diving48_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                       struct err *e);

struct ssv2_import {
    struct video_list *list;
    const char *split;    /* of the entries that are read */
    bool unlabelled;      /* they may lack a template */
    struct json *numbers; /* label: its number */
};
/* Labels come first, the answers of the test split last. */
int ssv2_read_labels(const char *text, size_t len, struct ssv2_import *im, struct err *e);
int ssv2_read_entries(const char *text, size_t len, struct ssv2_import *im, struct err *e);
int ssv2_read_answers(const char *text, size_t len, struct ssv2_import *im, struct err *e);
void ssv2_release(struct ssv2_import *im);

struct vidsitu_import {
    struct video_list *list;
    const char *split;   /* that is read */
    struct json *videos; /* id: number in the list */
    struct json *verbs;  /* verb: number in the vocabulary */
    const char *unknown; /* the verb that stands for those that are not in it; borrowed */
    size_t n_others;     /* entries about videos outside the split so far */
};
/* The vocabulary comes first, a split before its verbs: vinfo with lists, vsann with one each. */
int vidsitu_read_vocabulary(const char *text, size_t len, struct vidsitu_import *im, struct err *e);
int vidsitu_read_split(const char *text, size_t len, struct vidsitu_import *im, struct err *e);
int vidsitu_read_vinfo(const char *text, size_t len, struct vidsitu_import *im, struct err *e);
int vidsitu_read_vsann(const char *text, size_t len, struct vidsitu_import *im, struct err *e);
void vidsitu_release(struct vidsitu_import *im);

int gebd_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                   struct err *e);

extern const struct importer importer_folder;
extern const struct importer importer_list;
extern const struct importer importer_annotations;
extern const struct importer importer_kinetics;
extern const struct importer importer_ucf101;
extern const struct importer importer_hmdb51;
extern const struct importer importer_ssv2;
extern const struct importer importer_diving48;
extern const struct importer importer_vidsitu;
extern const struct importer importer_gebd;
extern const struct importer importer_ava;
extern const struct importer importer_ava_kinetics;

#endif
