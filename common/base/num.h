/* SPDX-License-Identifier: Apache-2.0 */
/* Strict conversion of text to numbers (the whole string, within a range), and overflow-checked
 * sizes. */
#ifndef TEG_BASE_NUM_H
#define TEG_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Decimal integer in [min, max]; no blanks, no trailing text. On failure `e` says what was wanted.
 */
int num_i64(const char *text, int64_t min, int64_t max, int64_t *out, struct err *e);

/* Finite decimal number in [min, max]; `nan` and `inf` are refused. */
int num_f64(const char *text, double min, double max, double *out, struct err *e);

/* A fraction "30000/1001" or a decimal number "29.97"; both parts positive, reduced to lowest
 * terms. */
int num_fraction(const char *text, int64_t *num, int64_t *den, struct err *e);

/* Greatest common divisor of two numbers from 0 upwards; not both are 0. */
int64_t num_gcd(int64_t a, int64_t b);

/* False on overflow; `out` is then untouched. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);

#endif
