/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/vidsitu_eval.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/intern.h"
#include "common/datasets/annotation_files.h"
#include "common/datasets/importer.h"
#include "common/eval/outputs.h"
#include "common/eval/report.h"
#include "common/eval/vidsitu_predictions.h"

enum { MIN_GIVEN = 9 };

struct run {
    const struct vidsitu_options *options;
    struct report inputs;
    struct video_list list; /* of the split, in its order */
    struct vidsitu_import import;
    struct intern verbs;
    struct vidsitu_predictions predictions;
    uint32_t *given; /* [n_given] numbers of the verbs that `events` refer to */
    size_t n_given;
    struct vidsitu_event *events; /* five of each predicted video */
};

/* -- annotations -- */

struct part {
    struct run *run;
    const char *input;
    int (*read)(const char *text, size_t len, struct vidsitu_import *im, struct err *e);
};

static int read_part(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    const struct part *part = user;
    (void)path;
    report_put_hash(&part->run->inputs, part->input, text ? text : "", len);
    return part->read(text, len, &part->run->import, e);
}

/* ANNOTATIONS/BELOW/WHAT_SPLIT_lb.json, or without BELOW; its path is the caller's. */
static int read_file(struct part *part, const char *below, const char *what, char **path,
                     struct err *e)
{
    const struct vidsitu_options *o = part->run->options;
    struct buf name = {0}, full = {0};
    int rc = buf_printf(&name, e, "%s_%s_lb.json", what, o->split);
    if (rc == 0)
        rc = buf_printf(&full, e, "%s/%s", below, (char *)name.data);
    if (rc == 0) {
        const char *const names[] = {(char *)full.data, (char *)name.data, NULL};
        rc = annotation_files_need(o->annotations, names, path, e);
    }
    if (rc >= 0)
        rc = annotation_files_read(*path, read_part, part, e);
    buf_release(&name);
    buf_release(&full);
    return rc;
}

/* With an empty vocabulary the importer's readers keep what every annotator said. */
static int read_annotations(struct run *r, char **ids, char **verbs, struct err *e)
{
    struct part split = {r, "split", vidsitu_read_split}, vinfo = {r, "vinfo", vidsitu_read_vinfo};
    r->import = (struct vidsitu_import){
        .list = &r->list, .split = "val", .verbs = json_new_object(), .unknown = "<unk>"};
    if (read_file(&split, "split_files", "vseg_split", ids, e) < 0)
        return ERR_FAIL;
    if (r->list.n == 0)
        return err_set(e, "%s: no ids", *ids);
    if (json_len(r->import.videos) != r->list.n)
        return err_set(e, "%s: an id is there twice", *ids);
    return read_file(&vinfo, "vinfo_files", "vinfo", verbs, e);
}

/* -- predictions -- */

static int take_predictions(void *user, const char *path, const char *text, size_t len,
                            struct err *e)
{
    struct run *r = user;
    (void)path;
    report_put_hash(&r->inputs, "predictions", text ? text : "", len);
    return vidsitu_predictions_read_text(&r->predictions, text, len, e);
}

/* -- both together -- */

static int check_missing(const struct run *r, struct err *e)
{
    size_t n_missing = r->list.n - r->predictions.n_predicted, first = 0;
    if (n_missing <= r->options->max_missing)
        return 0;
    while (r->predictions.videos[first].there)
        first++;
    return err_set(e, "%s: %zu of %zu videos have no prediction, the first is %s (ann_idx %zu)",
                   r->options->predictions, n_missing, r->list.n, r->list.videos[first].id, first);
}

/* The official code asks for this of the first event alone. */
static int check_given(const struct video *v, const char *vinfo, struct err *e)
{
    if (!v->events)
        return err_set(e, "%s: no entry for %s", vinfo, v->id);
    if (v->events[0].n_labels < MIN_GIVEN)
        return err_set(e, "%s: %s: Ev1: %zu verbs, not at least %d", vinfo, v->id,
                       v->events[0].n_labels, MIN_GIVEN);
    return 0;
}

static int add_event(struct run *r, size_t video, size_t k, struct vidsitu_event *out,
                     struct err *e)
{
    const struct event *event = &r->list.videos[video].events[k];
    const struct vidsitu_prediction *p = &r->predictions.videos[video];
    size_t n = event->n_labels < VIDSITU_GIVEN ? event->n_labels : VIDSITU_GIVEN;
    *out = (struct vidsitu_event){.video = (uint32_t)video,
                                  .predicted = p->verbs[k],
                                  .n_predicted = p->n[k],
                                  .given = r->given + r->n_given,
                                  .n_given = n};
    for (size_t i = 0; i < n; i++)
        if (intern_add(&r->verbs, event->labels[i], &r->given[r->n_given++], e) < 0)
            return ERR_FAIL;
    return 0;
}

