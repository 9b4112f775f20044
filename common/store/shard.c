/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/shard.h"

#include <string.h>

#include "common/base/buf.h"

/* Reads a number without sign or leading zero and moves behind it; 0 where there is none up to
 * SHARD_MAX. */
static int take_number(const char **text)
{
    int n = 0;
    if (**text == '0')
        return 0;
    while (**text >= '0' && **text <= '9' && n <= SHARD_MAX)
        n = 10 * n + *(*text)++ - '0';
    return n <= SHARD_MAX ? n : 0;
}

/* "I", `between`, "N"; moves behind it. */
static bool take_shard(struct shard *s, const char **text, const char *between)
{
    size_t len = strlen(between);
    struct shard read = {.number = take_number(text)};
    if (strncmp(*text, between, len) != 0)
        return false;
    *text += len;
    read.of = take_number(text);
    if (read.number < 1 || read.number > read.of)
        return false;
    *s = read;
    return true;
}

int shard_parse(struct shard *s, const char *text, struct err *e)
{
    struct shard read;
    const char *rest = text;
    if (!take_shard(&read, &rest, "/") || *rest)
        return err_set(e, "want I/N with 1 <= I <= N <= %d, as in 2/8, not \"%.40s\"", SHARD_MAX,
                       text);
    *s = read;
    return 0;
}

void shard_text(const struct shard *s, char out[SHARD_TEXT_BYTES])
{
    snprintf(out, SHARD_TEXT_BYTES, "%d/%d", s->number, s->of);
}

bool shard_has(const struct shard *s, size_t item)
{
    return !s->of || item % (size_t)s->of == (size_t)s->number - 1;
}

char *shard_path(const struct shard *s, const char *path, struct err *e)
{
    struct buf out = {0};
    if (!s->of)
        return mem_strdup(path, e);
    if (buf_printf(&out, e, "%s.%d-of-%d", path, s->number, s->of) < 0)
        buf_release(&out);
    return (char *)out.data;
}

bool shard_from_name(struct shard *s, bool *part, const char *name, const char *store)
{
    struct shard read;
    size_t len = strlen(store);
    if (strncmp(name, store, len) != 0 || name[len] != '.')
        return false;
    const char *rest = name + len + 1;
    if (!take_shard(&read, &rest, "-of-") || (*rest && strcmp(rest, ".part") != 0))
        return false;
    *s = read;
    *part = *rest != '\0';
    return true;
}
