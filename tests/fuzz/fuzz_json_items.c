/* SPDX-License-Identifier: Apache-2.0 */
/* The items of an array or object: the same as those of the whole value, and refused like it. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json_items.h"

/* Of members of one name the last one counts in the whole value: only there they are compared. */
static void compare(const struct json_items *items, const struct json *whole)
{
    if (!items->name && !json_equal(items->value, json_at(whole, items->n - 1)))
        abort();
    if (items->name && !json_member(whole, items->name))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json_items items;
    struct json *whole = json_parse((const char *)data, size, &e);
    int rc;
    json_items_init(&items, (const char *)data, size);
    while ((rc = json_items_next(&items, &e)) == 1)
        if (whole)
            compare(&items, whole);
    if (whole && rc == 0 && json_kind(whole) == JSON_ARRAY && json_len(whole) != items.n)
        abort();
    if (whole && rc < 0 && (json_kind(whole) == JSON_ARRAY || json_kind(whole) == JSON_OBJECT))
        abort();
    json_free(whole);
    json_items_release(&items);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
