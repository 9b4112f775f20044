/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/sampling/sampling.h"

enum key {
    KEY_FRAMES = 0x100,
    KEY_INDEX,
    KEY_OUTPUT,
    KEY_STRATEGY,
    KEY_AUGMENT,
    KEY_LONG,
    KEY_SHORT,
    KEY_CLIP,
    KEY_CLIPS,
    KEY_STEP,
    KEY_INSIDE,
    KEY_BOXES,
    KEY_BOX_SCORE,
    KEY_SPLIT,
    KEY_LABELS,
    KEY_TOLERANCE,
    KEY_SHUFFLE,
    KEY_BALANCE,
    KEY_EPOCHS,
    KEY_SEED,
    KEY_CROPS,
    KEY_CROP_FRACTION,
    KEY_CROP_AREA,
    KEY_CROP_ASPECT,
    KEY_FLIP,
    KEY_JITTER,
    KEY_BRIGHTNESS,
    KEY_CONTRAST,
    KEY_SATURATION,
    KEY_HUE,
    KEY_GREY,
    KEY_BLUR,
    KEY_SIGMA,
    KEY_SOLARISE,
    KEY_MAX_BAD,
    KEY_FORCE,
    KEY_END,
};
enum { FIRST_KEY = KEY_FRAMES, N_KEYS = KEY_END - FIRST_KEY };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Input and output:", 1},
    {"frames", KEY_FRAMES, "FILE", 0, "Frames store to sample from", 0},
    {"index", KEY_INDEX, "FILE", 0, "Index that the frames were made from", 0},
    {"output", 'o', "FILE", 0, "Samples store to write", 0},
    {"max-bad", KEY_MAX_BAD, "N", 0,
     "Videos of the split that may lack frames and are left out (0)", 0},
    {"force", KEY_FORCE, NULL, 0, "Replace a finished output, or one begun otherwise", 0},
    {NULL, 0, NULL, 0, "Clips:", 2},
    {"strategy", KEY_STRATEGY, "NAME", 0,
     "contained, random, cvrl: a long and a short clip a video; single: clips anywhere; "
     "uniform, events, window, dense, keyframes: clips in fixed places",
     0},
    {"long", KEY_LONG, "LENGTHxSTRIDE", 0,
     "Pairs: frames of the long clip and how far they are apart (32x4; cvrl 16x2)", 0},
    {"short", KEY_SHORT, "LENGTHxSTRIDE", 0,
     "Pairs: frames of the short clip and how far they are apart (16x2)", 0},
    {"clip", KEY_CLIP, "LENGTHxSTRIDE", 0,
     "Other strategies: frames of a clip and how far they are apart (32x2; window 16x2)", 0},
    {"clips", KEY_CLIPS, "N", 0, "uniform, single: clips a video (10, 1)", 0},
    {"step", KEY_STEP, "N", 0, "window: frames from one to the next (3)", 0},
    {"inside", KEY_INSIDE, NULL, 0, "window: only those that lie wholly in the video", 0},
    {"boxes", KEY_BOXES, "KIND", 0, "keyframes: annotated or detected boxes (annotated)", 0},
    {"box-score", KEY_BOX_SCORE, "X", 0, "Detected boxes: only those that are more certain (0.2)",
     0},
    {"split", KEY_SPLIT, "NAME", 0, "train, val, test or all (all)", 0},
    {NULL, 0, NULL, 0, "Targets, order, randomness:", 3},
    {"labels", KEY_LABELS, "NAME", 0,
     "Targets: class, events, boundaries, actions or none (class; events: events; keyframes: "
     "actions)",
     0},
    {"tolerance", KEY_TOLERANCE, "SECONDS", 0,
     "A boundary nearer than this to its centre makes a clip positive (0.15)", 0},
    {"shuffle", KEY_SHUFFLE, NULL, 0,
     "Random order instead of video by video (pairs, single: always)", 0},
    {"balance", KEY_BALANCE, NULL, 0,
     "Positive and negative clips by turns, as many of each, in random order", 0},
    {"epochs", KEY_EPOCHS, "N", 0, "Tables to make (pairs 200, single 100, others 1)", 0},
    {"seed", KEY_SEED, "N", 0, "Every random choice follows from it (0)", 0},
    {NULL, 0, NULL, 0, "Pictures:", 4},
    {"augment", KEY_AUGMENT, "NAME", 0,
     "pretrain (pairs), linear (single), test (others) or none; the defaults below", 0},
    {"crops", KEY_CROPS, "N", 0,
     "Crops a clip: test: squares evenly along the long side; pretrain, linear: draws (1)", 0},
    {"crop-fraction", KEY_CROP_FRACTION, "X", 0,
     "test: side of the squares, relative to the short side (1)", 0},
    {"crop-area", KEY_CROP_AREA, "MIN,MAX", 0,
     "pretrain, linear: area of crops relative to the picture (0.3,1)", 0},
    {"crop-aspect", KEY_CROP_ASPECT, "MIN,MAX", 0,
     "pretrain, linear: width over height of crops (0.5,2)", 0},
    {"flip-probability", KEY_FLIP, "P", 0, "Mirror left-right (pretrain, linear 0.5)", 0},
    {"jitter-probability", KEY_JITTER, "P", 0, "Change the colours (pretrain 0.8)", 0},
    {"brightness", KEY_BRIGHTNESS, "S", 0, "Factor within 1-S and 1+S (0.8)", 0},
    {"contrast", KEY_CONTRAST, "S", 0, "Factor within 1-S and 1+S (0.8)", 0},
    {"saturation", KEY_SATURATION, "S", 0, "Factor within 1-S and 1+S (0.8)", 0},
    {"hue", KEY_HUE, "S", 0, "Turn within -S and S of the colour circle (0.2)", 0},
    {"grey-probability", KEY_GREY, "P", 0, "Take the colour away (pretrain 0.2)", 0},
    {"blur-probability", KEY_BLUR, "P[,SHORT]", 0,
     "Blur; SHORT for the short clip if it differs (pretrain 0.5)", 0},
    {"blur-sigma", KEY_SIGMA, "MIN,MAX", 0, "In pixels of the picture as it is trained on (0.1,2)",
     0},
    {"solarise-probability", KEY_SOLARISE, "P[,SHORT]", 0,
     "Invert what is bright; SHORT for the short clip if it differs (0)", 0},
    {0},
};

