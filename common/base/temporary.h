/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files under way: TARGET.teg-XXXXXXXX.tmp, a name that nobody else has. It is locked while its
 * writer is alive, so that what a killed one left can be told from it and removed.
 *
 *     temporary_open(target, &path, &fd, &e);  ... write ...  rename(path, target); close(fd);
 */
#ifndef TEG_BASE_TEMPORARY_H
#define TEG_BASE_TEMPORARY_H

#include "common/base/err.h"

/* A new file, open for writing; the caller frees `path`. Errors name the target. */
int temporary_open(const char *target, char **path, int *fd, struct err *e);
/* Removes those of `target` that no process writes any more. */
void temporary_sweep(const char *target);

#endif
