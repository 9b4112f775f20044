/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a network in a model file's metadata. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/nn/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct model_desc d, again;
    struct json *j = json_parse((const char *)data, size, &e);
    int rc = j ? model_desc_from_json(&d, j, &e) : ERR_FAIL;
    json_free(j);
    if (rc < 0)
        return FUZZ_REFUSED;
    j = model_desc_to_json(&d);
    if (model_desc_from_json(&again, j, &e) < 0 || again.task != d.task ||
        again.n_classes != d.n_classes)
        abort();
    json_free(j);
    return FUZZ_ACCEPTED;
}
