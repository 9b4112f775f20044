/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_eval.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/pool.h"
#include "common/eval/gebd_video.h"

const char *const gebd_rules_names[] = {"challenge", "notebook", NULL};
const char *const gebd_unit_names[] = {"seconds", "frames", NULL};
const char *const gebd_state_names[] = {"scored", "empty", "missing", "skipped", NULL};

enum { BLOCK = 128 }; /* videos of a work item */

struct worker {
    struct gebd_video video;
    struct gebd_matcher matcher;
};

struct evaluation {
    const struct gebd_request *q;
    struct gebd_result *result;
    struct worker *workers; /* [n_threads] */
    size_t n_predicted;
};

static int evaluate_video(struct evaluation *v, struct worker *w, size_t i, struct err *e)
{
    struct gebd_outcome *o = &v->result->videos[i];
    const struct gebd_example *x = &w->video.example;
    struct gebd_entry entry = {.id = gebd_truth_id(v->q->truth, i),
                               .truth = gebd_truth_video(v->q->truth, i, e)};
    if (!entry.truth)
        return ERR_FAIL;
    entry.predicted = gebd_find(v->q->predictions.json, entry.id, entry.truth);
    o->id = entry.id;
    o->predicted = entry.predicted;
    int rc = gebd_video_read(&w->video, v->q, &entry, &o->state, e);
    json_free(entry.truth);
    if (rc < 0)
        return rc;
    if (o->state == GEBD_SCORED) {
        o->n_detected = (uint32_t)x->detections.n;
        return gebd_match(&w->matcher, x, o->match, e);
    }
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++)
        o->match[k].n_positive = x->n_raters ? (uint32_t)x->raters[0].n : 0;
    return 0;
}

static int evaluate_block(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct evaluation *v = user;
    size_t first = item * BLOCK, n = v->result->n_videos;
    *result = NULL;
    for (size_t i = first; i < n && i < first + BLOCK; i++)
        if (evaluate_video(v, &v->workers[thread], i, e) < 0)
            return ERR_FAIL;
    return 0;
}

static int add_block(void *user, size_t item, void *result, struct err *e)
{
    (void)result, (void)e;
    struct evaluation *v = user;
    struct gebd_result *r = v->result;
    size_t first = item * BLOCK;
    for (size_t i = first; i < r->n_videos && i < first + BLOCK; i++) {
        const struct gebd_outcome *o = &r->videos[i];
        r->n_state[o->state]++;
        v->n_predicted += o->predicted;
        for (size_t k = 0; k < GEBD_THRESHOLDS; k++) {
            r->counts[k].tp += o->match[k].tp;
            r->counts[k].n_positive += o->match[k].n_positive;
            r->counts[k].n_detected += o->n_detected;
        }
    }
    return 0;
}

int gebd_evaluate(struct gebd_result *r, const struct gebd_request *q, struct err *e)
{
    size_t n = gebd_truth_n_videos(q->truth), n_predictions = json_len(q->predictions.json);
    struct evaluation v = {.q = q, .result = r};
    struct pool_job job = {.n_items = (n + BLOCK - 1) / BLOCK,
                           .n_threads = q->n_threads,
                           .work = evaluate_block,
                           .emit = add_block,
                           .user = &v};
    *r = (struct gebd_result){.n_videos = n};
    if (json_kind(q->predictions.json) != JSON_OBJECT)
        return err_set(e, "%s: expected an object, id -> boundaries", q->predictions.name);
    r->videos = mem_new(n ? n : 1, sizeof *r->videos, e);
    v.workers = mem_new(q->n_threads, sizeof *v.workers, e);
    int rc = r->videos && v.workers ? pool_run(&job, e) : ERR_FAIL;
    r->n_extra = n_predictions > v.n_predicted ? n_predictions - v.n_predicted : 0;
    for (size_t i = 0; v.workers && i < q->n_threads; i++) {
        gebd_video_release(&v.workers[i].video);
        gebd_matcher_release(&v.workers[i].matcher);
    }
    free(v.workers);
    if (rc < 0)
        gebd_result_release(r);
    return rc;
}

void gebd_result_release(struct gebd_result *r)
{
    free(r->videos);
    *r = (struct gebd_result){0};
}
