/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values. A thin layer over json-c, which is included by json.c alone; the bare token NaN is
 * accepted, as annotation files in the field contain it. Members keep their order, so the same
 * value is always the same text.
 *
 *     struct json *v = json_parse(text, len, &e);
 *     const char *name;
 *     if (json_get_str(v, "name", &name, &e) < 0) ...
 *     json_free(v);
 *
 * `json_get_*` fail with ERR_NOT_FOUND where the member is absent and ERR_FAIL where its type is
 * wrong, both naming the member. Views (strings, members) are borrowed until the root is freed.
 */
#ifndef TEG_BASE_JSON_H
#define TEG_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct json; /* one value; json-c's json_object underneath */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json *json_parse(const char *text, size_t len,
                        struct err *e); /* the error has line:column */
struct json *json_load(const char *path, struct err *e);
void json_free(struct json *v);
struct json *json_ref(struct json *v); /* another owner of the same value; free both */

/* Compact text in member order, NUL-terminated, borrowed until the value changes or is freed. */
const char *json_text(struct json *v);
/* Indented by two blanks, for files that people read; otherwise as json_text. */
const char *json_pretty(struct json *v);

enum json_kind json_kind(const struct json *v);
bool json_is_finite(const struct json *v); /* a number, and not NaN or infinite */
bool json_equal(struct json *a, struct json *b);

/* The first member in which two objects differ, as text, valid while both are; "unset": it is not
 * there. */
struct json_difference {
    const char *name, *theirs, *mine;
};
bool json_differs(struct json *theirs, struct json *mine, struct json_difference *d);

struct json *json_member(const struct json *object, const char *name); /* NULL where absent */
size_t json_len(const struct json *array_or_object);
struct json *json_at(const struct json *array, size_t i); /* NULL outside */
/* The i-th member of an object in order; false behind the last. Takes i steps: json_next walks
 * faster. */
bool json_pair(const struct json *object, size_t i, const char **name, struct json **value);

/*
 * The members of an object one after the other; the object must not change meanwhile.
 *
 *     struct json_walk w = {0};
 *     while (json_next(object, &w, &name, &value)) ...
 */
struct json_walk {
    const void *entry;
    bool started;
};
bool json_next(const struct json *object, struct json_walk *w, const char **name,
               struct json **value);

int json_get_str(const struct json *object, const char *name, const char **out, struct err *e);
int json_get_i64(const struct json *object, const char *name, int64_t *out, struct err *e);
int json_get_f64(const struct json *object, const char *name, double *out, struct err *e);
int json_get_bool(const struct json *object, const char *name, bool *out, struct err *e);
int json_get_array(const struct json *object, const char *name, struct json **out, struct err *e);
int json_get_object(const struct json *object, const char *name, struct json **out, struct err *e);

/* The value itself as a C type; 0 / NULL where the kind does not fit (an integer also reads as
 * real). */
int64_t json_i64(const struct json *v);
double json_f64(const struct json *v);
bool json_bool(const struct json *v);
const char *json_str(const struct json *v);

/* New values; NULL only when memory is exhausted. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_str(const char *text);
struct json *json_new_i64(int64_t n);
/* Written with as few digits as read back equal, and always as a real ("3.0"). */
struct json *json_new_f64(double x);
struct json *json_new_bool(bool b);
struct json *json_new_null(void);

/* Adding takes the value over, also on failure; returns 0 or ERR_FAIL (a NULL value counts as one).
 */
int json_add(struct json *object, const char *name, struct json *value);
int json_append(struct json *array, struct json *value);
void json_remove(struct json *object, const char *name);

#endif
