/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_run.h"

#include "common/eval/gebd_file.h"
#include "common/eval/gebd_plot.h"
#include "common/eval/gebd_report.h"
#include "common/eval/gebd_scores.h"
#include "common/eval/outputs.h"
#include "common/eval/report.h"

struct gebd_options gebd_defaults(void)
{
    return (struct gebd_options){.downsample = 3, .score_threshold = 0.5, .n_threads = 1};
}

/* What a run holds. */
struct run {
    const struct gebd_options *options;
    struct gebd_truth *truth;
    struct gebd_loaded predictions;
    struct gebd_request request;
    struct gebd_scores *scores;
    struct gebd_result result;
    struct gebd_report report;
};

static void release(struct run *run)
{
    gebd_truth_close(run->truth);
    json_free(run->predictions.json);
    gebd_scores_close(run->scores);
    gebd_result_release(&run->result);
}

/* Scores become predictions in seconds. */
static int group_scores(struct run *run, struct err *e)
{
    const struct gebd_options *o = run->options;
    struct gebd_scores_how how = {.grouping = o->grouping,
                                  .threshold = o->score_threshold,
                                  .truth = run->truth,
                                  .n_threads = o->n_threads};
    if (gebd_scores_open(&run->scores, o->scores, e) < 0 ||
        gebd_scores_group(run->scores, &how, &run->predictions.json, &run->report.n_extra, e) < 0)
        return ERR_FAIL;
    run->report.predictions_identity = gebd_scores_identity(run->scores);
    return 0;
}

static int check_outputs(const struct gebd_options *o, struct err *e)
{
    const struct output list[] = {{"--output", o->out, OUTPUT_METRICS},
                                  {"--per-video", o->per_video, OUTPUT_PER_VIDEO},
                                  {"--plot-output", o->plot, OUTPUT_PICTURE}};
    struct outputs all = {"teg-gebd-eval", o->force, list, sizeof list / sizeof *list};
    return outputs_check(&all, e);
}

static int load(struct run *run, struct err *e)
{
    const struct gebd_options *o = run->options;
    int rc = check_outputs(o, e);
    if (rc == 0)
        rc = gebd_truth_open(&run->truth, o->annotations, e);
    if (rc < 0)
        return rc;
    run->report.annotations_identity = gebd_truth_identity(run->truth);
    if (o->scores)
        return group_scores(run, e);
    rc = gebd_load_predictions(&run->predictions, o->predictions, e);
    run->report.predictions_identity = run->predictions.identity;
    return rc;
}

static int evaluate(struct run *run, struct err *e)
{
    const struct gebd_options *o = run->options;
    run->request = (struct gebd_request){
        .truth = run->truth,
        .predictions = {o->scores ? o->scores : o->predictions, run->predictions.json},
        .rules = o->rules,
        .unit = o->scores ? GEBD_SECONDS : o->unit,
        .downsample = o->downsample,
        .n_threads = o->n_threads};
    int rc = gebd_evaluate(&run->result, &run->request, e);
    run->report.n_extra += run->result.n_extra;
    return rc;
}

static void warn(const struct run *run, struct ui *ui)
{
    const struct gebd_result *r = &run->result;
    size_t first = 0;
    while (first < r->n_videos && r->videos[first].state != GEBD_MISSING)
        first++;
    if (first < r->n_videos)
        ui_warn(ui,
                "videos without prediction: %zu of %zu, the first is '%s'; all are listed in the "
                "metrics",
                r->n_state[GEBD_MISSING], r->n_videos - r->n_state[GEBD_SKIPPED],
                r->videos[first].id);
    if (run->report.n_extra)
        ui_warn(ui, "predictions of videos that are not in %s: %zu", run->options->annotations,
                run->report.n_extra);
}

static int write_outputs(struct run *run, struct json *metrics, struct err *e)
{
    const struct gebd_options *o = run->options;
    if (o->per_video && gebd_write_per_video(&run->report, o->per_video, e) < 0)
        return ERR_FAIL;
    if (o->plot) {
        struct gebd_plot plot = {.request = &run->request,
                                 .scores = run->scores,
                                 .score_threshold = o->score_threshold,
                                 .frames = o->frames,
                                 .id = o->plot_id,
                                 .threshold = o->threshold};
        if (gebd_plot_write(&plot, o->plot, e) < 0)
            return ERR_FAIL;
    }
    return report_write(metrics, o->out, e);
}

int gebd_run(const struct gebd_options *options, struct ui *ui, struct json **metrics,
             struct err *e)
{
    struct run run = {.options = options, .report = {.options = options}};
    struct json *report = NULL;
    run.report.result = &run.result;
    int rc = load(&run, e);
    if (rc == 0)
        rc = evaluate(&run, e);
    if (rc == 0) {
        warn(&run, ui);
        report = gebd_report(&run.report);
        rc =
            report ? write_outputs(&run, report, e) : err_set(e, "%s: out of memory", options->out);
    }
    if (rc == 0)
        *metrics = report;
    else
        json_free(report);
    release(&run);
    return rc;
}
