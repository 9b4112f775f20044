/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/num.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>

static int refuse_i64(struct err *e, const char *text, int64_t min, int64_t max)
{
    if (min == INT64_MIN && max == INT64_MAX)
        return err_set(e, "expected an integer, got '%.64s'", text);
    if (max == INT64_MAX)
        return err_set(e, "expected an integer of at least %" PRId64 ", got '%.64s'", min, text);
    return err_set(e, "expected an integer from %" PRId64 " to %" PRId64 ", got '%.64s'", min, max,
                   text);
}

int num_i64(const char *text, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (!isdigit((unsigned char)digits[0]))
        return refuse_i64(e, text, min, max);
    char *end;
    errno = 0;
    intmax_t n = strtoimax(text, &end, 10);
    if (*end || errno || n < min || n > max)
        return refuse_i64(e, text, min, max);
    *out = n;
    return 0;
}

/*
 * Reads [sign] digits [. digits] of at most 15 digits; false where the text is anything else.
 * Digits and power of ten are exact as doubles then, so their quotient is the nearest double, as
 * strtod's result.
 */
static bool read_short_decimal(const char *text, double *out)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool negative = *text == '-';
    const char *p = text + (*text == '-' || *text == '+'), *point = NULL;
    int64_t digits = 0;
    size_t n = 0, n_decimals = 0;
    for (; n <= 15; p++) {
        if (*p == '.' && !point) {
            point = p;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            break;
        digits = 10 * digits + (*p - '0');
        n++;
        n_decimals += point != NULL;
    }
    if (*p || n == 0 || n > 15)
        return false;
    double x = (double)digits / power[n_decimals];
    *out = negative ? -x : x;
    return true;
}

int num_f64(const char *text, double min, double max, double *out, struct err *e)
{
    /* The alphabet keeps out blanks, "nan", "inf" and hexadecimal numbers, which strtod would take.
     */
    double x = 0;
    bool whole = read_short_decimal(text, &x);
    if (!whole && text[0] && !text[strspn(text, "0123456789+-.eE")]) {
        char *end;
        x = strtod(text, &end);
        whole = !*end && isfinite(x);
    }
    if (whole && x >= min && x <= max) {
        *out = x;
        return 0;
    }
    if (min <= -HUGE_VAL && max >= HUGE_VAL)
        return err_set(e, "expected a number, got '%.64s'", text);
    if (max >= HUGE_VAL)
        return err_set(e, "expected a number of at least %g, got '%.64s'", min, text);
    return err_set(e, "expected a number from %g to %g, got '%.64s'", min, max, text);
}

int64_t num_gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Reads digits at *p into *n; false where there are none or the number overflows. */
static bool read_digits(const char **p, int64_t *n)
{
    const char *start = *p;
    for (; isdigit((unsigned char)**p); ++*p)
        if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, **p - '0', n))
            return false;
    return *p > start;
}

static bool read_fraction(const char *p, int64_t *num, int64_t *den)
{
    *num = 0;
    *den = 1;
    if (!read_digits(&p, num))
        return false;
    if (*p == '/') {
        p++;
        *den = 0;
        if (!read_digits(&p, den))
            return false;
    } else if (*p == '.') {
        const char *decimals = ++p;
        if (!read_digits(&p, num))
            return false;
        for (; decimals < p; decimals++)
            if (__builtin_mul_overflow(*den, 10, den))
                return false;
    }
    return !*p && *num > 0 && *den > 0;
}

int num_fraction(const char *text, int64_t *num, int64_t *den, struct err *e)
{
    int64_t n, d;
    if (!read_fraction(text, &n, &d))
        return err_set(e, "expected a positive fraction or decimal number, got '%.64s'", text);
    int64_t divisor = num_gcd(n, d);
    *num = n / divisor;
    *den = d / divisor;
    return 0;
}

bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool size_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}
