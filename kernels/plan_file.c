/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/plan_file.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"

static const char first_line[] = "teg-plans 1";

struct plan_line {
    char *key, *choice;
};

struct plan_file {
    char *path, *machine;
    struct plan_line *lines; /* in the order of the keys */
    size_t n, capacity;
};

/* Position of the key, or where it belongs. */
static size_t find(const struct plan_file *f, const char *key, bool *there)
{
    size_t low = 0, high = f->n;
    *there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(f->lines[middle].key, key);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int set(struct plan_file *f, const char *key, const char *choice, struct err *e)
{
    bool there;
    size_t at = find(f, key, &there);
    char *text = mem_strdup(choice, e);
    if (!text)
        return ERR_FAIL;
    if (there) {
        free(f->lines[at].choice);
        f->lines[at].choice = text;
        return 0;
    }
    char *name = mem_strdup(key, e);
    if (name && f->n == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 64;
        struct plan_line *grown = mem_grow(f->lines, capacity, sizeof *grown, e);
        if (grown) {
            f->lines = grown;
            f->capacity = capacity;
        }
    }
    if (!name || f->n == f->capacity) {
        free(name);
        free(text);
        return ERR_FAIL;
    }
    memmove(f->lines + at + 1, f->lines + at, (f->n - at) * sizeof *f->lines);
    f->lines[at] = (struct plan_line){name, text};
    f->n++;
    return 0;
}

/* -- reading -- */

struct reader {
    const char *at, *end;
    size_t line; /* number of the last one, from 1 */
    char text[PLAN_FILE_LINE];
};

/* The next line into r->text: 1, at the end 0. */
static int next_line(struct reader *r, struct err *e)
{
    if (r->at == r->end)
        return 0;
    const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    r->line++;
    if (!newline)
        return err_set(e, "line %zu: it does not end", r->line);
    size_t len = (size_t)(newline - r->at);
    if (len >= sizeof r->text || memchr(r->at, '\0', len))
        return err_set(e, "line %zu: not a line of text of at most %d bytes", r->line,
                       PLAN_FILE_LINE - 1);
    memcpy(r->text, r->at, len);
    r->text[len] = '\0';
    r->at = newline + 1;
    return 1;
}

static int read_heading(struct reader *r, bool *same_machine, const char *machine, struct err *e)
{
    int rc = next_line(r, e);
    if (rc < 0)
        return rc;
    if (rc == 0 || strcmp(r->text, first_line) != 0)
        return err_set(e, "line 1: not '%s'", first_line);
    rc = next_line(r, e);
    if (rc < 0)
        return rc;
    if (rc == 0 || !*r->text)
        return err_set(e, "line 2: no name of a machine");
    *same_machine = strcmp(r->text, machine) == 0;
    return 0;
}

/* Lines are checked whether they are of use or not. */
static int read_lines(struct plan_file *f, struct reader *r, bool same_machine, struct err *e)
{
    char before[PLAN_FILE_LINE] = "";
    int rc;
    while ((rc = next_line(r, e)) > 0) {
        char *tab = strchr(r->text, '\t');
        if (!tab || tab == r->text || !tab[1] || strchr(tab + 1, '\t'))
            return err_set(e, "line %zu: not a key, a tab and a choice", r->line);
        *tab = '\0';
        if (strcmp(before, r->text) >= 0)
            return err_set(e, "line %zu: '%s' is not behind '%s'", r->line, r->text, before);
        memcpy(before, r->text, (size_t)(tab - r->text) + 1);
        if (same_machine && set(f, r->text, tab + 1, e) < 0)
            return ERR_FAIL;
    }
    return rc;
}

int plan_file_parse(struct plan_file **out, const char *text, size_t len, const char *machine,
                    struct err *e)
{
    struct reader r = {.at = text, .end = len ? text + len : text};
    struct plan_file *f = mem_new(1, sizeof *f, e);
    bool same_machine = false;
    if (!f)
        return ERR_FAIL;
    f->machine = mem_strdup(machine, e);
    int rc = f->machine ? 0 : ERR_FAIL;
    if (rc == 0 && len > 0) {
        rc = read_heading(&r, &same_machine, machine, e);
        if (rc == 0)
            rc = read_lines(f, &r, same_machine, e);
    }
    if (rc < 0)
        plan_file_close(f);
    else
        *out = f;
    return rc;
}

int plan_file_open(struct plan_file **out, const char *path, const char *machine, struct err *e)
{
    struct buf text = {0};
    struct plan_file *f;
    int rc = path ? file_read(path, &text, e) : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND)
        rc = 0;
    if (rc == 0 && (rc = plan_file_parse(&f, (char *)text.data, text.len, machine, e)) < 0)
        err_add(e, "%s (remove it, and it is made again)", path);
    buf_release(&text);
    if (rc < 0)
        return rc;
    f->path = path ? mem_strdup(path, e) : NULL;
    if (path && !f->path) {
        plan_file_close(f);
        return ERR_FAIL;
    }
    *out = f;
    return 0;
}

void plan_file_close(struct plan_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->lines[i].key);
        free(f->lines[i].choice);
    }
    free(f->lines);
    free(f->path);
    free(f->machine);
    free(f);
}

size_t plan_file_n(const struct plan_file *f)
{
    return f->n;
}

const char *plan_file_get(const struct plan_file *f, const char *key)
{
    bool there;
    size_t at = find(f, key, &there);
    return there ? f->lines[at].choice : NULL;
}

int plan_file_put(struct plan_file *f, const char *key, const char *choice, struct err *e)
{
    struct buf text = {0};
    if (set(f, key, choice, e) < 0)
        return ERR_FAIL;
    if (!f->path)
        return 0;
    int rc = buf_printf(&text, e, "%s\n%s\n", first_line, f->machine);
    for (size_t i = 0; i < f->n && rc == 0; i++)
        rc = buf_printf(&text, e, "%s\t%s\n", f->lines[i].key, f->lines[i].choice);
    if (rc == 0)
        rc = file_write(f->path, text.data, text.len, e);
    buf_release(&text);
    return rc;
}
