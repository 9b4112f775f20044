/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/report.h"

#include <math.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/base/version.h"

struct report report_new(void)
{
    struct json *json = json_new_object();
    return (struct report){.json = json, .failed = !json};
}

struct report report_start(const char *tool, struct json *argv)
{
    struct report r = report_new();
    report_put_str(&r, "schema", "metrics");
    report_put_i64(&r, "version", 1);
    report_put_str(&r, "tool", tool);
    report_put_str(&r, "tool_version", TEG_VERSION);
    if (argv)
        report_put(&r, "argv", json_ref(argv));
    return r;
}

struct json *report_take(struct report *r)
{
    if (!r->failed)
        return r->json;
    json_free(r->json);
    return NULL;
}

void report_put(struct report *r, const char *name, struct json *value)
{
    if (r->failed)
        json_free(value);
    else if (json_add(r->json, name, value) < 0)
        r->failed = true;
}

void report_put_i64(struct report *r, const char *name, size_t value)
{
    report_put(r, name, json_new_i64((int64_t)value));
}

void report_put_f64(struct report *r, const char *name, double value)
{
    report_put(r, name, isnan(value) ? json_new_null() : json_new_f64(value));
}

void report_put_str(struct report *r, const char *name, const char *value)
{
    report_put(r, name, json_new_str(value));
}

void report_put_hash(struct report *r, const char *name, const void *data, size_t len)
{
    char text[HASH_TEXT_BYTES];
    hash_text(hash_bytes(data, len), text);
    report_put_str(r, name, text);
}

struct json *report_append(struct json *array, struct json *value)
{
    if (array && json_append(array, value) == 0)
        return array;
    if (!array)
        json_free(value);
    json_free(array);
    return NULL;
}

int report_write(struct json *metrics, const char *path, struct err *e)
{
    const char *text = json_pretty(metrics);
    struct buf file = {0};
    int rc = text ? buf_printf(&file, e, "%s\n", text) : err_set(e, "%s: out of memory", path);
    if (rc == 0)
        rc = file_write(path, file.data, file.len, e);
    buf_release(&file);
    return rc;
}

const char *const report_form_names[] = {"table", "json", "none", NULL};

void report_show(FILE *out, enum report_form form, struct json *metrics, report_table_fn *table)
{
    if (form == REPORT_TABLE)
        table(out, metrics);
    if (form == REPORT_JSON)
        fprintf(out, "%s\n", json_pretty(metrics));
}

void report_print_share(FILE *out, const char *title, double share)
{
    fprintf(out, "%-22s %6.2f %%\n", title, 100 * share);
}
