/* SPDX-License-Identifier: Apache-2.0 */
/* A .npy array: the data it claims is really there. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/base/err.h"
#include "common/store/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct npy a = {0};
    if (npy_parse(&a, data, size, &e) < 0)
        return FUZZ_REFUSED;
    const uint8_t *first = a.data;
    if (first < data || first + a.data_bytes != data + size)
        abort();
    return FUZZ_ACCEPTED;
}
