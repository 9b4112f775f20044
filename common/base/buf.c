/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/num.h"

static void no_memory(struct err *e, size_t n, size_t size)
{
    if (size == 1)
        err_set(e, "out of memory: %zu bytes", n);
    else
        err_set(e, "out of memory: %zu * %zu bytes", n, size);
}

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_release(struct buf *b)
{
    free(b->data);
    buf_init(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

int buf_reserve(struct buf *b, size_t extra, struct err *e)
{
    size_t need;
    if (!size_add(b->len, extra, &need))
        return err_set(e, "out of memory: %zu + %zu bytes", b->len, extra);
    if (need <= b->cap)
        return 0;
    size_t cap = b->cap < SIZE_MAX / 2 ? 2 * b->cap : need;
    if (cap < need)
        cap = need;
    void *data = mem_grow(b->data, cap, 1, e);
    if (!data)
        return ERR_FAIL;
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len, struct err *e)
{
    int rc = buf_reserve(b, len, e);
    if (rc < 0)
        return rc;
    if (len) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }
    return 0;
}

int buf_printf(struct buf *b, struct err *e, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    int rc = len < 0 ? err_set(e, "text cannot be formatted") : buf_reserve(b, (size_t)len + 1, e);
    if (rc == 0) {
        vsnprintf((char *)b->data + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
    return rc;
}

/* One byte at least, so that NULL always means failure. */
void *mem_new(size_t n, size_t size, struct err *e)
{
    void *block = n && size ? calloc(n, size) : calloc(1, 1);
    if (!block)
        no_memory(e, n, size);
    return block;
}

void *mem_grow(void *block, size_t n, size_t size, struct err *e)
{
    size_t bytes;
    void *grown = size_mul(n, size, &bytes) ? realloc(block, bytes ? bytes : 1) : NULL;
    if (!grown)
        no_memory(e, n, size);
    return grown;
}

void *mem_aligned(size_t bytes, struct err *e)
{
    enum { ALIGNMENT = 64 };
    size_t rounded;
    void *block = NULL;
    if (size_add(bytes ? bytes : 1, ALIGNMENT - 1, &rounded))
        block = aligned_alloc(ALIGNMENT, rounded / ALIGNMENT * ALIGNMENT);
    if (!block)
        no_memory(e, bytes, 1);
    return block;
}

char *mem_strdup(const char *text, struct err *e)
{
    char *copy = strdup(text);
    if (!copy)
        no_memory(e, strlen(text) + 1, 1);
    return copy;
}
