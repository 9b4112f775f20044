/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/eval/gebd_prepare_file.h"
#include "common/eval/gebd_run.h"

enum print { PRINT_TABLE, PRINT_JSON, PRINT_NONE };
static const char *const print_names[] = {"table", "json", "none", NULL};
static const char *const not_recorded[] = {"per-video",        "distance",    "plot", "print",
                                           "save-predictions", "plot-output", NULL};

struct request {
    struct gebd_options eval;
    bool rules_given, unit_given;
    enum print print;
    const char *prepare; /* raw annotations, instead of an evaluation */
};

enum {
    KEY_ANNOTATIONS = 256,
    KEY_PREDICTIONS,
    KEY_SCORES,
    KEY_RULES,
    KEY_PER_VIDEO,
    KEY_DISTANCE,
    KEY_SAVE,
    KEY_PRINT,
    KEY_UNIT,
    KEY_DOWNSAMPLE,
    KEY_GROUPING,
    KEY_THRESHOLD,
    KEY_PLOT,
    KEY_PLOT_OUTPUT,
    KEY_FRAMES,
    KEY_PREPARE
};

static const struct argp_option options[] = {
    {0, 0, NULL, 0, "Input and output:", 1},
    {"annotations", KEY_ANNOTATIONS, "FILE", 0, "Prepared ground truth, JSON", 1},
    {"predictions", KEY_PREDICTIONS, "FILE", 0,
     "Boundaries of each video: JSON, or lines of an id, a tab, times with commas", 1},
    {"scores", KEY_SCORES, "FILE", 0,
     "Instead of predictions: an embeddings store of window scores, or JSON with frame_idx and "
     "scores",
     1},
    {"rules", KEY_RULES, "NAME", 0, "Official evaluator to follow: challenge or notebook", 1},
    {"output", 'o', "FILE", 0, "Metrics to write, JSON", 1},
    {"per-video", KEY_PER_VIDEO, "FILE", 0, "Write a line on each video, TSV", 1},
    {"distance", KEY_DISTANCE, "X", 0, "Relative distance of --per-video and --plot (0.05)", 1},
    {"print", KEY_PRINT, "KIND", 0, "What goes to stdout: table, json or none (table)", 1},
    {0, 0, NULL, 0, "Predictions:", 2},
    {"unit", KEY_UNIT, "NAME", 0, "seconds or frames (challenge: seconds, notebook: frames)", 2},
    {"downsample", KEY_DOWNSAMPLE, "N", 0, "Frames from one prediction in frames to the next (3)",
     2},
    {0, 0, NULL, 0, "Scores:", 3},
    {"grouping", KEY_GROUPING, "NAME", 0,
     "A run of positive windows becomes its mean time (paper), or the time of its middle window "
     "(official) (paper)",
     3},
    {"score-threshold", KEY_THRESHOLD, "P", 0, "Probability from which windows are positive (0.5)",
     3},
    {"save-predictions", KEY_SAVE, "FILE", 0, "Write the boundaries made of the scores, JSON", 3},
    {0, 0, NULL, 0, "Picture of one video:", 4},
    {"plot", KEY_PLOT, "ID", 0, "Draw the boundaries of this video", 4},
    {"plot-output", KEY_PLOT_OUTPUT, "FILE", 0, "PNG to write", 4},
    {"frames", KEY_FRAMES, "STORE", 0, "Frames store for its pictures", 4},
    {0, 0, NULL, 0, "Instead of an evaluation:", 5},
    {"prepare", KEY_PREPARE, "FILE", 0,
     "Make ground truth of these raw annotations, JSON, and write it to the output", 5},
    {0},
};

static size_t parse_distance(struct argp_state *state, const char *arg)
{
    double x = cli_f64(state, "distance", arg, 0, 1);
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++)
        if (gebd_thresholds[k] == x)
            return k;
    argp_error(state, "--distance: expected 0.05, 0.1, 0.15 ... 0.5, got '%s'", arg);
    return 0;
}

/* Files; 0 where the key is not one of them. */
static int parse_files(struct gebd_options *o, int key, char *arg)
{
    switch (key) {
    case KEY_ANNOTATIONS:
        o->annotations = arg;
        break;
    case KEY_PREDICTIONS:
        o->predictions = arg;
        break;
    case KEY_SCORES:
        o->scores = arg;
        break;
    case 'o':
        o->out = arg;
        break;
    case KEY_PER_VIDEO:
        o->per_video = arg;
        break;
    case KEY_SAVE:
        o->save_predictions = arg;
        break;
    case KEY_PLOT:
        o->plot_id = arg;
        break;
    case KEY_PLOT_OUTPUT:
        o->plot = arg;
        break;
    case KEY_FRAMES:
        o->frames = arg;
        break;
    default:
        return 0;
    }
    return 1;
}

