/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a .safetensors file: every byte of every tensor can be read. */
#include "tests/fuzz/fuzz.h"

#include "common/store/safetensors.h"

static unsigned char sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct safetensors *s;
    if (safetensors_view(&s, data, size, &e) < 0)
        return FUZZ_REFUSED;
    for (size_t i = 0; i < safetensors_n(s); i++) {
        const struct safetensor *t = safetensors_at(s, i);
        for (size_t b = 0; b < t->bytes; b++)
            sink ^= ((const unsigned char *)t->data)[b];
    }
    safetensors_close(s);
    return FUZZ_ACCEPTED;
}
