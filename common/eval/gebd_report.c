/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_report.h"

#include <ctype.h>
#include <stdbool.h>

#include "common/base/file.h"
#include "common/base/version.h"

/* -- JSON -- */

static struct json *count(size_t n)
{
    return json_new_i64((int64_t)n);
}

static struct json *settings(const struct gebd_options *o)
{
    struct json *j = json_new_object();
    bool frames = !o->scores && o->unit == GEBD_FRAMES;
    if (json_add(j, "rules", json_new_str(gebd_rules_names[o->rules])) == 0 &&
        json_add(j, "unit", json_new_str(gebd_unit_names[frames])) == 0 &&
        (!frames || json_add(j, "downsample", json_new_f64(o->downsample)) == 0) &&
        (!o->scores ||
         (json_add(j, "grouping", json_new_str(gebd_grouping_names[o->grouping])) == 0 &&
          json_add(j, "score_threshold", json_new_f64(o->score_threshold)) == 0)))
        return j;
    json_free(j);
    return NULL;
}

static struct json *inputs(const struct gebd_report *r)
{
    struct json *j = json_new_object();
    if (json_add(j, "annotations", json_new_str(r->annotations_identity)) == 0 &&
        json_add(j, r->options->scores ? "scores" : "predictions",
                 json_new_str(r->predictions_identity)) == 0)
        return j;
    json_free(j);
    return NULL;
}

static struct json *threshold(const struct gebd_counts *c, double relative_distance)
{
    struct json *j = json_new_object();
    struct gebd_score s = gebd_score(c);
    if (json_add(j, "rel_dis", json_new_f64(relative_distance)) == 0 &&
        json_add(j, "tp", count(c->tp)) == 0 &&
        json_add(j, "n_positive", count(c->n_positive)) == 0 &&
        json_add(j, "n_detected", count(c->n_detected)) == 0 &&
        json_add(j, "precision", json_new_f64(s.precision)) == 0 &&
        json_add(j, "recall", json_new_f64(s.recall)) == 0 &&
        json_add(j, "f1", json_new_f64(s.f1)) == 0)
        return j;
    json_free(j);
    return NULL;
}

static struct json *thresholds(const struct gebd_result *r)
{
    struct json *list = json_new_array();
    int rc = list ? 0 : ERR_FAIL;
    for (size_t k = 0; rc == 0 && k < GEBD_THRESHOLDS; k++)
        rc = json_append(list, threshold(&r->counts[k], gebd_thresholds[k]));
    if (rc == 0)
        return list;
    json_free(list);
    return NULL;
}

static int add_means(struct json *j, const struct gebd_result *r)
{
    double precision[GEBD_THRESHOLDS], recall[GEBD_THRESHOLDS], f1[GEBD_THRESHOLDS];
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++) {
        struct gebd_score s = gebd_score(&r->counts[k]);
        precision[k] = s.precision;
        recall[k] = s.recall;
        f1[k] = s.f1;
    }
    if (json_add(j, "mean_precision", json_new_f64(gebd_mean(precision))) < 0 ||
        json_add(j, "mean_recall", json_new_f64(gebd_mean(recall))) < 0)
        return ERR_FAIL;
    return json_add(j, "mean_f1", json_new_f64(gebd_mean(f1)));
}

static int add_counts(struct json *j, const struct gebd_report *r)
{
    const size_t *n = r->result->n_state;
    if (json_add(j, "n_videos", count(r->result->n_videos)) < 0 ||
        json_add(j, "n_scored", count(n[GEBD_SCORED])) < 0 ||
        json_add(j, "n_empty", count(n[GEBD_EMPTY])) < 0 ||
        json_add(j, "n_missing", count(n[GEBD_MISSING])) < 0 ||
        json_add(j, "n_skipped", count(n[GEBD_SKIPPED])) < 0)
        return ERR_FAIL;
    return json_add(j, "n_extra", count(r->n_extra));
}

static struct json *missing(const struct gebd_result *r)
{
    struct json *list = json_new_array();
    int rc = list ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < r->n_videos; i++) {
        if (r->videos[i].state != GEBD_MISSING)
            continue;
        struct json *video = json_new_object();
        rc = json_append(list, json_ref(video));
        if (rc == 0)
            rc = json_add(video, "video", json_new_str(r->videos[i].id));
        json_free(video);
    }
    if (rc == 0)
        return list;
    json_free(list);
    return NULL;
}

