/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One line, whatever the text came from: a file name or a parser's message may hold control bytes.
 */
static void flatten(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
}

/* Formats into a scratch first, so that the arguments may point into e->text. */
static void format_text(struct err *e, const char *format, va_list args)
{
    char text[sizeof e->text];
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    flatten(text);
    memcpy(e->text, text, sizeof e->text);
}

static void append_text(struct err *e, const char *tail)
{
    size_t len = strlen(e->text);
    snprintf(e->text + len, sizeof e->text - len, ": %s", tail);
}

int err_set(struct err *e, const char *format, ...)
{
    if (!e)
        return ERR_FAIL;
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    return ERR_FAIL;
}

int err_code(struct err *e, int code, const char *format, ...)
{
    if (!e)
        return code;
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    return code;
}

int err_errno(struct err *e, const char *format, ...)
{
    int number = errno;
    if (!e)
        return ERR_FAIL;
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    append_text(e, strerror(number));
    return ERR_FAIL;
}

int err_add(struct err *e, const char *format, ...)
{
    if (!e)
        return ERR_FAIL;
    struct err before = *e;
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    append_text(e, before.text);
    return ERR_FAIL;
}

int err_add_code(struct err *e, int code, const char *format, ...)
{
    if (!e)
        return code;
    struct err before = *e;
    va_list args;
    va_start(args, format);
    format_text(e, format, args);
    va_end(args);
    append_text(e, before.text);
    return code;
}
