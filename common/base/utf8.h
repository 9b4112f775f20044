/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 text, one character after the other. */
#ifndef TEG_BASE_UTF8_H
#define TEG_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes (1..4) of the character that `text` starts with, its code point in *code; 0 where the bytes
 * are no character of UTF-8 (cut off, overlong, a surrogate, beyond U+10FFFF) or len is 0.
 */
size_t utf8_next(const char *text, size_t len, uint32_t *code);

#endif
