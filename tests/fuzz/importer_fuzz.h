/* SPDX-License-Identifier: Apache-2.0 */
/* What the entries of importers share: whatever is accepted is a list that an index can be made of.
 */
#ifndef TEG_TESTS_FUZZ_IMPORTER_FUZZ_H
#define TEG_TESTS_FUZZ_IMPORTER_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "common/datasets/importer.h"
#include "tests/fuzz/fuzz.h"

static inline void importer_fuzz_check(const struct video *v)
{
    struct err e = {0};
    struct video back = {0};
    struct json *j = video_to_json(v), *again;
    if (!v->path[0] || !j)
        abort();
    json_add(j, "reason", json_new_str("missing"));
    if (video_from_json(&back, j, &e) < 0 || !(again = video_to_json(&back)))
        abort();
    json_free(again);
    json_free(j);
    video_release(&back);
}

/* Finishes and frees the list that a reader with this result has filled. */
static inline int importer_fuzz_finish(int rc, struct video_list *list)
{
    struct err e = {0};
    if (rc >= 0)
        rc = video_list_finish(list, &e);
    for (size_t i = 0; rc >= 0 && i < list->n; i++) {
        importer_fuzz_check(&list->videos[i]);
        if (i && strcmp(list->videos[i - 1].id, list->videos[i].id) >= 0)
            abort();
    }
    video_list_release(list);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}

/* The bytes behind the first line break, or all; what stands before it names a part of the parser.
 */
static inline const char *importer_fuzz_rest(const uint8_t *data, size_t size, size_t *len)
{
    const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
    const uint8_t *rest = newline ? newline + 1 : data;
    *len = size - (size_t)(rest - data);
    return (const char *)rest;
}

#endif
