/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int read_line(const char *text, size_t len, line_fn *fn, void *user, struct err *e)
{
    while (len && is_blank(text[len - 1]))
        len--;
    while (len && is_blank(*text)) {
        text++;
        len--;
    }
    if (len == 0)
        return 0;
    if (memchr(text, '\0', len))
        return err_set(e, "holds a NUL byte");
    char *line = strndup(text, len);
    if (!line)
        return err_set(e, "out of memory");
    int rc = fn(user, line, e);
    free(line);
    return rc;
}

/* *number: the line that was read last. */
static int read_all(const struct buf *data, line_fn *fn, void *user, size_t *number, struct err *e)
{
    const char *text = (const char *)data->data, *end = text + data->len;
    if (data->len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    int rc = 0;
    for (*number = 0; rc >= 0 && text < end;) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        ++*number;
        rc = read_line(text, (size_t)(stop - text), fn, user, e);
        text = newline ? newline + 1 : end;
    }
    return rc < 0 ? rc : 0;
}

int lines_read_text(const char *text, size_t len, line_fn *fn, void *user, struct err *e)
{
    size_t number;
    const struct buf data = {.data = (unsigned char *)text, .len = len};
    int rc = read_all(&data, fn, user, &number, e);
    return rc < 0 ? err_add_code(e, rc, "line %zu", number) : 0;
}

int lines_read(const char *path, line_fn *fn, void *user, struct err *e)
{
    size_t number;
    struct buf data = {0};
    int rc = file_read(path, &data, e);
    if (rc == 0 && (rc = read_all(&data, fn, user, &number, e)) < 0)
        err_add_code(e, rc, "%s:%zu", path, number);
    buf_release(&data);
    return rc;
}
