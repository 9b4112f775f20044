/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVA: ava_train_v2.2.csv and the like with rows "ID,0902,x1,y1,x2,y2,action,person", excluded key
 * frames, label maps. Key frames are seconds of the film; a video, ID.mp4, is the whole film or
 * begins at its second 900.
 */
#include "common/base/file.h"
#include "common/datasets/ava_files.h"

static int read_annotations(const char *path, struct key_frames *k, struct video_list *out,
                            struct err *e)
{
    bool folder = file_is_folder(path);
    int n = folder ? ava_files_read_films(path, k, e) : ava_files_read_boxes(path, k, e);
    if (folder && n == 0)
        return err_set(e, "%s: holds no ava_{train,val,test}_v2.{1,2}.csv", path);
    return n < 0 ? n : ava_files_read_actions(folder ? path : NULL, out, e);
}

static int read_ava(const struct import_options *options, struct video_list *out, struct err *e)
{
    struct key_frames k = {0};
    int rc = read_annotations(options->annotations, &k, out, e);
    if (rc == 0)
        rc = ava_files_note_start(options, out, e);
    if (rc == 0 && options->detections)
        rc = ava_files_read_detections(options->detections, &k, e);
    if (rc == 0 && (rc = key_frames_finish(&k, e)) < 0)
        err_add(e, "%s", options->annotations);
    for (size_t i = 0; rc == 0 && i < k.n_videos; i++)
        if (k.video[i].n)
            rc = ava_files_add_film(&k, i, options, out, e);
    key_frames_release(&k);
    return rc;
}

const struct importer importer_ava = {
    .name = "ava",
    .what = "AVA: folder of its files, or a CSV file (--annotations)",
    .needs_annotations = true,
    .extras = IMPORT_DETECTIONS | IMPORT_VIDEO_START,
    .finds_files = true,
    .read = read_ava,
    .complete = ava_files_complete,
};
