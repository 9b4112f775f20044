/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/plan_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"

struct plan_cache {
    char *folder, *path, *lock, *machine; /* folder NULL: nothing is kept */
    struct plan_file *read;               /* the file as it was last read, NULL: there was none */
    struct stat as;                       /* what it was then */
};

/* The name of a machine as one of a file. */
static char *file_name(const char *machine, struct err *e)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.";
    char *name = mem_strdup(machine, e);
    for (char *c = name; c && *c; c++)
        if (!strchr(plain, *c))
            *c = '-';
    return name;
}

int plan_cache_open(struct plan_cache **out, const char *folder, const char *machine, struct err *e)
{
    struct plan_cache *c = mem_new(1, sizeof *c, e);
    struct buf path = {0}, lock = {0};
    char *name = file_name(machine, e);
    if (!c || !name || buf_printf(&path, e, "%s/%s.plans", folder ? folder : "", name) < 0 ||
        buf_printf(&lock, e, "%s.lock", (char *)path.data) < 0 ||
        !(c->machine = mem_strdup(machine, e)) ||
        (folder && !(c->folder = mem_strdup(folder, e)))) {
        plan_cache_close(c);
        buf_release(&path);
        buf_release(&lock);
        free(name);
        return ERR_FAIL;
    }
    c->path = (char *)path.data;
    c->lock = (char *)lock.data;
    free(name);
    *out = c;
    return 0;
}

void plan_cache_close(struct plan_cache *c)
{
    if (!c)
        return;
    plan_file_close(c->read);
    free(c->folder);
    free(c->path);
    free(c->lock);
    free(c->machine);
    free(c);
}

/* Each change is a new file. */
static void read_again(struct plan_cache *c)
{
    struct stat now;
    if (stat(c->path, &now) < 0)
        now = (struct stat){0};
    if (now.st_ino == c->as.st_ino && now.st_size == c->as.st_size &&
        now.st_mtim.tv_sec == c->as.st_mtim.tv_sec && now.st_mtim.tv_nsec == c->as.st_mtim.tv_nsec)
        return;
    plan_file_close(c->read);
    c->as = now;
    if (plan_file_open(&c->read, c->path, c->machine, NULL) < 0)
        c->read = NULL;
}

bool plan_cache_get(struct plan_cache *c, const char *key, char choice[PLAN_FILE_LINE])
{
    if (!c->folder)
        return false;
    read_again(c);
    const char *kept = c->read ? plan_file_get(c->read, key) : NULL;
    if (kept)
        snprintf(choice, PLAN_FILE_LINE, "%s", kept);
    return kept;
}

void plan_cache_put(const struct plan_cache *c, const char *key, const char *choice)
{
    struct plan_file *f;
    int lock;
    if (!c->folder || file_make_folder(c->folder, NULL) < 0 || file_lock(c->lock, &lock, NULL) < 0)
        return;
    int rc = plan_file_open(&f, c->path, c->machine, NULL);
    if (rc < 0) { /* damaged: what it said is lost, not what comes */
        unlink(c->path);
        rc = plan_file_open(&f, c->path, c->machine, NULL);
    }
    if (rc == 0) {
        plan_file_put(f, key, choice, NULL);
        plan_file_close(f);
    }
    close(lock);
}
