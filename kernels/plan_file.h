/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device measured, kept between runs: a text file of lines "KEY<tab>CHOICE" in the order of
 * the keys, behind a first line with its version and a second that names the machine. A file of
 * another machine or library version is ignored, and replaced when something new is put.
 *
 *     plan_file_open(&f, "model.safetensors.plans", "H100, cuDNN 9.19.0", &e);
 *     const char *choice = plan_file_get(f, key);
 *     if (!choice)
 *         plan_file_put(f, key, choice = measure(), &e);
 *     plan_file_close(f);
 */
#ifndef TEG_KERNELS_PLAN_FILE_H
#define TEG_KERNELS_PLAN_FILE_H

#include <stddef.h>

#include "common/base/err.h"

enum { PLAN_FILE_LINE = 512 }; /* bytes of a line, its newline included */

struct plan_file;

/* `path` NULL, or a file that does not exist: empty. A damaged one is an error that names the line.
 */
int plan_file_open(struct plan_file **f, const char *path, const char *machine, struct err *e);
void plan_file_close(struct plan_file *f);

/* Borrowed until the next put; NULL: nothing is known. */
const char *plan_file_get(const struct plan_file *f, const char *key);
/* Writes the file, if there is one. */
int plan_file_put(struct plan_file *f, const char *key, const char *choice, struct err *e);

/* The text of a file, as plan_file_open reads it. */
int plan_file_parse(struct plan_file **f, const char *text, size_t len, const char *machine,
                    struct err *e);
size_t plan_file_n(const struct plan_file *f);

#endif
