/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor record: one zstd frame around one .npy array; what it unpacks to can be read to the end.
 */
#include "tests/fuzz/fuzz.h"

#include "common/base/err.h"
#include "common/store/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct codec *c;
    struct npy a = {0};
    if (codec_new(&c, &e) < 0)
        return FUZZ_REFUSED;
    int rc = codec_unpack(c, data, size, &a, &e);
    volatile uint8_t sum = 0;
    for (size_t i = 0; rc >= 0 && i < a.data_bytes; i++)
        sum ^= ((const uint8_t *)a.data)[i];
    codec_free(c);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
