/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/temporary.h"

enum { MAX_LINKS = 40 };

/* -- reading -- */

/* Takes what is there: the size is a hint only, as pipes and /proc files have none. */
static int read_all(int fd, const char *path, size_t size_hint, struct buf *out, struct err *e)
{
    if (buf_reserve(out, size_hint + 1, e) < 0)
        return err_add(e, "%s", path);
    for (;;) {
        if (out->cap == out->len && buf_reserve(out, out->cap, e) < 0)
            return err_add(e, "%s", path);
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n == 0)
            return 0;
        if (n > 0)
            out->len += (size_t)n;
        else if (errno != EINTR)
            return err_errno(e, "%s", path);
    }
}

int file_read(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool absent = errno == ENOENT;
        err_errno(e, "%s", path);
        return absent ? ERR_NOT_FOUND : ERR_FAIL;
    }
    struct stat st;
    int rc;
    if (fstat(fd, &st) < 0)
        rc = err_errno(e, "%s", path);
    else
        rc = read_all(fd, path, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4096, out, e);
    close(fd);
    return rc;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_same_place(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_same_name(const char *a, const char *b)
{
    struct stat at_a, at_b;
    char *folder_a = path_folder(a), *folder_b = path_folder(b);
    bool same = folder_a && folder_b && stat(folder_a, &at_a) == 0 && stat(folder_b, &at_b) == 0 &&
                is_same_place(&at_a, &at_b) && strcmp(path_base(a), path_base(b)) == 0;
    free(folder_a);
    free(folder_b);
    return same;
}

bool file_is_same(const char *a, const char *b)
{
    struct stat at_a, at_b;
    bool has_a = stat(a, &at_a) == 0, has_b = stat(b, &at_b) == 0;
    if (has_a && has_b)
        return (S_ISREG(at_a.st_mode) || S_ISDIR(at_a.st_mode)) && is_same_place(&at_a, &at_b);
    return !has_a && !has_b && is_same_name(a, b);
}

/* -- writing -- */

struct file_out {
    FILE *stream;
    char *target;    /* links resolved */
    char *temporary; /* NULL where the target is a device or a pipe, which is written directly */
};

static void file_out_free(struct file_out *f)
{
    if (f->stream)
        fclose(f->stream);
    free(f->target);
    free(f->temporary);
    free(f);
}

/* Link by link, as realpath(3) wants the file to be there. */
char *file_target(const char *path, struct err *e)
{
    char *at = mem_strdup(path, e), to[PATH_MAX];
    struct stat st;
    for (int n = 0; at && lstat(at, &st) == 0 && S_ISLNK(st.st_mode); n++) {
        ssize_t len = n < MAX_LINKS ? readlink(at, to, sizeof to - 1) : -1;
        if (len < 0) {
            errno = n < MAX_LINKS ? errno : ELOOP;
            err_errno(e, "%s", path);
            free(at);
            return NULL;
        }
        to[len] = '\0';
        char *folder = path_folder(at);
        free(at);
        at = folder ? path_join(folder, to) : NULL;
        free(folder);
        if (!at)
            err_set(e, "%s: out of memory", path);
    }
    return at;
}

char *file_target_folder(const char *path, struct err *e)
{
    char *target = file_target(path, e), *folder = target ? path_folder(target) : NULL;
    if (target && !folder)
        err_set(e, "%s: out of memory", path);
    free(target);
    return folder;
}

/* What /dev/stdout may lead to: an open file that was removed, or never had a name. Its link names
 * something that is not it. */
static bool is_nameless(const char *path, const struct stat *st)
{
    struct stat at;
    char *target = file_target(path, NULL);
    bool found = target && lstat(target, &at) == 0 && is_same_place(&at, st);
    free(target);
    return !found;
}

int file_out_open(struct file_out **out, const char *path, struct err *e)
{
    struct stat st;
    int fd = -1;
    bool direct = stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || is_nameless(path, &st));
    if (direct && S_ISDIR(st.st_mode))
        return err_set(e, "%s: is a folder", path);
    struct file_out *f = mem_new(1, sizeof *f, e);
    if (!f)
        return ERR_FAIL;
    f->target = direct ? mem_strdup(path, e) : file_target(path, e);
    int rc = f->target ? 0 : ERR_FAIL;
    if (rc == 0 && !direct)
        rc = temporary_open(f->target, &f->temporary, &fd, e);
    if (rc == 0) {
        f->stream = direct ? fopen(path, "we") : fdopen(fd, "w");
        if (!f->stream)
            rc = err_errno(e, "%s", path);
    }
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        file_out_abandon(f);
        return rc;
    }
    *out = f;
    return 0;
}

FILE *file_out_stream(struct file_out *f)
{
    return f->stream;
}

/* A rename is durable once its folder is. Some file systems cannot sync folders: that is no
 * failure. */
