/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_file.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/num.h"

/* Since protocol 2 a pickle begins with this byte and the number of its protocol. */
bool gebd_is_pickle(const char *data, size_t len)
{
    return len >= 2 && (unsigned char)data[0] == 0x80 && data[1] >= 2 && data[1] <= 5;
}

int gebd_pickle_error(struct err *e)
{
    return err_set(e,
                   "a pickle; convert it to JSON first: pipelines/pkl2json.py FILE -o FILE.json");
}

struct json *gebd_parse_json(const char *data, size_t len, struct err *e)
{
    if (gebd_is_pickle(data, len)) {
        gebd_pickle_error(e);
        return NULL;
    }
    struct json *v = json_parse(data, len, e);
    if (v && json_kind(v) != JSON_OBJECT) {
        err_set(e, "expected an object, with the ids of videos as its members");
        json_free(v);
        v = NULL;
    }
    return v;
}

/* -- lines of text -- */

/* A number as Python writes it. */
static int read_time(const char *text, double *out, struct err *e)
{
    static const struct {
        const char *name;
        double value;
    } special[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (strcmp(text, special[i].name) == 0) {
            *out = special[i].value;
            return 0;
        }
    return num_f64(text, -INFINITY, INFINITY, out, e);
}

/* "1.5,2.25" or nothing; `text` is cut into pieces. */
static struct json *read_times(char *text, struct err *e)
{
    struct json *times = json_new_array();
    int rc = times ? 0 : err_set(e, "out of memory");
    for (char *comma = text; rc == 0 && *text && comma; text = comma + 1) {
        double at;
        comma = strchr(text, ',');
        if (comma)
            *comma = '\0';
        rc = read_time(text, &at, e);
        if (rc == 0 && json_append(times, json_new_f64(at)) < 0)
            rc = err_set(e, "out of memory");
        if (!comma)
            break;
        if (rc == 0 && !comma[1])
            rc = err_set(e, "the list ends with a comma");
    }
    if (rc == 0)
        return times;
    json_free(times);
    return NULL;
}

static int read_line(struct json *all, char *line, struct err *e)
{
    char *tab = strchr(line, '\t');
    if (!*line)
        return 0;
    if (!tab || tab == line || strchr(tab + 1, '\t'))
        return err_set(e, "expected an id, a tab, and times with commas between them");
    *tab = '\0';
    if (json_member(all, line))
        return err_set(e, "video '%s' occurs twice", line);
    struct json *times = read_times(tab + 1, e);
    if (!times)
        return ERR_FAIL;
    return json_add(all, line, times) < 0 ? err_set(e, "out of memory") : 0;
}

static int read_lines(struct json *all, char *text, size_t len, struct err *e)
{
    size_t line = 1;
    for (char *end = text + len; text < end; line++) {
        char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;
        char *next = stop + 1;
        if (stop > text && stop[-1] == '\r')
            stop--;
        *stop = '\0';
        if (strlen(text) != (size_t)(stop - text))
            return err_set(e, "line %zu: a NUL byte", line);
        if (read_line(all, text, e) < 0)
            return err_add(e, "line %zu", line);
        text = next;
    }
    return 0;
}

struct json *gebd_parse_predictions(const char *data, size_t len, struct err *e)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t skip = len >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0, first = skip;
    while (first < len && memchr(" \t\r\n", data[first], 4))
        first++;
    if (first == len) {
        err_set(e, "empty");
        return NULL;
    }
    if (data[first] == '{' || data[first] == '[' || gebd_is_pickle(data, len))
        return gebd_parse_json(data, len, e);
    struct buf copy = {0};
    struct json *all = json_new_object();
    int rc = all ? buf_append(&copy, data + skip, len - skip, e) : err_set(e, "out of memory");
    if (rc == 0)
        rc = buf_append(&copy, "", 1, e);
    if (rc == 0)
        rc = read_lines(all, (char *)copy.data, copy.len - 1, e);
    buf_release(&copy);
    if (rc == 0)
        return all;
    json_free(all);
    return NULL;
}

/* -- files -- */

static int load(struct gebd_loaded *l, const char *path,
                struct json *(*parse)(const char *, size_t, struct err *), struct err *e)
{
    struct buf bytes = {0};
    int rc = file_read(path, &bytes, e);
    if (rc == 0) {
        l->json = parse((const char *)bytes.data, bytes.len, e);
        if (!l->json)
            rc = err_add(e, "%s", path);
        hash_text(hash_bytes(bytes.data, bytes.len), l->identity);
    }
    buf_release(&bytes);
    return rc;
}

int gebd_load_json(struct gebd_loaded *l, const char *path, struct err *e)
{
    return load(l, path, gebd_parse_json, e);
}

int gebd_load_predictions(struct gebd_loaded *l, const char *path, struct err *e)
{
    return load(l, path, gebd_parse_predictions, e);
}

/* -- writing -- */

int gebd_out_open(struct gebd_out *o, const char *path, struct err *e)
{
    *o = (struct gebd_out){0};
    return file_out_open(&o->file, path, e);
}

int gebd_out_add(struct gebd_out *o, const char *id, struct json *value, struct err *e)
{
    FILE *f = file_out_stream(o->file);
    struct json *name = json_new_str(id);
    bool failed = !name || fprintf(f, "%s%s: %s", o->n++ ? ",\n" : "{", json_text(name),
                                   json_text(value)) < 0;
    json_free(name);
    return failed ? err_errno(e, "cannot write") : 0;
}

int gebd_out_publish(struct gebd_out *o, struct err *e)
{
    struct file_out *file = o->file;
    fprintf(file_out_stream(file), "%s}\n", o->n ? "" : "{");
    o->file = NULL;
    return file_out_publish(file, e);
}

void gebd_out_abandon(struct gebd_out *o)
{
    file_out_abandon(o->file);
    o->file = NULL;
}
