/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/scalar.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/store/half.h"

struct scalar_type scalar_from_descr(const char *descr, size_t len, size_t bytes)
{
    static const char letters[] = "biuf";
    static const enum scalar_kind kinds[] = {SCALAR_BOOL, SCALAR_INT, SCALAR_UINT, SCALAR_REAL};
    struct scalar_type type = {SCALAR_OTHER, bytes};
    const char *letter = len == 3 ? strchr(letters, descr[1]) : NULL;
    if (letter && *letter)
        type.kind = kinds[letter - letters];
    return type;
}

const char *scalar_name(struct scalar_type type)
{
    static const char *const ints[] = {"int8", "int16", "int32", "int64"};
    static const char *const uints[] = {"uint8", "uint16", "uint32", "uint64"};
    static const char *const reals[] = {"float8", "float16", "float32", "float64"};
    int log2 = type.bytes > 4 ? 3 : type.bytes > 2 ? 2 : type.bytes > 1;
    switch (type.kind) {
    case SCALAR_BOOL:
        return "bool";
    case SCALAR_INT:
        return ints[log2];
    case SCALAR_UINT:
        return uints[log2];
    case SCALAR_REAL:
        return reals[log2];
    case SCALAR_BFLOAT:
        return "bfloat16";
    case SCALAR_OTHER:
        break;
    }
    return "bytes";
}

bool scalar_is_number(struct scalar_type type)
{
    return type.kind != SCALAR_OTHER;
}

/* The little-endian integer at p, its sign not yet looked at. */
static uint64_t get_bits(struct scalar_type type, const void *p)
{
    uint64_t bits = 0;
    memcpy(&bits, p, type.bytes < sizeof bits ? type.bytes : sizeof bits);
    return bits;
}

static int64_t get_int(struct scalar_type type, const void *p)
{
    unsigned shift = 64 - 8 * (unsigned)type.bytes;
    return (int64_t)(get_bits(type, p) << shift) >> shift;
}

static double get_real(struct scalar_type type, const void *p)
{
    uint64_t bits = get_bits(type, p);
    if (type.kind == SCALAR_REAL && type.bytes == 8) {
        double x;
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    if (type.kind == SCALAR_REAL && type.bytes == 2)
        return (double)half_to_f32((uint16_t)bits);
    uint32_t low = (uint32_t)(type.kind == SCALAR_BFLOAT ? bits << 16 : bits);
    float x;
    memcpy(&x, &low, sizeof x);
    return (double)x;
}

double scalar_f64(struct scalar_type type, const void *p)
{
    switch (type.kind) {
    case SCALAR_BOOL:
    case SCALAR_UINT:
        return (double)get_bits(type, p);
    case SCALAR_INT:
        return (double)get_int(type, p);
    case SCALAR_REAL:
    case SCALAR_BFLOAT:
        return get_real(type, p);
    case SCALAR_OTHER:
        break;
    }
    return (double)NAN;
}

static void bytes_text(struct scalar_type type, const unsigned char *p, char *out)
{
    size_t shown = type.bytes > 16 ? 16 : type.bytes;
    for (size_t i = 0; i < shown; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
    snprintf(out + 2 * shown, 4, "%s", shown < type.bytes ? "..." : "");
}

void scalar_text(struct scalar_type type, const void *p, char out[SCALAR_TEXT_BYTES])
{
    int digits = type.bytes == 8 ? 17 : type.bytes == 4 ? 9 : type.kind == SCALAR_BFLOAT ? 4 : 5;
    switch (type.kind) {
    case SCALAR_BOOL:
    case SCALAR_UINT:
        snprintf(out, SCALAR_TEXT_BYTES, "%" PRIu64, get_bits(type, p));
        break;
    case SCALAR_INT:
        snprintf(out, SCALAR_TEXT_BYTES, "%" PRId64, get_int(type, p));
        break;
    case SCALAR_REAL:
    case SCALAR_BFLOAT:
        snprintf(out, SCALAR_TEXT_BYTES, "%.*g", digits, get_real(type, p));
        break;
    case SCALAR_OTHER:
        bytes_text(type, p, out);
    }
}
