/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/split_file.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/csv.h"

struct name { /* a path or id of a video */
    const char *text;
    struct video *video;
};

struct splitting {
    struct name *names; /* in byte order */
    size_t n_names;
    bool *set; /* of each video: by this file */
    struct video *videos;
    struct split_unknown unknown;
    int path_column, split_column;
    bool first; /* no row seen yet */
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int assign(struct splitting *s, const char *text, const char *split, struct err *e)
{
    const char *name = video_split_name(split);
    const struct name wanted = {.text = text};
    if (!name)
        return err_set(e, "split %s is none of train, val, test", split);
    const struct name *found = bsearch(&wanted, s->names, s->n_names, sizeof *s->names, by_text);
    if (!found) {
        if (s->unknown.n++ == 0)
            snprintf(s->unknown.first, sizeof s->unknown.first, "%s", text);
        return 0;
    }
    struct video *v = found->video;
    bool *set = &s->set[v - s->videos];
    if (*set && strcmp(v->split, name) != 0)
        return err_set(e, "%s: %s here, %s before", text, name, v->split);
    char *copy = mem_strdup(name, e);
    if (!copy)
        return ERR_FAIL;
    free(v->split);
    v->split = copy;
    *set = true;
    return 0;
}

static bool take_header(struct splitting *s, const struct csv_row *row)
{
    static const char *const paths[] = {"path", "video", "file", "id", NULL};
    static const char *const splits[] = {"split", "subset", NULL};
    int path = csv_column(row, paths), split = csv_column(row, splits);
    if (path < 0 || split < 0)
        return false;
    s->path_column = path;
    s->split_column = split;
    return true;
}

static int take_row(void *user, const struct csv_row *row, struct err *e)
{
    struct splitting *s = user;
    bool first = s->first;
    s->first = false;
    if (first && take_header(s, row))
        return 0;
    if (row->n_fields >= 2) {
        size_t split = (size_t)s->split_column, path = (size_t)s->path_column;
        if (path >= row->n_fields || split >= row->n_fields)
            return err_set(e, "%zu fields only", row->n_fields);
        return assign(s, row->field[path], row->field[split], e);
    }
    char *line = mem_strdup(row->field[0], e);
    if (!line)
        return ERR_FAIL;
    size_t len = strlen(line);
    while (len && strchr(" \t", line[len - 1]))
        line[--len] = '\0';
    size_t at = len;
    while (at && !strchr(" \t", line[at - 1]))
        at--;
    size_t end = at;
    while (end && strchr(" \t", line[end - 1]))
        end--;
    line[end] = '\0';
    int rc = end ? assign(s, line, line + at, e) : err_set(e, "no split behind %s", row->field[0]);
    free(line);
    return rc;
}

int split_file_apply(const char *path, struct video_list *list, struct split_unknown *unknown,
                     struct err *e)
{
    struct splitting s = {.videos = list->videos, .split_column = 1, .first = true};
    int rc = ERR_FAIL;
    s.names = mem_new(2 * list->n + 1, sizeof *s.names, e);
    s.set = mem_new(list->n + 1, sizeof *s.set, e);
    if (!s.names || !s.set)
        goto out;
    for (size_t i = 0; i < list->n; i++) {
        struct video *v = &list->videos[i];
        s.names[s.n_names++] = (struct name){v->id, v};
        if (strcmp(v->id, v->path) != 0)
            s.names[s.n_names++] = (struct name){v->path, v};
    }
    qsort(s.names, s.n_names, sizeof *s.names, by_text);
    rc = csv_read(path, ',', take_row, &s, e);
    if (rc == 0)
        *unknown = s.unknown;
out:
    free(s.names);
    free(s.set);
    return rc;
}
