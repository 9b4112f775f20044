/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "common/base/err.h"

struct hash128 hash_bytes(const void *data, size_t len)
{
    XXH128_hash_t h = XXH3_128bits(data, len);
    return (struct hash128){.lo = h.low64, .hi = h.high64};
}

/* The hash of both hashes and lengths: where the key ends and the value begins is part of it. */
struct hash128 hash_record(const void *key, size_t key_len, const void *value, size_t value_len)
{
    struct hash128 k = hash_bytes(key, key_len), v = hash_bytes(value, value_len);
    uint64_t parts[6] = {k.lo, k.hi, key_len, v.lo, v.hi, value_len};
    return hash_bytes(parts, sizeof parts);
}

void hash_sum(struct hash128 *total, struct hash128 h)
{
    total->hi += h.hi + __builtin_add_overflow(total->lo, h.lo, &total->lo);
}

void hash_text(struct hash128 h, char out[HASH_TEXT_BYTES])
{
    snprintf(out, HASH_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, h.hi, h.lo);
}

int hash_from_text(const char *text, struct hash128 *out)
{
    if (strlen(text) != HASH_TEXT_BYTES - 1 || strspn(text, "0123456789abcdef") != 32)
        return ERR_FAIL;
    struct hash128 h;
    if (sscanf(text, "%16" SCNx64 "%16" SCNx64, &h.hi, &h.lo) != 2)
        return ERR_FAIL;
    *out = h;
    return 0;
}
