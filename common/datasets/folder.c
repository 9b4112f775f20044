/* SPDX-License-Identifier: Apache-2.0 */
/* Folders as labels: CLASS/.../FILE, or SPLIT/CLASS/.../FILE where every folder at the top is named
 * like a split. */
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/datasets/importer.h"

static int visit(void *user, const char *path, struct err *e)
{
    struct video_list *list = user;
    if (!video_path_is_video(path)) {
        list->n_other_files++;
        return 0;
    }
    return video_list_add_path(list, path, NULL, NULL, e);
}

/* The folder `path` begins with, allocated; *rest is what follows. NULL where there is none. */
static char *first_folder(const char *path, const char **rest)
{
    const char *slash = strchr(path, '/');
    if (!slash)
        return NULL;
    *rest = slash + 1;
    return strndup(path, (size_t)(slash - path));
}

static bool has_splits(const struct video_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *rest;
        char *folder = first_folder(list->videos[i].path, &rest);
        bool is_split = folder && video_split_name(folder);
        free(folder);
        if (!is_split)
            return false;
    }
    return true;
}

static int label(struct video *v, bool splits, struct err *e)
{
    const char *rest = v->path;
    if (splits) {
        char *folder = first_folder(rest, &rest);
        v->split = folder ? mem_strdup(video_split_name(folder), e) : NULL;
        free(folder);
        if (!v->split)
            return err_set(e, "out of memory");
    }
    if (!strchr(rest, '/'))
        return 0;
    char *folder = first_folder(rest, &rest);
    v->class_name = folder ? video_text_escape(folder, e) : NULL;
    free(folder);
    return v->class_name ? 0 : err_set(e, "out of memory");
}

static int read_folder(const struct import_options *options, struct video_list *out, struct err *e)
{
    if (file_walk(options->videos, options->exclude, visit, out, e) < 0)
        return ERR_FAIL;
    if (out->n == 0)
        return err_set(e, "%s: no video files among %zu files", options->videos,
                       out->n_other_files);
    bool splits = has_splits(out);
    for (size_t i = 0; i < out->n; i++)
        if (label(&out->videos[i], splits, e) < 0)
            return ERR_FAIL;
    return 0;
}

const struct importer importer_folder = {
    .name = "folder",
    .what = "folders as labels: CLASS/FILE or {train,val,test}/CLASS/FILE",
    .read = read_folder,
};
