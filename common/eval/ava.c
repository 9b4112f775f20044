/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/ava.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/intern.h"
#include "common/eval/ava_score.h"
#include "common/eval/ava_scores.h"
#include "common/eval/outputs.h"
#include "common/eval/report.h"

/* -- reading -- */

struct run {
    const struct ava_options *options;
    struct ava_labels labels;
    struct ava_data data;
    struct ava_file annotations[AVA_MAX_FILES]; /* names; texts while they are read */
    struct ava_class_score *scores;
    struct intern videos; /* those with annotated boxes that count */
    bool *predicted;      /* [videos.n] */
    size_t n_missing;     /* videos of which nothing is predicted */
    struct report inputs;
};

/* Reads a file with one of the readers below and notes its hash as the input `name`. */
static int read_file(struct run *r, const char *name, const char *path,
                     int (*read)(struct run *r, const char *text, size_t len, struct err *e),
                     struct err *e)
{
    struct buf text = {0};
    int rc = file_read(path, &text, e);
    if (rc == 0) {
        const char *start = text.data ? (const char *)text.data : "";
        report_put_hash(&r->inputs, name, start, text.len);
        rc = read(r, start, text.len, e);
        if (rc < 0)
            err_add_code(e, rc, "%s", path);
    }
    buf_release(&text);
    return rc;
}

static int read_labels(struct run *r, const char *text, size_t len, struct err *e)
{
    return ava_labels_read_text(&r->labels, text, len, e);
}

static int read_exclusions(struct run *r, const char *text, size_t len, struct err *e)
{
    return ava_read_exclusions(&r->data, text, len, e);
}

static int read_predictions(struct run *r, const char *text, size_t len, struct err *e)
{
    return ava_read_predictions(&r->data, text, len, e);
}

static int read_annotations(struct run *r, struct err *e)
{
    const struct ava_options *o = r->options;
    struct buf text[AVA_MAX_FILES] = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->n_annotations; i++) {
        struct ava_file *f = &r->annotations[i];
        char name[32];
        rc = file_read(o->annotations[i], &text[i], e);
        *f = (struct ava_file){o->annotations[i], text[i].data ? (const char *)text[i].data : "",
                               text[i].len};
        snprintf(name, sizeof name, i ? "annotations-%zu" : "annotations", i + 1);
        if (rc == 0)
            report_put_hash(&r->inputs, name, f->text, f->len);
    }
    if (rc == 0)
        rc = ava_read_annotations(&r->data, r->annotations, o->n_annotations, e);
    for (size_t i = 0; i < o->n_annotations; i++) {
        buf_release(&text[i]);
        r->annotations[i].text = NULL;
    }
    return rc;
}

/* Predictions from scores are read as the file that they would be. */
static int read_scores(struct run *r, struct err *e)
{
    const struct ava_options *o = r->options;
    struct buf csv = {0};
    int rc = ava_scores_to_csv(o->scores, &r->labels, &csv, e);
    const char *text = csv.data ? (const char *)csv.data : "";
    if (rc == 0 && o->csv)
        rc = file_write(o->csv, text, csv.len, e);
    if (rc == 0) {
        report_put_hash(&r->inputs, "scores", text, csv.len);
        rc = read_predictions(r, text, csv.len, e);
    }
    buf_release(&csv);
    return rc;
}

static int read_all(struct run *r, struct err *e)
{
    const struct ava_options *o = r->options;
    if (read_file(r, "labels", o->labels, read_labels, e) < 0 ||
        (o->exclude && read_file(r, "exclude", o->exclude, read_exclusions, e) < 0) ||
        read_annotations(r, e) < 0)
        return ERR_FAIL;
    return o->scores ? read_scores(r, e)
                     : read_file(r, "predictions", o->predictions, read_predictions, e);
}

/* -- what is missing -- */

/* The video of a frame, "VIDEO,TIMESTAMP". */
static int video_of(const struct run *r, size_t frame, struct buf *out, struct err *e)
{
    const char *key = r->data.keys.text[frame];
    buf_clear(out);
    return buf_printf(out, e, "%.*s", (int)(strrchr(key, ',') - key), key);
}

