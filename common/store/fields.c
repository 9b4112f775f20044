/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/fields.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>

#include "common/base/buf.h"
#include "common/base/num.h"

int fields_check(const struct json *j, const char *const *names, struct err *e)
{
    const char *name;
    struct json *value;
    struct json_walk w = {0};
    if (json_kind(j) != JSON_OBJECT)
        return err_set(e, "not an object");
    while (json_next(j, &w, &name, &value)) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            return err_set(e, "member '%.80s' is unknown", name);
    }
    return 0;
}

int fields_i64(const struct json *j, const char *name, int64_t min, int64_t *out, struct err *e)
{
    int64_t n;
    int rc = json_get_i64(j, name, &n, e);
    if (rc < 0)
        return rc;
    if (n < min)
        return err_set(e, "member '%s': %" PRId64 ", less than %" PRId64, name, n, min);
    *out = n;
    return 0;
}

int fields_int(const struct json *j, const char *name, int min, int *out, struct err *e)
{
    int64_t n = 0;
    int rc = fields_i64(j, name, min, &n, e);
    if (rc < 0)
        return rc;
    if (n > INT_MAX)
        return err_set(e, "member '%s': %" PRId64 ", more than %d", name, n, INT_MAX);
    *out = (int)n;
    return 0;
}

int fields_f64(const struct json *j, const char *name, double min, double *out, struct err *e)
{
    double x;
    int rc = json_get_f64(j, name, &x, e);
    if (rc < 0)
        return rc;
    if (!isfinite(x))
        return err_set(e, "member '%s': not a finite number", name);
    if (x < min)
        return err_set(e, "member '%s': %g, less than %g", name, x, min);
    *out = x;
    return 0;
}

/* Digits without a leading zero, up to the end or a '/'. */
static const char *skip_digits(const char *text)
{
    return *text == '0' ? text : text + strspn(text, "0123456789");
}

int fields_fraction(const struct json *j, const char *name, int64_t *num, int64_t *den,
                    struct err *e)
{
    const char *text;
    int rc = json_get_str(j, name, &text, e);
    if (rc < 0)
        return rc;
    const char *slash = skip_digits(text);
    if (slash == text || *slash != '/' || *skip_digits(slash + 1) != '\0')
        return err_set(e, "member '%s': '%.40s' is no fraction of positive integers", name, text);
    return num_fraction(text, num, den, e) < 0 ? err_add(e, "member '%s'", name) : 0;
}

int fields_choice(const struct json *j, const char *name, const char *const *names, int *out,
                  struct err *e)
{
    const char *text;
    int rc = json_get_str(j, name, &text, e);
    if (rc < 0)
        return rc;
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return 0;
        }
    return err_set(e, "member '%s': unknown value '%.40s'", name, text);
}

int fields_text(const struct json *j, const char *name, char **out, struct err *e)
{
    const char *text;
    if (!fields_has(j, name))
        return 0;
    int rc = json_get_str(j, name, &text, e);
    if (rc < 0)
        return rc;
    char *copy = mem_strdup(text, e);
    if (!copy)
        return ERR_FAIL;
    free(*out);
    *out = copy;
    return 0;
}
