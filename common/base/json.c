/* SPDX-License-Identifier: Apache-2.0 */
#define json_bool json_c_bool /* json-c has a type of this name */
#include <json-c/json.h>
#undef json_bool
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/utf8.h"

/* json-c's null is a NULL pointer; ours is this address, as NULL means "absent" in this interface.
 */
static char null_value;

static struct json *wrap(struct json_object *o)
{
    return o ? (struct json *)o : (struct json *)&null_value;
}

static struct json_object *unwrap(const struct json *v)
{
    return (const char *)v == &null_value ? NULL : (struct json_object *)v;
}

/* -- parsing -- */

static int parse_error(struct err *e, const char *text, size_t at, const char *why)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    return err_set(e, "%zu:%zu: %s", line, column, why);
}

/* Runs the tokener over the text and what ends it: "12" is whole only once the end is seen. */
static int run_tokener(struct json_tokener *t, const char *text, size_t len,
                       struct json_object **root, struct err *e)
{
    *root = json_tokener_parse_ex(t, text, (int)len);
    size_t used = json_tokener_get_parse_end(t);
    enum json_tokener_error rc = json_tokener_get_error(t);
    if (rc == json_tokener_continue) {
        used = len;
        *root = json_tokener_parse_ex(t, "", 1);
        rc = json_tokener_get_error(t);
    }
    if (rc == json_tokener_continue)
        return parse_error(e, text, len, "unexpected end of data");
    if (rc != json_tokener_success)
        return parse_error(e, text, used, json_tokener_error_desc(rc));
    for (; used < len; used++) {
        if (memchr(" \t\r\n", text[used], 4))
            continue;
        json_object_put(*root);
        return parse_error(e, text, used, "unexpected text behind the value");
    }
    return 0;
}

/*
 * Appends the text with everything beyond ASCII escaped. json-c 0.18 takes such bytes for control
 * characters and refuses them; escaped, every version reads them alike. (The column of an error
 * further on in the same line is that of the escaped text.)
 */
static int escape_beyond_ascii(const char *text, size_t len, struct buf *out, struct err *e)
{
    uint32_t code;
    bool after_backslash = false;
    int rc = 0;
    for (size_t at = 0, n; at < len && rc == 0; at += n) {
        n = utf8_next(text + at, len - at, &code);
        if (n == 0)
            return parse_error(e, text, at, "invalid utf-8");
        if (n > 1 && after_backslash)
            return parse_error(e, text, at, "invalid escape");
        after_backslash = code == '\\' && !after_backslash;
        if (n == 1)
            rc = buf_append(out, text + at, 1, e);
        else if (code < 0x10000)
            rc = buf_printf(out, e, "\\u%04x", code);
        else
            rc = buf_printf(out, e, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10),
                            0xdc00 + (code & 0x3ff));
    }
    return rc;
}

