/* SPDX-License-Identifier: Apache-2.0 */
/* What several processes that train together agree on. */
#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/pool.h"
#include "common/nn/nn_device.h"
#include "common/nn/train_parts.h"

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

int train_join(struct trainer *t, struct err *e)
{
    int rc = processes_open(&t->processes, e);
    if (rc < 0 || train_writes(t))
        return rc;
    t->o.ui = NULL;
    t->o.log = NULL;
    return 0;
}

int train_open_device(struct trainer *t, struct err *e)
{
    struct backend_options bo = {.device = t->o.device,
                                 .n_threads = t->o.n_threads,
                                 .tf32 = t->o.tf32,
                                 .processes = t->processes};
    if (t->processes && t->o.n_threads == pool_n_processors())
        bo.n_threads = 0; /* its part of them */
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

int train_check_command(struct trainer *t, struct err *e)
{
    struct processes *p = t->processes;
    struct buf text = {0};
    if (!p)
        return 0;
    const struct checkpoint *c = &t->checkpoint;
    int rc =
        buf_printf(&text, e, "%s %s %s", c->path, json_text(c->settings), json_text(c->inputs));
    struct hash128 mine = rc == 0 ? hash_bytes(text.data, text.len) : (struct hash128){0},
                   first = mine;
    buf_release(&text);
    if (rc == 0)
        rc = p->broadcast(p, &first, sizeof first, e);
    if (rc == 0 && (first.lo != mine.lo || first.hi != mine.hi))
        rc = err_set(e, "was started with other inputs or options than process 0; runs of their "
                        "own are not started by one launcher");
    return rc;
}

int train_take_state(struct trainer *t, struct err *e)
{
    struct processes *p = t->processes;
    if (!p)
        return 0;
    if (!train_writes(t)) /* nor goes on with the log's last record */
        train_window_reset(&t->window);
    return p->broadcast(p, &t->at, sizeof t->at, e) < 0 ? ERR_FAIL : model_broadcast(t->model, e);
}
