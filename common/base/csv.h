/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV files, row by row: quotes, CRLF, a byte order mark; fields of any length. Blanks around an
 * unquoted field are dropped; a quote inside one is an error. libcsv underneath.
 */
#ifndef TEG_BASE_CSV_H
#define TEG_BASE_CSV_H

#include <stddef.h>

#include "common/base/err.h"

struct csv_row {
    size_t line; /* 1-based line of the file on which the row ends */
    size_t n_fields;
    const char *const *field; /* NUL-terminated, borrowed for the call */
};

/* The first field that is one of the NULL-ended names, in either case; -1 where none is. */
int csv_column(const struct csv_row *row, const char *const *names);

/* Called once a row; blank lines are passed over. A negative return ends the reading and is
 * returned. */
typedef int csv_row_fn(void *user, const struct csv_row *row, struct err *e);

/* Errors, those of `fn` too, come back as "PATH:LINE: why". `separator` is a comma mostly. */
int csv_read(const char *path, char separator, csv_row_fn *fn, void *user, struct err *e);
/* The same for comma-separated text in memory: "line LINE: why". */
int csv_read_text(const char *data, size_t len, csv_row_fn *fn, void *user, struct err *e);
/* As csv_read_text, but a blank line is a row of no fields. */
int csv_read_every_line(const char *data, size_t len, csv_row_fn *fn, void *user, struct err *e);

#endif
