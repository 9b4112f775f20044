/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/ava_labels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/utf8.h"

void ava_labels_release(struct ava_labels *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->classes[i].name);
    free(l->classes);
    free(l->at);
    *l = (struct ava_labels){0};
}

static bool is_utf8(const char *text)
{
    uint32_t code;
    for (size_t n, len = strlen(text); len > 0; len -= n, text += n)
        if ((n = utf8_next(text, len, &code)) == 0)
            return false;
    return true;
}

static bool starts_with(const char *line, const char *start)
{
    return strncmp(line, start, strlen(start)) == 0;
}

/* What stands between the first two quotes (or behind the first, where it is the only one). */
static int take_name(char **name, const char *line, struct err *e)
{
    const char *quote = strchr(line, '"');
    if (!quote)
        return err_set(e, "a name without quotes");
    char *copy = mem_strdup(quote + 1, e);
    if (!copy)
        return ERR_FAIL;
    copy[strcspn(copy, "\"")] = '\0';
    free(*name);
    *name = copy;
    return is_utf8(copy) ? 0 : err_set(e, "the name is not UTF-8");
}

/* The last of the words that single blanks divide. */
static int take_id(struct ava_labels *l, char *line, const char *name, struct err *e)
{
    size_t len = strlen(line);
    while (len && strchr(" \t\r\f\v", line[len - 1]))
        line[--len] = '\0';
    const char *blank = strrchr(line, ' ');
    struct ava_class c = {.position = l->n};
    if (num_i64(blank ? blank + 1 : line, 1, AVA_MAX_ID, &c.id, e) < 0)
        return err_add(e, "class id");
    if (!name)
        return err_set(e, "class id %lld has no name in front of it", (long long)c.id);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 128;
        struct ava_class *grown = mem_grow(l->classes, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        l->classes = grown;
        l->cap = cap;
    }
    if (!(c.name = mem_strdup(name, e)))
        return ERR_FAIL;
    l->classes[l->n++] = c;
    return 0;
}

static int take_line(struct ava_labels *l, char *line, char **name, struct err *e)
{
    if (starts_with(line, "  name:"))
        return take_name(name, line, e);
    if (starts_with(line, "  id:") || starts_with(line, "  label_id:"))
        return take_id(l, line, *name, e);
    return 0;
}

static int read_lines(struct ava_labels *l, const char *text, size_t len, char **name,
                      struct err *e)
{
    const char *end = text + len;
    struct buf line = {0};
    int rc = 0;
    for (size_t number = 1; rc == 0 && text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((newline ? newline : end) - text);
        buf_clear(&line);
        if (memchr(text, '\0', n))
            rc = err_set(e, "a NUL byte");
        else if ((rc = buf_append(&line, text, n, e)) == 0 &&
                 (rc = buf_append(&line, "", 1, e)) == 0)
            rc = take_line(l, (char *)line.data, name, e);
        if (rc < 0)
            err_add_code(e, rc, "line %zu", number);
        text = newline ? newline + 1 : end;
    }
    buf_release(&line);
    return rc;
}

static int by_id(const void *a, const void *b)
{
    const struct ava_class *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

static void keep_last_of_each_id(struct ava_labels *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (i + 1 < l->n && l->classes[i + 1].id == l->classes[i].id)
            free(l->classes[i].name);
        else
            l->classes[n++] = l->classes[i];
    }
    l->n = n;
}

static int number_ids(struct ava_labels *l, struct err *e)
{
    size_t n = (size_t)l->classes[l->n - 1].id + 1;
    if (!(l->at = mem_new(n, sizeof *l->at, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < n; i++)
        l->at[i] = -1;
    for (size_t i = 0; i < l->n; i++)
        l->at[l->classes[i].id] = (int32_t)i;
    return 0;
}

int ava_labels_read_text(struct ava_labels *l, const char *text, size_t len, struct err *e)
{
    char *name = NULL;
    int rc = read_lines(l, text, len, &name, e);
    free(name);
    if (rc < 0)
        return rc;
    if (l->n == 0)
        return err_set(e, "no class in it");
    qsort(l->classes, l->n, sizeof *l->classes, by_id);
    keep_last_of_each_id(l);
    return number_ids(l, e);
}

long ava_labels_find(const struct ava_labels *l, int64_t id)
{
    return id >= 1 && id <= l->classes[l->n - 1].id ? l->at[id] : -1;
}
