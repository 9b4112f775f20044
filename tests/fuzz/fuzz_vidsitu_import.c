/* SPDX-License-Identifier: Apache-2.0 */
/* The files of VidSitu. The first line says which: vocabulary, split, info, annotations. */
#include "tests/fuzz/importer_fuzz.h"

static int read_part(char part, const char *text, size_t len, struct vidsitu_import *im,
                     struct err *e)
{
    static const char vocabulary[] =
        "{\"symbols\":[\"<s>\",\"<pad>\",\"</s>\",\"<unk>\",\"run.02\"]}";
    static const char split[] = "[\"v_a_seg_0_10\",\"v__-b_seg_1_seg_5_15\"]";
    int rc = part == 'v' ? vidsitu_read_vocabulary(text, len, im, e)
                         : vidsitu_read_vocabulary(vocabulary, strlen(vocabulary), im, e);
    if (rc == 0)
        rc = part == 's' ? vidsitu_read_split(text, len, im, e)
                         : vidsitu_read_split(split, strlen(split), im, e);
    if (rc == 0 && part == 'i')
        rc = vidsitu_read_vinfo(text, len, im, e);
    if (rc == 0 && part == 'a')
        rc = vidsitu_read_vsann(text, len, im, e);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    struct vidsitu_import im = {.list = &list, .split = "val"};
    size_t len;
    const char *rest = importer_fuzz_rest(data, size, &len);
    char part = size ? (char)data[0] : '\0';
    int rc = strchr("vsia", part) && part ? read_part(part, rest, len, &im, &e) : ERR_FAIL;
    vidsitu_release(&im);
    return importer_fuzz_finish(rc, &list);
}
