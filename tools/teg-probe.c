/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/eval/probe.h"
#include "common/eval/report.h"
#include "common/nn/nn_device.h"

static const char *const label_names[] = {"class", "events", NULL};
static const char *const not_recorded[] = {"confusion", "similarity", "predictions",
                                           "print",     "force",      NULL};
static const char *const outputs[] = {"confusion", "similarity", "predictions", NULL};

enum {
    KEY_EMBEDDINGS = 256,
    KEY_TEST,
    KEY_INDEX,
    KEY_LABELS,
    KEY_METHOD,
    KEY_NORMALIZE,
    KEY_NO_BIAS,
    KEY_PRECISION,
    KEY_EPOCHS,
    KEY_VIEWS,
    KEY_WARMUP,
    KEY_BATCH,
    KEY_LR,
    KEY_MOMENTUM,
    KEY_DECAY,
    KEY_SEED,
    KEY_L2,
    KEY_ITERATIONS,
    KEY_TOLERANCE,
    KEY_NEIGHBOURS,
    KEY_TEMPERATURE,
    KEY_OVERLAP,
    KEY_UNSEEN,
    KEY_MISSING,
    KEY_CONFUSION,
    KEY_SIMILARITY,
    KEY_PREDICTIONS,
    KEY_FORCE,
    KEY_PRINT,
    KEY_END,
    N_KEYS = KEY_END - KEY_EMBEDDINGS
};

struct request {
    struct probe_options probe;
    bool given[N_KEYS];
    enum report_form print;
};

static const struct argp_option options[] = {
    {0, 0, NULL, 0, "Input and output:", 1},
    {"embeddings", KEY_EMBEDDINGS, "STORE", 0,
     "Embeddings to train on; without --test, of all splits; class scores with --method logits", 1},
    {"test", KEY_TEST, "STORE", 0, "Embeddings to test on", 1},
    {"index", KEY_INDEX, "STORE", 0, "Index with the labels", 1},
    {"labels", KEY_LABELS, "KIND", 0,
     "class (of the video, one decision each) or events (one decision each)", 1},
    {"output", 'o', "FILE", 0, "Metrics to write, JSON", 1},
    {"confusion", KEY_CONFUSION, "FILE", 0, "Draw the confusion matrix, PNG", 1},
    {"similarity", KEY_SIMILARITY, "FILE", 0, "Draw cosines between the clips of a video, PNG", 1},
    {"predictions", KEY_PREDICTIONS, "FILE", 0,
     "Write the five best classes of each decision, JSON Lines", 1},
    {"force", KEY_FORCE, NULL, 0, "Replace files that are no earlier outputs", 1},
    {"print", KEY_PRINT, "KIND", 0, "What goes to stdout: table, json or none (table)", 1},
    {0, 0, NULL, 0, "Classifier:", 2},
    {"method", KEY_METHOD, "NAME", 0,
     "linear (SGD), logistic (L-BFGS), knn, or logits: scores of a fine-tuned model (linear)", 2},
    {"normalize", KEY_NORMALIZE, "KIND", 0,
     "Of the features: l2, centred (less the training's mean, then l2) or none (l2)", 2},
    {"no-bias", KEY_NO_BIAS, NULL, 0, "Classes have no bias", 2},
    {"precision", KEY_PRECISION, "TYPE", 0, "Of features and products: f32 or bf16 (f32)", 2},
    {0, 0, NULL, 0, "SGD (--method linear):", 3},
    {"epochs", KEY_EPOCHS, "N", 0, "Passes over the training (100)", 3},
    {"views-per-epoch", KEY_VIEWS, "N", 0,
     "Clips of a video or event that an epoch takes, drawn anew for each (all)", 3},
    {"warmup-epochs", KEY_WARMUP, "N", 0, "Of them with rising learning rate (5, at most half)", 3},
    {"batch", KEY_BATCH, "N", 0, "Clips of a step, or all where there are fewer (1024)", 3},
    {"lr", KEY_LR, "X", 0, "Learning rate, before the half cosine (32 for class, 4 for events)", 3},
    {"momentum", KEY_MOMENTUM, "X", 0, "Momentum (0.9)", 3},
    {"weight-decay", KEY_DECAY, "X", 0, "Weight decay, not of the bias (0)", 3},
    {"seed", KEY_SEED, "N", 0, "The order of the clips, and which are taken, follow from it (0)",
     3},
    {0, 0, NULL, 0, "L-BFGS (--method logistic):", 4},
    {"l2", KEY_L2, "X", 0, "Penalty: X / 2 * |W|^2 is added to the mean loss (1e-6)", 4},
    {"max-iterations", KEY_ITERATIONS, "N", 0, "At most so many (200)", 4},
    {"tolerance", KEY_TOLERANCE, "X", 0,
     "Stop where the gradient's largest component is below (1e-5)", 4},
    {0, 0, NULL, 0, "Nearest neighbours (--method knn):", 5},
    {"neighbours", KEY_NEIGHBOURS, "N", 0, "How many vote (20)", 5},
    {"temperature", KEY_TEMPERATURE, "X", 0, "Their weight is exp(cosine / X) (0.07)", 5},
    {0, 0, NULL, 0, "What may be wrong with the input:", 6},
    {"max-missing", KEY_MISSING, "N", 0, "Labelled videos or events without embeddings (0)", 6},
    {"allow-overlap", KEY_OVERLAP, NULL, 0, "Videos may be in training and test", 6},
    {"allow-unseen", KEY_UNSEEN, NULL, 0,
     "Test classes may be absent in training; they count as wrong", 6},
    {0},
};