static int sync_folder(const char *path, struct err *e)
{
    char *folder = path_folder(path);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int rc = 0;
    if (fd >= 0 && fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        rc = err_errno(e, "%s: cannot sync", folder);
    if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

/* Everything down to the disk; after this fclose has nothing left to fail on. */
static int flush_stream(struct file_out *f, struct err *e)
{
    errno = 0;
    bool failed = fflush(f->stream) != 0 || ferror(f->stream);
    if (!failed && f->temporary)
        failed = fsync(fileno(f->stream)) < 0;
    if (!failed)
        return 0;
    return errno ? err_errno(e, "%s", f->target) : err_set(e, "%s: cannot write", f->target);
}

int file_out_publish(struct file_out *f, struct err *e)
{
    int rc = flush_stream(f, e);
    if (rc == 0 && f->temporary) {
        if (rename(f->temporary, f->target) < 0)
            rc = err_errno(e, "%s", f->target);
        else
            rc = sync_folder(f->target, e);
    }
    if (rc < 0) {
        file_out_abandon(f);
        return rc;
    }
    file_out_free(f);
    return 0;
}

void file_out_abandon(struct file_out *f)
{
    if (!f)
        return;
    if (f->temporary)
        unlink(f->temporary);
    file_out_free(f);
}

/* Devices and pipes are not opened: a reader at the other end would see the end of its input. */
int file_out_check(const char *path, struct err *e)
{
    struct stat st;
    struct file_out *f;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return access(path, W_OK) < 0 ? err_errno(e, "%s", path) : 0;
    int rc = file_out_open(&f, path, e);
    if (rc == 0) {
        temporary_sweep(f->target); /* but not its own */
        file_out_abandon(f);
    }
    return rc;
}

int file_write(const char *path, const void *data, size_t len, struct err *e)
{
    struct file_out *f;
    int rc = file_out_open(&f, path, e);
    if (rc < 0)
        return rc;
    if (len && fwrite(data, 1, len, f->stream) != len) {
        rc = err_errno(e, "%s", f->target);
        file_out_abandon(f);
        return rc;
    }
    return file_out_publish(f, e);
}

int file_publish(const char *from, const char *to, struct err *e)
{
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "%s", from);
    int rc = fsync(fd) < 0 ? err_errno(e, "%s: cannot sync", from) : 0;
    close(fd);
    if (rc == 0 && rename(from, to) < 0)
        rc = err_errno(e, "%s: cannot become %s", from, to);
    return rc < 0 ? rc : sync_folder(to, e);
}

/* The lock is of no use where the file was renamed or removed between opening and locking it: then
 * again. */
int file_lock(const char *path, int *out, struct err *e)
{
    for (;;) {
        struct stat mine, there;
        int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666), rc = 0;
        if (fd < 0 || fstat(fd, &mine) < 0)
            rc = err_errno(e, "%s", path);
        else if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
            rc = err_set(e, "%s: another process is writing it", path);
        else if (stat(path, &there) == 0 && there.st_ino == mine.st_ino &&
                 there.st_dev == mine.st_dev) {
            *out = fd;
            return 0;
        }
        if (fd >= 0)
            close(fd);
        if (rc < 0)
            return rc;
    }
}

/* -- folders -- */

static int make_one_folder(const char *path, struct err *e)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    int number = errno;
    if (file_is_folder(path))
        return 0;
    errno = number;
    return err_errno(e, "%s", path);
}

int file_make_folder(const char *path, struct err *e)
{
    char *prefix = mem_strdup(path, e);
    if (!prefix)
        return ERR_FAIL;
    int rc = 0;
    for (char *slash = prefix; rc == 0 && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        rc = make_one_folder(prefix, e);
        *slash = '/';
    }
    if (rc == 0)
        rc = make_one_folder(path, e);
    free(prefix);
    return rc;
}

struct path_list {
    char **path;
    size_t n, cap;
};

static int path_list_add(struct path_list *list, const char *path, struct err *e)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        char **grown = mem_grow(list->path, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        list->path = grown;
        list->cap = cap;
    }
    if (!(list->path[list->n] = mem_strdup(path, e)))
        return ERR_FAIL;
    list->n++;
    return 0;
}

static void path_list_release(struct path_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->path[i]);
    free(list->path);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A link back to a folder above it (FTS_DC) holds nothing that is not visited already. */
static int collect_files(const char *root, const char *except, struct path_list *list,
                         struct err *e)
{
    struct stat left_out;
    if (except && stat(except, &left_out) < 0)
        return err_errno(e, "%s", except);
    char *roots[] = {(char *)root, NULL};
    FTS *tree = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (!tree)
        return err_errno(e, "%s", root);
    size_t root_len = strlen(root);
    int rc = 0;
    for (FTSENT *entry; rc == 0 && (errno = 0, entry = fts_read(tree));) {
        const char *below = entry->fts_path + root_len;
        below += strspn(below, "/");
        bool hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';
        bool regular = entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode);
        if (hidden) {
            fts_set(tree, entry, FTS_SKIP);
        } else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
                   entry->fts_info == FTS_NS) {
            errno = entry->fts_errno;
            rc = err_errno(e, "%s", entry->fts_path);
        } else if (entry->fts_level == 0 && entry->fts_info != FTS_D && entry->fts_info != FTS_DP) {
            rc = err_set(e, "%s: not a folder", root);
        } else if (except && entry->fts_level > 0 && entry->fts_info == FTS_D &&
                   is_same_place(entry->fts_statp, &left_out)) {
            fts_set(tree, entry, FTS_SKIP);
        } else if (regular || entry->fts_info == FTS_SLNONE) {
            rc = path_list_add(list, below, e);
        }
    }
    if (rc == 0 && errno)
        rc = err_errno(e, "%s", root);
    fts_close(tree);
    return rc;
}

int file_walk(const char *root, const char *except, file_visit_fn *fn, void *user, struct err *e)
{
    struct path_list list = {0};
    int rc = collect_files(root, except, &list, e);
    if (rc == 0 && list.n)
        qsort(list.path, list.n, sizeof *list.path, compare_paths);
    for (size_t i = 0; rc == 0 && i < list.n; i++)
        rc = fn(user, list.path[i], e);
    path_list_release(&list);
    return rc;
}
