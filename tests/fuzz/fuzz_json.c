/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text: what parses is also written and read back equal. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *v = json_parse((const char *)data, size, &e);
    if (!v)
        return FUZZ_REFUSED;
    const char *text = json_text(v);
    struct json *again = json_parse(text, strlen(text), &e);
    if (!again || strcmp(json_text(again), text) != 0)
        abort();
    json_free(again);
    json_free(v);
    return FUZZ_ACCEPTED;
}
