/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/eval/detect.h"
#include "common/eval/gebd_prepare_file.h"
#include "common/eval/gebd_run.h"
#include "common/eval/report.h"

static const char *const not_recorded[] = {"per-video",        "distance",    "plot",  "print",
                                           "save-predictions", "plot-output", "force", NULL};
static const char *const outputs[] = {"per-video", "plot-output", NULL};

enum work { WORK_EVALUATE, WORK_PREPARE, WORK_DETECT };

enum {
    KEY_ANNOTATIONS = 256,
    KEY_PREDICTIONS,
    KEY_SCORES,
    KEY_RULES,
    KEY_PER_VIDEO,
    KEY_DISTANCE,
    KEY_PRINT,
    KEY_UNIT,
    KEY_DOWNSAMPLE,
    KEY_GROUPING,
    KEY_THRESHOLD,
    KEY_PLOT,
    KEY_PLOT_OUTPUT,
    KEY_FRAMES,
    KEY_PREPARE,
    KEY_DETECT,
    KEY_EMBEDDINGS,
    KEY_SHOT,
    KEY_SCENE,
    KEY_SMOOTH,
    KEY_SCALE,
    KEY_FORCE,
    N_KEYS = KEY_FORCE + 1 - KEY_ANNOTATIONS
};

struct request {
    enum work work;
    struct gebd_options eval;
    bool given[N_KEYS];
    enum report_form print;
    const char *raw;        /* annotations to prepare */
    const char *embeddings; /* to detect in */
    struct detect_options detect;
};

