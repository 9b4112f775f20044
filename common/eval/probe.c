/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/eval/outputs.h"
#include "common/eval/probe_knn.h"
#include "common/eval/probe_report.h"
#include "common/eval/probe_verbs.h"
#include "common/eval/report.h"

const char *const probe_method_names[] = {"linear", "logistic", "knn", "logits", NULL};
const char *const probe_normalize_names[] = {"none", "l2", "centred", NULL};

struct probe_options probe_defaults(void)
{
    return (struct probe_options){
        .normalize = PROBE_UNIT,
        .bias = true,
        .precision = DTYPE_F32,
        .sgd = {.epochs = 100, .warmup_epochs = 5, .batch = 1024, .momentum = 0.9},
        .lbfgs = {.max_iterations = 200, .l2 = 1e-6, .tolerance = 1e-5},
        .k = 20,
        .temperature = 0.07,
        .device = "cpu",
        .n_threads = 1,
    };
}

/* -- predicting -- */

static int predict_linear(struct probe_result *r, struct backend *b, struct ui *ui, struct err *e)
{
    const struct probe_data *d = r->data;
    const struct probe_set *train = &d->set[PROBE_TRAIN], *test = &d->set[PROBE_TEST];
    struct linear_shape shape = {.n_channels = d->n_channels,
                                 .width = d->width,
                                 .n_classes = d->n_classes,
                                 .dtype = d->dtype};
    struct linear_examples fit_on = {
        .n = train->n_rows, .x = train->x, .label = train->label, .group = train->decision};
    struct linear_examples apply_to = {.n = test->n_rows, .x = test->x};
    struct sgd_options sgd = r->options->sgd;
    struct lbfgs_options lbfgs = r->options->lbfgs;
    struct linear *m = NULL;
    sgd.ui = lbfgs.ui = ui;
    int rc = linear_new(&m, &shape, b, e);
    if (rc == 0 && r->options->method == PROBE_LINEAR)
        rc = linear_fit_sgd(m, &fit_on, &sgd, &r->fit, e);
    else if (rc == 0)
        rc = linear_fit_lbfgs(m, &fit_on, &lbfgs, &r->fit, e);
    r->fitted = true;
    if (rc == 0)
        rc = linear_predict(m, &apply_to, test->decision, r->scores, e);
    linear_free(m);
    return rc;
}

static int predict_knn(struct probe_result *r, struct backend *b, struct ui *ui, struct err *e)
{
    const struct probe_data *d = r->data;
    const struct probe_set *train = &d->set[PROBE_TRAIN], *test = &d->set[PROBE_TEST];
    struct knn_search search = {.b = b,
                                .train = {.n = train->n_rows, .x = train->x},
                                .test = {.n = test->n_rows, .x = test->x},
                                .label = train->label,
                                .group = test->decision};
    struct knn_options options = {.k = r->options->k,
                                  .temperature = r->options->temperature,
                                  .width = d->width,
                                  .n_classes = d->n_classes,
                                  .dtype = d->dtype,
                                  .ui = ui};
    return knn_predict(&search, &options, r->scores, e);
}

/* The rows of the test are scores already. */
static int predict_logits(struct probe_result *r, struct backend *b, struct err *e)
{
    const struct probe_data *d = r->data;
    const struct probe_set *test = &d->set[PROBE_TEST];
    size_t n = d->n_classes;
    float *logits = mem_new(n, sizeof *logits, e);
    int rc = logits ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < test->n_rows; i++) {
        const float *row = (const float *)test->x + i * d->width;
        rc = b->ops->download(b, logits, row, n * sizeof *logits, e);
        if (rc == 0)
            linear_add_softmax(logits, n, r->scores + test->decision[i] * n);
    }
    free(logits);
    return rc;
}

static int predict(struct probe_result *r, struct backend *b, struct ui *ui, struct err *e)
{
    switch (r->options->method) {
    case PROBE_KNN:
        return predict_knn(r, b, ui, e);
    case PROBE_LOGITS:
        return predict_logits(r, b, e);
    default:
        return predict_linear(r, b, ui, e);
    }
}

/* Sums over the rows of a decision become means. */
static void average(struct probe_result *r)
{
    const struct probe_set *test = &r->data->set[PROBE_TEST];
    size_t n_classes = r->data->n_classes;
    for (size_t i = 0; i < test->n_decisions; i++) {
        double sum = 0;
        for (size_t k = 0; k < n_classes; k++)
            sum += r->scores[i * n_classes + k];
        for (size_t k = 0; k < n_classes; k++)
            r->scores[i * n_classes + k] /= sum;
    }
}

static int score(struct probe_result *r, struct backend *b, struct ui *ui, struct err *e)
{
    const struct probe_set *test = &r->data->set[PROBE_TEST];
    size_t n_classes = r->data->n_classes;
    r->scores = mem_new(test->n_decisions, n_classes * sizeof *r->scores, e);
    r->predicted = mem_new(test->n_decisions, sizeof *r->predicted, e);
    if (!r->scores || !r->predicted || accuracy_init(&r->accuracy, n_classes, e) < 0)
        return ERR_FAIL;
    int rc = predict(r, b, ui, e);
    if (rc < 0)
        return rc;
    average(r);
    for (size_t i = 0; i < test->n_decisions; i++)
        r->predicted[i] = (uint32_t)accuracy_add(&r->accuracy, (size_t)test->decisions[i].label,
                                                 r->scores + i * n_classes);
    rc = probe_verbs_score(r->data, r->scores, r->verbs, e);
    r->has_verbs = rc > 0;
    return rc < 0 ? rc : 0;
}

