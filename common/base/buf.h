/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer. Zero-initialise it or call buf_init; buf_release frees. Also the
 * allocation helpers of the project: an allocation that fails is reported like any other error.
 */
#ifndef TEG_BASE_BUF_H
#define TEG_BASE_BUF_H

#include <stddef.h>

#include "common/base/err.h"

struct buf {
    unsigned char *data; /* NULL while empty */
    size_t len;          /* bytes used */
    size_t cap;          /* bytes allocated */
};

void buf_init(struct buf *b);
void buf_release(struct buf *b); /* frees and zeroes */
void buf_clear(struct buf *b);   /* len = 0, memory kept */

/* Makes room for `extra` more bytes behind len. */
int buf_reserve(struct buf *b, size_t extra, struct err *e);
int buf_append(struct buf *b, const void *data, size_t len, struct err *e);
/* printf into the buffer; data stays NUL-terminated (the NUL is not counted in len). */
int buf_printf(struct buf *b, struct err *e, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* calloc(n, size) with overflow check; `e` names the size. NULL on failure; free with free(). */
void *mem_new(size_t n, size_t size, struct err *e);
/* realloc to n * size bytes with overflow check; on failure the old block stays valid. */
void *mem_grow(void *block, size_t n, size_t size, struct err *e);
/* 64-byte aligned, not zeroed; free with free(). */
void *mem_aligned(size_t bytes, struct err *e);
/* strdup that reports. */
char *mem_strdup(const char *text, struct err *e);
/* Bytes that this process may use: the machine's memory, or its cgroup's limit where that is less.
 */
size_t mem_limit(void);
/* ERR_SHORTAGE where so many bytes more could not be had now. */
int mem_check(size_t bytes, struct err *e);

#endif