static int make_events(struct run *r, const char *vinfo, struct err *e)
{
    size_t n_events = r->predictions.n_predicted * VIDSITU_EVENTS, n = 0;
    r->events = mem_new(n_events + 1, sizeof *r->events, e);
    r->given = mem_new(n_events * VIDSITU_GIVEN + 1, sizeof *r->given, e);
    if (!r->events || !r->given)
        return ERR_FAIL;
    for (size_t i = 0; i < r->list.n; i++) {
        if (!r->predictions.videos[i].there)
            continue;
        if (check_given(&r->list.videos[i], vinfo, e) < 0)
            return ERR_FAIL;
        for (size_t k = 0; k < VIDSITU_EVENTS; k++)
            if (add_event(r, i, k, &r->events[n++], e) < 0)
                return ERR_FAIL;
    }
    return 0;
}

static int read_all(struct run *r, struct err *e)
{
    char *ids = NULL, *vinfo = NULL;
    int rc = read_annotations(r, &ids, &vinfo, e);
    if (rc == 0)
        rc = vidsitu_predictions_init(&r->predictions, r->list.n, &r->verbs, e);
    if (rc == 0)
        rc = annotation_files_read(r->options->predictions, take_predictions, r, e);
    if (rc == 0)
        rc = check_missing(r, e);
    if (rc == 0)
        rc = make_events(r, vinfo, e);
    free(ids);
    free(vinfo);
    return rc;
}

/* -- reporting -- */

static struct json *missing(const struct run *r)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < r->list.n && array; i++)
        if (!r->predictions.videos[i].there)
            array = report_append(array, json_new_str(r->list.videos[i].id));
    return array;
}

static struct json *report(struct run *r, const struct vidsitu_scores *scores)
{
    struct report o = report_start("teg-vidsitu-eval", r->options->argv), settings = report_new();
    report_put_str(&settings, "split", r->options->split);
    report_put(&o, "settings", report_take(&settings));
    report_put(&o, "inputs", report_take(&r->inputs));
    r->inputs = report_new();
    report_put(&o, "vidsitu", vidsitu_report(scores));
    report_put_i64(&o, "n_repeated", r->predictions.n_repeated);
    report_put_i64(&o, "n_missing", r->list.n - r->predictions.n_predicted);
    report_put(&o, "missing", missing(r));
    return report_take(&o);
}

static void warn(const struct run *r, struct ui *ui)
{
    if (r->predictions.n_repeated)
        ui_warn(ui, "%s: %zu entries are for videos that have one already; the first counts",
                r->options->predictions, r->predictions.n_repeated);
    if (r->predictions.n_predicted < r->list.n)
        ui_warn(ui, "%s: %zu of %zu videos have no prediction and do not count",
                r->options->predictions, r->list.n - r->predictions.n_predicted, r->list.n);
}

static void release(struct run *r)
{
    json_free(report_take(&r->inputs));
    vidsitu_release(&r->import);
    video_list_release(&r->list);
    intern_release(&r->verbs);
    vidsitu_predictions_release(&r->predictions);
    free(r->given);
    free(r->events);
}

int vidsitu_run(const struct vidsitu_options *options, struct ui *ui, struct json **metrics,
                struct err *e)
{
    struct run r = {.options = options, .inputs = report_new()};
    struct vidsitu_scores scores[VIDSITU_N_RULES];
    struct json *document = NULL;
    struct output out = {"--output", options->out, OUTPUT_METRICS};
    int rc = outputs_check(&(struct outputs){"teg-vidsitu-eval", options->force, &out, 1}, e);
    if (rc == 0)
        rc = read_all(&r, e);
    for (int k = 0; rc == 0 && k < VIDSITU_N_RULES; k++)
        rc = vidsitu_score(&scores[k], r.events, r.predictions.n_predicted * VIDSITU_EVENTS,
                           (enum vidsitu_rules)k, e);
    if (rc == 0) {
        warn(&r, ui);
        document = report(&r, scores);
        rc = document ? report_write(document, options->out, e)
                      : err_set(e, "%s: out of memory", options->out);
    }
    if (rc == 0)
        *metrics = document;
    else
        json_free(document);
    release(&r);
    return rc;
}

void vidsitu_eval_print(FILE *out, const struct json *metrics)
{
    vidsitu_print(out, json_member(metrics, "vidsitu"));
}