struct json *gebd_report(const struct gebd_report *r)
{
    struct json *j = json_new_object(), *argv = r->options->argv;
    if (json_add(j, "schema", json_new_str("metrics")) == 0 &&
        json_add(j, "version", json_new_i64(1)) == 0 &&
        json_add(j, "tool", json_new_str("teg-gebd-eval")) == 0 &&
        json_add(j, "tool_version", json_new_str(TEG_VERSION)) == 0 &&
        (!argv || json_add(j, "argv", json_ref(argv)) == 0) &&
        json_add(j, "settings", settings(r->options)) == 0 &&
        json_add(j, "inputs", inputs(r)) == 0 && add_counts(j, r) == 0 &&
        add_means(j, r->result) == 0 && json_add(j, "thresholds", thresholds(r->result)) == 0 &&
        json_add(j, "missing", missing(r->result)) == 0)
        return j;
    json_free(j);
    return NULL;
}

/* -- one line a video -- */

/* Ids come from JSON and may hold anything; a line has to stay a line. */
static void put_id(FILE *out, const char *id)
{
    for (; *id; id++)
        fputc(iscntrl((unsigned char)*id) ? '?' : *id, out);
}

int gebd_write_per_video(const struct gebd_report *r, const char *path, struct err *e)
{
    struct file_out *f = NULL;
    if (file_out_open(&f, path, e) < 0)
        return ERR_FAIL;
    FILE *out = file_out_stream(f);
    fprintf(out, "video\tstate\trater\ttp\tpositives\tdetections\tf1\n");
    for (size_t i = 0; i < r->result->n_videos; i++) {
        const struct gebd_outcome *o = &r->result->videos[i];
        const struct gebd_match *m = &o->match[r->options->threshold];
        put_id(out, o->id);
        fprintf(out, "\t%s\t", gebd_state_names[o->state]);
        if (o->state == GEBD_SCORED)
            fprintf(out, "%u\t%u\t%u\t%u\t%.4f\n", m->rater, m->tp, m->n_positive, o->n_detected,
                    m->f1);
        else
            fprintf(out, "-\t%u\t%u\t%u\t-\n", m->tp, m->n_positive, o->n_detected);
    }
    return file_out_publish(f, e);
}

/* -- the table for people -- */

static double number(const struct json *object, const char *name)
{
    return json_f64(json_member(object, name));
}

static long long count_of(const struct json *object, const char *name)
{
    return (long long)json_i64(json_member(object, name));
}

static void print_row(FILE *out, const char *name, const double percent[3])
{
    fprintf(out, "%-9s %9.2f %9.2f %9.2f\n", name, 100 * percent[0], 100 * percent[1],
            100 * percent[2]);
}

static void print_table(FILE *out, const struct json *metrics)
{
    const struct json *list = json_member(metrics, "thresholds");
    char name[32];
    fprintf(out, "%-9s %9s %9s %9s\n", "distance", "precision", "recall", "F1");
    for (size_t k = 0; k < json_len(list); k++) {
        const struct json *at = json_at(list, k);
        snprintf(name, sizeof name, "%.2f", number(at, "rel_dis"));
        print_row(out, name,
                  (double[]){number(at, "precision"), number(at, "recall"), number(at, "f1")});
    }
    print_row(out, "mean",
              (double[]){number(metrics, "mean_precision"), number(metrics, "mean_recall"),
                         number(metrics, "mean_f1")});
}

void gebd_print(FILE *out, const struct json *metrics)
{
    const char *rules = json_str(json_member(json_member(metrics, "settings"), "rules"));
    bool costs = rules && strcmp(rules, gebd_rules_names[GEBD_CHALLENGE]) == 0;
    long long n_missing = count_of(metrics, "n_missing");
    fprintf(out, "event boundaries, %s rules, videos: %lld, without prediction: %lld%s\n",
            rules ? rules : "", count_of(metrics, "n_videos") - count_of(metrics, "n_skipped"),
            n_missing,
            !n_missing ? ""
            : costs    ? " (their boundaries count as missed)"
                       : " (not counted)");
    print_table(out, metrics);
    fprintf(out, "left out as raters disagree: %lld, predictions of other videos: %lld\n",
            count_of(metrics, "n_skipped"), count_of(metrics, "n_extra"));
}
