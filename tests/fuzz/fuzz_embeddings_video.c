/* SPDX-License-Identifier: Apache-2.0 */
/* A video of an embeddings store: what was read writes a record that reads again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/store/embeddings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct json *j = json_parse((const char *)data, size, &e);
    if (!j)
        return FUZZ_REFUSED;
    struct embedding_clip *clips, *back;
    size_t n, n_back;
    int rc = embeddings_video_from_json(&clips, &n, j, &e);
    json_free(j);
    if (rc < 0)
        return FUZZ_REFUSED;
    j = embeddings_video_to_json(clips, n);
    if (!j || embeddings_video_from_json(&back, &n_back, j, &e) < 0 || n_back != n)
        abort();
    json_free(j);
    free(clips);
    free(back);
    return FUZZ_ACCEPTED;
}
