/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into stores and model files: what teg-inspect does. A FILE is a store of any kind, also
 * an incomplete one, or a .safetensors file.
 *
 *     struct inspect i = {.path = "frames.lmdb", .out = stdout};
 *     int rc = inspect_ls(&i, &e);
 */
#ifndef TEG_STORE_INSPECT_H
#define TEG_STORE_INSPECT_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/ui.h"

struct inspect {
    const char *path;
    const char *other;     /* diff: the second file */
    const char *key;       /* show, export: the record */
    const char *npy, *png; /* export: the file to write, or NULL */
    bool all;              /* ls: every record; show: every element and row */
    struct ui *ui;
    FILE *out; /* what was found goes here */
};

/* What the file is, and its keys; with `all` a line on each record: type, shape, sizes, key. */
int inspect_ls(const struct inspect *i, struct err *e);

/*
 * One record: JSON indented, tables in columns, small arrays whole, large ones by their statistics.
 * Of a JSON file (metrics), the value at a path of member names and positions:
 * "classes/3/accuracy".
 */
int inspect_show(const struct inspect *i, struct err *e);

/*
 * Reads everything and holds it to the rules of its schema (schemas/). Every bad record is named on
 * `out`; then, or where the file as a whole is damaged or incomplete, the call fails.
 */
int inspect_verify(const struct inspect *i, struct err *e);

/*
 * An array as a .npy file; a frame, or an array of up to two dimensions, as a PNG picture. Frames
 * are the decoded NV12 pictures, bfloat16 becomes float32.
 */
int inspect_export(const struct inspect *i, struct err *e);

/* What is different in `other`: members of the meta record, keys, contents. Fails where anything
 * is. */
int inspect_diff(const struct inspect *i, struct err *e);

#endif