/* Which strategies and kinds of augmentation an option has a meaning for; 0: all. */
enum {
    PAIR = 1 << STRATEGY_CONTAINED | 1 << STRATEGY_RANDOM | 1 << STRATEGY_CVRL,
    WINDOW = 1 << STRATEGY_WINDOW,
    KEYFRAMES = 1 << STRATEGY_KEYFRAMES,
    COUNTED = 1 << STRATEGY_UNIFORM | 1 << STRATEGY_SINGLE,
    FIXED = 1 << STRATEGY_UNIFORM | 1 << STRATEGY_EVENTS | WINDOW | 1 << STRATEGY_DENSE | KEYFRAMES,
    NO_PAIR = FIXED | 1 << STRATEGY_SINGLE,
    RANDOM_CROP = 1 << AUGMENT_PRETRAIN | 1 << AUGMENT_LINEAR,
    TEST_CROP = 1 << AUGMENT_TEST,
    CROP = RANDOM_CROP | TEST_CROP,
};

/* How the text of an option becomes a member of the request. */
enum form { TEXT, NAMED, SPLIT, SHAPE, INTEGER, REAL, RANGE, BY_ROLE, SWITCH };

#define AT(member)      offsetof(struct sampling_request, member)
#define PICTURE(member) AT(options.augment.member)

