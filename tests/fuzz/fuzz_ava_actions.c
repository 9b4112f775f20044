/* SPDX-License-Identifier: Apache-2.0 */
/* A label map of AVA: whatever is accepted has names, and ids in range. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/datasets/key_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *actions = NULL;
    int rc = key_frames_read_actions((const char *)data, size, &actions, &e);
    for (size_t i = 0; rc == 0 && i < json_len(actions); i++) {
        int64_t id = json_i64(json_member(json_at(actions, i), "id"));
        if (!json_str(json_member(json_at(actions, i), "name")) || id < 1 ||
            id > KEY_FRAMES_N_ACTIONS)
            abort();
    }
    json_free(actions);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
