/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"

static const char mark[] = ".teg-", ending[] = ".tmp";
enum { N_DIGITS = 8 };

/* Characters of a file's name that its temporary begins with: names have NAME_MAX at most. */
static size_t kept_of(const char *base)
{
    size_t len = strlen(base), most = NAME_MAX - (sizeof mark - 1) - N_DIGITS - (sizeof ending - 1);
    return len < most ? len : most;
}

/* 1: opened; 0: the name is taken, or a sweep took the file before it was locked. */
static int try_name(const char *path, int *fd)
{
    struct stat st;
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd < 0)
        return errno == EEXIST ? 0 : -1;
    flock(*fd, LOCK_EX); /* a file system without locks has no sweeps either */
    if (fstat(*fd, &st) == 0 && st.st_nlink > 0)
        return 1;
    close(*fd);
    *fd = -1;
    return 0;
}

int temporary_open(const char *target, char **path, int *fd, struct err *e)
{
    for (;;) {
        uint32_t number;
        char *name;
        if (getentropy(&number, sizeof number) < 0)
            return err_errno(e, "%s", target);
        int len = (int)(path_base(target) - target + (ptrdiff_t)kept_of(path_base(target)));
        if (asprintf(&name, "%.*s%s%0*" PRIx32 "%s", len, target, mark, N_DIGITS, number, ending) <
            0)
            return err_set(e, "%s: out of memory", target);
        int rc = try_name(name, fd);
        if (rc == 1) {
            *path = name;
            return 0;
        }
        free(name);
        if (rc < 0)
            return err_errno(e, "%s", target);
    }
}

static bool is_of(const char *name, const char *base)
{
    size_t base_len = kept_of(base), mark_len = sizeof mark - 1;
    if (strncmp(name, base, base_len) != 0 || strncmp(name + base_len, mark, mark_len) != 0)
        return false;
    const char *digits = name + base_len + mark_len;
    return strspn(digits, "0123456789abcdef") == N_DIGITS && strcmp(digits + N_DIGITS, ending) == 0;
}

void temporary_sweep(const char *target)
{
    char *folder = path_folder(target);
    DIR *list = folder ? opendir(folder) : NULL;
    for (struct dirent *entry; list && (entry = readdir(list));) {
        struct stat st;
        if (!is_of(entry->d_name, path_base(target)))
            continue;
        int fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(list), entry->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    if (list)
        closedir(list);
    free(folder);
}
