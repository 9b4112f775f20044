/* SPDX-License-Identifier: Apache-2.0 */
/* The prepared ground truth of Kinetics-GEBD. */
#include "tests/fuzz/importer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    int rc = gebd_read_text((const char *)data, size, "train", &list, &e);
    return importer_fuzz_finish(rc, &list);
}
