/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/store/source.h"

enum { MAX_ELEMENTS = 1000, MAX_ROWS = 20, LINE_BYTES = 78 };

/* -- arrays of one type -- */

struct statistics {
    size_t n_nan, n_infinite, n_finite;
    double min, max, mean, deviation; /* of the finite ones */
};

static void take_statistics(struct statistics *s, const struct array *a)
{
    double sum = 0, squares = 0;
    *s = (struct statistics){.min = HUGE_VAL, .max = -HUGE_VAL};
    for (size_t i = 0; i < a->n; i++) {
        double x = scalar_f64(a->type, array_item(a, i));
        s->n_nan += isnan(x) != 0;
        s->n_infinite += isinf(x) != 0;
        if (!isfinite(x))
            continue;
        s->n_finite++;
        sum += x;
        s->min = x < s->min ? x : s->min;
        s->max = x > s->max ? x : s->max;
    }
    s->mean = sum / (double)s->n_finite;
    for (size_t i = 0; i < a->n; i++) {
        double d = scalar_f64(a->type, array_item(a, i)) - s->mean;
        squares += isfinite(d) ? d * d : 0;
    }
    s->deviation = sqrt(squares / (double)s->n_finite);
}

static void print_statistics(FILE *out, const struct array *a)
{
    struct statistics s;
    take_statistics(&s, a);
    if (s.n_finite)
        fprintf(out, "min %.6g, max %.6g, mean %.6g, deviation %.6g\n", s.min, s.max, s.mean,
                s.deviation);
    if (s.n_nan || s.n_infinite)
        fprintf(out, "%zu NaN, %zu infinite\n", s.n_nan, s.n_infinite);
}

/* "[2, 0, :]": where the row of elements that begins with element i lies. */
static void print_place(FILE *out, const struct array *a, size_t i)
{
    fprintf(out, "[");
    for (int d = 0; d + 1 < a->n_dims; d++) {
        size_t below = 1;
        for (int k = d + 1; k < a->n_dims; k++)
            below *= a->dim[k];
        fprintf(out, "%zu, ", i / below % a->dim[d]);
    }
    fprintf(out, ":]\n");
}

/* One line a row of the last dimension, folded where it is long. */
static void print_elements(FILE *out, const struct array *a)
{
    char text[SCALAR_TEXT_BYTES];
    size_t row = a->n_dims ? a->dim[a->n_dims - 1] : 1, column = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (i % row == 0 && a->n_dims > 2)
            print_place(out, a, i);
        scalar_text(a->type, array_item(a, i), text);
        size_t len = strlen(text);
        if (column && column + 1 + len > LINE_BYTES) {
            fprintf(out, "\n");
            column = 0;
        }
        fprintf(out, "%s%s", column ? " " : "", text);
        column += len + (column ? 1 : 0);
        if ((i + 1) % row == 0) {
            fprintf(out, "\n");
            column = 0;
        }
    }
}

/* -- tables -- */

/* A cell; the elements of a column with a shape stand in brackets. */
static int cell_text(const struct array *a, size_t row, const struct array_column *c,
                     struct buf *out, struct err *e)
{
    char text[SCALAR_TEXT_BYTES];
    const unsigned char *at = array_item(a, row) + c->offset;
    buf_clear(out);
    int rc = c->n == 1 ? 0 : buf_printf(out, e, "[");
    for (size_t i = 0; rc == 0 && i < c->n; i++) {
        scalar_text(c->type, at + i * c->type.bytes, text);
        rc = buf_printf(out, e, "%s%s", i ? " " : "", text);
    }
    return rc < 0 || c->n == 1 ? rc : buf_printf(out, e, "]");
}

