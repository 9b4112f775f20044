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
};

struct importer {
    const char *name; /* --format NAME */
    const char *what; /* one line for --help */
    bool needs_annotations;
    /* Adds videos: path, and what is known of id, split, class_name, events, extra. */
    int (*read)(const struct import_options *options, struct video_list *out, struct err *e);
};

const struct importer *importer_find(const char *name); /* NULL where there is none */
const struct importer *importer_at(size_t i);           /* NULL behind the last */

/* The readers behind `list` and `annotations`, on text. */
int list_read_text(const char *text, size_t len, struct video_list *out, struct err *e);
int annotations_read_text(const char *text, size_t len, struct video_list *out, struct err *e);

extern const struct importer importer_folder;
extern const struct importer importer_list;
extern const struct importer importer_annotations;

#endif
