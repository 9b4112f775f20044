/* SPDX-License-Identifier: Apache-2.0 */
/* The records !meta of the shards of a set, one a line, joined to that of the whole store. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/store/store_meta.h"
#include "common/store/store_set.h"

enum { MAX_MEMBERS = 16 };

static int read_members(struct set_member *member, size_t *n, const char *text, size_t size)
{
    struct err e = {0};
    for (*n = 0; size > 0 && *n < MAX_MEMBERS; ++*n) {
        const char *end = memchr(text, '\n', size);
        const struct blob line = {text, end ? (size_t)(end - text) : size};
        struct json *j = json_parse(line.data, line.len, &e);
        member[*n].path = "shard";
        if (!j || meta_read(&member[*n].meta, j, &e) < 0) {
            json_free(j);
            return FUZZ_REFUSED;
        }
        text += line.len + (end != NULL);
        size -= line.len + (end != NULL);
    }
    return *n && size == 0 ? FUZZ_ACCEPTED : FUZZ_REFUSED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct set_member member[MAX_MEMBERS] = {{0}};
    size_t n;
    int rc = read_members(member, &n, (const char *)data, size);
    struct json *whole = rc == FUZZ_ACCEPTED ? set_meta(member, n, &e) : NULL;
    if (whole) {
        struct store_meta m;
        if (meta_read(&m, whole, &e) < 0 || !m.complete)
            abort(); /* what is joined can be read */
    }
    rc = whole ? FUZZ_ACCEPTED : FUZZ_REFUSED;
    json_free(whole);
    for (size_t i = 0; i < n; i++)
        json_free(member[i].meta.root);
    return rc;
}
