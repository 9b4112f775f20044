/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/base/num.h"
#include "common/base/stop.h"
#include "common/datasets/synth.h"

enum {
    KEY_DATASET = 256,
    KEY_VIDEOS,
    KEY_VAL,
    KEY_SEED,
    KEY_SIZE,
    KEY_FRAMES,
    KEY_FPS,
    KEY_EVENTS,
    KEY_SCENES,
    KEY_SHAPES,
    KEY_JITTER,
    KEY_CODEC,
    KEY_QUALITY,
    KEY_GOP,
    KEY_ANNOTATIONS_ONLY
};

static const struct argp_option options[] = {
    {"dataset", KEY_DATASET, "NAME", 0, "Kind of data set and its layout; listed below", 0},
    {"output", 'o', "DIR", 0, "Folder to write", 0},
    {"videos", KEY_VIDEOS, "N", 0, "Videos in all (64; events 384)", 0},
    {"val-fraction", KEY_VAL, "X", 0, "Share of them in the split val (0.25)", 0},
    {"seed", KEY_SEED, "S", 0, "Every random choice follows from it (1)", 0},
    {"size", KEY_SIZE, "N", 0, "Width and height in pixels (64)", 0},
    {"frames", KEY_FRAMES, "N", 0, "Frames of a video (160; vidsitu 300, ava 240)", 0},
    {"fps", KEY_FPS, "RATE", 0, "Frames per second, a number or a fraction (30)", 0},
    {"events", KEY_EVENTS, "N", 0, "Events of a video (5)", 0},
    {"scenes", KEY_SCENES, "N", 0, "Video classes, 1 to 36 (10)", 0},
    {"shapes", KEY_SHAPES, "N", 0, "Event classes, 2 to 8 (8)", 0},
    {"jitter", KEY_JITTER, "X", 0,
     "Boundaries move by up to this share of an event's length (0.125; vidsitu 0)", 0},
    {"codec", KEY_CODEC, "NAME", 0, "h264, mpeg4 (default of ucf101, hmdb51) or vp9 (of ssv2)", 0},
    {"quality", KEY_QUALITY, "N", 0,
     "crf of h264 (18) or vp9 (20), quantiser of mpeg4 (3); lower is better", 0},
    {"gop", KEY_GOP, "N", 0, "Frames from one key frame to the next (30)", 0},
    {"annotations-only", KEY_ANNOTATIONS_ONLY, NULL, 0, "Write no videos", 0},
    {0},
};

static void check_complete(const struct synth_options *o, struct argp_state *state)
{
    struct err e = {0};
    if (!o->kind || !o->folder)
        argp_error(state, "%s is missing", o->kind ? "-o DIR" : "--dataset");
    struct synth_options completed = *o;
    if (synth_options_complete(&completed, &e) < 0)
        argp_error(state, "%s", e.text);
}

/* All limits that depend on one option alone; those between options are in synth_options_complete.
 */
static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct synth_options *o = state->input;
    struct err e = {0};
    switch (key) {
    case KEY_DATASET:
        o->kind = synth_find(arg);
        if (!o->kind)
            argp_error(state, "--dataset: there is no data set '%s'", arg);
        break;
    case 'o':
        o->folder = arg;
        break;
    case KEY_VIDEOS:
        o->n_videos = cli_i64(state, "videos", arg, 1, 10000000);
        break;
    case KEY_VAL:
        o->val_fraction = cli_f64(state, "val-fraction", arg, 0, 1);
        break;
    case KEY_SEED:
        o->seed = cli_i64(state, "seed", arg, 0, INT64_MAX);
        break;
    case KEY_SIZE:
        o->size = (int)cli_i64(state, "size", arg, 16, 4096);
        break;
    case KEY_FRAMES:
        o->n_frames = (int)cli_i64(state, "frames", arg, 1, 1000000);
        break;
    case KEY_FPS:
        if (num_fraction(arg, &o->fps_num, &o->fps_den, &e) < 0)
            argp_error(state, "--fps: %s", e.text);
        break;
    case KEY_EVENTS:
        o->n_events = (int)cli_i64(state, "events", arg, 1, SYNTH_MAX_EVENTS);
        break;
    case KEY_SCENES:
        o->n_scenes = (int)cli_i64(state, "scenes", arg, 1, SYNTH_MAX_SCENES);
        break;
    case KEY_SHAPES:
        o->n_shapes = (int)cli_i64(state, "shapes", arg, 2, SYNTH_N_SHAPES);
        break;
    case KEY_JITTER:
        o->jitter = cli_f64(state, "jitter", arg, 0, 0.25);
        break;
    case KEY_CODEC:
        o->codec = cli_choice(state, "codec", arg, encode_codec_names);
        break;
    case KEY_QUALITY:
        o->quality = (int)cli_i64(state, "quality", arg, 0, 63);
        break;
    case KEY_GOP:
        o->gop = (int)cli_i64(state, "gop", arg, 1, 100000);
        break;
    case KEY_ANNOTATIONS_ONLY:
        o->annotations_only = true;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        break;
    case ARGP_KEY_END:
        check_complete(o, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* The data sets, behind the options of --help. */
static char *filter_help(int key, const char *text, void *input)
{
    struct buf b = {0};
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    buf_printf(&b, NULL, "Data sets:\n");
    for (size_t i = 0; synth_kinds[i]; i++)
        buf_printf(&b, NULL, "  %-12s %s\n", synth_kinds[i]->name, synth_kinds[i]->what);
    return (char *)b.data;
}

int main(int argc, char **argv)
{
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Writes synthetic videos with known labels in the layout of a data set.\v-",
        .help_filter = filter_help};
    struct synth_options o;
    synth_options_init(&o);
    struct cli cli = {.tool = "teg-synth", .argp = &argp, .input = &o, .without = CLI_NO_LOG};
    struct err e = {0};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    return cli_finish(&cli, synth_write(&o, cli.n_threads, cli.ui, &e), &e);
}
