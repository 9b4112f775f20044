/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of event boundaries, JSON or lines of text. */
#include "tests/fuzz/fuzz.h"

#include "common/eval/gebd_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *v = gebd_parse_predictions((const char *)data, size, &e);
    json_free(v);
    return v ? FUZZ_ACCEPTED : FUZZ_REFUSED;
}