/* Work that needs no more than an input and the output. */
static void check_prepare(struct request *r, struct argp_state *state)
{
    struct gebd_options *o = &r->eval;
    if (o->annotations || o->predictions || o->scores || r->rules_given || o->plot_id)
        argp_error(state, "--prepare excludes an evaluation");
    if (!o->out)
        argp_error(state, "-o FILE is missing");
}

static void check_complete(struct request *r, struct argp_state *state)
{
    struct gebd_options *o = &r->eval;
    const char *missing = !o->annotations                 ? "--annotations FILE"
                          : !o->predictions && !o->scores ? "--predictions FILE or --scores FILE"
                          : !r->rules_given               ? "--rules challenge|notebook"
                          : !o->out                       ? "-o FILE"
                          : o->plot_id && !o->plot        ? "--plot-output FILE"
                          : o->plot && !o->plot_id        ? "--plot ID"
                                                          : NULL;
    if (missing)
        argp_error(state, "%s is missing", missing);
    if (o->predictions && o->scores)
        argp_error(state, "--predictions and --scores exclude each other");
    if (o->scores && r->unit_given)
        argp_error(state, "--unit: scores have times of their own");
    if (o->save_predictions && !o->scores)
        argp_error(state, "--save-predictions needs --scores");
    if (o->frames && !o->plot)
        argp_error(state, "--frames needs --plot");
    if (!r->unit_given)
        o->unit = o->rules == GEBD_CHALLENGE ? GEBD_SECONDS : GEBD_FRAMES;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct gebd_options *o = &r->eval;
    if (parse_files(o, key, arg))
        return 0;
    switch (key) {
    case KEY_RULES:
        o->rules = (enum gebd_rules)cli_choice(state, "rules", arg, gebd_rules_names);
        r->rules_given = true;
        break;
    case KEY_UNIT:
        o->unit = (enum gebd_unit)cli_choice(state, "unit", arg, gebd_unit_names);
        r->unit_given = true;
        break;
    case KEY_DISTANCE:
        o->threshold = parse_distance(state, arg);
        break;
    case KEY_PRINT:
        r->print = (enum print)cli_choice(state, "print", arg, print_names);
        break;
    case KEY_DOWNSAMPLE:
        o->downsample = (double)cli_i64(state, "downsample", arg, 1, 1000000);
        break;
    case KEY_GROUPING:
        o->grouping = (enum gebd_grouping)cli_choice(state, "grouping", arg, gebd_grouping_names);
        break;
    case KEY_THRESHOLD:
        o->score_threshold = cli_f64(state, "score-threshold", arg, 0, 1);
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        break;
    case KEY_PREPARE:
        r->prepare = arg;
        break;
    case ARGP_KEY_END:
        if (r->prepare)
            check_prepare(r, state);
        else
            check_complete(r, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int evaluate(struct request *r, const struct cli *cli, struct err *e)
{
    struct json *metrics = NULL;
    r->eval.n_threads = cli->n_threads;
    r->eval.argv = cli->argv;
    int rc = gebd_run(&r->eval, cli->ui, &metrics, e);
    if (rc == 0 && r->print == PRINT_TABLE)
        gebd_print(stdout, metrics);
    if (rc == 0 && r->print == PRINT_JSON)
        printf("%s\n", json_pretty(metrics));
    json_free(metrics);
    return rc;
}

static int run(struct request *r, const struct cli *cli, struct err *e)
{
    struct gebd_prepare_options prepare = {
        .raw = r->prepare, .out = r->eval.out, .n_threads = cli->n_threads};
    return r->prepare ? gebd_prepare_file(&prepare, cli->ui, e) : evaluate(r, cli, e);
}

int main(int argc, char **argv)
{
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures how well event boundaries were detected (Kinetics-GEBD)."};
    struct request r = {.eval = gebd_defaults()};
    struct cli cli = {
        .tool = "teg-gebd-eval", .argp = &argp, .input = &r, .not_recorded = not_recorded};
    struct err e = {0};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    int rc = run(&r, &cli, &e);
    return cli_finish(&cli, rc, &e);
}
