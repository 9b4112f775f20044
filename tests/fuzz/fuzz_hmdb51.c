/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a class of HMDB51. */
#include "tests/fuzz/importer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    int rc = hmdb51_read_text((const char *)data, size, "brush_hair", &list, &e);
    return importer_fuzz_finish(rc, &list);
}
