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
    struct gebd_entry *entries; /* [result->n_videos] */
    struct gebd_result *result;
    struct worker *workers; /* [n_threads] */
};

/* The videos of the annotations in their order, each with its prediction. */
static int list_entries(struct evaluation *v, struct err *e)
{
    const struct gebd_request *q = v->q;
    const struct json *truth = q->annotations.json, *predicted = q->predictions.json;
    if (json_kind(truth) != JSON_OBJECT)
        return err_set(e, "%s: expected an object, id -> video", q->annotations.name);
    if (json_kind(predicted) != JSON_OBJECT)
        return err_set(e, "%s: expected an object, id -> boundaries", q->predictions.name);
    size_t n = json_len(truth), n_found = 0, i = 0;
    if (!(v->entries = mem_new(n ? n : 1, sizeof *v->entries, e)) ||
        !(v->result->videos = mem_new(n ? n : 1, sizeof *v->result->videos, e)))
        return ERR_FAIL;
    v->result->n_videos = n;
    struct json_walk walk = {0};
    for (struct gebd_entry *x; i < n; i++) {
        x = &v->entries[i];
        json_next(truth, &walk, &x->id, &x->truth);
        if (json_kind(x->truth) != JSON_OBJECT)
            return err_set(e, "%s: video '%s': expected an object", q->annotations.name, x->id);
        x->predicted = gebd_find(predicted, x->id, x->truth);
        n_found += x->predicted != NULL;
    }
    v->result->n_extra = json_len(predicted) > n_found ? json_len(predicted) - n_found : 0;
    return 0;
}

static int evaluate_video(struct evaluation *v, struct worker *w, size_t i, struct err *e)
{
    struct gebd_outcome *o = &v->result->videos[i];
    o->id = v->entries[i].id;
    if (gebd_video_read(&w->video, v->q, &v->entries[i], &o->state, e) < 0)
        return ERR_FAIL;
    const struct gebd_example *x = &w->video.example;
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
    struct gebd_result *r = ((struct evaluation *)user)->result;
    size_t first = item * BLOCK;
    for (size_t i = first; i < r->n_videos && i < first + BLOCK; i++) {
        const struct gebd_outcome *o = &r->videos[i];
        r->n_state[o->state]++;
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
    *r = (struct gebd_result){0};
    struct evaluation v = {.q = q, .result = r};
    v.workers = mem_new(q->n_threads, sizeof *v.workers, e);
    int rc = v.workers ? list_entries(&v, e) : ERR_FAIL;
    struct pool_job job = {.n_items = (r->n_videos + BLOCK - 1) / BLOCK,
                           .n_threads = q->n_threads,
                           .work = evaluate_block,
                           .emit = add_block,
                           .user = &v};
    if (rc == 0)
        rc = pool_run(&job, e);
    for (size_t i = 0; v.workers && i < q->n_threads; i++) {
        gebd_video_release(&v.workers[i].video);
        gebd_matcher_release(&v.workers[i].matcher);
    }
    free(v.workers);
    free(v.entries);
    if (rc < 0)
        gebd_result_release(r);
    return rc;
}

void gebd_result_release(struct gebd_result *r)
{
    free(r->videos);
    *r = (struct gebd_result){0};
}
