/* SPDX-License-Identifier: Apache-2.0 */
/* A CSV file of path,label[,split], with or without a header line. */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/csv.h"
#include "common/datasets/importer.h"

enum { NO_COLUMN = -1 };

struct columns {
    int path, label, split;
};

struct reading {
    struct video_list *list;
    struct columns columns;
    bool first; /* no row seen yet */
};

/* A header is a first row with a field called "path" (or the like); it may order the columns
 * freely. */
static bool take_header(struct reading *r, const struct csv_row *row)
{
    static const char *const path[] = {"path", "video", "file", NULL};
    static const char *const label[] = {"label", "class", NULL};
    static const char *const split[] = {"split", "subset", NULL};
    int at = csv_column(row, path);
    if (at == NO_COLUMN)
        return false;
    r->columns = (struct columns){at, csv_column(row, label), csv_column(row, split)};
    return true;
}

static const char *field(const struct csv_row *row, int column)
{
    bool there = column != NO_COLUMN && (size_t)column < row->n_fields;
    return there && row->field[column][0] ? row->field[column] : NULL;
}

static int take_row(void *user, const struct csv_row *row, struct err *e)
{
    struct reading *r = user;
    bool first = r->first;
    r->first = false;
    if (first && take_header(r, row))
        return 0;
    const char *path = field(row, r->columns.path), *split = field(row, r->columns.split);
    if (!path)
        return err_set(e, "no path");
    if (split && !video_split_name(split))
        return err_set(e, "split %s is none of train, val, test", split);
    char *clean = mem_strdup(path, e);
    int rc = clean ? video_path_clean(clean, e) : ERR_FAIL;
    if (rc == 0)
        rc = video_list_once(r->list, clean, row->line, e);
    if (rc == 0)
        rc = video_list_add_path(r->list, clean, split ? video_split_name(split) : NULL,
                                 field(row, r->columns.label), e);
    free(clean);
    return rc;
}

static int read_list(const struct import_options *options, struct video_list *out, struct err *e)
{
    struct reading r = {.list = out, .columns = {0, 1, 2}, .first = true};
    return csv_read(options->annotations, ',', take_row, &r, e);
}

int list_read_text(const char *text, size_t len, struct video_list *out, struct err *e)
{
    struct reading r = {.list = out, .columns = {0, 1, 2}, .first = true};
    return csv_read_text(text, len, take_row, &r, e);
}

const struct importer importer_list = {
    .name = "list",
    .what = "CSV file of path,label[,split] (--annotations)",
    .needs_annotations = true,
    .read = read_list,
};
