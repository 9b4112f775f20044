/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/video_files.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/buf.h"
#include "common/base/file.h"

/* -- the files -- */

/* The extension of an official name counts as one only where it is a video's: ids may hold dots. */
static size_t stem_bytes(const char *path)
{
    const char *base = path_base(path);
    size_t len = strlen(base);
    return video_path_is_video(path) ? len - strlen(path_extension(path)) - 1 : len;
}

static int visit(void *user, const char *path, struct err *e)
{
    struct video_files *files = user;
    if (!video_path_is_video(path)) {
        files->n_other++;
        return 0;
    }
    if (files->n == files->cap) {
        size_t cap = files->cap ? 2 * files->cap : 256;
        struct video_file *file = mem_grow(files->file, cap, sizeof *file, e);
        if (!file)
            return ERR_FAIL;
        files->file = file;
        files->cap = cap;
    }
    char *copy = mem_strdup(path, e);
    if (!copy)
        return ERR_FAIL;
    files->file[files->n++] = (struct video_file){.path = copy, .stem_bytes = stem_bytes(path)};
    return 0;
}

static int compare_stems(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int order = strncasecmp(a, b, a_bytes < b_bytes ? a_bytes : b_bytes);
    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int by_stem(const void *a, const void *b)
{
    const struct video_file *x = a, *y = b;
    int order = compare_stems(path_base(x->path), x->stem_bytes, path_base(y->path), y->stem_bytes);
    return order ? order : strcmp(x->path, y->path);
}

int video_files_init(struct video_files *files, const char *folder, const char *except,
                     struct err *e)
{
    *files = (struct video_files){0};
    if (file_walk(folder, except, visit, files, e) < 0) {
        video_files_release(files);
        return ERR_FAIL;
    }
    if (files->n)
        qsort(files->file, files->n, sizeof *files->file, by_stem);
    return 0;
}

void video_files_release(struct video_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->file[i].path);
    free(files->file);
    *files = (struct video_files){0};
}

/* -- finding -- */

/* The first file whose stem is not before this one. */
static size_t lower_bound(const struct video_files *files, const char *stem, size_t bytes)
{
    size_t from = 0, to = files->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct video_file *f = &files->file[middle];
        if (compare_stems(path_base(f->path), f->stem_bytes, stem, bytes) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The last folder of a path: where it begins, and how long it is. */
static const char *last_folder(const char *path, size_t *bytes)
{
    const char *base = path_base(path), *begin = base > path ? base - 1 : base;
    const char *end = begin;
    while (begin > path && begin[-1] != '/')
        begin--;
    *bytes = (size_t)(end - begin);
    return begin;
}

/* Whether two paths' last folders have the same name, but for blanks, '_' and quotes. */
static bool same_folder(const char *a, const char *b)
{
    size_t i = 0, k = 0, a_bytes, b_bytes;
    const char *aside = " _\"'";
    a = last_folder(a, &a_bytes);
    b = last_folder(b, &b_bytes);
    for (;;) {
        while (i < a_bytes && strchr(aside, a[i]))
            i++;
        while (k < b_bytes && strchr(aside, b[k]))
            k++;
        if (i == a_bytes || k == b_bytes)
            return i == a_bytes && k == b_bytes;
        if (a[i++] != b[k++])
            return false;
    }
}

const char *video_files_find(struct video_files *files, const char *path)
{
    /* Candidates by how well they fit: elsewhere or in a folder of this name, by case or exactly.
     */
    struct video_file *best[4] = {NULL};
    size_t n[4] = {0}, bytes = stem_bytes(path);
    const char *stem = path_base(path);
    for (size_t i = lower_bound(files, stem, bytes); i < files->n; i++) {
        struct video_file *f = &files->file[i];
        const char *name = path_base(f->path);
        if (compare_stems(name, f->stem_bytes, stem, bytes) != 0)
            break;
        int exact = memcmp(name, stem, bytes) == 0;
        int rank = 2 * exact + same_folder(f->path, path);
        if (!exact && !files->ignore_case)
            continue;
        best[rank] = n[rank]++ ? best[rank] : f;
        f->used = true; /* one that is passed over is known, too */
    }
    for (int rank = 3; rank >= 0; rank--)
        if (best[rank]) {
            files->n_twice += n[rank] > 1;
            return best[rank]->path;
        }
    return NULL;
}

struct video_file *video_files_next(struct video_files *files, const char *prefix, size_t *at)
{
    size_t bytes = strlen(prefix);
    for (*at = *at ? *at : lower_bound(files, prefix, bytes); *at < files->n;) {
        struct video_file *f = &files->file[(*at)++];
        const char *name = path_base(f->path);
        if (f->stem_bytes < bytes || strncasecmp(name, prefix, bytes) != 0)
            return NULL;
        if (memcmp(name, prefix, bytes) == 0)
            return f;
    }
    return NULL;
}

/* -- a whole list -- */

static int settle(struct video_files *files, struct video *v, struct err *e)
{
    const char *found = video_files_find(files, v->path);
    if (!found && v->id)
        found = video_files_find(files, v->id);
    if (!found)
        return 0;
    char *path = mem_strdup(found, e);
    if (!path)
        return ERR_FAIL;
    free(v->path);
    v->path = path;
    return 0;
}

int video_files_settle(struct video_files *files, struct video_list *list, struct err *e)
{
    size_t n_unused = 0;
    for (size_t i = 0; i < list->n; i++)
        if (settle(files, &list->videos[i], e) < 0)
            return ERR_FAIL;
    for (size_t i = 0; i < files->n; i++)
        n_unused += !files->file[i].used;
    if (n_unused &&
        video_list_note(list, e, "%zu video files belong to no listed video", n_unused) < 0)
        return ERR_FAIL;
    if (files->n_twice &&
        video_list_note(list, e, "%zu videos have several files: the first by name is taken",
                        files->n_twice) < 0)
        return ERR_FAIL;
    list->n_other_files += files->n_other;
    return 0;
}