static const struct rule {
    enum form form;
    size_t offset;
    double min, max;
    int strategies, kinds;
} rules[N_KEYS] = {
    [KEY_FRAMES - FIRST_KEY] = {TEXT, AT(frames)},
    [KEY_INDEX - FIRST_KEY] = {TEXT, AT(index)},
    [KEY_OUTPUT - FIRST_KEY] = {TEXT, AT(out)},
    [KEY_STRATEGY - FIRST_KEY] = {NAMED, AT(options.strategy)},
    [KEY_AUGMENT - FIRST_KEY] = {NAMED, PICTURE(kind)},
    [KEY_LONG - FIRST_KEY] = {SHAPE, AT(options.shape[0]), .strategies = PAIR},
    [KEY_SHORT - FIRST_KEY] = {SHAPE, AT(options.shape[1]), .strategies = PAIR},
    [KEY_CLIP - FIRST_KEY] = {SHAPE, AT(options.shape[0]), .strategies = NO_PAIR},
    [KEY_CLIPS - FIRST_KEY] = {INTEGER, AT(options.n_clips), 1, 1000000, COUNTED, 0},
    [KEY_STEP - FIRST_KEY] = {INTEGER, AT(options.step), 1, 1000000, WINDOW, 0},
    [KEY_INSIDE - FIRST_KEY] = {SWITCH, AT(options.inside), .strategies = WINDOW},
    [KEY_BOXES - FIRST_KEY] = {NAMED, AT(options.boxes.kind), .strategies = KEYFRAMES},
    [KEY_BOX_SCORE - FIRST_KEY] = {REAL, AT(options.boxes.min_score), 0, 1, KEYFRAMES, 0},
    [KEY_SPLIT - FIRST_KEY] = {SPLIT, AT(options.split)},
    [KEY_LABELS - FIRST_KEY] = {NAMED, AT(options.labels)},
    [KEY_TOLERANCE - FIRST_KEY] = {REAL, AT(options.tolerance), 1e-6, 1e6, FIXED, 0},
    [KEY_SHUFFLE - FIRST_KEY] = {SWITCH, AT(options.shuffle), .strategies = FIXED},
    [KEY_BALANCE - FIRST_KEY] = {SWITCH, AT(options.balance), .strategies = FIXED},
    [KEY_EPOCHS - FIRST_KEY] = {INTEGER, AT(options.n_epochs), 1, SAMPLING_MAX_EPOCHS, 0, 0},
    [KEY_SEED - FIRST_KEY] = {INTEGER, AT(options.seed), 0, 0x1p53, 0, 0},
    [KEY_CROPS - FIRST_KEY] = {INTEGER, PICTURE(n_crops), 1, 255, NO_PAIR, CROP},
    [KEY_CROP_FRACTION - FIRST_KEY] = {REAL, PICTURE(fraction), 1e-6, 1, 0, TEST_CROP},
    [KEY_CROP_AREA - FIRST_KEY] = {RANGE, PICTURE(area), 1e-6, 1, 0, RANDOM_CROP},
    [KEY_CROP_ASPECT - FIRST_KEY] = {RANGE, PICTURE(aspect), 1e-3, 1e3, 0, RANDOM_CROP},
    [KEY_FLIP - FIRST_KEY] = {REAL, PICTURE(flip), 0, 1, 0, 0},
    [KEY_JITTER - FIRST_KEY] = {REAL, PICTURE(jitter), 0, 1, 0, 0},
    [KEY_BRIGHTNESS - FIRST_KEY] = {REAL, PICTURE(brightness), 0, 10, 0, 0},
    [KEY_CONTRAST - FIRST_KEY] = {REAL, PICTURE(contrast), 0, 10, 0, 0},
    [KEY_SATURATION - FIRST_KEY] = {REAL, PICTURE(saturation), 0, 10, 0, 0},
    [KEY_HUE - FIRST_KEY] = {REAL, PICTURE(hue), 0, 0.5, 0, 0},
    [KEY_GREY - FIRST_KEY] = {REAL, PICTURE(grey), 0, 1, 0, 0},
    [KEY_BLUR - FIRST_KEY] = {BY_ROLE, PICTURE(blur), 0, 1, 0, 0},
    [KEY_SIGMA - FIRST_KEY] = {RANGE, PICTURE(sigma), 1e-3, 100, 0, 0},
    [KEY_SOLARISE - FIRST_KEY] = {BY_ROLE, PICTURE(solarise), 0, 1, 0, 0},
    [KEY_MAX_BAD - FIRST_KEY] = {INTEGER, AT(max_bad), 0, INT32_MAX, 0, 0},
    [KEY_FORCE - FIRST_KEY] = {SWITCH, AT(force)},
};

/* The texts are kept until all are known: the defaults depend on the strategy and the augmentation.
 */
struct request {
    struct sampling_request sampling;
    const char *text[N_KEYS]; /* NULL: not given */
};

/* One option being applied. */
struct given {
    struct argp_state *state;
    const char *name, *text;
    const struct rule *rule;
};

static const char *option_name(int key)
{
    const struct argp_option *o = options;
    while (o->key != (key == KEY_OUTPUT ? 'o' : key))
        o++;
    return o->name;
}

static int named(const struct given *g, enum key key)
{
    const char *const *names = key == KEY_STRATEGY  ? strategy_names
                               : key == KEY_AUGMENT ? augment_names
                               : key == KEY_BOXES   ? box_kind_names
                                                    : labels_names;
    return cli_choice(g->state, g->name, g->text, names);
}

static const char *split(const struct given *g)
{
    static const char *const names[] = {"train", "val", "test", "all", NULL};
    const char *name = names[cli_choice(g->state, g->name, g->text, names)];
    return strcmp(name, "all") == 0 ? NULL : name;
}