static int print_table(FILE *out, const struct array *a, size_t n_rows, struct err *e)
{
    int width[ARRAY_MAX_COLUMNS];
    struct buf text = {0};
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < a->n_columns; c++) {
        width[c] = (int)strlen(a->column[c].name);
        for (size_t row = 0; rc == 0 && row < n_rows; row++) {
            rc = cell_text(a, row, &a->column[c], &text, e);
            width[c] = (int)text.len > width[c] ? (int)text.len : width[c];
        }
    }
    int number_width = snprintf(NULL, 0, "%zu", n_rows);
    fprintf(out, "%*s", number_width, "");
    for (size_t c = 0; rc == 0 && c < a->n_columns; c++)
        fprintf(out, "  %*s", width[c], a->column[c].name);
    fprintf(out, "\n");
    for (size_t row = 0; rc == 0 && row < n_rows; row++) {
        fprintf(out, "%*zu", number_width, row);
        for (size_t c = 0; rc == 0 && c < a->n_columns; c++) {
            rc = cell_text(a, row, &a->column[c], &text, e);
            fprintf(out, "  %*s", width[c], rc < 0 ? "" : (char *)text.data);
        }
        fprintf(out, "\n");
    }
    buf_release(&text);
    return rc;
}

/* -- records -- */

static int show_array(const struct inspect *i, const struct array *a, struct err *e)
{
    struct buf type = {0}, shape = {0};
    int rc = array_type_text(a, &type, e);
    if (rc == 0)
        rc = array_shape_text(a, &shape, e);
    if (rc == 0)
        fprintf(i->out, "%s %s", (char *)type.data, (char *)shape.data);
    buf_release(&type);
    buf_release(&shape);
    if (rc < 0)
        return rc;
    if (a->n_columns) {
        fprintf(i->out, " of %zu columns\n", a->n_columns);
        size_t n = i->all || a->n <= MAX_ROWS ? a->n : MAX_ROWS;
        rc = print_table(i->out, a, n, e);
        if (n < a->n)
            fprintf(i->out, "and %zu more rows, which --all shows\n", a->n - n);
        return rc;
    }
    fprintf(i->out, "\n");
    if (scalar_is_number(a->type) && a->n > 1)
        print_statistics(i->out, a);
    if (i->all || a->n <= MAX_ELEMENTS)
        print_elements(i->out, a);
    return 0;
}

static int show_record(const struct inspect *i, struct source *s, struct err *e)
{
    struct record r;
    struct array a;
    int rc = source_get(s, i->key, &r, e);
    if (rc < 0)
        return rc;
    if (r.is_array) {
        rc = source_array(s, &r, &a, e);
        return rc < 0 ? rc : show_array(i, &a, e);
    }
    struct json *j = source_json(&r, e);
    if (!j)
        return ERR_FAIL;
    fprintf(i->out, "%s\n", json_pretty(j));
    json_free(j);
    return 0;
}

/* -- JSON files: metrics, settings -- */

/* Is this JSON text? No store and no .safetensors file starts so: there are zeros among their first
 * eight bytes. */
static bool is_json(const char *path)
{
    char start[8] = {0};
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(start, 1, sizeof start, f) : 0;
    if (f)
        fclose(f);
    return n > 0 && (start[0] == '{' || start[0] == '[') && !memchr(start, 0, n);
}

/* The value at a path of member names and positions, "classes/3/accuracy"; "/" is the whole. NULL:
 * none. */
static struct json *find_value(struct json *v, const char *path, struct err *e)
{
    char name[256];
    while (v && *path) {
        size_t len = strcspn(path, "/");
        int64_t at;
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        path += len + (path[len] == '/');
        if (len == 0)
            continue;
        if (json_kind(v) != JSON_ARRAY)
            v = json_member(v, name);
        else
            v = num_i64(name, 0, INT64_MAX, &at, NULL) < 0 ? NULL : json_at(v, (size_t)at);
        if (!v)
            err_set(e, "there is no '%s'", name);
    }
    return v;
}

/* Text and numbers stand alone, so that a script can take them. */
static int show_json(const struct inspect *i, struct err *e)
{
    struct json *whole = json_load(i->path, e);
    if (!whole)
        return ERR_FAIL;
    struct json *v = find_value(whole, i->key, e);
    if (v)
        fprintf(i->out, "%s\n", json_kind(v) == JSON_STRING ? json_str(v) : json_pretty(v));
    json_free(whole);
    return v ? 0 : err_add_code(e, ERR_NOT_FOUND, "%s: %s", i->path, i->key);
}

int inspect_show(const struct inspect *i, struct err *e)
{
    struct source *s;
    if (is_json(i->path))
        return show_json(i, e);
    int rc = source_open(&s, i->path, e);
    if (rc < 0)
        return rc;
    rc = show_record(i, s, e);
    source_close(s);
    return rc;
}
