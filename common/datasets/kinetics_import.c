/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinetics-400, -600 and -700: CSV files with a header that names the columns youtube_id,
 * time_start, time_end and mostly label and split, as DeepMind and the crawler of ActivityNet have
 * them. A clip's official place is LABEL/ID_START_END.mp4, the times as 6 digits.
 */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/csv.h"
#include "common/base/num.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"

enum column { LABEL, ID, START, END, SPLIT, N_COLUMNS };

struct reading {
    struct video_list *list;
    const char *file_split; /* for rows without one */
    int column[N_COLUMNS];  /* -1: absent */
    bool has_header;
};

static int take_header(struct reading *r, const struct csv_row *row, struct err *e)
{
    static const char *const names[] = {"label", "youtube_id", "time_start", "time_end", "split"};
    for (int c = 0; c < N_COLUMNS; c++) {
        r->column[c] = -1;
        for (size_t i = 0; i < row->n_fields; i++)
            if (strcmp(row->field[i], names[c]) == 0)
                r->column[c] = (int)i;
        if (r->column[c] < 0 && c != LABEL && c != SPLIT)
            return err_set(e, "the header names no column %s", names[c]);
    }
    r->has_header = true;
    return 0;
}

/* A field that is not empty, or NULL. */
static const char *field(const struct reading *r, const struct csv_row *row, enum column c)
{
    int i = r->column[c];
    return i >= 0 && (size_t)i < row->n_fields && row->field[i][0] ? row->field[i] : NULL;
}

static int take_seconds(const char *text, const char *what, int *out, struct err *e)
{
    double seconds;
    if (!text)
        return err_set(e, "no %s", what);
    if (num_f64(text, 0, 999999, &seconds, e) < 0)
        return err_add(e, "%s", what);
    *out = (int)seconds;
    return 0;
}

static int take_split(const struct reading *r, const char *text, struct video *v, struct err *e)
{
    const char *split = text ? video_split_name(text) : r->file_split;
    if (text && !split)
        return err_set(e, "split %s is none of train, validate, test", text);
    v->split = split ? mem_strdup(split, e) : NULL;
    return split && !v->split ? ERR_FAIL : 0;
}

static int take_video(struct reading *r, const struct csv_row *row, struct video *v, struct err *e)
{
    struct buf id = {0}, path = {0};
    int start = 0, end = 0;
    const char *youtube = field(r, row, ID), *label = field(r, row, LABEL);
    if (!youtube || strchr(youtube, '/'))
        return err_set(e, "%s is no id of a video", youtube ? youtube : "nothing");
    if (take_seconds(field(r, row, START), "time_start", &start, e) < 0 ||
        take_seconds(field(r, row, END), "time_end", &end, e) < 0 ||
        take_split(r, field(r, row, SPLIT), v, e) < 0)
        return ERR_FAIL;
    if (end <= start)
        return err_set(e, "ends at %d, but begins at %d", end, start);
    int rc = buf_printf(&id, e, "%s_%06d_%06d", youtube, start, end);
    if (rc == 0)
        rc = buf_printf(&path, e, "%s%s%s.mp4", label ? label : "", label ? "/" : "",
                        (const char *)id.data);
    v->id = (char *)id.data;
    v->path = (char *)path.data;
    if (rc == 0 && label && !(v->class_name = mem_strdup(label, e)))
        rc = ERR_FAIL;
    return rc == 0 ? video_path_clean(v->path, e) : rc;
}

static int take_row(void *user, const struct csv_row *row, struct err *e)
{
    struct reading *r = user;
    struct video v = {0};
    if (!r->has_header)
        return take_header(r, row, e);
    int rc = take_video(r, row, &v, e);
    if (rc == 0)
        rc = video_list_add(r->list, &v, e);
    video_release(&v);
    return rc;
}

int kinetics_read_text(const char *text, size_t len, const char *split, struct video_list *out,
                       struct err *e)
{
    struct reading r = {.list = out, .file_split = split};
    return csv_read_text(text, len, take_row, &r, e);
}

static int read_file(void *list, const char *path, const char *text, size_t len, struct err *e)
{
    return kinetics_read_text(text, len, annotation_files_split(path), list, e);
}

static int read_kinetics(const struct import_options *options, struct video_list *out,
                         struct err *e)
{
    if (annotation_files_read_all(options->annotations, ".csv", read_file, out, e) < 0)
        return ERR_FAIL;
    return video_list_merge(out, e);
}

const struct importer importer_kinetics = {
    .name = "kinetics",
    .what = "Kinetics-400/600/700: CSV file or folder (--annotations)",
    .needs_annotations = true,
    .finds_files = true,
    .read = read_kinetics,
};
