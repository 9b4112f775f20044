/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a step has room, and the largest micro-batch that has. */
#include "common/base/stop.h"
#include "common/nn/memory.h"
#include "common/nn/train_parts.h"

/* Memory that operations take, of that of activations, where micro-batches are to be the largest.
 */
#define SPARE 0.25

/* Of the pixels of two batches in the loader. */
static size_t loader_bytes(const struct trainer *t)
{
    size_t frames = t->run.length[CLIP_LONG] + t->run.length[CLIP_SHORT];
    size_t pixels = frames * t->o.crop_size * t->o.crop_size * 3 * dtype_bytes(t->o.dtype);
    return 2 * t->o.batch / processes_n(t->processes) * pixels;
}

/* Activations of a micro-batch, and what the loader takes. */
static int check_memory(const struct trainer *t, struct err *e)
{
    return memory_check(t->backend, t->task->activation_bytes(&t->run) + loader_bytes(t),
                        "a smaller --micro-batch, --batch or --crop-size", e);
}

static int open_step(struct trainer *t, struct err *e)
{
    ui_progress_start(t->o.ui, "preparing", 0, "steps");
    int rc = t->task->open(&t->run, e);
    ui_progress_end(t->o.ui);
    return rc < 0 && stop_requested() ? ERR_STOPPED : rc;
}

/* Whether micro-batches of this size have room, with what is beside them and `spare` bytes for each
 * of activations. */
static int try_room(struct trainer *t, double spare, struct err *e)
{
    void *beside;
    int rc = open_step(t, e);
    if (rc == 0)
        rc = check_memory(t, e);
    size_t scratch = rc == 0 ? (size_t)(spare * (double)t->task->activation_bytes(&t->run)) : 0;
    if (rc == 0)
        rc = t->backend->ops->alloc(t->backend, loader_bytes(t) + scratch, &beside, e);
    if (rc == 0)
        t->backend->ops->release(t->backend, beside);
    t->task->close(&t->run);
    return rc;
}

/* The same before convolutions are measured, which takes long. */
static int try_unmeasured(struct trainer *t, double spare, struct err *e)
{
    if (!t->backend->measures)
        return 0;
    t->backend->sizing = true;
    int rc = try_room(t, spare, e);
    t->backend->sizing = false;
    return rc;
}

int train_open_step(struct trainer *t, struct err *e)
{
    int rc = try_unmeasured(t, 0.0, e);
    if (rc == 0)
        rc = open_step(t, e);
    return rc < 0 ? rc : check_memory(t, e);
}

/* -- the size of a micro-batch -- */

/* That of the checkpoint, if there is one; 0: none. As process 0 sees it. */
static int begun_micro_batch(struct trainer *t, size_t *begun, struct err *e)
{
    *begun = train_writes(t) ? checkpoint_setting(t->o.out, "micro_batch") : 0;
    if (*begun && t->o.batch % *begun != 0)
        *begun = 0;
    return train_take_first(t, begun, sizeof *begun, e);
}

/* 1: all processes have room, 0: not all, < 0: the run is over. */
static int has_room(struct trainer *t, struct err *why, struct err *e)
{
    int rc = try_unmeasured(t, SPARE, why);
    if (rc == 0)
        rc = try_room(t, SPARE, why);
    if (rc == ERR_STOPPED)
        err_set(e, "%s", why->text);
    return processes_all(t->processes, rc == ERR_STOPPED ? rc : 0, rc == 0, e);
}

/* Of those that divide the batch the largest that has room. */
static int find_micro_batch(struct trainer *t, struct err *e)
{
    struct err why = {0};
    size_t n = processes_n(t->processes);
    for (size_t parts = 1; parts * n <= t->o.batch; parts++) {
        if (t->o.batch % (parts * n) != 0)
            continue;
        t->o.micro_batch = t->o.batch / parts;
        why.text[0] = '\0';
        int rc = has_room(t, &why, e);
        if (rc == 1 && parts > 1)
            ui_note(t->o.ui, "micro-batches of %zu: the largest that fit into memory",
                    t->o.micro_batch);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(e, "%s", why.text[0] ? why.text : "another process has no room for one example");
}

int train_choose_micro_batch(struct trainer *t, struct err *e)
{
    size_t begun;
    int rc = train_check_auto(t, e);
    if (rc < 0 || !t->o.micro_auto)
        return rc;
    if (begun_micro_batch(t, &begun, e) < 0)
        return ERR_FAIL;
    if (begun == 0)
        return find_micro_batch(t, e);
    t->o.micro_batch = begun;
    return train_check_parts(t, e);
}