/* Which methods an option has a meaning for; 0: all. */
enum { LINEAR = 1 << PROBE_LINEAR, LOGISTIC = 1 << PROBE_LOGISTIC, KNN = 1 << PROBE_KNN };
static const unsigned methods[N_KEYS] = {
    [KEY_TEST - KEY_EMBEDDINGS] = LINEAR | LOGISTIC | KNN,
    [KEY_SIMILARITY - KEY_EMBEDDINGS] = LINEAR | LOGISTIC | KNN,
    [KEY_NORMALIZE - KEY_EMBEDDINGS] = LINEAR | LOGISTIC | KNN,
    [KEY_NO_BIAS - KEY_EMBEDDINGS] = LINEAR | LOGISTIC,
    [KEY_EPOCHS - KEY_EMBEDDINGS] = LINEAR,
    [KEY_VIEWS - KEY_EMBEDDINGS] = LINEAR,
    [KEY_WARMUP - KEY_EMBEDDINGS] = LINEAR,
    [KEY_BATCH - KEY_EMBEDDINGS] = LINEAR,
    [KEY_LR - KEY_EMBEDDINGS] = LINEAR,
    [KEY_MOMENTUM - KEY_EMBEDDINGS] = LINEAR,
    [KEY_DECAY - KEY_EMBEDDINGS] = LINEAR,
    [KEY_SEED - KEY_EMBEDDINGS] = LINEAR,
    [KEY_L2 - KEY_EMBEDDINGS] = LOGISTIC,
    [KEY_ITERATIONS - KEY_EMBEDDINGS] = LOGISTIC,
    [KEY_TOLERANCE - KEY_EMBEDDINGS] = LOGISTIC,
    [KEY_NEIGHBOURS - KEY_EMBEDDINGS] = KNN,
    [KEY_TEMPERATURE - KEY_EMBEDDINGS] = KNN,
};

/* Stores, files and what to print; 0 where the key is not one of them. */
static int parse_files(struct request *r, int key, char *arg, struct argp_state *state)
{
    struct probe_options *o = &r->probe;
    switch (key) {
    case KEY_EMBEDDINGS:
        o->source.embeddings = arg;
        break;
    case KEY_TEST:
        o->source.test = arg;
        break;
    case KEY_INDEX:
        o->source.index = arg;
        break;
    case 'o':
        o->out = arg;
        break;
    case KEY_CONFUSION:
        o->confusion = arg;
        break;
    case KEY_SIMILARITY:
        o->similarity = arg;
        break;
    case KEY_PREDICTIONS:
        o->predictions = arg;
        break;
    case KEY_FORCE:
        o->force = true;
        break;
    case KEY_PRINT:
        r->print = (enum report_form)cli_choice(state, "print", arg, report_form_names);
        break;
    default:
        return 0;
    }
    return 1;
}

