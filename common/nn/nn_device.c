/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/nn_device.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/stop.h"

const char *const nn_device_names[] = {"auto", "cpu", "cuda", NULL};
const char *const nn_precision_names[] = {[DTYPE_F32] = "f32", [DTYPE_BF16] = "bf16", NULL};

const char *const nn_compute_names[] = {"f32", "bf16", "tf32", NULL};

void nn_compute_parse(int choice, enum dtype *dtype, bool *tf32)
{
    *dtype = choice == 1 ? DTYPE_BF16 : DTYPE_F32;
    *tf32 = choice == 2;
}

const char *nn_compute_name(enum dtype dtype, bool tf32)
{
    return tf32 ? "tf32" : nn_precision_names[dtype];
}

static int tell_measuring(void *user, size_t n_before, struct err *e)
{
    ui_progress_text(user, "measuring how convolutions run fastest here: %zu done", n_before);
    if (stop_requested())
        return err_code(e, ERR_STOPPED,
                        "while convolutions were measured; the same command goes on");
    return 0;
}

/* "$XDG_CACHE_HOME/teg" or "$HOME/.cache/teg"; empty where neither is there. */
static int cache_folder(struct buf *out, struct err *e)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return buf_printf(out, e, "%s/teg", cache);
    return home && *home == '/' ? buf_printf(out, e, "%s/.cache/teg", home) : 0;
}

int nn_device_open(struct backend **b, const struct backend_options *options, const char *out,
                   struct ui *ui, struct err *e)
{
    struct backend_options o = *options;
    struct buf plans = {0}, cache = {0};
    o.measuring = tell_measuring;
    o.user = ui;
    size_t rank = processes_rank(options->processes);
    int rc = rank == 0 ? buf_printf(&plans, e, "%s.plans", out)
                       : buf_printf(&plans, e, "%s.%zu.plans", out, rank);
    if (rc == 0)
        rc = cache_folder(&cache, e);
    o.plan_file = (char *)plans.data;
    o.plan_cache = (char *)cache.data;
    if (rc == 0)
        rc = backend_open(b, &o, e);
    buf_release(&plans);
    buf_release(&cache);
    return rc;
}

void nn_device_tell(struct backend *b, struct ui *ui)
{
    if (*b->note.text)
        ui_note(ui, "%s", b->note.text);
    b->note.text[0] = '\0';
}
