/* SPDX-License-Identifier: Apache-2.0 */
/* The files of UCF101. First line "classes": the rest is classInd.txt; else a list of videos. */
#include "tests/fuzz/importer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char classes[] = "1 ApplyEyeMakeup\n2 HandstandPushups\n",
                      video[] = "A/v_A_g1_c1.avi";
    struct err e = {0};
    struct video_list list = {0};
    size_t len;
    const char *rest = importer_fuzz_rest(data, size, &len);
    int rc;
    if (size && data[0] == 'c') {
        rc = ucf101_read_classes(rest, len, &list, &e);
        if (rc == 0)
            rc = ucf101_read_text(video, strlen(video), "train", &list, &e);
    } else {
        rc = ucf101_read_classes(classes, strlen(classes), &list, &e);
        if (rc == 0)
            rc = ucf101_read_text(rest, len, "test", &list, &e);
    }
    return importer_fuzz_finish(rc, &list);
}
