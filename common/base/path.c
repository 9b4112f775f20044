/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/file.h"

#include <stdlib.h>
#include <string.h>

char *path_join(const char *folder, const char *name)
{
    char *path = NULL;
    if (name[0] == '/' || !folder[0])
        return strdup(name);
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", folder, slash, name) < 0 ? NULL : path;
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    if (slash == path)
        return strdup("/");
    return strndup(path, (size_t)(slash - path));
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_extension(const char *path)
{
    const char *base = path_base(path);
    const char *dot = strrchr(base, '.');
    return dot && dot > base ? dot + 1 : "";
}

/* Both absolute and free of links and dots. */
static int relative_between(const char *path, const char *folder, struct buf *out, struct err *e)
{
    size_t common = 0, i = 0;
    for (; path[i] && path[i] == folder[i]; i++)
        if (path[i] == '/')
            common = i + 1;
    if (!folder[i] && path[i] == '/')
        common = i + 1; /* the folder itself is a whole prefix */
    if (!path[i] && folder[i] == '/')
        common = i; /* the path is a whole prefix of the folder */
    if (!path[i] && !folder[i])
        return buf_printf(out, e, ".");
    const char *rest = folder + (common < strlen(folder) ? common : strlen(folder));
    int rc = 0;
    while (rc == 0 && *(rest += strspn(rest, "/"))) {
        rc = buf_printf(out, e, "%s..", out->len ? "/" : "");
        rest += strcspn(rest, "/");
    }
    const char *below = path + common;
    if (rc == 0 && *below)
        rc = buf_printf(out, e, "%s%s", out->len ? "/" : "", below);
    return rc;
}

char *path_relative(const char *path, const char *folder, struct err *e)
{
    struct buf out = {0};
    char *real_folder = NULL;
    char *real_path = realpath(path, NULL);
    int rc = real_path ? 0 : err_errno(e, "%s", path);
    if (rc == 0 && !(real_folder = realpath(folder, NULL)))
        rc = err_errno(e, "%s", folder);
    if (rc == 0)
        rc = relative_between(real_path, real_folder, &out, e);
    free(real_path);
    free(real_folder);
    if (rc < 0)
        buf_release(&out);
    return (char *)out.data;
}
