/* SPDX-License-Identifier: Apache-2.0 */
/* The files of Diving48. First line "vocabulary": the rest is one; else a split. */
#include "tests/fuzz/importer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char vocabulary[] = "[[\"Back\",\"15som\",\"05Twis\",\"FREE\"],[\"Front\"]]";
    static const char split[] = "[{\"vid_name\": \"-a_00001\", \"label\": 0}]";
    struct err e = {0};
    struct video_list list = {0};
    size_t len;
    const char *rest = importer_fuzz_rest(data, size, &len);
    bool of_classes = size && data[0] == 'v';
    int rc = of_classes ? diving48_read_vocabulary(rest, len, &list, &e)
                        : diving48_read_vocabulary(vocabulary, strlen(vocabulary), &list, &e);
    if (rc == 0 && of_classes)
        rc = diving48_read_text(split, strlen(split), "train", &list, &e);
    else if (rc == 0)
        rc = diving48_read_text(rest, len, "test", &list, &e);
    return importer_fuzz_finish(rc, &list);
}
