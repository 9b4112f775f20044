/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/inspect.h"

#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/store/source.h"

struct diff {
    const struct inspect *request;
    struct source *a, *b;
    size_t n_meta, n_only_a, n_only_b, n_records;
};

/* -- JSON -- */

enum { MAX_SHOWN = 60 };

/* Prints "path: old | new" for each leaf that differs; returns how many there are. */
static size_t diff_json(FILE *out, const char *path, struct json *a, struct json *b);

static void print_side(FILE *out, struct json *v)
{
    const char *text = v ? json_text(v) : "absent";
    fprintf(out, "%.*s%s", MAX_SHOWN, text, strlen(text) > MAX_SHOWN ? "..." : "");
}

static size_t diff_member(FILE *out, const char *path, const char *name, struct json *pair[2])
{
    struct buf below = {0};
    size_t n = 1;
    if (buf_printf(&below, NULL, "%s%s%s", path, *path && *name != '[' ? "." : "", name) == 0)
        n = diff_json(out, (char *)below.data, pair[0], pair[1]);
    buf_release(&below);
    return n;
}

static size_t diff_objects(FILE *out, const char *path, const struct json *a, const struct json *b)
{
    struct json_walk of_a = {0}, of_b = {0};
    const char *name;
    struct json *pair[2];
    size_t n = 0;
    while (json_next(a, &of_a, &name, &pair[0])) {
        pair[1] = json_member(b, name);
        n += diff_member(out, path, name, pair);
    }
    while (json_next(b, &of_b, &name, &pair[1])) {
        pair[0] = NULL;
        n += json_member(a, name) ? 0 : diff_member(out, path, name, pair);
    }
    return n;
}

static size_t diff_lists(FILE *out, const char *path, const struct json *a, const struct json *b)
{
    size_t n = 0, len = json_len(a) > json_len(b) ? json_len(a) : json_len(b);
    for (size_t i = 0; i < len; i++) {
        char name[32];
        struct json *pair[2] = {json_at(a, i), json_at(b, i)};
        snprintf(name, sizeof name, "[%zu]", i);
        n += diff_member(out, path, name, pair);
    }
    return n;
}

static size_t diff_json(FILE *out, const char *path, struct json *a, struct json *b)
{
    if (a && b && json_kind(a) == JSON_OBJECT && json_kind(b) == JSON_OBJECT)
        return diff_objects(out, path, a, b);
    if (a && b && json_kind(a) == JSON_ARRAY && json_kind(b) == JSON_ARRAY)
        return diff_lists(out, path, a, b);
    if (a && b && json_equal(a, b))
        return 0;
    fprintf(out, "  %s: ", *path ? path : "value");
    print_side(out, a);
    fprintf(out, " | ");
    print_side(out, b);
    fprintf(out, "\n");
    return 1;
}

/* -- arrays -- */

/* "[3, 0, 17]" of item i. */
static void print_index(FILE *out, const struct array *a, size_t i)
{
    size_t below = a->n;
    fprintf(out, "[");
    for (int d = 0; d < a->n_dims; d++) {
        below /= a->dim[d];
        fprintf(out, "%s%zu", d ? ", " : "", i / below % a->dim[d]);
    }
    fprintf(out, "]");
}

/* Both values of item i; of a table those of the first column that differs. */
static void print_items(FILE *out, const struct array *a, const struct array *b, size_t i)
{
    struct scalar_type type = a->type;
    const unsigned char *x = array_item(a, i), *y = array_item(b, i);
    char text_x[SCALAR_TEXT_BYTES], text_y[SCALAR_TEXT_BYTES];
    print_index(out, a, i);
    for (size_t c = 0; c < a->n_columns; c++) {
        const struct array_column *column = &a->column[c];
        size_t k = 0, bytes = column->type.bytes, at = column->offset;
        while (k < column->n && memcmp(x + at + k * bytes, y + at + k * bytes, bytes) == 0)
            k++;
        if (k == column->n)
            continue;
        fprintf(out, ".%s", column->name);
        type = column->type;
        x += at + k * bytes;
        y += at + k * bytes;
        break;
    }
    scalar_text(type, x, text_x);
    scalar_text(type, y, text_y);
    fprintf(out, ": %s | %s\n", text_x, text_y);
}

static bool same_form(const struct array *a, const struct array *b)
{
    return strcmp(a->descr, b->descr) == 0 && a->type.kind == b->type.kind &&
           a->type.bytes == b->type.bytes && a->n_dims == b->n_dims &&
           memcmp(a->dim, b->dim, sizeof a->dim) == 0;
}

static int print_form(FILE *out, const struct array *a, struct err *e)
{
    struct buf text = {0};
    int rc = array_type_text(a, &text, e);
    if (rc == 0)
        rc = buf_printf(&text, e, " ");
    if (rc == 0)
        rc = array_shape_text(a, &text, e);
    if (rc == 0)
        fprintf(out, "%s", (char *)text.data);
    buf_release(&text);
    return rc;
}

