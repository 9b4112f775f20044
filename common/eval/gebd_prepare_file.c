/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_prepare_file.h"

#include "common/base/pool.h"
#include "common/datasets/gebd_prepare.h"
#include "common/eval/gebd_file.h"
#include "common/eval/gebd_truth.h"
#include "common/eval/outputs.h"

struct conversion {
    struct gebd_truth *raw;
    struct gebd_out out;
    size_t counts[GEBD_PREPARED_N];
};

struct prepared {
    struct json *video; /* NULL: left out */
    enum gebd_prepared what;
};

static int prepare_video(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct conversion *c = user;
    struct json *raw = gebd_truth_video(c->raw, item, e);
    (void)thread;
    if (!raw)
        return ERR_FAIL;
    struct prepared *p = mem_new(1, sizeof *p, e);
    int rc = p ? gebd_prepare_video(raw, &p->video, &p->what, e) : ERR_FAIL;
    json_free(raw);
    if (rc == 0) {
        *result = p;
        return 0;
    }
    free(p);
    return err_add(e, "%s: video '%s'", gebd_truth_name(c->raw), gebd_truth_id(c->raw, item));
}

static void discard(void *user, void *result)
{
    struct prepared *p = result;
    (void)user;
    json_free(p->video);
    free(p);
}

static int write_video(void *user, size_t item, void *result, struct err *e)
{
    struct conversion *c = user;
    struct prepared *p = result;
    int rc = p->video ? gebd_out_add(&c->out, gebd_truth_id(c->raw, item), p->video, e) : 0;
    c->counts[p->what]++;
    discard(NULL, p);
    return rc;
}

static void report(const struct conversion *c, const struct gebd_prepare_options *o, struct ui *ui)
{
    if (c->counts[GEBD_FEW_RATERS] || c->counts[GEBD_INCOMPLETE])
        ui_warn(ui,
                "%s: videos left out as they have fewer than three raters: %zu; as fps, "
                "num_frames, video_duration or f1_consis_avg is not known: %zu",
                o->raw, c->counts[GEBD_FEW_RATERS], c->counts[GEBD_INCOMPLETE]);
    ui_note(ui, "%s: videos: %zu", o->out, c->counts[GEBD_PREPARED]);
}

int gebd_prepare_file(const struct gebd_prepare_options *o, struct ui *ui, struct err *e)
{
    struct conversion c = {0};
    struct output out = {"--output", o->out, OUTPUT_TRUTH};
    int rc = outputs_check(&(struct outputs){"teg-gebd-eval", o->force, &out, 1}, e);
    if (rc == 0)
        rc = gebd_truth_open(&c.raw, o->raw, e);
    if (rc == 0)
        rc = gebd_out_open(&c.out, o->out, e);
    if (rc == 0) {
        struct pool_job job = {.n_items = gebd_truth_n_videos(c.raw),
                               .n_threads = o->n_threads,
                               .work = prepare_video,
                               .emit = write_video,
                               .discard = discard,
                               .user = &c};
        rc = pool_run(&job, e);
    }
    if (rc == 0)
        rc = gebd_out_publish(&c.out, e);
    if (rc == 0)
        report(&c, o, ui);
    gebd_out_abandon(&c.out);
    gebd_truth_close(c.raw);
    return rc;
}
