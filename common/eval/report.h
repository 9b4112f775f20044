/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics documents (schemas/metrics.md) piece by piece, so that running out of memory is asked for
 * once, at the end.
 *
 *     struct report r = report_start("teg-probe", argv);
 *     report_put_f64(&r, "top1", 0.5); ...
 *     struct json *metrics = report_take(&r);         NULL where memory ran out on the way
 *     report_write(metrics, "metrics.json", &e);
 */
#ifndef TEG_EVAL_REPORT_H
#define TEG_EVAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"

/* An object under construction. */
struct report {
    struct json *json;
    bool failed;
};

struct report report_new(void);
/* With schema, version, tool, tool_version and, where it is not NULL, argv (borrowed). */
struct report report_start(const char *tool, struct json *argv);
struct json *report_take(struct report *r); /* the finished object, or NULL */

/* Takes `value` over; NULL counts as memory that ran out. */
void report_put(struct report *r, const char *name, struct json *value);
void report_put_i64(struct report *r, const char *name, size_t value);
void report_put_f64(struct report *r, const char *name, double value); /* NaN becomes null */
void report_put_str(struct report *r, const char *name, const char *value);
void report_put_hash(struct report *r, const char *name, const void *data, size_t len);

/* Appends, taking `value` over; returns the array, or NULL (and frees it) where that failed. */
struct json *report_append(struct json *array, struct json *value);

/* Indented, at once (file.h). */
int report_write(struct json *metrics, const char *path, struct err *e);

/* What of the metrics goes to stdout (--print). */
enum report_form { REPORT_TABLE, REPORT_JSON, REPORT_NONE };
extern const char *const report_form_names[]; /* NULL-ended */
typedef void report_table_fn(FILE *out, const struct json *metrics);
void report_show(FILE *out, enum report_form form, struct json *metrics, report_table_fn *table);

/* A line of the table for people: "top-1                   66.67 %". */
void report_print_share(FILE *out, const char *title, double share);

#endif