static int find_missing(struct run *r, struct err *e)
{
    const struct ava_table *t = &r->data.annotations;
    struct buf video = {0};
    uint32_t number;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->n_boxes; i++)
        if (i == 0 || t->boxes[i].frame != t->boxes[i - 1].frame) {
            rc = video_of(r, t->boxes[i].frame, &video, e);
            if (rc == 0)
                rc = intern_add(&r->videos, (char *)video.data, &number, e);
        }
    r->predicted = rc == 0 ? mem_new(r->videos.n, sizeof *r->predicted, e) : NULL;
    if (!r->predicted)
        rc = ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < r->data.keys.n; i++)
        if (r->data.frames[i].predicted && (rc = video_of(r, i, &video, e)) == 0) {
            int64_t at = intern_find(&r->videos, (char *)video.data);
            if (at >= 0)
                r->predicted[at] = true;
        }
    for (size_t i = 0; rc == 0 && i < r->videos.n; i++)
        r->n_missing += !r->predicted[i];
    buf_release(&video);
    return rc;
}

/* -- reporting -- */

static struct json *settings(const struct ava_options *o)
{
    struct report r = report_new();
    report_put_str(&r, "rules", ava_rules_names[o->rules]);
    report_put_f64(&r, "iou", AVA_IOU);
    if (o->rules == AVA_ACTIVITYNET)
        report_put_i64(&r, "max_boxes_per_frame", AVA_CAPACITY);
    return report_take(&r);
}

static struct json *counts(const struct ava_table *t)
{
    struct report r = report_new();
    report_put_i64(&r, "rows", t->counts.rows);
    report_put_i64(&r, "frames", t->counts.frames);
    report_put_i64(&r, "boxes", t->n);
    report_put_i64(&r, "frame_only", t->counts.empty);
    report_put_i64(&r, "other_class", t->counts.other_class);
    report_put_i64(&r, "excluded", t->counts.excluded);
    report_put_i64(&r, "unlisted", t->counts.unlisted);
    report_put_i64(&r, "over_limit", t->counts.over_capacity);
    report_put_i64(&r, "without_area", t->counts.invalid);
    return report_take(&r);
}

static struct json *classes(const struct run *r)
{
    struct json *array = json_new_array();
    for (size_t k = 0; array && k < r->labels.n; k++) {
        const struct ava_class_score *s = &r->scores[k];
        struct report c = report_new();
        report_put_i64(&c, "id", (size_t)r->labels.classes[k].id);
        report_put_str(&c, "name", r->labels.classes[k].name);
        report_put_f64(&c, "ap", s->ap);
        report_put_i64(&c, "annotated", s->n_boxes);
        report_put_i64(&c, "predicted", s->n_predictions);
        report_put_i64(&c, "matched", s->n_matched);
        array = report_append(array, report_take(&c));
    }
    return array;
}

static struct json *missing(const struct run *r)
{
    struct json *array = json_new_array();
    for (size_t i = 0; array && i < r->videos.n; i++)
        if (!r->predicted[i])
            array = report_append(array, json_new_str(r->videos.text[i]));
    return array;
}

static struct json *report(struct run *r)
{
    struct report o = report_start("teg-ava-eval", r->options->argv);
    size_t n_annotated = 0;
    for (size_t k = 0; k < r->labels.n; k++)
        n_annotated += r->scores[k].n_boxes > 0;
    report_put(&o, "settings", settings(r->options));
    report_put(&o, "inputs", report_take(&r->inputs));
    r->inputs = report_new();
    report_put_f64(&o, "mAP", ava_mean_ap(r->scores, r->labels.n));
    report_put_i64(&o, "n_classes", n_annotated);
    report_put_i64(&o, "n_missing", r->n_missing);
    report_put(&o, "annotations", counts(&r->data.annotations));
    report_put(&o, "predictions", counts(&r->data.predictions));
    report_put(&o, "classes", classes(r));
    report_put(&o, "missing", missing(r));
    return report_take(&o);
}

static int check_outputs(const struct ava_options *o, struct err *e)
{
    const struct output list[] = {{"--output", o->out, OUTPUT_METRICS},
                                  {"--csv", o->csv, OUTPUT_BOXES}};
    struct outputs all = {"teg-ava-eval", o->force, list, sizeof list / sizeof *list};
    return outputs_check(&all, e);
}

