/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_truth.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/eval/gebd_file.h"

struct member {
    char *id;
    const char *value;
    size_t len; /* of the value's text */
};

struct gebd_truth {
    char *name;
    struct buf text;
    struct member *members; /* [n] in the order of the file */
    size_t n, cap;
    const struct member **sorted; /* [n] by id */
    char identity[HASH_TEXT_BYTES];
};

/* -- cutting -- */

struct scan {
    const char *begin, *at, *end;
};

static int scan_error(const struct scan *s, struct err *e, const char *why)
{
    size_t line = 1, column = 1;
    for (const char *p = s->begin; p < s->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return err_set(e, "%zu:%zu: %s", line, column, why);
}

/* The next character that is no blank, 0 at the end. */
static char next_char(struct scan *s)
{
    while (s->at < s->end && memchr(" \t\r\n", *s->at, 4))
        s->at++;
    return s->at < s->end ? *s->at : '\0';
}

/* Moves behind the string that begins here. */
static void skip_string(struct scan *s)
{
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++)
        s->at += *s->at == '\\' && s->at + 1 < s->end;
    s->at += s->at < s->end;
}

/* Moves behind the value that begins here, trusting its brackets: whoever parses it checks them. */
static void skip_value(struct scan *s)
{
    size_t depth = 0;
    while (s->at < s->end) {
        char c = *s->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return;
        if (c == '"') {
            skip_string(s);
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        s->at++;
    }
}

/* A key without its quotes. */
static char *read_key(struct scan *s, struct err *e)
{
    const char *first = s->at;
    skip_string(s);
    struct json *key = json_parse(first, (size_t)(s->at - first), e);
    const char *text = json_str(key);
    char *copy = NULL;
    if (text && *text)
        copy = mem_strdup(text, e);
    else if (key)
        err_set(e, "an empty id");
    json_free(key);
    return copy;
}

static struct member *add_member(struct gebd_truth *t, struct err *e)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 256;
        struct member *grown = mem_grow(t->members, cap, sizeof *grown, e);
        if (!grown)
            return NULL;
        t->members = grown;
        t->cap = cap;
    }
    t->members[t->n] = (struct member){0};
    return &t->members[t->n++];
}

static int read_member(struct gebd_truth *t, struct scan *s, struct err *e)
{
    struct err why = {0};
    if (next_char(s) != '"')
        return scan_error(s, e, "expected the id of a video");
    struct scan start = *s;
    struct member *m = add_member(t, e);
    if (!m)
        return ERR_FAIL;
    if (!(m->id = read_key(s, &why)))
        return scan_error(&start, e, why.text);
    if (next_char(s) != ':')
        return scan_error(s, e, "expected ':'");
    s->at++;
    next_char(s);
    m->value = s->at;
    skip_value(s);
    m->len = (size_t)(s->at - m->value);
    return 0;
}

static int cut(struct gebd_truth *t, struct err *e)
{
    struct scan s = {.begin = (const char *)t->text.data};
    s.end = s.begin + t->text.len;
    s.at = s.begin;
    if (t->text.len >= 3 && memcmp(s.at, "\xef\xbb\xbf", 3) == 0)
        s.at += 3;
    if (next_char(&s) != '{')
        return scan_error(&s, e, "expected an object, with the ids of videos as its members");
    s.at++;
    if (next_char(&s) != '}') {
        for (;; s.at++) {
            if (read_member(t, &s, e) < 0)
                return ERR_FAIL;
            if (next_char(&s) != ',')
                break;
        }
        if (next_char(&s) != '}')
            return scan_error(&s, e, "expected ',' or '}'");
    }
    s.at++;
    if (next_char(&s))
        return scan_error(&s, e, "unexpected text behind the object");
    return 0;
}

/* -- finding -- */

static int by_id(const void *a, const void *b)
{
    const struct member *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static int sort(struct gebd_truth *t, struct err *e)
{
    if (!(t->sorted = mem_new(t->n ? t->n : 1, sizeof *t->sorted, e)))
        return ERR_FAIL;
    for (size_t i = 0; i < t->n; i++)
        t->sorted[i] = &t->members[i];
    qsort(t->sorted, t->n, sizeof *t->sorted, by_id);
    for (size_t i = 1; i < t->n; i++)
        if (strcmp(t->sorted[i - 1]->id, t->sorted[i]->id) == 0)
            return err_set(e, "video '%s' occurs twice", t->sorted[i]->id);
    return 0;
}

long gebd_truth_find(const struct gebd_truth *t, const char *id)
{
    struct member wanted = {.id = (char *)id};
    const struct member *key = &wanted;
    const struct member *const *found = bsearch(&key, t->sorted, t->n, sizeof *t->sorted, by_id);
    return found ? (long)(*found - t->members) : -1;
}

/* -- the whole -- */

/* Of a truth with its text. */
static int prepare(struct gebd_truth *t, struct err *e)
{
    const char *text = (const char *)t->text.data;
    hash_text(hash_bytes(text, t->text.len), t->identity);
    if (gebd_is_pickle(text, t->text.len))
        return gebd_pickle_error(e);
    int rc = cut(t, e);
    return rc == 0 ? sort(t, e) : rc;
}

static struct gebd_truth *new_truth(const char *name, struct err *e)
{
    struct gebd_truth *t = mem_new(1, sizeof *t, e);
    if (t && !(t->name = mem_strdup(name, e))) {
        free(t);
        return NULL;
    }
    return t;
}

int gebd_truth_open(struct gebd_truth **out, const char *path, struct err *e)
{
    struct gebd_truth *t = new_truth(path, e);
    if (!t)
        return ERR_FAIL;
    int rc = file_read(path, &t->text, e);
    if (rc == 0 && prepare(t, e) < 0)
        rc = err_add(e, "%s", path);
    if (rc < 0) {
        gebd_truth_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

int gebd_truth_parse(struct gebd_truth **out, const char *name, const char *text, size_t len,
                     struct err *e)
{
    struct gebd_truth *t = new_truth(name, e);
    if (!t)
        return ERR_FAIL;
    int rc = buf_append(&t->text, text, len, e);
    if (rc == 0 && prepare(t, e) < 0)
        rc = err_add(e, "%s", name);
    if (rc < 0) {
        gebd_truth_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

void gebd_truth_close(struct gebd_truth *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(t->members[i].id);
    free(t->members);
    free(t->sorted);
    buf_release(&t->text);
    free(t->name);
    free(t);
}

const char *gebd_truth_name(const struct gebd_truth *t)
{
    return t->name;
}

const char *gebd_truth_identity(const struct gebd_truth *t)
{
    return t->identity;
}

size_t gebd_truth_n_videos(const struct gebd_truth *t)
{
    return t->n;
}

const char *gebd_truth_id(const struct gebd_truth *t, size_t i)
{
    return t->members[i].id;
}

struct json *gebd_truth_video(const struct gebd_truth *t, size_t i, struct err *e)
{
    const struct member *m = &t->members[i];
    struct json *v = json_parse(m->value, m->len, e);
    if (v && json_kind(v) != JSON_OBJECT) {
        err_set(e, "expected an object");
        json_free(v);
        v = NULL;
    }
    if (!v)
        err_add(e, "%s: video '%s'", t->name, m->id);
    return v;
}
