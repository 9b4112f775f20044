/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/json_items.h"

#include <stdbool.h>
#include <string.h>

void json_items_init(struct json_items *items, const char *text, size_t len)
{
    *items = (struct json_items){.text = text, .len = len};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        items->at = 3;
}

static void drop_item(struct json_items *items)
{
    json_free(items->value);
    json_free(items->name_value);
    items->value = items->name_value = NULL;
    items->name = NULL;
}

void json_items_release(struct json_items *items)
{
    drop_item(items);
    *items = (struct json_items){0};
}

static int fail_at(const struct json_items *items, size_t at, const char *why, struct err *e)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = items->text[i] == '\n' ? 1 : column + 1;
        line += items->text[i] == '\n';
    }
    return err_set(e, "%zu:%zu: %s", line, column, why);
}

/* The next byte that is no blank; 0 at the end. */
static char peek(struct json_items *items)
{
    while (items->at < items->len && memchr(" \t\r\n", items->text[items->at], 4))
        items->at++;
    return items->at < items->len ? items->text[items->at] : '\0';
}

/* Moves behind the string that begins here, or to the end. */
static void skip_string(struct json_items *items)
{
    for (items->at++; items->at < items->len && items->text[items->at] != '"'; items->at++)
        items->at += items->text[items->at] == '\\' && items->at + 1 < items->len;
    items->at += items->at < items->len;
}

/* Moves behind the value that begins here; json_parse finds out whether it is one. */
static void skip_value(struct json_items *items)
{
    size_t depth = 0;
    while (items->at < items->len) {
        char c = items->text[items->at];
        bool ends = c && strchr("]}", c);
        if (depth == 0 && (ends || (c && strchr(", :\t\r\n", c))))
            return;
        if (c == '"')
            skip_string(items);
        else
            items->at++;
        depth += c && strchr("[{", c);
        depth -= ends;
        if (depth == 0 && (ends || c == '"'))
            return;
    }
}

static struct json *parse_value(struct json_items *items, struct err *e)
{
    peek(items);
    size_t from = items->at;
    struct err inner = {0}, why = {0};
    skip_value(items);
    struct json *value = json_parse(items->text + from, items->at - from, &inner);
    if (!value) {
        err_set(&why, "in the value that begins here, at %s", inner.text);
        fail_at(items, from, why.text, e);
    }
    return value;
}

static int parse_name(struct json_items *items, struct err *e)
{
    if (peek(items) != '"')
        return fail_at(items, items->at, "a name is missing", e);
    if (!(items->name_value = parse_value(items, e)))
        return ERR_FAIL;
    items->name = json_str(items->name_value);
    if (peek(items) != ':')
        return fail_at(items, items->at, "':' is missing", e);
    items->at++;
    return 0;
}

static int begin(struct json_items *items, struct err *e)
{
    char c = peek(items);
    if (c != '[' && c != '{')
        return fail_at(items, items->at, "neither an array nor an object", e);
    items->closing = c == '[' ? ']' : '}';
    items->at++;
    return 0;
}

/* What stands before the next item: 1 go on, 0 the end. */
static int pass_separator(struct json_items *items, struct err *e)
{
    char c = peek(items);
    if (c == items->closing) {
        items->at++;
        peek(items);
        return items->at == items->len
                   ? 0
                   : fail_at(items, items->at, "unexpected text behind the value", e);
    }
    if (items->n == 0)
        return 1;
    if (c != ',')
        return fail_at(items, items->at,
                       items->at == items->len ? "unexpected end of data" : "',' is missing", e);
    items->at++;
    return 1;
}

int json_items_next(struct json_items *items, struct err *e)
{
    drop_item(items);
    if (!items->closing && begin(items, e) < 0)
        return ERR_FAIL;
    int rc = pass_separator(items, e);
    if (rc != 1)
        return rc;
    if (items->closing == '}' && parse_name(items, e) < 0)
        return ERR_FAIL;
    if (!(items->value = parse_value(items, e)))
        return ERR_FAIL;
    items->n++;
    return 1;
}