/* 1 where the arrays differ. Equal bits are equal, also those of NaN. */
static int diff_arrays(FILE *out, const char *key, const struct array *a, const struct array *b,
                       struct err *e)
{
    if (!same_form(a, b)) {
        fprintf(out, "%s: ", key);
        if (print_form(out, a, e) < 0)
            return ERR_FAIL;
        fprintf(out, " | ");
        int rc = print_form(out, b, e);
        fprintf(out, "\n");
        return rc < 0 ? rc : 1;
    }
    size_t first = a->n, n = 0, bytes = a->type.bytes;
    double greatest = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (memcmp(array_item(a, i), array_item(b, i), bytes) == 0)
            continue;
        double d =
            fabs(scalar_f64(a->type, array_item(a, i)) - scalar_f64(b->type, array_item(b, i)));
        greatest = d > greatest ? d : greatest;
        first = n++ ? first : i;
    }
    if (n == 0)
        return 0;
    fprintf(out, "%s: %zu of %zu %s differ", key, n, a->n, a->n_columns ? "rows" : "elements");
    if (greatest > 0) /* not where a NaN is all there is */
        fprintf(out, ", by %.6g at most", greatest);
    fprintf(out, "; first ");
    print_items(out, a, b, first);
    return 1;
}

/* -- records -- */

static int diff_array_records(struct diff *d, const struct record *ra, const struct record *rb,
                              struct err *e)
{
    struct array *arrays = mem_new(2, sizeof *arrays, e);
    if (!arrays)
        return ERR_FAIL;
    int rc = source_array(d->a, ra, &arrays[0], e);
    if (rc == 0)
        rc = source_array(d->b, rb, &arrays[1], e);
    if (rc == 0)
        rc = diff_arrays(d->request->out, ra->key, &arrays[0], &arrays[1], e);
    free(arrays);
    return rc;
}

static int diff_json_records(struct diff *d, const struct record *ra, const struct record *rb,
                             struct err *e)
{
    FILE *out = d->request->out;
    struct json *a = source_json(ra, e), *b = a ? source_json(rb, e) : NULL;
    int rc = b ? 0 : ERR_FAIL;
    if (rc == 0 && !json_equal(a, b)) {
        fprintf(out, "%s:\n", ra->key);
        diff_json(out, "", a, b);
        rc = 1;
    }
    json_free(a);
    json_free(b);
    return rc;
}

/* 1 where the contents differ. Values that are stored alike need no unpacking. */
static int diff_records(struct diff *d, const struct record *ra, const struct record *rb,
                        struct err *e)
{
    if (ra->is_array != rb->is_array) {
        fprintf(d->request->out, "%s: %s | %s\n", ra->key, ra->is_array ? "an array" : "JSON",
                rb->is_array ? "an array" : "JSON");
        return 1;
    }
    bool packed = source_store(d->a) && source_store(d->b); /* else dtypes may differ */
    if (packed && ra->value.len == rb->value.len &&
        memcmp(ra->value.data, rb->value.data, ra->value.len) == 0)
        return 0;
    return ra->is_array ? diff_array_records(d, ra, rb, e) : diff_json_records(d, ra, rb, e);
}

/* What is in `from` and not in `other`, and, from the first file, what differs in both. */
static int diff_side(struct diff *d, bool first, struct err *e)
{
    struct source *from = first ? d->a : d->b, *other = first ? d->b : d->a;
    struct record r, match;
    struct err absent;
    int rc;
    while ((rc = source_next(from, &r, e)) == 1) {
        int found = source_get(other, r.key, &match, &absent);
        if (found == ERR_NOT_FOUND) {
            fprintf(d->request->out, "%s: only in %s\n", r.key, source_path(from));
            *(first ? &d->n_only_a : &d->n_only_b) += 1;
        } else if (found < 0) {
            return err_set(e, "%s", absent.text);
        } else if (first) {
            int differs = diff_records(d, &r, &match, e);
            if (differs < 0)
                return differs;
            d->n_records += (size_t)differs;
        }
    }
    return rc;
}

static int diff_sources(struct diff *d, struct err *e)
{
    FILE *out = d->request->out;
    struct json *a = source_meta(d->a), *b = source_meta(d->b);
    if (!json_equal(a, b)) {
        fprintf(out, "%s:\n", source_meta_key(d->a));
        d->n_meta = diff_json(out, "", a, b);
    }
    int rc = diff_side(d, true, e);
    if (rc == 0)
        rc = diff_side(d, false, e);
    if (rc < 0 || d->n_meta + d->n_only_a + d->n_only_b + d->n_records == 0)
        return rc;
    return err_set(e, "%s and %s differ: %zu members of %s, %zu records, %zu and %zu only in one",
                   source_path(d->a), source_path(d->b), d->n_meta, source_meta_key(d->a),
                   d->n_records, d->n_only_a, d->n_only_b);
}

int inspect_diff(const struct inspect *i, struct err *e)
{
    struct diff d = {.request = i};
    int rc = source_open(&d.a, i->path, e);
    if (rc == 0)
        rc = source_open(&d.b, i->other, e);
    if (rc == 0)
        rc = diff_sources(&d, e);
    source_close(d.a);
    source_close(d.b);
    return rc;
}
