/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV list of videos: whatever is accepted gets ids, in order and without doubles. */
#include "tests/fuzz/importer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    int rc = list_read_text((const char *)data, size, &list, &e);
    return importer_fuzz_finish(rc, &list);
}
