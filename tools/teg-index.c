/* SPDX-License-Identifier: Apache-2.0 */
/* teg-index: which videos there are, in which split and class, and which of them are bad. */
#include "common/base/buf.h"
#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/datasets/index_build.h"

enum {
    KEY_FORMAT = 1,
    KEY_VIDEOS,
    KEY_ANNOTATIONS,
    KEY_EXCLUDE,
    KEY_SPLIT,
    KEY_FOLD,
    KEY_DETECTIONS,
    KEY_VIDEO_START,
    KEY_VERIFY,
    KEY_MAX_BAD,
    KEY_TIME_LIMIT,
    KEY_FORCE
};

static const struct argp_option options[] = {
    {"format", KEY_FORMAT, "NAME", 0, "Layout of the data set (default: folder); listed below", 0},
    {"videos", KEY_VIDEOS, "DIR", 0, "Folder with the videos", 0},
    {"annotations", KEY_ANNOTATIONS, "PATH", 0,
     "Annotation file or folder, where the format has one", 0},
    {"exclude", KEY_EXCLUDE, "DIR", 0, "Folder in these that is passed over", 0},
    {"split", KEY_SPLIT, "FILE", 0,
     "Lines \"PATH-OR-ID SPLIT\" or CSV that say which video is in which split", 0},
    {"fold", KEY_FOLD, "N", 0,
     "Which of the divisions 1, 2, 3 into training and test (ucf101, hmdb51: 1)", 0},
    {"detections", KEY_DETECTIONS, "FILE", 0,
     "Boxes that a detector found, with scores (ava, ava-kinetics)", 0},
    {"video-start", KEY_VIDEO_START, "S", 0,
     "Second of the film at which files begin (ava, ava-kinetics: by their length)", 0},
    {"output", 'o', "FILE", 0, "The index to be written", 0},
    {"verify", KEY_VERIFY, NULL, 0, "Decode every frame instead of the first of each video", 0},
    {"max-bad", KEY_MAX_BAD, "N", 0, "Fail when more videos are bad or missing (default: no limit)",
     0},
    {"time-limit", KEY_TIME_LIMIT, "S", 0,
     "Give a file up after S seconds without a frame (default: 60)", 0},
    {"force", KEY_FORCE, NULL, 0, "Replace what is there", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct index_options *o = state->input;
    struct err e = {0};
    switch (key) {
    case KEY_FORMAT:
        o->importer = importer_find(arg);
        if (!o->importer)
            argp_error(state, "--format: there is no format '%s'", arg);
        return 0;
    case KEY_VIDEOS:
        o->import.videos = arg;
        return 0;
    case KEY_ANNOTATIONS:
        o->import.annotations = arg;
        return 0;
    case KEY_EXCLUDE:
        o->import.exclude = arg;
        return 0;
    case KEY_SPLIT:
        o->split_file = arg;
        return 0;
    case KEY_FOLD:
        o->import.fold = (int)cli_i64(state, "fold", arg, 1, 3);
        return 0;
    case KEY_DETECTIONS:
        o->import.detections = arg;
        return 0;
    case KEY_VIDEO_START:
        o->import.video_start = cli_f64(state, "video-start", arg, 0, 1e6);
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_VERIFY:
        o->verify = true;
        return 0;
    case KEY_MAX_BAD:
        o->max_bad = cli_i64(state, "max-bad", arg, 0, INT64_MAX);
        return 0;
    case KEY_TIME_LIMIT:
        o->time_limit = cli_f64(state, "time-limit", arg, 0.001, 1e6);
        return 0;
    case KEY_FORCE:
        o->force = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->import.videos || !o->output)
            argp_error(state, "--videos and --output are needed");
        if (importer_check(o->importer, &o->import, &e) < 0)
            argp_error(state, "%s", e.text);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* The formats, behind the options of --help. */
static char *filter_help(int key, const char *text, void *input)
{
    struct buf b = {0};
    const struct importer *im;
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    buf_printf(&b, NULL, "Formats:\n");
    for (size_t i = 0; (im = importer_at(i)); i++)
        buf_printf(&b, NULL, "  %-12s %s\n", im->name, im->what);
    return (char *)b.data;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Lists the videos of a data set with their labels and looks at every file.\v-",
    .help_filter = filter_help,
};

int main(int argc, char **argv)
{
    static const char *const not_recorded[] = {"exclude", "max-bad", "time-limit", "force", NULL};
    struct index_options o = {
        .importer = importer_at(0), .import.video_start = -1, .max_bad = INT64_MAX};
    struct cli cli = {
        .tool = "teg-index", .argp = &argp, .input = &o, .not_recorded = not_recorded};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    struct err e = {0};
    stop_install();
    o.n_threads = cli.n_threads;
    o.argv = cli.argv;
    int rc = index_build(&o, cli.ui, &e);
    return cli_finish(&cli, rc, &e);
}
