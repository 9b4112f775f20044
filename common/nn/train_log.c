/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/train_log.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/ui.h"

struct train_log {
    int fd;       /* -1: no log */
    bool is_file; /* not a terminal or a pipe */
    char *path;
    uint64_t bytes; /* of the file */
};

/* A log that ends before, or has no end of line there, is not the one that the checkpoint means. */
static int check_cut(const struct train_log *l, uint64_t size, uint64_t keep_bytes, struct err *e)
{
    char last = '\0';
    if (keep_bytes == 0)
        return 0;
    if (keep_bytes <= size && pread(l->fd, &last, 1, (off_t)keep_bytes - 1) < 0)
        return err_errno(e, "%s", l->path);
    return last == '\n' ? 0
                        : err_set(e,
                                  "%s: not the log that the checkpoint was written with: its first "
                                  "%llu bytes are to be kept, but no line ends there (--log)",
                                  l->path, (unsigned long long)keep_bytes);
}

static int cut(struct train_log *l, uint64_t keep_bytes, struct err *e)
{
    struct stat st;
    if (fstat(l->fd, &st) < 0)
        return err_errno(e, "%s", l->path);
    l->is_file = S_ISREG(st.st_mode);
    if (!l->is_file)
        return 0;
    l->bytes = st.st_size ? keep_bytes : 0; /* a log that was moved away begins anew */
    if (check_cut(l, (uint64_t)st.st_size, l->bytes, e) < 0)
        return ERR_FAIL;
    return ftruncate(l->fd, (off_t)l->bytes) < 0 ? err_errno(e, "%s", l->path) : 0;
}

int train_log_open(struct train_log **out, const char *path, uint64_t keep_bytes, struct err *e)
{
    struct train_log *l = mem_new(1, sizeof *l, e);
    if (!l)
        return ERR_FAIL;
    l->fd = -1;
    int rc = 0;
    if (path) {
        l->path = mem_strdup(path, e);
        rc = l->path ? ui_check_log(path, e) : ERR_FAIL;
        if (rc == 0)
            l->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (rc == 0)
            rc = l->fd < 0 ? err_errno(e, "%s", path) : cut(l, keep_bytes, e);
    }
    if (rc < 0) {
        train_log_close(l, NULL);
        return ERR_FAIL;
    }
    *out = l;
    return 0;
}

int train_log_add(struct train_log *l, struct json *record, struct err *e)
{
    struct buf line = {0};
    int rc = l->fd < 0 ? 0 : buf_printf(&line, e, "%s\n", json_text(record));
    json_free(record);
    for (size_t at = 0; rc == 0 && at < line.len;) {
        ssize_t n = write(l->fd, line.data + at, line.len - at);
        if (n < 0)
            rc = err_errno(e, "%s", l->path);
        else
            at += (size_t)n;
    }
    l->bytes += l->is_file ? line.len : 0;
    buf_release(&line);
    return rc;
}

int train_log_sync(struct train_log *l, uint64_t *bytes, struct err *e)
{
    *bytes = l->bytes;
    if (l->is_file && fdatasync(l->fd) < 0)
        return err_errno(e, "%s", l->path);
    return 0;
}

int train_log_close(struct train_log *l, struct err *e)
{
    if (!l)
        return 0;
    int rc = l->fd >= 0 && close(l->fd) < 0 ? err_errno(e, "%s", l->path) : 0;
    free(l->path);
    free(l);
    return rc;
}
