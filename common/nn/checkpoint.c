/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/store/safetensors.h"

static char *beside(const struct checkpoint *c, const char *ending, struct err *e)
{
    struct buf b = {0};
    if (buf_printf(&b, e, "%s%s", c->path, ending) < 0)
        buf_release(&b);
    return (char *)b.data;
}

static char *part_path(const struct checkpoint *c, struct err *e)
{
    return beside(c, ".part", e);
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
    if (c->classes)
        json_add(j, "classes", json_new_str(json_text(c->classes)));
    return j;
}

static int add_number(struct json *j, const char *name, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return json_add(j, name, json_new_str(text));
}

/* -- opening -- */

int checkpoint_open(struct checkpoint *c, struct err *e)
{
    char *optimizer = optimizer_path(c, e), *part = part_path(c, e);
    char *lock_path = beside(c, ".lock", e);
    int rc = optimizer && part && lock_path ? file_lock(lock_path, &c->lock, e) : ERR_FAIL;
    if (rc == 0) {
        c->lock_path = lock_path;
        lock_path = NULL;
        rc = file_out_check(c->path, e);
    }
    if (rc == 0)
        rc = file_out_check(optimizer, e);
    if (rc == 0)
        rc = file_out_check(part, e);
    free(optimizer);
    free(part);
    free(lock_path);
    return rc;
}

void checkpoint_close(struct checkpoint *c)
{
    if (!c->lock_path)
        return;
    unlink(c->lock_path); /* first: file_lock sees a lock on a file that is gone */
    close(c->lock);
    free(c->lock_path);
    c->lock_path = NULL;
}

/* -- resuming -- */

size_t checkpoint_setting(const char *path, const char *name)
{
    char *part = part_path(&(struct checkpoint){.path = path}, NULL);
    struct safetensors *f = NULL;
    struct model_desc d;
    size_t n = part && model_open(&f, part, &d, NULL) == 0 ? model_setting(f, name) : 0;
    safetensors_close(f);
    free(part);
    return n;
}

static struct json *read_json(const struct json *meta, const char *name, struct err *e)
{
    const char *text;
    if (json_get_str(meta, name, &text, e) < 0)
        return NULL;
    struct json *j = json_parse(text, strlen(text), e);
    if (!j)
        err_add(e, "%s", name);
    return j;
}

/* Compares an object kept as text in the metadata with what this run has. */
static int compare(const struct json *meta, const char *what, struct json *mine, struct err *e)
{
    struct json *theirs = read_json(meta, what, e);
    struct json_difference d;
    int rc = theirs ? 0 : ERR_FAIL;
    if (theirs && json_differs(theirs, mine, &d))
        rc = err_set(e, "it was begun with %s %s, this run has %s", d.name, d.theirs, d.mine);
    json_free(theirs);
    return rc;
}

static int read_number(const struct json *meta, const char *name, uint64_t *n, struct err *e)
{
    const char *text;
    int64_t value;
    if (json_get_str(meta, name, &text, e) < 0)
        return ERR_FAIL;
    if (num_i64(text, 0, INT64_MAX, &value, e) < 0)
        return err_add(e, "%s", name);
    *n = (uint64_t)value;
    return 0;
}

static int resume(const struct checkpoint *c, const struct safetensors *f, struct model *m,
                  struct progress_mark *mark, struct err *e)
{
    const struct json *meta = safetensors_metadata(f);
    if (compare(meta, "settings", c->settings, e) < 0 ||
        compare(meta, "inputs", c->inputs, e) < 0 ||
        read_number(meta, "step", &mark->step, e) < 0 ||
        read_number(meta, "log_bytes", &mark->log_bytes, e) < 0)
        return ERR_FAIL;
    struct json *window = read_json(meta, "window", e);
    int rc = window ? model_load(m, f, true, TOPS_ALL, e) : ERR_FAIL;
    if (rc == 0)
        mark->window = window;
    else
        json_free(window);
    return rc;
}

/* Opens the checkpoint and takes it over. */
static int take_over(const struct checkpoint *c, const char *path, struct model *m,
                     struct progress_mark *mark, struct err *e)
{
    struct safetensors *f;
    if (safetensors_open(&f, path, e) < 0)
        return err_add(e, "cannot go on (--force starts anew)");
    int rc = resume(c, f, m, mark, e);
    safetensors_close(f);
    return rc < 0 ? err_add(e, "%s: cannot go on from this checkpoint (--force starts anew)", path)
                  : 1;
}

int checkpoint_resume(const struct checkpoint *c, struct model *m, struct progress_mark *mark,
                      struct err *e)
{
    char *path = part_path(c, e);
    if (!path)
        return ERR_FAIL;
    int rc = file_exists(path) ? take_over(c, path, m, mark, e) : 0;
    free(path);
    return rc;
}

/* -- writing -- */

int checkpoint_save(const struct checkpoint *c, struct model *m, const struct progress_mark *mark,
                    struct err *e)
{
    char *path = part_path(c, e);
    struct json *meta = metadata(c);
    int rc = path ? 0 : ERR_FAIL;
    add_number(meta, "step", mark->step);
    add_number(meta, "log_bytes", mark->log_bytes);
    json_add(meta, "window", json_new_str(json_text(mark->window)));
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
