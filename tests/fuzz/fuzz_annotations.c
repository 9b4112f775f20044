/* SPDX-License-Identifier: Apache-2.0 */
/* TeG's annotation lines: whatever is accepted becomes index records that read back equal, once the
 * file has been looked at. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "common/datasets/importer.h"

static void check(struct video *v)
{
    struct err e = {0};
    v->ok = true;
    v->fps_num = v->fps_den = 1;
    v->width = v->height = 1;
    struct video again = {0};
    struct json *j = video_to_json(v);
    if (!j || video_from_json(&again, j, &e) < 0)
        abort();
    struct json *same = video_to_json(&again);
    if (!same || strcmp(json_text(j), json_text(same)) != 0)
        abort();
    json_free(j);
    json_free(same);
    video_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    int rc = annotations_read_text((const char *)data, size, &list, &e);
    if (rc == 0)
        rc = video_list_finish(&list, &e);
    for (size_t i = 0; rc == 0 && i < list.n; i++)
        check(&list.videos[i]);
    video_list_release(&list);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
