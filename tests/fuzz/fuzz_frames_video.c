/* SPDX-License-Identifier: Apache-2.0 */
/* A video of a frames store: what was read writes a record that reads again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/store/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *j = json_parse((const char *)data, size, &e);
    if (!j)
        return FUZZ_REFUSED;
    struct frames_info info, back;
    int rc = frames_info_from_json(&info, j, &e);
    json_free(j);
    if (rc < 0)
        return FUZZ_REFUSED;
    j = frames_info_to_json(&info);
    if (!j || frames_info_from_json(&back, j, &e) < 0 || back.n_frames != info.n_frames)
        abort();
    json_free(j);
    return FUZZ_ACCEPTED;
}
