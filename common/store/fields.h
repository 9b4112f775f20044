/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict reading of the members of a JSON record: known names, types, ranges. Errors name the
 * member. The rules are those of the JSON Schemas in schemas/, and a test holds both to the same
 * examples.
 */
#ifndef TEG_STORE_FIELDS_H
#define TEG_STORE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"

/* Fails where `j` is no object or has a member that is not in the NULL-ended list. */
int fields_check(const struct json *j, const char *const *names, struct err *e);

static inline bool fields_has(const struct json *j, const char *name)
{
    return json_member(j, name) != NULL;
}

/* At least `min`. */
int fields_i64(const struct json *j, const char *name, int64_t min, int64_t *out, struct err *e);
int fields_int(const struct json *j, const char *name, int min, int *out, struct err *e);
/* A finite number, at least `min`. */
int fields_f64(const struct json *j, const char *name, double min, double *out, struct err *e);
/* A string "30000/1001" of positive integers, brought to lowest terms. */
int fields_fraction(const struct json *j, const char *name, int64_t *num, int64_t *den,
                    struct err *e);
/* The position of the string in a NULL-ended list. */
int fields_choice(const struct json *j, const char *name, const char *const *names, int *out,
                  struct err *e);
/* A copy of a string; stays untouched where the member is absent. */
int fields_text(const struct json *j, const char *name, char **out, struct err *e);

#endif
