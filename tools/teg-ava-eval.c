/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/eval/ava.h"
#include "common/eval/report.h"

static const char *const not_recorded[] = {"print", "csv", "force", NULL};
static const char *const outputs[] = {"csv", NULL};

struct request {
    struct ava_options ava;
    bool rules_given;
    enum report_form print;
};

enum {
    KEY_PREDICTIONS = 256,
    KEY_SCORES,
    KEY_CSV,
    KEY_ANNOTATIONS,
    KEY_LABELS,
    KEY_EXCLUDE,
    KEY_RULES,
    KEY_FORCE,
    KEY_PRINT
};

static const struct argp_option options[] = {
    {"predictions", KEY_PREDICTIONS, "FILE", 0,
     "Predicted boxes, CSV: video,timestamp,x1,y1,x2,y2,class,score", 0},
    {"scores", KEY_SCORES, "STORE", 0,
     "Instead of predictions: an embeddings store of people's scores (teg-extract)", 0},
    {"csv", KEY_CSV, "FILE", 0, "Write the predictions of --scores, for the official programs", 0},
    {"annotations", KEY_ANNOTATIONS, "FILE", 0,
     "Annotated boxes, CSV: video,timestamp,x1,y1,x2,y2,class[,person]; of several files once each",
     0},
    {"labels", KEY_LABELS, "FILE", 0, "Label map with the classes to be scored, pbtxt", 0},
    {"exclude", KEY_EXCLUDE, "FILE", 0,
     "Frames to be left out, CSV: video,timestamp (rules slowfast)", 0},
    {"rules", KEY_RULES, "NAME", 0, "slowfast (AVA) or activitynet (AVA-Kinetics, AVA challenge)",
     0},
    {"output", 'o', "FILE", 0, "Metrics to write, JSON", 0},
    {"force", KEY_FORCE, NULL, 0, "Replace files that are no earlier outputs", 0},
    {"print", KEY_PRINT, "KIND", 0, "What goes to stdout: table, json or none (table)", 0},
    {0},
};

static void check_complete(const struct request *r, struct argp_state *state)
{
    const struct ava_options *o = &r->ava;
    const char *missing = !o->predictions && !o->scores ? "--predictions FILE or --scores STORE"
                          : !o->n_annotations           ? "--annotations FILE"
                          : !o->labels                  ? "--labels FILE"
                          : !r->rules_given             ? "--rules slowfast|activitynet"
                          : !o->out                     ? "-o FILE"
                                                        : NULL;
    if (missing)
        argp_error(state, "%s is missing", missing);
    if (o->predictions && o->scores)
        argp_error(state, "--predictions and --scores exclude each other");
    if (o->csv && !o->scores)
        argp_error(state, "--csv belongs to --scores");
    if (o->exclude && o->rules != AVA_SLOWFAST)
        argp_error(state, "--exclude: the rules activitynet know no exclusions; they ignore "
                          "predictions in frames that the annotations do not name");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct ava_options *o = &r->ava;
    switch (key) {
    case KEY_PREDICTIONS:
        o->predictions = arg;
        break;
    case KEY_SCORES:
        o->scores = arg;
        break;
    case KEY_CSV:
        o->csv = arg;
        break;
    case KEY_ANNOTATIONS:
        if (o->n_annotations == AVA_MAX_FILES)
            argp_error(state, "more than %d --annotations", AVA_MAX_FILES);
        o->annotations[o->n_annotations++] = arg;
        break;
    case KEY_LABELS:
        o->labels = arg;
        break;
    case KEY_EXCLUDE:
        o->exclude = arg;
        break;
    case KEY_RULES:
        o->rules = (enum ava_rules)cli_choice(state, "rules", arg, ava_rules_names);
        r->rules_given = true;
        break;
    case 'o':
        o->out = arg;
        break;
    case KEY_FORCE:
        o->force = true;
        break;
    case KEY_PRINT:
        r->print = (enum report_form)cli_choice(state, "print", arg, report_form_names);
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
                                  "Measures predicted boxes and actions against AVA's annotations:"
                                  " mean average precision at IoU 0.5, as the official "
                                  "programs compute it."};
    struct request r = {0};
    struct cli cli = {.tool = "teg-ava-eval",
                      .argp = &argp,
                      .input = &r,
                      .without = CLI_NO_THREADS | CLI_NO_LOG,
                      .not_recorded = not_recorded,
                      .outputs = outputs};
    struct json *metrics = NULL;
    struct err e = {0};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    r.ava.argv = cli.argv;
    int rc = ava_run(&r.ava, cli.ui, &metrics, &e);
    if (rc == 0)
        report_show(stdout, r.print, metrics, ava_print);
    json_free(metrics);
    return cli_finish(&cli, rc, &e);
}
