/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit content hashes (XXH3 of libxxhash): identities of stores and models. Not cryptographic.
 */
#ifndef TEG_BASE_HASH_H
#define TEG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t lo, hi;
};

struct hash128 hash_bytes(const void *data, size_t len);
/* Hash of a key and a value together, to be summed over records in any order. */
struct hash128 hash_record(const void *key, size_t key_len, const void *value, size_t value_len);
/* Sum modulo 2^128. */
void hash_sum(struct hash128 *total, struct hash128 h);

enum { HASH_TEXT_BYTES = 33 };
void hash_text(struct hash128 h,
               char out[HASH_TEXT_BYTES]); /* 32 hexadecimal digits, high half first */
/* Reads what hash_text wrote; negative where it is not 32 hexadecimal digits. */
int hash_from_text(const char *text, struct hash128 *out);

#endif