static struct clip_shape shape(const struct given *g)
{
    struct clip_shape out = {1, 1};
    struct err e = {0};
    if (clip_shape_parse(g->text, &out, &e) < 0)
        argp_error(g->state, "--%s: %s", g->name, e.text);
    return out;
}

/* "MIN,MAX", or "P" and "P,SHORT" where one number stands for both. */
static void two(const struct given *g, double out[2])
{
    const char *comma = strchr(g->text, ',');
    char first[32];
    if (!comma && g->rule->form == RANGE)
        argp_error(g->state, "--%s: expected MIN,MAX, got '%s'", g->name, g->text);
    snprintf(first, sizeof(first), "%.*s", comma ? (int)(comma - g->text) : 31, g->text);
    out[0] = cli_f64(g->state, g->name, first, g->rule->min, g->rule->max);
    out[1] = comma ? cli_f64(g->state, g->name, comma + 1, g->rule->min, g->rule->max) : out[0];
}

static void apply(const struct given *g, enum key key, struct sampling_request *r)
{
    void *member = (char *)r + g->rule->offset;
    double min = g->rule->min, max = g->rule->max;
    switch (g->rule->form) {
    case TEXT:
        *(const char **)member = g->text;
        break;
    case NAMED:
        *(int *)member = named(g, key);
        break;
    case SPLIT:
        *(const char **)member = split(g);
        break;
    case SHAPE:
        *(struct clip_shape *)member = shape(g);
        break;
    case INTEGER:
        *(int64_t *)member = cli_i64(g->state, g->name, g->text, (int64_t)min, (int64_t)max);
        break;
    case REAL:
        *(double *)member = cli_f64(g->state, g->name, g->text, min, max);
        break;
    case RANGE:
    case BY_ROLE:
        two(g, member);
        break;
    case SWITCH:
        *(bool *)member = true;
        break;
    }
}

static struct given given(struct argp_state *state, enum key key)
{
    const struct request *q = state->input;
    size_t i = (size_t)(key - FIRST_KEY);
    return (struct given){state, option_name((int)key), q->text[i], &rules[i]};
}

/* Defaults of the strategy, then of the augmentation, then the options in a fixed order. */
static void complete(struct argp_state *state)
{
    struct request *q = state->input;
    struct sampling_options *o = &q->sampling.options;
    for (enum key key = KEY_FRAMES; key <= KEY_STRATEGY; key++) {
        if (!q->text[key - FIRST_KEY])
            argp_error(state, "--%s is missing", option_name((int)key));
    }
    struct given g = given(state, KEY_STRATEGY);
    sampling_defaults((enum strategy)named(&g, KEY_STRATEGY), o);
    g = given(state, KEY_AUGMENT);
    if (g.text)
        augment_preset((enum augment_kind)named(&g, KEY_AUGMENT), &o->augment);
    for (enum key key = KEY_FRAMES; key < KEY_END; key++) {
        g = given(state, key);
        if (!g.text)
            continue;
        if (g.rule->strategies && !(g.rule->strategies & 1 << o->strategy))
            argp_error(state, "--%s means nothing with --strategy %s", g.name,
                       strategy_names[o->strategy]);
        if (g.rule->kinds && !(g.rule->kinds & 1 << o->augment.kind))
            argp_error(state, "--%s means nothing with --augment %s", g.name,
                       augment_names[o->augment.kind]);
        apply(&g, key, &q->sampling);
    }
    if (q->text[KEY_BOX_SCORE - FIRST_KEY] && o->boxes.kind != BOXES_DETECTED)
        argp_error(state, "--box-score belongs to --boxes detected");
    struct err e = {0};
    if (sampling_check(o, &e) < 0)
        argp_error(state, "%s", e.text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *q = state->input;
    if (key == 'o')
        key = KEY_OUTPUT;
    if (key >= FIRST_KEY && key < KEY_END)
        q->text[key - FIRST_KEY] = arg ? arg : "";
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "unexpected argument '%s'", arg);
    else if (key == ARGP_KEY_END)
        complete(state);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Chooses the clips, crops and colours of every epoch of a run, ahead of time.",
    };
    static const char *const not_recorded[] = {"force", "max-bad", NULL};
    struct request q = {0};
    struct cli cli = {
        .tool = "teg-sample", .argp = &argp, .input = &q, .not_recorded = not_recorded};
    if (cli_parse(&cli, argc, argv) < 0)
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    q.sampling.n_threads = cli.n_threads;
    q.sampling.argv = cli.argv;
    q.sampling.ui = cli.ui;
    struct err e = {0};
    int rc = sampling_write(&q.sampling, &e);
    return cli_finish(&cli, rc, &e);
}
