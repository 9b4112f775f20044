/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/csv.h"

#include <csv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/buf.h"
#include "common/base/file.h"

struct reader {
    struct csv_parser parser;
    csv_row_fn *fn;
    void *user;
    struct err *e;
    bool blank_rows; /* a blank line is a row */
    char separator;
    int rc;
    size_t line, first; /* the line under way; the one on which its row began */
    struct buf text;    /* the fields of the row so far, each with its NUL */
    size_t *offset;     /* [n] where they begin in text */
    const char **field; /* [cap] for the callback */
    size_t n, cap;
};

static int make_room(struct reader *r)
{
    if (r->n < r->cap)
        return 0;
    size_t cap = r->cap ? 2 * r->cap : 32;
    size_t *offset = mem_grow(r->offset, cap, sizeof *offset, r->e);
    if (!offset)
        return ERR_FAIL;
    r->offset = offset;
    const char **field = mem_grow(r->field, cap, sizeof *field, r->e);
    if (!field)
        return ERR_FAIL;
    r->field = field;
    r->cap = cap;
    return 0;
}

static void on_field(void *bytes, size_t len, void *user)
{
    struct reader *r = user;
    if (r->rc < 0)
        return;
    if (memchr(bytes, '\0', len))
        r->rc = err_set(r->e, "field %zu holds a NUL byte", r->n + 1);
    else
        r->rc = make_room(r);
    if (r->rc < 0)
        return;
    r->rc = buf_reserve(&r->text, len + 1, r->e);
    if (r->rc < 0)
        return;
    char *copy = (char *)r->text.data + r->text.len;
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    r->offset[r->n++] = r->text.len;
    r->text.len += len + 1;
}

static void on_row(int terminator, void *user)
{
    (void)terminator;
    struct reader *r = user;
    if (r->rc < 0)
        return;
    for (size_t i = 0; i < r->n; i++)
        r->field[i] = (const char *)r->text.data + r->offset[i];
    struct csv_row row = {.line = r->line, .n_fields = r->n, .field = r->field};
    int rc = r->fn(r->user, &row, r->e);
    r->rc = rc < 0 ? rc : 0;
    r->n = 0;
    buf_clear(&r->text);
}

static int parser_error(struct reader *r)
{
    if (csv_error(&r->parser) == CSV_EPARSE)
        return err_set(r->e, "a quote stands where none may");
    return err_set(r->e, "%s", csv_strerror(csv_error(&r->parser)));
}

/* A line on which nothing needs libcsv: no quote, no carriage return but at its end, no NUL. */
static bool is_plain(const char *line, size_t len)
{
    return !memchr(line, '"', len) && !memchr(line, '\r', len) && !memchr(line, '\0', len);
}

static bool is_padding(const struct reader *r, char c)
{
    return (c == ' ' || c == '\t') && c != r->separator;
}

static bool is_blank(const struct reader *r, const char *line, size_t len)
{
    size_t i = 0;
    while (i < len && (is_padding(r, line[i]) || line[i] == '\r' || line[i] == '\n'))
        i++;
    return i == len;
}

/* What libcsv makes of a plain line that is not blank, several times as fast. */
static void split_plain(struct reader *r, const char *line, size_t len)
{
    r->rc = buf_append(&r->text, line, len, r->e);
    if (r->rc == 0)
        r->rc = buf_append(&r->text, "", 1, r->e);
    char *text = (char *)r->text.data;
    for (size_t at = 0, stop; r->rc == 0; at = stop + 1) {
        char *separator = memchr(text + at, r->separator, len - at);
        size_t end = stop = separator ? (size_t)(separator - text) : len;
        while (at < end && is_padding(r, text[at]))
            at++;
        while (end > at && is_padding(r, text[end - 1]))
            end--;
        text[end] = '\0';
        if ((r->rc = make_room(r)) == 0)
            r->offset[r->n++] = at;
        if (!separator)
            break;
    }
    on_row('\n', r);
}

/* Without what ends the line. */
static size_t content_len(const char *line, size_t len)
{
    len -= len && line[len - 1] == '\n';
    return len - (len && line[len - 1] == '\r');
}

/* The next line, with its end; a row may go on from the line before. */
static void take_line(struct reader *r, const char *line, size_t len)
{
    bool row_begins = r->parser.pstate == 0;
    size_t len_inside = content_len(line, len);
    if (row_begins)
        r->first = r->line + 1;
    r->line++;
    if (row_begins && is_blank(r, line, len)) {
        if (r->blank_rows)
            on_row('\n', r);
    } else if (row_begins && is_plain(line, len_inside)) {
        split_plain(r, line, len_inside);
    } else if (csv_parse(&r->parser, line, len, on_field, on_row, r) != len && r->rc == 0) {
        r->rc = parser_error(r);
    }
}

/* Line by line, to know the number of the line on which a row ends. */
static int read_lines(struct reader *r, const char *data, size_t len)
{
    for (const char *end = data + len; r->rc == 0 && data < end;) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline ? newline + 1 : end) - data);
        take_line(r, data, n);
        data += n;
    }
    if (r->rc == 0 && csv_fini(&r->parser, on_field, on_row, r) != 0) {
        r->line = r->first;
        r->rc = err_set(r->e, "the quoted field that begins here never ends");
    }
    return r->rc;
}

static int read_rows(struct reader *r, const char *data, size_t len, char separator)
{
    if (csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return err_set(r->e, "out of memory");
    r->separator = separator;
    csv_set_delim(&r->parser, (unsigned char)separator);
    csv_set_blk_size(&r->parser, 1 << 16);
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        len -= 3;
    }
    int rc = read_lines(r, data, len);
    csv_free(&r->parser);
    buf_release(&r->text);
    free(r->offset);
    free(r->field);
    return rc;
}

int csv_column(const struct csv_row *row, const char *const *names)
{
    for (size_t i = 0; i < row->n_fields; i++)
        for (const char *const *name = names; *name; name++)
            if (strcasecmp(row->field[i], *name) == 0)
                return (int)i;
    return -1;
}

int csv_read_text(const char *data, size_t len, csv_row_fn *fn, void *user, struct err *e)
{
    struct reader r = {.fn = fn, .user = user, .e = e};
    int rc = read_rows(&r, data, len, ',');
    return rc < 0 ? err_add_code(e, rc, "line %zu", r.line) : 0;
}

int csv_read_every_line(const char *data, size_t len, csv_row_fn *fn, void *user, struct err *e)
{
    struct reader r = {.fn = fn, .user = user, .e = e, .blank_rows = true};
    int rc = read_rows(&r, data, len, ',');
    return rc < 0 ? err_add_code(e, rc, "line %zu", r.line) : 0;
}

int csv_read(const char *path, char separator, csv_row_fn *fn, void *user, struct err *e)
{
    struct buf data = {0};
    int rc = file_read(path, &data, e);
    if (rc == 0) {
        struct reader r = {.fn = fn, .user = user, .e = e};
        rc = read_rows(&r, (const char *)data.data, data.len, separator);
        if (rc < 0)
            err_add_code(e, rc, "%s:%zu", path, r.line);
    }
    buf_release(&data);
    return rc;
}