/* Works that an option means something to: bits of work_number; 0: to all. */
enum { EVALUATION = 1, PREPARE = 2, SHOTS = 4, PA = 8, SCORES = 16 };
static const unsigned works[N_KEYS] = {
    [KEY_ANNOTATIONS - KEY_ANNOTATIONS] = EVALUATION | SCORES,
    [KEY_PREDICTIONS - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_SCORES - KEY_ANNOTATIONS] = EVALUATION | SCORES,
    [KEY_RULES - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_PER_VIDEO - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_DISTANCE - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_PRINT - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_UNIT - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_DOWNSAMPLE - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_GROUPING - KEY_ANNOTATIONS] = EVALUATION | SCORES,
    [KEY_THRESHOLD - KEY_ANNOTATIONS] = EVALUATION | SCORES,
    [KEY_PLOT - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_PLOT_OUTPUT - KEY_ANNOTATIONS] = EVALUATION,
    [KEY_FRAMES - KEY_ANNOTATIONS] = EVALUATION | SHOTS,
    [KEY_PREPARE - KEY_ANNOTATIONS] = PREPARE,
    [KEY_DETECT - KEY_ANNOTATIONS] = SHOTS | PA | SCORES,
    [KEY_EMBEDDINGS - KEY_ANNOTATIONS] = PA,
    [KEY_SHOT - KEY_ANNOTATIONS] = SHOTS,
    [KEY_SCENE - KEY_ANNOTATIONS] = SHOTS,
    [KEY_SMOOTH - KEY_ANNOTATIONS] = PA,
    [KEY_SCALE - KEY_ANNOTATIONS] = PA,
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
    {"force", KEY_FORCE, NULL, 0, "Replace files that are no earlier outputs", 1},
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
    {0, 0, NULL, 0, "Picture of one video:", 4},
    {"plot", KEY_PLOT, "ID", 0, "Draw the boundaries of this video", 4},
    {"plot-output", KEY_PLOT_OUTPUT, "FILE", 0, "PNG to write", 4},
    {"frames", KEY_FRAMES, "STORE", 0, "Frames store, for its pictures or for --detect shots", 4},
    {0, 0, NULL, 0, "Instead of an evaluation:", 5},
    {"prepare", KEY_PREPARE, "FILE", 0,
     "Make ground truth of these raw annotations, JSON, and write it to the output", 5},
    {"detect", KEY_DETECT, "METHOD", 0,
     "Write predictions to the output: shots (cuts, of --frames), pa (unpredictable moments, of "
     "--embeddings) or scores (of --scores)",
     5},
    {"embeddings", KEY_EMBEDDINGS, "STORE", 0, "Dense embeddings of windows, for pa", 5},
    {"shot-threshold", KEY_SHOT, "X", 0, "shots: mean difference in HSV that is a cut (27)", 5},
    {"min-scene", KEY_SCENE, "N", 0, "shots: frames from one cut to the next at least (15)", 5},
    {"smooth", KEY_SMOOTH, "X", 0, "pa: windows over which errors are smoothed (5)", 5},
    {"scale", KEY_SCALE, "X", 0, "pa: windows that a peak of the errors is wide (15)", 5},
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

/* Files and whether they are replaced; 0 where the key is not one of them. */
static int parse_files(struct request *r, int key, char *arg)
{
    struct gebd_options *o = &r->eval;
    switch (key) {
    case KEY_PREPARE:
        r->work = WORK_PREPARE;
        r->raw = arg;
        break;
    case KEY_EMBEDDINGS:
        r->embeddings = arg;
        break;
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
    case KEY_PLOT:
        o->plot_id = arg;
        break;
    case KEY_PLOT_OUTPUT:
        o->plot = arg;
        break;
    case KEY_FRAMES:
        o->frames = arg;
        break;
    case KEY_FORCE:
        o->force = true;
        break;
    default:
        return 0;
    }
    return 1;
}

static int parse_detect(struct request *r, int key, char *arg, struct argp_state *state)
{
    struct detect_options *o = &r->detect;
    switch (key) {
    case KEY_DETECT:
        r->work = WORK_DETECT;
        o->method = (enum detect_method)cli_choice(state, "detect", arg, detect_method_names);
        break;
    case KEY_SHOT:
        o->shots.threshold = cli_f64(state, "shot-threshold", arg, 0, 255);
        break;
    case KEY_SCENE:
        o->shots.min_scene = cli_i64(state, "min-scene", arg, 0, INT32_MAX);
        break;
    case KEY_SMOOTH:
        o->pa.smooth = cli_f64(state, "smooth", arg, 0.01, 1000);
        break;
    case KEY_SCALE:
        o->pa.scale = cli_f64(state, "scale", arg, 0.01, 1000);
        break;
    default:
        return 0;
    }
    return 1;
}

static bool is_given(const struct request *r, int key)
{
    return r->given[key - KEY_ANNOTATIONS];
}

static unsigned work_number(const struct request *r)
{
    return r->work == WORK_DETECT ? WORK_DETECT + (unsigned)r->detect.method : r->work;
}

/* What this work would pass over in silence. */
static void check_works(const struct request *r, struct argp_state *state)
{
    const char *const *methods = detect_method_names;
    for (const struct argp_option *o = options; o->name || o->doc; o++) {
        unsigned of = o->key >= KEY_ANNOTATIONS ? works[o->key - KEY_ANNOTATIONS] : 0;
        if (!of || of & 1U << work_number(r) || !is_given(r, o->key))
            continue;
        if (r->work == WORK_EVALUATE)
            argp_error(state, "--%s needs --detect %s", o->name, methods[of & PA ? 1 : 0]);
        if (r->work == WORK_PREPARE)
            argp_error(state, "--%s means nothing with --prepare", o->name);
        argp_error(state, "--%s means nothing with --detect %s", o->name,
                   methods[r->detect.method]);
    }
    if (!r->eval.out && r->work != WORK_EVALUATE)
        argp_error(state, "-o FILE is missing");
}

static void check_detect(struct request *r, struct argp_state *state)
{
    static const char *const needed[] = {"--frames", "--embeddings", "--scores"};
    struct detect_options *d = &r->detect;
    const char *const inputs[] = {r->eval.frames, r->embeddings, r->eval.scores};
    d->input = inputs[d->method];
    if (!d->input)
        argp_error(state, "--detect %s needs %s", detect_method_names[d->method],
                   needed[d->method]);
    d->out = r->eval.out;
    d->force = r->eval.force;
    d->grouping = r->eval.grouping;
    d->score_threshold = r->eval.score_threshold;
    d->annotations = r->eval.annotations;
}

static void check_evaluation(struct request *r, struct argp_state *state)
{
    struct gebd_options *o = &r->eval;
    const char *missing = !o->annotations                 ? "--annotations FILE"
                          : !o->predictions && !o->scores ? "--predictions FILE or --scores FILE"
                          : !is_given(r, KEY_RULES)       ? "--rules challenge|notebook"
                          : !o->out                       ? "-o FILE"
                          : o->plot_id && !o->plot        ? "--plot-output FILE"
                          : o->plot && !o->plot_id        ? "--plot ID"
                                                          : NULL;
    if (missing)
        argp_error(state, "%s is missing", missing);
    if (o->predictions && o->scores)
        argp_error(state, "--predictions and --scores exclude each other");
    if (o->scores && is_given(r, KEY_UNIT))
        argp_error(state, "--unit: scores have times of their own");
    if (o->frames && !o->plot)
        argp_error(state, "--frames needs --plot");
    if (!is_given(r, KEY_UNIT))
        o->unit = o->rules == GEBD_CHALLENGE ? GEBD_SECONDS : GEBD_FRAMES;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct gebd_options *o = &r->eval;
    if (key >= KEY_ANNOTATIONS && key < KEY_ANNOTATIONS + N_KEYS)
        r->given[key - KEY_ANNOTATIONS] = true;
    if (parse_files(r, key, arg) || parse_detect(r, key, arg, state))
        return 0;
    switch (key) {
    case KEY_RULES:
        o->rules = (enum gebd_rules)cli_choice(state, "rules", arg, gebd_rules_names);
        break;
    case KEY_UNIT:
        o->unit = (enum gebd_unit)cli_choice(state, "unit", arg, gebd_unit_names);
        break;
    case KEY_DISTANCE:
        o->threshold = parse_distance(state, arg);
        break;
    case KEY_PRINT:
        r->print = (enum report_form)cli_choice(state, "print", arg, report_form_names);
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
    case ARGP_KEY_END:
        check_works(r, state);
        if (r->work == WORK_EVALUATE)
            check_evaluation(r, state);
        if (r->work == WORK_DETECT)
            check_detect(r, state);
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
    if (rc == 0)
        report_show(stdout, r->print, metrics, gebd_print);
    json_free(metrics);
    return rc;
}

static int run(struct request *r, const struct cli *cli, struct err *e)
{
    struct gebd_prepare_options prepare = {
        .raw = r->raw, .out = r->eval.out, .force = r->eval.force, .n_threads = cli->n_threads};
    r->detect.n_threads = cli->n_threads;
    switch (r->work) {
    case WORK_PREPARE:
        return gebd_prepare_file(&prepare, cli->ui, e);
    case WORK_DETECT:
        return detect_run(&r->detect, cli->ui, e);
    default:
        return evaluate(r, cli, e);
    }
}

int main(int argc, char **argv)
{
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Measures how well event boundaries were detected (Kinetics-GEBD)."};
    struct request r = {.eval = gebd_defaults(), .detect = detect_defaults()};
    struct cli cli = {.tool = "teg-gebd-eval",
                      .argp = &argp,
                      .input = &r,
                      .not_recorded = not_recorded,
                      .outputs = outputs};
    struct err e = {0};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    int rc = run(&r, &cli, &e);
    return cli_finish(&cli, rc, &e);
}
