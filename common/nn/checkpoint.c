/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/safetensors.h"

static char *part_path(const struct checkpoint *c, struct err *e)
{
    struct buf b = {0};
    if (buf_printf(&b, e, "%s.part", c->path) < 0)
        buf_release(&b);
    return (char *)b.data;
}

/* "runs/m.safetensors" -> "runs/m.optimizer.safetensors" */
static char *optimizer_path(const struct checkpoint *c, struct err *e)
{
    static const char ending[] = ".safetensors";
    size_t len = strlen(c->path), cut = sizeof ending - 1;
    bool ends = len > cut && strcmp(c->path + len - cut, ending) == 0;
    struct buf b = {0};
    if (buf_printf(&b, e, "%.*s.optimizer%s", (int)(ends ? len - cut : len), c->path, ending) < 0)
        buf_release(&b);
    return (char *)b.data;
}

static struct json *metadata(const struct checkpoint *c)
{
    struct json *j = json_new_object();
    json_add(j, "settings", json_new_str(json_text(c->settings)));
    json_add(j, "inputs", json_new_str(json_text(c->inputs)));
    return j;
}

static int add_number(struct json *j, const char *name, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return json_add(j, name, json_new_str(text));
}

/* Compares an object kept as text in the metadata with what this run has. */
static int compare(const struct json *meta, const char *what, struct json *mine, struct err *e)
{
    const char *text;
    if (json_get_str(meta, what, &text, e) < 0)
        return ERR_FAIL;
    struct json *theirs = json_parse(text, strlen(text), e);
    if (!theirs)
        return err_add(e, "%s", what);
    int rc = 0;
    const char *name;
    struct json *value;
    for (size_t i = 0; rc == 0 && json_pair(mine, i, &name, &value); i++) {
        struct json *other = json_member(theirs, name);
        if (!other || !json_equal(value, other))
            rc = err_set(e, "it was begun with %s %s, this run has %s", name,
                         other ? json_text(other) : "unset", json_text(value));
    }
    json_free(theirs);
    return rc;
}

static int read_number(const struct json *meta, const char *name, uint64_t *n, struct err *e)
{
    const char *text;
    char *end;
    if (json_get_str(meta, name, &text, e) < 0)
        return ERR_FAIL;
    *n = strtoull(text, &end, 10);
    return *text && !*end ? 0 : err_set(e, "%s: \"%s\" is not a number", name, text);
}

static int resume(const struct checkpoint *c, const struct safetensors *f, struct model *m,
                  struct progress_mark *mark, struct err *e)
{
    const struct json *meta = safetensors_metadata(f);
    if (compare(meta, "settings", c->settings, e) < 0 || compare(meta, "inputs", c->inputs, e) < 0)
        return err_add(e, "cannot go on from this checkpoint (--force starts anew)");
    if (read_number(meta, "step", &mark->step, e) < 0 ||
        read_number(meta, "log_bytes", &mark->log_bytes, e) < 0)
        return ERR_FAIL;
    return model_load(m, f, true, true, e);
}

int checkpoint_resume(const struct checkpoint *c, struct model *m, struct progress_mark *mark,
                      struct err *e)
{
    char *path = part_path(c, e);
    if (!path)
        return ERR_FAIL;
    int rc = 0;
    if (file_exists(path)) {
        struct safetensors *f = NULL;
        rc = safetensors_open(&f, path, e);
        if (rc == 0) {
            rc = resume(c, f, m, mark, e);
            if (rc < 0)
                err_add(e, "%s", path);
        }
        safetensors_close(f);
        rc = rc < 0 ? rc : 1;
    }
    free(path);
    return rc;
}

int checkpoint_save(const struct checkpoint *c, struct model *m, const struct progress_mark *mark,
                    struct err *e)
{
    char *path = part_path(c, e);
    struct json *meta = metadata(c);
    int rc = path ? 0 : ERR_FAIL;
    add_number(meta, "step", mark->step);
    add_number(meta, "log_bytes", mark->log_bytes);
    if (rc == 0)
        rc = model_save(m, path, true, meta, e);
    json_free(meta);
    free(path);
    return rc;
}

int checkpoint_publish(const struct checkpoint *c, struct model *m, uint64_t step, struct err *e)
{
    char *path = optimizer_path(c, e);
    struct json *meta = metadata(c);
    int rc = path ? 0 : ERR_FAIL;
    add_number(meta, "step", step);
    if (rc == 0 && m->velocity)
        rc = model_save_optimizer(m, path, meta, e);
    if (rc == 0)
        rc = model_save(m, c->path, false, meta, e);
    if (rc == 0)
        rc = checkpoint_discard(c, e);
    json_free(meta);
    free(path);
    return rc;
}

int checkpoint_discard(const struct checkpoint *c, struct err *e)
{
    char *path = part_path(c, e);
    if (!path)
        return ERR_FAIL;
    int rc = unlink(path) < 0 && errno != ENOENT ? err_errno(e, "%s", path) : 0;
    free(path);
    return rc;
}
