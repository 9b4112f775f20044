/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/avlog.h"

#include <pthread.h>
#include <stdarg.h>

#include <libavutil/error.h>
#include <libavutil/log.h>

enum { LINE_BYTES = 200 };

static _Thread_local char first_line[LINE_BYTES];

/* One line of plain ASCII: it goes into records and onto terminals. */
static void clean(char *line)
{
    size_t len = 0;
    for (const char *c = line; *c && *c != '\n' && *c != '\r'; c++)
        line[len++] = *c >= ' ' && *c <= '~' ? *c : '?';
    while (len && line[len - 1] == ' ')
        len--;
    line[len] = '\0';
}

static void remember(void *context, int level, const char *format, va_list args)
{
    (void)context;
    if (level > AV_LOG_ERROR || first_line[0])
        return;
    vsnprintf(first_line, sizeof first_line, format, args);
    clean(first_line);
}

static void install(void)
{
    av_log_set_callback(remember);
}

void avlog_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    first_line[0] = '\0';
}

const char *avlog_line(void)
{
    return first_line;
}

int avlog_fail(struct err *e, int rc, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (first_line[0])
        return err_set(e, "%s: %s", what, first_line);
    if (av_strerror(rc, text, sizeof text) < 0)
        return err_set(e, "%s: error %d", what, rc);
    return err_set(e, "%s: %s", what, text);
}
