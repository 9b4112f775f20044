/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV list of videos: whatever is accepted gets ids, in order and without doubles. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/datasets/importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    int rc = list_read_text((const char *)data, size, &list, &e);
    if (rc == 0)
        rc = video_list_finish(&list, &e);
    for (size_t i = 0; rc == 0 && i < list.n; i++)
        if (!list.videos[i].path[0] || (i && strcmp(list.videos[i - 1].id, list.videos[i].id) >= 0))
            abort();
    video_list_release(&list);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
