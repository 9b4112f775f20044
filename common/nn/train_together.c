/* SPDX-License-Identifier: Apache-2.0 */
/* What several processes that train together agree on. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/nn/nn_device.h"
#include "common/nn/train_parts.h"

enum { PATIENCE = 20 }; /* seconds */

bool train_writes(const struct trainer *t)
{
    return processes_rank(t->processes) == 0;
}

int train_check_parts(const struct trainer *t, struct err *e)
{
    size_t n = processes_n(t->processes), whole = t->o.micro_auto ? t->o.batch : t->o.micro_batch;
    if (whole % n == 0)
        return 0;
    return err_set(e, "%zu processes do not divide --%s %zu", n,
                   t->o.micro_auto || whole == t->o.batch ? "batch" : "micro-batch", whole);
}

int train_agree(struct trainer *t, int rc, struct err *e)
{
    return t->together ? processes_agree_soon(t->processes, rc, PATIENCE, e)
                       : processes_agree(t->processes, rc, e);
}

int train_agree_on_end(struct trainer *t, int rc, struct err *e)
{
    struct processes *p = t->processes;
    rc = train_agree(t, rc, e);
    if (p && p->failed && !p->left && !train_writes(t))
        err_set(e, "%s", "");
    return rc;
}

int train_open_device(struct trainer *t, struct err *e)
{
    struct backend_options bo = {.device = t->o.device,
                                 .n_threads = t->o.n_threads,
                                 .tf32 = t->o.tf32,
                                 .processes = t->processes};
    return nn_device_open(&t->backend, &bo, t->o.out, t->o.ui, e);
}

int train_check_devices(struct trainer *t, struct err *e)
{
    bool gpu = t->backend->is_apart;
    int all = processes_all(t->processes, 0, gpu, e);
    int none = all < 0 ? all : processes_all(t->processes, 0, !gpu, e);
    if (none < 0 || all || none)
        return none < 0 ? none : 0;
    return err_set(e, "some processes have a GPU to use and others have none (--device)");
}

int train_take_first(struct trainer *t, void *x, size_t bytes, struct err *e)
{
    const struct processes *p = t->processes;
    if (!p)
        return 0;
    t->together = true;
    int rc = p->broadcast(p, x, bytes, e);
    t->together = rc < 0;
    return rc;
}

static int other_command(const char *what, struct err *e)
{
    return err_set(e,
                   "was started with another %s than process 0; runs of their own are not "
                   "started by one launcher",
                   what);
}

int train_check_auto(struct trainer *t, struct err *e)
{
    bool first = t->o.micro_auto;
    int rc = train_take_first(t, &first, sizeof first, e);
    if (rc == 0 && first != t->o.micro_auto)
        rc = other_command("--micro-batch", e);
    return train_agree(t, rc, e);
}

/* A text of process 0, which the caller frees; NULL: failed. */
static char *first_text(struct trainer *t, const char *mine, struct err *e)
{
    size_t bytes = strlen(mine) + 1;
    if (train_take_first(t, &bytes, sizeof bytes, e) < 0)
        return NULL;
    char *text = mem_new(bytes, 1, e);
    t->together = !text;
    if (!text)
        return NULL;
    if (train_writes(t))
        memcpy(text, mine, bytes);
    if (train_take_first(t, text, bytes, e) == 0)
        return text;
    free(text);
    return NULL;
}

/* Compares an object member by member with process 0's. */
static int check_object(struct trainer *t, struct json *mine, struct err *e)
{
    char *text = first_text(t, json_text(mine), e);
    struct json *theirs = text ? json_parse(text, strlen(text), e) : NULL;
    struct json_difference d;
    int rc = theirs ? 0 : ERR_FAIL;
    if (theirs && json_differs(theirs, mine, &d))
        rc = err_set(e, "was started for another run than process 0: %s %s, not %s", d.name, d.mine,
                     d.theirs);
    json_free(theirs);
    free(text);
    return rc;
}

int train_check_command(struct trainer *t, struct err *e)
{
    const struct checkpoint *c = &t->checkpoint;
    if (!t->processes)
        return 0;
    char *path = first_text(t, c->path, e);
    int rc = !path ? ERR_FAIL : strcmp(path, c->path) == 0 ? 0 : other_command("--output", e);
    free(path);
    rc = train_agree(t, rc, e);
    if (rc == 0)
        rc = train_agree(t, check_object(t, c->settings, e), e);
    return rc < 0 ? rc : train_agree(t, check_object(t, c->inputs, e), e);
}

int train_take_state(struct trainer *t, struct err *e)
{
    if (!t->processes)
        return 0;
    if (!train_writes(t)) /* nor goes on with the log's last record */
        train_window_reset(&t->window);
    if (train_take_first(t, &t->at, sizeof t->at, e) < 0)
        return ERR_FAIL;
    t->together = true;
    int rc = model_broadcast(t->model, e);
    if (rc == 0)
        rc = t->backend->ops->sync(t->backend, e);
    t->together = rc < 0;
    return rc;
}
