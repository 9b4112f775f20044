/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/detect.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/pool.h"
#include "common/eval/gebd_file.h"
#include "common/eval/gebd_scores.h"
#include "common/eval/gebd_truth.h"
#include "common/eval/outputs.h"

const char *const detect_method_names[] = {"shots", "pa", "scores", NULL};

struct detect_options detect_defaults(void)
{
    return (struct detect_options){.shots = {.threshold = 27, .min_scene = 15},
                                   .pa = {.smooth = 5, .scale = 15},
                                   .score_threshold = 0.5,
                                   .n_threads = 1};
}

/* What a thread works with; one of the stores. */
struct worker {
    struct frames *frames;
    struct embeddings *embeddings;
    struct pa_memory memory;
};

struct detection {
    const struct detect_options *o;
    struct ui *ui;
    struct worker *workers; /* [n_threads]; the others share what the first one opened */
    struct gebd_out out;
    size_t n_boundaries;
};

/* -- stores -- */

static int open_first(const struct detect_options *o, struct worker *w, struct err *e)
{
    if (o->method == DETECT_SHOTS)
        return frames_open(&w->frames, o->input, e);
    int rc = embeddings_open(&w->embeddings, o->input, e);
    if (rc < 0)
        return rc;
    size_t n_steps = embeddings_n_steps(w->embeddings);
    if (embeddings_n_videos(w->embeddings) > 0 && (!embeddings_dense(w->embeddings) || n_steps < 2))
        return err_set(e,
                       "%s: its clips have one step; two or more are needed, before and behind "
                       "the centre (teg-extract --form dense)",
                       o->input);
    return 0;
}

static int open_stores(struct detection *d, struct err *e)
{
    struct worker *first = d->workers;
    int rc = open_first(d->o, first, e);
    for (size_t i = 1; rc == 0 && i < d->o->n_threads; i++)
        rc = first->frames ? frames_share(&d->workers[i].frames, first->frames, e)
                           : embeddings_share(&d->workers[i].embeddings, first->embeddings, e);
    return rc;
}

/* The first one last, as the others use what is its. */
static void close_stores(struct detection *d)
{
    for (size_t i = d->o->n_threads; d->workers && i-- > 0;) {
        frames_close(d->workers[i].frames);
        embeddings_close(d->workers[i].embeddings);
        pa_release(&d->workers[i].memory);
    }
    free(d->workers);
}

static size_t n_videos(const struct detection *d)
{
    const struct worker *w = d->workers;
    return w->frames ? frames_n_videos(w->frames) : embeddings_n_videos(w->embeddings);
}

static const char *id_of(const struct detection *d, size_t video)
{
    const struct worker *w = d->workers;
    return w->frames ? frames_id(w->frames, video) : embeddings_id(w->embeddings, video);
}

/* -- videos -- */

static int detect_video(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct detection *d = user;
    struct worker *w = &d->workers[thread];
    struct json *times = w->frames ? shots_detect(w->frames, item, &d->o->shots, e)
                                   : pa_detect(w->embeddings, item, &d->o->pa, &w->memory, e);
    *result = times;
    ui_progress_add(d->ui, 1);
    return times ? 0 : err_add(e, "%s: video '%s'", d->o->input, id_of(d, item));
}

static int write_video(void *user, size_t item, void *result, struct err *e)
{
    struct detection *d = user;
    int rc = gebd_out_add(&d->out, id_of(d, item), result, e);
    d->n_boundaries += json_len(result);
    json_free(result);
    return rc;
}

static void discard(void *user, void *result)
{
    (void)user;
    json_free(result);
}

static int detect_videos(struct detection *d, struct err *e)
{
    struct pool_job job = {.n_items = n_videos(d),
                           .n_threads = d->o->n_threads,
                           .work = detect_video,
                           .emit = write_video,
                           .discard = discard,
                           .user = d};
    ui_progress_start(d->ui, "detecting", job.n_items, "videos");
    int rc = pool_run(&job, e);
    ui_progress_end(d->ui);
    return rc;
}

static int from_store(struct detection *d, struct err *e)
{
    if (!(d->workers = mem_new(d->o->n_threads, sizeof *d->workers, e)))
        return ERR_FAIL;
    int rc = open_stores(d, e);
    if (rc == 0)
        rc = detect_videos(d, e);
    close_stores(d);
    return rc;
}

/* -- scores -- */

static int write_all(struct detection *d, const struct json *predictions, struct err *e)
{
    struct json_walk walk = {0};
    struct json *times;
    const char *id;
    int rc = 0;
    while (rc == 0 && json_next(predictions, &walk, &id, &times)) {
        rc = gebd_out_add(&d->out, id, times, e);
        d->n_boundaries += json_len(times);
    }
    return rc;
}

static int from_scores(struct detection *d, struct err *e)
{
    const struct detect_options *o = d->o;
    struct gebd_truth *truth = NULL;
    struct gebd_scores *scores = NULL;
    struct json *predictions = NULL;
    size_t n_left_out = 0;
    int rc = o->annotations ? gebd_truth_open(&truth, o->annotations, e) : 0;
    struct gebd_scores_how how = {.grouping = o->grouping,
                                  .threshold = o->score_threshold,
                                  .truth = truth,
                                  .n_threads = o->n_threads};
    if (rc == 0)
        rc = gebd_scores_open(&scores, o->input, e);
    if (rc == 0)
        rc = gebd_scores_group(scores, &how, &predictions, &n_left_out, e);
    if (rc == 0 && n_left_out && !truth)
        rc = err_set(e,
                     "%s: scores in JSON have times only with the annotations' frame rates "
                     "(--annotations)",
                     o->input);
    if (rc == 0)
        rc = write_all(d, predictions, e);
    if (rc == 0 && n_left_out)
        ui_warn(d->ui, "videos left out as they are not in %s: %zu", o->annotations, n_left_out);
    json_free(predictions);
    gebd_scores_close(scores);
    gebd_truth_close(truth);
    return rc;
}

int detect_run(const struct detect_options *o, struct ui *ui, struct err *e)
{
    struct detection d = {.o = o, .ui = ui};
    struct output out = {"--output", o->out, OUTPUT_TIMES};
    int rc = outputs_check(&(struct outputs){"teg-gebd-eval", o->force, &out, 1}, e);
    if (rc == 0)
        rc = gebd_out_open(&d.out, o->out, e);
    if (rc == 0)
        rc = o->method == DETECT_SCORES ? from_scores(&d, e) : from_store(&d, e);
    if (rc == 0) {
        size_t n = d.out.n;
        rc = gebd_out_publish(&d.out, e);
        if (rc == 0)
            ui_note(ui, "%s: boundaries: %zu, videos: %zu", o->out, d.n_boundaries, n);
    }
    gebd_out_abandon(&d.out);
    return rc;
}
