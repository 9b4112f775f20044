/* SPDX-License-Identifier: Apache-2.0 */
/* Text files, line by line: LF or CRLF, with or without a last one, a byte order mark. */
#ifndef TEG_BASE_LINES_H
#define TEG_BASE_LINES_H

#include <stddef.h>

#include "common/base/err.h"

/* `line` is a copy without the blanks at both ends, which may be changed; lines without anything
 * else are passed over. A negative return ends the reading and is returned. */
typedef int line_fn(void *user, char *line, struct err *e);

/* Errors, those of `fn` too, come back as "line N: why". */
int lines_read_text(const char *text, size_t len, line_fn *fn, void *user, struct err *e);
/* The same for a file: "PATH:N: why". */
int lines_read(const char *path, line_fn *fn, void *user, struct err *e);

#endif
