/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/annotation_files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/datasets/video_list.h"

int annotation_files_find(const char *folder, const char *const *names, char **path, struct err *e)
{
    for (; *names; names++) {
        char *full = path_join(folder, *names);
        if (!full)
            return err_set(e, "out of memory");
        if (file_exists(full)) {
            *path = full;
            return 1;
        }
        free(full);
    }
    return 0;
}

int annotation_files_need(const char *folder, const char *const *names, char **path, struct err *e)
{
    int rc = annotation_files_find(folder, names, path, e);
    return rc ? rc : err_set(e, "%s: holds no %s", folder, path_base(names[0]));
}

int annotation_files_read(const char *path, annotation_text_fn *fn, void *user, struct err *e)
{
    struct buf text = {0};
    int rc = file_read(path, &text, e);
    if (rc == 0 && (rc = fn(user, path, (const char *)text.data, text.len, e)) < 0)
        rc = err_add_code(e, rc, "%s", path);
    buf_release(&text);
    return rc;
}

static bool ends_like(const char *name, const char *ending)
{
    size_t len = strlen(name), end = strlen(ending);
    return len > end && strcasecmp(name + len - end, ending) == 0;
}

int annotation_files_read_all(const char *path, const char *ending, annotation_text_fn *fn,
                              void *user, struct err *e)
{
    struct stat about;
    struct dirent **entries;
    size_t n_read = 0;
    if (!file_is_folder(path))
        return annotation_files_read(path, fn, user, e);
    int n = scandir(path, &entries, NULL, alphasort), rc = 0;
    if (n < 0)
        return err_errno(e, "%s", path);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        char *full =
            rc == 0 && ends_like(name, ending) && name[0] != '.' ? path_join(path, name) : NULL;
        if (full && stat(full, &about) == 0 && S_ISREG(about.st_mode)) {
            rc = annotation_files_read(full, fn, user, e);
            n_read++;
        }
        free(full);
        free(entries[i]);
    }
    free(entries);
    if (rc < 0)
        return rc;
    return n_read ? 0 : err_set(e, "%s: holds no file *%s", path, ending);
}

const char *annotation_files_split(const char *path)
{
    const char *word = path_base(path), *split = NULL;
    while (*word && !split) {
        char text[16];
        size_t len = strcspn(word, "_-.0123456789");
        if (len > 3 && memcmp(word + len - 3, "new", 3) == 0)
            len -= 3; /* "valnew" */
        if (len < sizeof text) {
            memcpy(text, word, len);
            text[len] = '\0';
            split = video_split_name(text);
        }
        word += strcspn(word, "_-.0123456789");
        word += *word != '\0';
    }
    return split;
}
