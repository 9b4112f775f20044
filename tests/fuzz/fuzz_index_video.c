/* SPDX-License-Identifier: Apache-2.0 */
/* A video of an index: what was read writes the same record again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/store/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *j = json_parse((const char *)data, size, &e);
    if (!j)
        return FUZZ_REFUSED;
    struct video v = {0}, back = {0};
    int rc = video_from_json(&v, j, &e);
    json_free(j);
    if (rc == 0) {
        j = video_to_json(&v);
        if (!j || video_from_json(&back, j, &e) < 0)
            abort();
        struct json *again = video_to_json(&back);
        if (!again || !json_equal(j, again))
            abort();
        json_free(j);
        json_free(again);
    }
    video_release(&v);
    video_release(&back);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
