/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_video.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"

static const double min_consistency = 0.3;

void gebd_video_release(struct gebd_video *v)
{
    free(v->numbers);
    free(v->raters);
    *v = (struct gebd_video){0};
}

struct json *gebd_find(const struct json *predictions, const char *id, const struct json *video)
{
    struct json *found = json_member(predictions, id);
    const char *path = found ? NULL : json_str(json_member(video, "path_frame"));
    return path ? json_member(predictions, path) : found;
}

/* -- members -- */

/* Appends the numbers of an array. */
static int read_numbers(struct gebd_video *v, const struct json *array, struct err *e)
{
    if (json_kind(array) != JSON_ARRAY)
        return err_set(e, "expected an array of numbers");
    size_t n = json_len(array);
    if (n > v->cap - v->n_numbers) {
        size_t cap = 2 * (v->n_numbers + n);
        double *grown = mem_grow(v->numbers, cap, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        v->numbers = grown;
        v->cap = cap;
    }
    for (size_t i = 0; i < n; i++) {
        const struct json *x = json_at(array, i);
        enum json_kind kind = json_kind(x);
        if (kind != JSON_REAL && kind != JSON_INT)
            return err_set(e, "element %zu: expected a number", i);
        v->numbers[v->n_numbers++] = json_f64(x);
    }
    return 0;
}

static const char *raters_member(const struct gebd_request *q)
{
    return q->rules == GEBD_CHALLENGE ? "substages_timestamps" : "substages_myframeidx";
}

static int get_raters(const struct gebd_request *q, const struct json *truth, struct json **out,
                      struct err *e)
{
    if (json_get_array(truth, raters_member(q), out, e) < 0)
        return ERR_FAIL;
    if (json_len(*out) == 0)
        return err_set(e, "member '%s': no rater", raters_member(q));
    return 0;
}

static int rater_error(const struct gebd_request *q, size_t rater, struct err *e)
{
    return err_add(e, "member '%s': rater %zu", raters_member(q), rater);
}

/* All that counts of a video in which nothing was detected. */
static int read_first_count(struct gebd_video *v, const struct gebd_request *q,
                            const struct json *truth, struct err *e)
{
    struct json *raters;
    if (get_raters(q, truth, &raters, e) < 0)
        return ERR_FAIL;
    v->n_numbers = 0;
    if (read_numbers(v, json_at(raters, 0), e) < 0)
        return rater_error(q, 0, e);
    v->example.n_raters = 1;
    v->raters[0] = (struct gebd_times){.n = v->n_numbers};
    return 0;
}

/* Behind the detections, as the array may move while it grows. */
static int read_raters(struct gebd_video *v, const struct gebd_request *q, const struct json *truth,
                       struct err *e)
{
    struct json *raters;
    if (get_raters(q, truth, &raters, e) < 0)
        return ERR_FAIL;
    size_t n = json_len(raters), at = v->n_numbers;
    if (n > v->cap_raters) {
        struct gebd_times *grown = mem_grow(v->raters, n, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        v->raters = grown;
        v->cap_raters = n;
    }
    for (size_t r = 0; r < n; r++) {
        size_t before = v->n_numbers;
        if (read_numbers(v, json_at(raters, r), e) < 0)
            return rater_error(q, r, e);
        v->raters[r].n = v->n_numbers - before;
    }
    for (size_t r = 0; r < n; at += v->raters[r++].n)
        v->raters[r].at = v->numbers + at;
    v->example.n_raters = n;
    return 0;
}

/* -- detections -- */

/* How detections become times of the rules, and where the video ends in them. */
struct span {
    double factor, divisor, last;
    bool whole; /* frames of times in seconds: numbered from 0, as those of the annotators are */
};

static int read_span(struct gebd_video *v, const struct gebd_request *q, const struct json *truth,
                     struct span *span, struct err *e)
{
    bool seconds = q->unit == GEBD_SECONDS, want_seconds = q->rules == GEBD_CHALLENGE;
    double fps = 1;
    *span = (struct span){.factor = seconds ? 1 : q->downsample, .divisor = 1};
    if (!json_member(truth, "fps") || seconds != want_seconds) {
        if (json_get_f64(truth, "fps", &fps, e) < 0)
            return ERR_FAIL;
        if (!(fps > 0))
            return err_set(e, "member 'fps': %g is not positive", fps);
        *(seconds ? &span->factor : &span->divisor) = fps;
    }
    span->whole = seconds && !want_seconds;
    if (json_get_f64(truth, want_seconds ? "video_duration" : "num_frames", &v->example.length, e) <
        0)
        return ERR_FAIL;
    span->last = want_seconds ? v->example.length : v->example.length - 1;
    return 0;
}

/* Those within the video, in their order. */
static int read_detections(struct gebd_video *v, const struct json *predicted,
                           const struct span *span, struct err *e)
{
    const struct json *smoothed = json_member(predicted, "bdy_idx_list_smt");
    size_t n = 0;
    v->n_numbers = 0;
    if (read_numbers(v, smoothed ? smoothed : predicted, e) < 0)
        return ERR_FAIL;
    for (size_t i = 0; i < v->n_numbers; i++) {
        double at = v->numbers[i] * span->factor / span->divisor;
        if (span->whole)
            at = floor(at);
        if (at >= 0 && at <= span->last)
            v->numbers[n++] = at;
    }
    v->n_numbers = v->example.detections.n = n;
    return 0;
}

/* -- the video -- */

/* *file is the one to be named in an error. */
static int read_video(struct gebd_video *v, const struct gebd_request *q,
                      const struct gebd_entry *entry, enum gebd_state *state, const char **file,
                      struct err *e)
{
    double agreement;
    struct span span;
    *file = gebd_truth_name(q->truth);
    if (json_get_f64(entry->truth, "f1_consis_avg", &agreement, e) < 0)
        return ERR_FAIL;
    *state = agreement < min_consistency ? GEBD_SKIPPED
             : entry->predicted          ? GEBD_SCORED
                                         : GEBD_MISSING;
    if (*state == GEBD_SKIPPED || (*state == GEBD_MISSING && q->rules == GEBD_NOTEBOOK))
        return 0;
    if (*state == GEBD_SCORED) {
        if (read_span(v, q, entry->truth, &span, e) < 0)
            return ERR_FAIL;
        *file = q->predictions.name;
        if (read_detections(v, entry->predicted, &span, e) < 0)
            return ERR_FAIL;
        *file = gebd_truth_name(q->truth);
        if (v->example.detections.n > 0)
            return read_raters(v, q, entry->truth, e);
        *state = GEBD_EMPTY;
    }
    return read_first_count(v, q, entry->truth, e);
}

static int begin(struct gebd_video *v, struct err *e)
{
    v->example = (struct gebd_example){0};
    v->n_numbers = 0;
    if (!v->raters && !(v->raters = mem_new(v->cap_raters = 1, sizeof *v->raters, e)))
        return ERR_FAIL;
    return 0;
}

static void finish(struct gebd_video *v)
{
    v->example.detections.at = v->numbers;
    v->example.raters = v->raters;
}

int gebd_video_read(struct gebd_video *v, const struct gebd_request *q,
                    const struct gebd_entry *entry, enum gebd_state *state, struct err *e)
{
    const char *file;
    if (begin(v, e) < 0)
        return ERR_FAIL;
    if (read_video(v, q, entry, state, &file, e) < 0)
        return err_add(e, "%s: video '%s'", file, entry->id);
    finish(v);
    return 0;
}

int gebd_video_look(struct gebd_video *v, const struct gebd_request *q,
                    const struct gebd_entry *entry, struct err *e)
{
    struct span span;
    if (begin(v, e) < 0)
        return ERR_FAIL;
    if (read_span(v, q, entry->truth, &span, e) < 0)
        return err_add(e, "%s: video '%s'", gebd_truth_name(q->truth), entry->id);
    if (entry->predicted && read_detections(v, entry->predicted, &span, e) < 0)
        return err_add(e, "%s: video '%s'", q->predictions.name, entry->id);
    if (read_raters(v, q, entry->truth, e) < 0)
        return err_add(e, "%s: video '%s'", gebd_truth_name(q->truth), entry->id);
    finish(v);
    return 0;
}
