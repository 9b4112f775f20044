/* SPDX-License-Identifier: Apache-2.0 */
/* Single elements of arrays as numbers and as text, whatever their type. */
#ifndef TEG_STORE_SCALAR_H
#define TEG_STORE_SCALAR_H

#include <stdbool.h>
#include <stddef.h>

enum scalar_kind {
    SCALAR_OTHER, /* strings, complex numbers, 8-bit floats: bytes here */
    SCALAR_BOOL,
    SCALAR_INT,
    SCALAR_UINT,
    SCALAR_REAL,
    SCALAR_BFLOAT,
};

struct scalar_type {
    enum scalar_kind kind;
    size_t bytes;
};

enum { SCALAR_TEXT_BYTES = 40 };

/* The type of a NumPy descr ("<f4", "|u1"); `bytes` is the size of one element. */
struct scalar_type scalar_from_descr(const char *descr, size_t len, size_t bytes);

/* "float32", "uint8", "bfloat16" ...; "bytes" for SCALAR_OTHER. */
const char *scalar_name(struct scalar_type type);
bool scalar_is_number(struct scalar_type type);
/* `p` need not be aligned. 64-bit integers are rounded; NaN for what is no number. */
double scalar_f64(struct scalar_type type, const void *p);
/* Integers exactly, reals with the digits that their type holds, other bytes in hexadecimal. */
void scalar_text(struct scalar_type type, const void *p, char out[SCALAR_TEXT_BYTES]);

#endif
