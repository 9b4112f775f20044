/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CSV files of AVA and AVA-Kinetics. The first line says which: boxes, detections, excluded;
 * some boxes of two videos are there already.
 */
#include <math.h>

#include "common/datasets/ava_files.h"
#include "tests/fuzz/importer_fuzz.h"

static int read_part(char part, struct key_frames *k, const char *text, size_t len, struct err *e)
{
    static const char boxes[] =
        "-a,0902,0.1,0.2,0.3,0.4,12,0\n-a,0902,0.1,0.2,0.3,0.4,80,0\nb,7.5\n";
    if (key_frames_read_boxes(k, boxes, strlen(boxes), "val", e) < 0)
        return ERR_FAIL;
    if (part == 'b')
        return key_frames_read_boxes(k, text, len, "val", e);
    if (part == 'd')
        return key_frames_read_detections(k, text, len, "test", e);
    return part == 'e' ? key_frames_read_excluded(k, text, len, e) : ERR_FAIL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    struct key_frames k = {0};
    size_t len;
    const char *rest = importer_fuzz_rest(data, size, &len);
    int rc = read_part(size ? (char)data[0] : '\0', &k, rest, len, &e);
    if (rc == 0)
        rc = key_frames_finish(&k, &e);
    for (size_t i = 0; rc == 0 && i < k.n_videos; i++)
        if (k.video[i].n)
            rc = ava_files_add_video(&k, i, "a.mp4", (const double[]){0, INFINITY}, &list, &e);
    for (size_t i = 0; rc == 0 && i < list.n; i++) /* every video has a file of its own */
        snprintf(list.videos[i].path, 6, "%05zu", i % 100000);
    key_frames_release(&k);
    return importer_fuzz_finish(rc, &list);
}
