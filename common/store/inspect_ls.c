/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/inspect.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/source.h"

enum { N_FIRST_KEYS = 10, MAX_LISTED = 20 };

/* -- the file as a whole -- */

static void print_members(FILE *out, const char *label, const struct json *object)
{
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    while (json_next(object, &w, &name, &value)) {
        const char *text = json_str(value);
        if (json_kind(value) == JSON_ARRAY && json_len(value) > MAX_LISTED)
            fprintf(out, "%-9s %s = [%zu items, from %s]\n", label, name, json_len(value),
                    json_text(json_at(value, 0)));
        else if (json_kind(value) == JSON_OBJECT && json_len(value) > MAX_LISTED)
            fprintf(out, "%-9s %s = {%zu members}\n", label, name, json_len(value));
        else
            fprintf(out, "%-9s %s = %s\n", label, name, text ? text : json_text(value));
        label = "";
    }
}

static void print_store(FILE *out, struct store *s)
{
    const struct store_meta *m = store_meta(s);
    const char *tool_version = json_str(json_member(m->root, "tool_version"));
    const char *content = json_str(json_member(m->root, "content"));
    const struct json *argv = json_member(m->root, "argv");
    fprintf(out, "%-9s %s, version %d%s\n", "store", m->schema, m->version,
            m->complete ? "" : ", INCOMPLETE");
    fprintf(out, "%-9s %s %s", "made by", m->tool, tool_version ? tool_version : "");
    for (size_t i = 0; i < json_len(argv); i++)
        fprintf(out, " %s", json_str(json_at(argv, i)));
    fprintf(out, "\n");
    print_members(out, "settings", m->settings);
    print_members(out, "inputs", m->inputs);
    print_members(out, "summary", json_member(m->root, "summary"));
    fprintf(out, "%-9s %s\n", "content", content ? content : "");
    fprintf(out, "%-9s %s\n", "identity", m->identity);
    if (store_n_files(s) > 1)
        fprintf(out, "%-9s %zu\n", "shards", store_n_files(s));
    if (m->complete)
        fprintf(out, "%-9s %" PRIu64 "\n", "items", m->count);
}

static int print_model(FILE *out, struct source *s, struct err *e)
{
    struct record r;
    struct array a;
    size_t n_elements = 0, n_bytes = 0;
    int rc;
    while ((rc = source_next(s, &r, e)) == 1 && source_array(s, &r, &a, e) == 0) {
        n_elements += a.n;
        n_bytes += a.data_bytes;
    }
    fprintf(out, "%-9s safetensors\n", "model");
    print_members(out, "metadata", source_meta(s));
    fprintf(out, "%-9s %zu in %zu bytes\n", "elements", n_elements, n_bytes);
    return rc < 0 ? rc : source_rewind(s, e);
}

static int print_summary(const struct inspect *i, struct source *s, struct err *e)
{
    struct record r;
    size_t n = source_n_records(s);
    int rc = 0;
    if (source_store(s))
        print_store(i->out, source_store(s));
    else
        rc = print_model(i->out, s, e);
    if (rc < 0)
        return rc;
    fprintf(i->out, "%-9s %zu\n", "records", n);
    for (size_t k = 0; k < N_FIRST_KEYS && (rc = source_next(s, &r, e)) == 1; k++)
        fprintf(i->out, "%-9s %s\n", k ? "" : "keys", r.key);
    if (rc >= 0 && n > N_FIRST_KEYS)
        fprintf(i->out, "%-9s and %zu more, which --long lists\n", "", n - N_FIRST_KEYS);
    return rc < 0 ? rc : 0;
}

/* -- record by record -- */

/* "float32", "[8,2048]" and the bytes of the content; for JSON its kind and number of members. */
static int describe(struct source *s, const struct record *r, struct buf text[2], size_t *bytes,
                    struct err *e)
{
    struct array a;
    int rc;
    if (r->is_array) {
        if ((rc = source_array(s, r, &a, e)) < 0 || (rc = array_type_text(&a, &text[0], e)) < 0)
            return rc;
        *bytes = a.data_bytes;
        return array_shape_text(&a, &text[1], e);
    }
    struct json *j = source_json(r, e);
    if (!j)
        return ERR_FAIL;
    *bytes = r->value.len;
    rc = buf_printf(&text[0], e, "json");
    if (rc == 0 && json_kind(j) == JSON_OBJECT)
        rc = buf_printf(&text[1], e, "{%zu}", json_len(j));
    else if (rc == 0 && json_kind(j) == JSON_ARRAY)
        rc = buf_printf(&text[1], e, "[%zu]", json_len(j));
    json_free(j);
    return rc;
}

/* Returns 1 where the record cannot be read; the line says why. */
static int print_record(FILE *out, struct source *s, const struct record *r)
{
    struct err e = {0};
    struct buf text[2] = {{0}, {0}};
    size_t bytes = 0;
    int rc = describe(s, r, text, &bytes, &e);
    if (rc < 0)
        fprintf(out, "%-10s %-18s %10s %10zu  %s  (%s)\n", "damaged", "-", "-", r->value.len,
                r->key, e.text);
    else
        fprintf(out, "%-10s %-18s %10zu %10zu  %s\n", (char *)text[0].data,
                text[1].data ? (char *)text[1].data : "-", bytes, r->value.len, r->key);
    buf_release(&text[0]);
    buf_release(&text[1]);
    return rc < 0;
}

static int print_records(const struct inspect *i, struct source *s, struct err *e)
{
    struct record r;
    size_t n_damaged = 0;
    int rc;
    fprintf(i->out, "%-10s %-18s %10s %10s  %s\n", "type", "shape", "bytes", "stored", "key");
    while ((rc = source_next(s, &r, e)) == 1)
        n_damaged += (size_t)print_record(i->out, s, &r);
    if (rc == 0 && n_damaged)
        rc = err_set(e, "%s: %zu records cannot be read", i->path, n_damaged);
    return rc;
}

int inspect_ls(const struct inspect *i, struct err *e)
{
    struct source *s;
    int rc = source_open(&s, i->path, e);
    if (rc < 0)
        return rc;
    rc = i->all ? print_records(i, s, e) : print_summary(i, s, e);
    source_close(s);
    return rc;
}
