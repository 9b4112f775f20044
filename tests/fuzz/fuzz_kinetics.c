/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV file of Kinetics. */
#include "tests/fuzz/importer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    int rc = kinetics_read_text((const char *)data, size, "val", &list, &e);
    if (rc == 0)
        rc = video_list_merge(&list, &e);
    return importer_fuzz_finish(rc, &list);
}