/* -- reporting -- */

static void warn_gaps(struct ui *ui, const struct probe_data *d, const struct gap_list *list,
                      const char *what)
{
    if (list->n)
        ui_warn(ui, "%zu %s, the first is '%s'; all are listed in the metrics", list->n, what,
                index_video(d->index, list->gaps[0].video)->id);
}

static void warn(struct ui *ui, const struct probe_data *d)
{
    warn_gaps(ui, d, &d->missing, "labelled videos or events have no embeddings");
    warn_gaps(ui, d, &d->bad, "videos are bad in the index");
    warn_gaps(ui, d, &d->unlabelled, "videos have embeddings, but no label");
    if (d->n_overlap)
        ui_warn(ui, "%zu videos are in training and test", d->n_overlap);
    if (d->n_unseen)
        ui_warn(ui, "%zu classes of the test are not in the training; they count as wrong",
                d->n_unseen);
    if (d->n_trained == 1)
        ui_warn(ui, "all clips of the training are of class '%s': there is nothing to tell apart",
                index_class(d->index, d->of_events, (size_t)d->set[PROBE_TRAIN].label[0]));
}

/* The metrics come first: a picture that fails does not take them along. */
static int write_outputs(const struct probe_result *r, struct json *metrics, struct err *e)
{
    const struct probe_options *o = r->options;
    if (report_write(metrics, o->out, e) < 0)
        return ERR_FAIL;
    if (o->confusion && probe_draw_confusion(r, o->confusion, e) < 0)
        return ERR_FAIL;
    if (o->similarity && probe_draw_similarity(r, o->similarity, e) < 0)
        return ERR_FAIL;
    if (o->predictions && probe_write_predictions(r, o->predictions, e) < 0)
        return ERR_FAIL;
    return 0;
}

/* -- the whole -- */

/* What a run holds; released in the reverse order. */
struct run {
    struct probe_options options;
    struct probe_data *data;
    struct similarity *similarity;
    struct backend *backend;
    struct probe_result result;
};

static int check_outputs(const struct probe_options *o, struct err *e)
{
    const struct output list[] = {{"--output", o->out, OUTPUT_METRICS},
                                  {"--confusion", o->confusion, OUTPUT_PICTURE},
                                  {"--similarity", o->similarity, OUTPUT_PICTURE},
                                  {"--predictions", o->predictions, OUTPUT_DECISIONS}};
    struct outputs all = {"teg-probe", o->force, list, sizeof list / sizeof *list};
    return outputs_check(&all, e);
}

static int load(struct run *run, struct ui *ui, struct err *e)
{
    const struct probe_options *o = &run->options;
    struct backend_options backend = {.device = o->device, .n_threads = o->n_threads};
    if (check_outputs(o, e) < 0 || probe_data_open(&run->data, &o->source, e) < 0)
        return ERR_FAIL;
    struct probe_data *d = run->data;
    warn(ui, d);
    if (o->similarity && !d->n_full)
        return err_set(e,
                       "%s: no test video has two to %d clips, so there is no similarity to draw",
                       probe_data_path(d, PROBE_TEST), SIMILARITY_MAX_MOMENTS);
    if (similarity_new(&run->similarity, d->n_channels, d->n_moments, d->n_full, e) < 0 ||
        backend_open(&run->backend, &backend, e) < 0)
        return ERR_FAIL;
    struct probe_load how = {.dtype = o->precision,
                             .normalize = o->normalize,
                             .bias = o->bias && o->method != PROBE_KNN,
                             .n_threads = o->n_threads,
                             .similarity = o->source.scores ? NULL : run->similarity,
                             .ui = ui};
    return probe_data_load(d, run->backend, &how, e);
}

static void release(struct run *run)
{
    free(run->result.scores);
    free(run->result.predicted);
    accuracy_release(&run->result.accuracy);
    similarity_free(run->similarity);
    probe_data_free(run->data);
    backend_close(run->backend);
}

int probe_run(const struct probe_options *options, struct ui *ui, struct json **metrics,
              struct err *e)
{
    struct run run = {.options = *options};
    if (options->method == PROBE_KNN && options->normalize == PROBE_AS_IS)
        run.options.normalize = PROBE_UNIT;
    if (options->method == PROBE_LOGITS) {
        run.options.source.scores = true;
        run.options.normalize = PROBE_AS_IS;
        run.options.precision = DTYPE_F32;
        run.options.bias = false;
    }
    struct json *report = NULL;
    if (run.options.sgd.lr == 0)
        run.options.sgd.lr = options->source.of_events ? 4 : 32;
    int rc = load(&run, ui, e);
    run.result.options = &run.options;
    run.result.data = run.data;
    run.result.similarity = run.similarity;
    if (rc == 0)
        rc = score(&run.result, run.backend, ui, e);
    if (rc == 0) {
        report = probe_report(&run.result);
        rc = report ? write_outputs(&run.result, report, e)
                    : err_set(e, "%s: out of memory", options->out);
    }
    if (rc == 0)
        ui_detail(ui, "settings %s, inputs %s", json_text(json_member(report, "settings")),
                  json_text(json_member(report, "inputs")));
    if (rc == 0)
        *metrics = report;
    else
        json_free(report);
    release(&run);
    return rc;
}
