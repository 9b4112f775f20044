/* SPDX-License-Identifier: Apache-2.0 */
/* The record !meta of a store. */
#include "tests/fuzz/fuzz.h"

#include "common/store/store_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *j = json_parse((const char *)data, size, &e);
    if (!j)
        return FUZZ_REFUSED;
    struct store_meta m;
    int rc = meta_read(&m, j, &e);
    json_free(j);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
