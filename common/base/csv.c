/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/csv.h"

#include <csv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"

struct reader {
    struct csv_parser parser;
    csv_row_fn *fn;
    void *user;
    struct err *e;
    bool blank_rows; /* a blank line is a row */
    int rc;
    size_t line;
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

static bool is_blank(const char *line, size_t len)
{
    size_t i = 0;
    while (i < len && memchr(" \t\r\n", line[i], 4))
        i++;
    return i == len;
}

/* Line by line, to know the number of the line on which a row ends. */
static int read_lines(struct reader *r, const char *data, size_t len)
{
    size_t first = 1;
    for (const char *end = data + len; r->rc == 0 && data < end;) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((newline ? newline + 1 : end) - data);
        bool row_begins = r->parser.pstate == 0;
        if (row_begins)
            first = r->line + 1;
        r->line++;
        if (r->blank_rows && row_begins && is_blank(data, n))
            on_row('\n', r);
        else if (csv_parse(&r->parser, data, n, on_field, on_row, r) != n && r->rc == 0)
            r->rc = parser_error(r);
        data += n;
    }
    if (r->rc == 0 && csv_fini(&r->parser, on_field, on_row, r) != 0) {
        r->line = first;
        r->rc = err_set(r->e, "the quoted field that begins here never ends");
    }
    return r->rc;
}

static int read_rows(struct reader *r, const char *data, size_t len, char separator)
{
    if (csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return err_set(r->e, "out of memory");
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
