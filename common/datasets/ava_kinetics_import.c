/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVA-Kinetics: the files of AVA, and kinetics_train_v1.0.csv and the like with rows
 * "ID,17.000000,x1,y1,x2,y2,action" or "ID,17.000000" for a key frame that shows nobody. The second
 * is one of the original video, of which Kinetics-700 has a clip ID_START_END.mp4.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/datasets/ava_files.h"
#include "common/datasets/video_files.h"

struct import {
    struct key_frames k;
    struct video_files files;
    struct video_list *out;
    size_t n_outside; /* key frames that no clip shows */
    size_t n_whole;   /* files without seconds in their names */
};

/* The seconds in the name "ID_000010_000020", of which the id is so long; false where there are
 * none. */
static bool clip_seconds(const struct video_file *file, size_t id_bytes, double seconds[2])
{
    enum { DIGITS = 6 };
    const char *text = path_base(file->path) + id_bytes;
    if (file->stem_bytes != id_bytes + 2 * (DIGITS + 1))
        return false;
    for (int i = 0; i < 2; i++, text += DIGITS + 1) {
        char number[DIGITS + 1] = {0};
        int64_t n;
        memcpy(number, text + 1, DIGITS);
        if (text[0] != '_' || num_i64(number, 0, 999999, &n, NULL) < 0)
            return false;
        seconds[i] = (double)n;
    }
    return true;
}

/* The clip that shows most of the video's key frames, the first such one; NULL where there is none.
 */
static const struct video_file *best_clip(struct import *im, size_t video, double seconds[2])
{
    const char *name = im->k.video[video].name;
    const struct video_file *file, *best = NULL;
    size_t at = 0, most = 0;
    while ((file = video_files_next(&im->files, name, &at))) {
        double now[2];
        if (!clip_seconds(file, strlen(name), now))
            continue;
        size_t n = key_frames_n_inside(&im->k, video, now[0], now[1]);
        if (best && n <= most)
            continue;
        best = file;
        most = n;
        memcpy(seconds, now, sizeof now);
    }
    return best;
}

/* Where no clip is there the seconds stay those of the original: nobody can look. */
static int add_clip(struct import *im, size_t video, struct err *e)
{
    double seconds[2] = {0, INFINITY};
    const struct video_file *file = best_clip(im, video, seconds);
    struct buf path = {0};
    int rc = file ? buf_printf(&path, e, "%s", file->path)
                  : buf_printf(&path, e, "%s.mp4", im->k.video[video].name);
    if (rc == 0)
        rc = ava_files_add_video(&im->k, video, (char *)path.data, seconds, im->out, e);
    im->n_outside += im->k.video[video].n_outside;
    im->n_whole += !file && rc == 0 && video_files_find(&im->files, (char *)path.data);
    buf_release(&path);
    return rc;
}

static int read_annotations(const struct import_options *options, struct import *im,
                            size_t *n_films, struct err *e)
{
    const char *folder = options->annotations;
    int films = ava_files_read_films(folder, &im->k, e);
    *n_films = im->k.n_videos;
    int clips = films < 0 ? films : ava_files_read_clips(folder, &im->k, e);
    if (clips < 0)
        return clips;
    if (clips == 0)
        return err_set(e, "%s: holds no kinetics_{train,val,test}_v1.0.csv", folder);
    if (options->detections && ava_files_read_detections(options->detections, &im->k, e) < 0)
        return ERR_FAIL;
    if (key_frames_finish(&im->k, e) < 0)
        return err_add(e, "%s", folder);
    return ava_files_read_actions(folder, im->out, e);
}

static int read_ava_kinetics(const struct import_options *options, struct video_list *out,
                             struct err *e)
{
    struct import im = {.out = out};
    size_t n_films = 0;
    int rc = read_annotations(options, &im, &n_films, e);
    if (rc == 0)
        rc = ava_files_note_start(options, out, e);
    if (rc == 0)
        rc = video_files_init(&im.files, options->videos, options->exclude, e);
    for (size_t i = 0; rc == 0 && i < im.k.n_videos; i++)
        if (im.k.video[i].n)
            rc = i < n_films ? ava_files_add_film(&im.k, i, options, out, e) : add_clip(&im, i, e);
    if (rc == 0)
        rc = video_files_settle(&im.files, out, e);
    if (rc == 0 && im.n_outside)
        rc = video_list_note(out, e, "%zu key frames lie outside the clip of their video",
                             im.n_outside);
    if (rc == 0 && im.n_whole)
        rc = video_list_note(out, e,
                             "%zu files have no seconds in their names: taken to begin where the "
                             "original does",
                             im.n_whole);
    video_files_release(&im.files);
    key_frames_release(&im.k);
    return rc;
}

const struct importer importer_ava_kinetics = {
    .name = "ava-kinetics",
    .what = "AVA-Kinetics: folder of its files (--annotations)",
    .needs_annotations = true,
    .extras = IMPORT_DETECTIONS | IMPORT_VIDEO_START,
    .read = read_ava_kinetics,
    .complete = ava_files_complete,
};