static bool is_ascii(const char *text, size_t len)
{
    unsigned all = 0;
    for (size_t i = 0; i < len; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

static int parse_ascii(const char *text, size_t len, struct json_object **root, struct err *e)
{
    enum { MAX_DEPTH = 64 };
    if (len > INT_MAX - 1)
        return err_set(e, "JSON text of %zu bytes is too long", len);
    struct json_tokener *t = json_tokener_new_ex(MAX_DEPTH);
    if (!t)
        return err_set(e, "out of memory");
    json_tokener_set_flags(t, JSON_TOKENER_STRICT);
    int rc = run_tokener(t, text, len, root, e);
    json_tokener_free(t);
    return rc;
}

struct json *json_parse(const char *text, size_t len, struct err *e)
{
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    struct json_object *root = NULL;
    struct buf escaped = {0};
    int rc = 0;
    if (is_ascii(text, len)) {
        rc = parse_ascii(text, len, &root, e);
    } else {
        rc = escape_beyond_ascii(text, len, &escaped, e);
        if (rc == 0)
            rc = parse_ascii((const char *)escaped.data, escaped.len, &root, e);
    }
    buf_release(&escaped);
    return rc < 0 ? NULL : wrap(root);
}

struct json *json_load(const char *path, struct err *e)
{
    struct buf text = {0};
    struct json *v = NULL;
    if (file_read(path, &text, e) == 0) {
        v = json_parse((const char *)text.data, text.len, e);
        if (!v)
            err_add(e, "%s", path);
    }
    buf_release(&text);
    return v;
}

void json_free(struct json *v)
{
    json_object_put(unwrap(v));
}

struct json *json_ref(struct json *v)
{
    json_object_get(unwrap(v));
    return v;
}

/* -- text -- */

static const char *text_of(struct json *v, int flags)
{
    const char *text =
        json_object_to_json_string_ext(unwrap(v), flags | JSON_C_TO_STRING_NOSLASHESCAPE);
    return text ? text : "";
}

const char *json_text(struct json *v)
{
    return text_of(v, JSON_C_TO_STRING_PLAIN);
}

const char *json_pretty(struct json *v)
{
    return text_of(v, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

/* -- looking -- */

bool json_is_finite(const struct json *v)
{
    enum json_kind kind = json_kind(v);
    return (kind == JSON_INT || kind == JSON_REAL) && isfinite(json_f64(v));
}

enum json_kind json_kind(const struct json *v)
{
    switch (json_object_get_type(unwrap(v))) {
    case json_type_null:
        return JSON_NULL;
    case json_type_boolean:
        return JSON_BOOL;
    case json_type_int:
        return JSON_INT;
    case json_type_double:
        return JSON_REAL;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    }
    return JSON_NULL;
}

/* The second look is for NaN, which equals nothing but is written alike. */
bool json_equal(struct json *a, struct json *b)
{
    return json_object_equal(unwrap(a), unwrap(b)) || strcmp(json_text(a), json_text(b)) == 0;
}

struct json *json_member(const struct json *object, const char *name)
{
    struct json_object *value;
    if (json_kind(object) != JSON_OBJECT ||
        !json_object_object_get_ex(unwrap(object), name, &value))
        return NULL;
    return wrap(value);
}

size_t json_len(const struct json *v)
{
    if (json_kind(v) == JSON_ARRAY)
        return json_object_array_length(unwrap(v));
    if (json_kind(v) == JSON_OBJECT)
        return (size_t)json_object_object_length(unwrap(v));
    return 0;
}

struct json *json_at(const struct json *array, size_t i)
{
    if (json_kind(array) != JSON_ARRAY || i >= json_len(array))
        return NULL;
    return wrap(json_object_array_get_idx(unwrap(array), i));
}

bool json_pair(const struct json *object, size_t i, const char **name, struct json **value)
{
    struct json_walk w = {0};
    while (json_next(object, &w, name, value))
        if (i-- == 0)
            return true;
    return false;
}

bool json_next(const struct json *object, struct json_walk *w, const char **name,
               struct json **value)
{
    if (json_kind(object) != JSON_OBJECT)
        return false;
    const struct lh_entry *entry = w->entry;
    entry = w->started ? entry->next : json_object_get_object(unwrap(object))->head;
    if (!entry)
        return false;
    w->started = true;
    w->entry = entry;
    *name = entry->k;
    *value = wrap((struct json_object *)entry->v);
    return true;
}

/* -- members of a wanted kind -- */

static const char *kind_name(enum json_kind kind)
{
    static const char *const names[] = {"null",     "a boolean", "an integer", "a number",
                                        "a string", "an array",  "an object"};
    return names[kind];
}

static int get_kind(const struct json *object, const char *name, enum json_kind wanted,
                    struct json **out, struct err *e)
{
    if (json_kind(object) != JSON_OBJECT)
        return err_set(e, "expected an object, got %s", kind_name(json_kind(object)));
    struct json *v = json_member(object, name);
    if (!v)
        return err_code(e, ERR_NOT_FOUND, "member '%s' is missing", name);
    enum json_kind kind = json_kind(v);
    if (kind != wanted && !(wanted == JSON_REAL && kind == JSON_INT))
        return err_set(e, "member '%s': expected %s, got %s", name, kind_name(wanted),
                       kind_name(kind));
    *out = v;
    return 0;
}

static bool differ(struct json *theirs, struct json *mine, struct json_difference *d)
{
    if (theirs && mine && json_equal(theirs, mine))
        return false;
    d->theirs = theirs ? json_text(theirs) : "unset";
    d->mine = mine ? json_text(mine) : "unset";
    return true;
}

bool json_differs(struct json *theirs, struct json *mine, struct json_difference *d)
{
    struct json_walk w = {0};
    struct json *value;
    while (json_next(mine, &w, &d->name, &value))
        if (differ(json_member(theirs, d->name), value, d))
            return true;
    w = (struct json_walk){0};
    while (json_next(theirs, &w, &d->name, &value))
        if (!json_member(mine, d->name))
            return differ(value, NULL, d);
    return false;
}

int json_get_str(const struct json *object, const char *name, const char **out, struct err *e)
{
    struct json *v = NULL;
    int rc = get_kind(object, name, JSON_STRING, &v, e);
    if (rc < 0)
        return rc;
    const char *text = json_str(v);
    if (strlen(text) != (size_t)json_object_get_string_len(unwrap(v)))
        return err_set(e, "member '%s': the string holds a NUL", name);
    *out = text;
    return 0;
}

int json_get_i64(const struct json *object, const char *name, int64_t *out, struct err *e)
{
    struct json *v = NULL;
    int rc = get_kind(object, name, JSON_INT, &v, e);
    if (rc < 0)
        return rc;
    if (json_object_get_uint64(unwrap(v)) > INT64_MAX)
        return err_set(e, "member '%s': the integer is too large", name);
    *out = json_i64(v);
    return 0;
}

int json_get_f64(const struct json *object, const char *name, double *out, struct err *e)
{
    struct json *v = NULL;
    int rc = get_kind(object, name, JSON_REAL, &v, e);
    if (rc == 0)
        *out = json_f64(v);
    return rc;
}

int json_get_bool(const struct json *object, const char *name, bool *out, struct err *e)
{
    struct json *v = NULL;
    int rc = get_kind(object, name, JSON_BOOL, &v, e);
    if (rc == 0)
        *out = json_bool(v);
    return rc;
}

int json_get_array(const struct json *object, const char *name, struct json **out, struct err *e)
{
    return get_kind(object, name, JSON_ARRAY, out, e);
}

int json_get_object(const struct json *object, const char *name, struct json **out, struct err *e)
{
    return get_kind(object, name, JSON_OBJECT, out, e);
}

int64_t json_i64(const struct json *v)
{
    return json_kind(v) == JSON_INT ? json_object_get_int64(unwrap(v)) : 0;
}

double json_f64(const struct json *v)
{
    enum json_kind kind = json_kind(v);
    return kind == JSON_REAL || kind == JSON_INT ? json_object_get_double(unwrap(v)) : 0;
}

bool json_bool(const struct json *v)
{
    return json_kind(v) == JSON_BOOL && json_object_get_boolean(unwrap(v));
}

const char *json_str(const struct json *v)
{
    return json_kind(v) == JSON_STRING ? json_object_get_string(unwrap(v)) : NULL;
}

/* -- making -- */

struct json *json_new_object(void)
{
    return (struct json *)json_object_new_object();
}

struct json *json_new_array(void)
{
    return (struct json *)json_object_new_array();
}

struct json *json_new_str(const char *text)
{
    return (struct json *)json_object_new_string(text);
}

struct json *json_new_i64(int64_t n)
{
    return (struct json *)json_object_new_int64(n);
}

struct json *json_new_f64(double x)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    if (!isfinite(x))
        snprintf(text, sizeof text, "%s", isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
    else if (!strpbrk(text, ".e"))
        snprintf(text + strlen(text), 3, ".0");
    return (struct json *)json_object_new_double_s(x, text);
}

struct json *json_new_bool(bool b)
{
    return (struct json *)json_object_new_boolean(b);
}

struct json *json_new_null(void)
{
    return wrap(NULL);
}

int json_add(struct json *object, const char *name, struct json *value)
{
    if (value && json_kind(object) == JSON_OBJECT &&
        json_object_object_add(unwrap(object), name, unwrap(value)) == 0)
        return 0;
    json_free(value);
    return ERR_FAIL;
}

int json_append(struct json *array, struct json *value)
{
    if (value && json_kind(array) == JSON_ARRAY &&
        json_object_array_add(unwrap(array), unwrap(value)) == 0)
        return 0;
    json_free(value);
    return ERR_FAIL;
}

void json_remove(struct json *object, const char *name)
{
    if (json_kind(object) == JSON_OBJECT)
        json_object_object_del(unwrap(object), name);
}