static int parse_classifier(struct request *r, int key, char *arg, struct argp_state *state)
{
    struct probe_options *o = &r->probe;
    switch (key) {
    case KEY_EPOCHS:
        o->sgd.epochs = (uint64_t)cli_i64(state, "epochs", arg, 1, 1000000);
        break;
    case KEY_VIEWS:
        o->sgd.views_per_epoch = (uint64_t)cli_i64(state, "views-per-epoch", arg, 1, 1000000);
        break;
    case KEY_WARMUP:
        o->sgd.warmup_epochs = (uint64_t)cli_i64(state, "warmup-epochs", arg, 0, 1000000);
        break;
    case KEY_BATCH:
        o->sgd.batch = (size_t)cli_i64(state, "batch", arg, 1, 1 << 20);
        break;
    case KEY_LR:
        o->sgd.lr = cli_f64(state, "lr", arg, 1e-12, 1e12);
        break;
    case KEY_MOMENTUM:
        o->sgd.momentum = cli_f64(state, "momentum", arg, 0, 1);
        break;
    case KEY_DECAY:
        o->sgd.weight_decay = cli_f64(state, "weight-decay", arg, 0, 1e6);
        break;
    case KEY_SEED:
        o->sgd.seed = (uint64_t)cli_i64(state, "seed", arg, 0, INT64_MAX);
        break;
    case KEY_L2:
        o->lbfgs.l2 = cli_f64(state, "l2", arg, 0, 1e6);
        break;
    case KEY_ITERATIONS:
        o->lbfgs.max_iterations = (uint64_t)cli_i64(state, "max-iterations", arg, 1, 1000000);
        break;
    case KEY_TOLERANCE:
        o->lbfgs.tolerance = cli_f64(state, "tolerance", arg, 0, 1e6);
        break;
    case KEY_NEIGHBOURS:
        o->k = (size_t)cli_i64(state, "neighbours", arg, 1, 1 << 20);
        break;
    case KEY_TEMPERATURE:
        o->temperature = cli_f64(state, "temperature", arg, 1e-6, 1e6);
        break;
    default:
        return 0;
    }
    return 1;
}

static bool is_given(const struct request *r, int key)
{
    return r->given[key - KEY_EMBEDDINGS];
}

static void check_methods(const struct request *r, struct argp_state *state)
{
    enum probe_method method = r->probe.method;
    for (const struct argp_option *o = options; o->name || o->doc; o++) {
        unsigned of = o->key >= KEY_EMBEDDINGS ? methods[o->key - KEY_EMBEDDINGS] : 0;
        if (of && !(of & 1U << method) && is_given(r, o->key))
            argp_error(state, "--%s means nothing with --method %s", o->name,
                       probe_method_names[method]);
    }
}

static void check_complete(struct request *r, struct argp_state *state)
{
    struct probe_options *o = &r->probe;
    const char *missing = !o->source.embeddings      ? "--embeddings STORE"
                          : !o->source.index         ? "--index STORE"
                          : !is_given(r, KEY_LABELS) ? "--labels class|events"
                          : !o->out                  ? "-o FILE"
                                                     : NULL;
    if (missing)
        argp_error(state, "%s is missing", missing);
    check_methods(r, state);
    if (!is_given(r, KEY_WARMUP) && o->sgd.warmup_epochs > o->sgd.epochs / 2)
        o->sgd.warmup_epochs = o->sgd.epochs / 2;
    if (o->sgd.warmup_epochs >= o->sgd.epochs)
        argp_error(state, "--warmup-epochs: must be less than --epochs");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct probe_options *o = &r->probe;
    if (key >= KEY_EMBEDDINGS && key < KEY_END)
        r->given[key - KEY_EMBEDDINGS] = true;
    if (parse_files(r, key, arg, state) || parse_classifier(r, key, arg, state))
        return 0;
    switch (key) {
    case KEY_LABELS:
        o->source.of_events = cli_choice(state, "labels", arg, label_names);
        break;
    case KEY_METHOD:
        o->method = (enum probe_method)cli_choice(state, "method", arg, probe_method_names);
        break;
    case KEY_NORMALIZE:
        o->normalize =
            (enum probe_normalize)cli_choice(state, "normalize", arg, probe_normalize_names);
        break;
    case KEY_NO_BIAS:
        o->bias = false;
        break;
    case KEY_PRECISION:
        o->precision = (enum dtype)cli_choice(state, "precision", arg, nn_precision_names);
        break;
    case KEY_MISSING:
        o->source.max_missing = (uint64_t)cli_i64(state, "max-missing", arg, 0, INT64_MAX);
        break;
    case KEY_OVERLAP:
        o->source.allow_overlap = true;
        break;
    case KEY_UNSEEN:
        o->source.allow_unseen = true;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        break;
    case ARGP_KEY_END:
        check_complete(r, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .doc =
                                  "Measures how well embeddings tell classes apart, with a linear "
                                  "classifier or nearest neighbours."};
    struct request r = {.probe = probe_defaults()};
    struct cli cli = {.tool = "teg-probe",
                      .argp = &argp,
                      .input = &r,
                      .not_recorded = not_recorded,
                      .outputs = outputs};
    struct json *metrics = NULL;
    struct err e = {0};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    r.probe.n_threads = cli.n_threads;
    r.probe.argv = cli.argv;
    int rc = probe_run(&r.probe, cli.ui, &metrics, &e);
    if (rc == 0)
        report_show(stdout, r.print, metrics, probe_print);
    json_free(metrics);
    return cli_finish(&cli, rc, &e);
}
