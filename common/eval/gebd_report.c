/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_report.h"

#include <ctype.h>
#include <stdbool.h>

#include "common/base/file.h"
#include "common/eval/report.h"

/* -- JSON -- */

static struct json *settings(const struct gebd_options *o)
{
    struct report r = report_new();
    bool frames = !o->scores && o->unit == GEBD_FRAMES;
    report_put_str(&r, "rules", gebd_rules_names[o->rules]);
    report_put_str(&r, "unit", gebd_unit_names[frames]);
    if (frames)
        report_put_f64(&r, "downsample", o->downsample);
    if (o->scores) {
        report_put_str(&r, "grouping", gebd_grouping_names[o->grouping]);
        report_put_f64(&r, "score_threshold", o->score_threshold);
    }
    return report_take(&r);
}

static struct json *inputs(const struct gebd_report *g)
{
    struct report r = report_new();
    report_put_str(&r, "annotations", g->annotations_identity);
    report_put_str(&r, g->options->scores ? "scores" : "predictions", g->predictions_identity);
    return report_take(&r);
}

static struct json *threshold(const struct gebd_counts *c, double relative_distance)
{
    struct report r = report_new();
    struct gebd_score s = gebd_score(c);
    report_put_f64(&r, "rel_dis", relative_distance);
    report_put_i64(&r, "tp", c->tp);
    report_put_i64(&r, "n_positive", c->n_positive);
    report_put_i64(&r, "n_detected", c->n_detected);
    report_put_f64(&r, "precision", s.precision);
    report_put_f64(&r, "recall", s.recall);
    report_put_f64(&r, "f1", s.f1);
    return report_take(&r);
}

static struct json *thresholds(const struct gebd_result *g)
{
    struct json *list = json_new_array();
    for (size_t k = 0; list && k < GEBD_THRESHOLDS; k++)
        list = report_append(list, threshold(&g->counts[k], gebd_thresholds[k]));
    return list;
}

static void put_means(struct report *r, const struct gebd_result *g)
{
    double precision[GEBD_THRESHOLDS], recall[GEBD_THRESHOLDS], f1[GEBD_THRESHOLDS];
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++) {
        struct gebd_score s = gebd_score(&g->counts[k]);
        precision[k] = s.precision;
        recall[k] = s.recall;
        f1[k] = s.f1;
    }
    report_put_f64(r, "mean_precision", gebd_mean(precision));
    report_put_f64(r, "mean_recall", gebd_mean(recall));
    report_put_f64(r, "mean_f1", gebd_mean(f1));
}

static void put_counts(struct report *r, const struct gebd_report *g)
{
    const size_t *n = g->result->n_state;
    report_put_i64(r, "n_videos", g->result->n_videos);
    report_put_i64(r, "n_scored", n[GEBD_SCORED]);
    report_put_i64(r, "n_empty", n[GEBD_EMPTY]);
    report_put_i64(r, "n_missing", n[GEBD_MISSING]);
    report_put_i64(r, "n_skipped", n[GEBD_SKIPPED]);
    report_put_i64(r, "n_extra", g->n_extra);
}

static struct json *missing(const struct gebd_result *g)
{
    struct json *list = json_new_array();
    for (size_t i = 0; list && i < g->n_videos; i++)
        if (g->videos[i].state == GEBD_MISSING)
            list = report_append(list, json_new_str(g->videos[i].id));
    return list;
}

struct json *gebd_report(const struct gebd_report *g)
{
    struct report r = report_start("teg-gebd-eval", g->options->argv);
    report_put(&r, "settings", settings(g->options));
    report_put(&r, "inputs", inputs(g));
    put_counts(&r, g);
    put_means(&r, g->result);
    report_put(&r, "thresholds", thresholds(g->result));
    report_put(&r, "missing", missing(g->result));
    return report_take(&r);
}

/* -- one line a video -- */

/* Ids come from JSON and may hold anything; a line has to stay a line. */
static void put_id(FILE *out, const char *id)
{
    for (; *id; id++)
        fputc(iscntrl((unsigned char)*id) ? '?' : *id, out);
}

const char gebd_per_video_head[] = "video\tstate\trater\ttp\tpositives\tdetections\tf1\n";

int gebd_write_per_video(const struct gebd_report *r, const char *path, struct err *e)
{
    struct file_out *f = NULL;
    if (file_out_open(&f, path, e) < 0)
        return ERR_FAIL;
    FILE *out = file_out_stream(f);
    fputs(gebd_per_video_head, out);
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