static void warn(const struct run *r, const struct json *metrics, struct ui *ui)
{
    const struct ava_options *o = r->options;
    size_t first = 0;
    if (json_i64(json_member(metrics, "n_classes")) == 0)
        ui_warn(ui, "%s: no box of a class in %s: nothing is measured", o->annotations[0],
                o->labels);
    while (first < r->videos.n && r->predicted[first])
        first++;
    if (r->n_missing)
        ui_warn(ui,
                "nothing is predicted of %zu of %zu annotated videos, the first is '%s': their "
                "boxes count as not found",
                r->n_missing, r->videos.n, r->videos.text[first]);
}

int ava_run(const struct ava_options *options, struct ui *ui, struct json **metrics, struct err *e)
{
    struct run r = {.options = options, .inputs = report_new()};
    struct json *document = NULL;
    ava_data_init(&r.data, options->rules, &r.labels);
    int rc = check_outputs(options, e);
    if (rc == 0)
        rc = read_all(&r, e);
    if (rc == 0) {
        r.scores = mem_new(r.labels.n, sizeof *r.scores, e);
        rc = r.scores ? ava_score(&r.data, r.scores, e) : ERR_FAIL;
    }
    if (rc == 0)
        rc = find_missing(&r, e);
    if (rc == 0) {
        document = report(&r);
        rc = document ? report_write(document, options->out, e)
                      : err_set(e, "%s: out of memory", options->out);
    }
    if (rc == 0)
        warn(&r, document, ui);
    if (rc == 0)
        *metrics = document;
    else
        json_free(document);
    json_free(report_take(&r.inputs));
    free(r.scores);
    free(r.predicted);
    intern_release(&r.videos);
    ava_data_release(&r.data);
    ava_labels_release(&r.labels);
    return rc;
}

/* -- the table for people -- */

static long long count(const struct json *object, const char *name)
{
    return (long long)json_i64(json_member(object, name));
}

static void print_counts(FILE *out, const struct json *metrics, const char *name)
{
    static const struct {
        const char *member, *why;
    } left_out[] = {{"other_class", "of classes that the label map lacks"},
                    {"excluded", "in excluded frames"},
                    {"unlisted", "in frames that the annotations do not name"},
                    {"over_limit", "beyond the best of their frame"},
                    {"without_area", "without area"}};
    const struct json *c = json_member(metrics, name);
    fprintf(out, "%-22s %lld boxes in %lld frames\n", name, count(c, "boxes"), count(c, "frames"));
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (count(c, left_out[i].member))
            fprintf(out, "%-22s %lld %s\n", "  left out", count(c, left_out[i].member),
                    left_out[i].why);
}

static void print_ap(FILE *out, const struct json *ap)
{
    if (json_kind(ap) == JSON_REAL)
        fprintf(out, "%6.2f %%\n", 100 * json_f64(ap));
    else
        fprintf(out, "%8s\n", "-");
}

void ava_print(FILE *out, const struct json *metrics)
{
    const struct json *set = json_member(metrics, "settings");
    const struct json *list = json_member(metrics, "classes");
    fprintf(out, "%-22s ", "mAP");
    print_ap(out, json_member(metrics, "mAP"));
    fprintf(out, "%-22s %s\n", "rules", json_str(json_member(set, "rules")));
    fprintf(out, "%-22s %lld of %zu are annotated\n", "classes", count(metrics, "n_classes"),
            json_len(list));
    print_counts(out, metrics, "annotations");
    print_counts(out, metrics, "predictions");
    if (count(metrics, "n_missing"))
        fprintf(out, "%-22s %lld annotated videos, of which nothing is predicted\n", "missing",
                count(metrics, "n_missing"));
    fprintf(out, "\n%5s  %-40s %9s %9s %9s %8s\n", "id", "class", "annotated", "predicted",
            "matched", "AP");
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *c = json_at(list, i);
        fprintf(out, "%5lld  %-40s %9lld %9lld %9lld ", count(c, "id"),
                json_str(json_member(c, "name")), count(c, "annotated"), count(c, "predicted"),
                count(c, "matched"));
        print_ap(out, json_member(c, "ap"));
    }
}
