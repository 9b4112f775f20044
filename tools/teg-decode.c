/* SPDX-License-Identifier: Apache-2.0 */
/* teg-decode: the videos of an index, decoded once and for all. */
#include "common/base/cli.h"
#include "common/base/num.h"
#include "common/base/stop.h"
#include "common/store/codec.h"
#include "common/video/decode_store.h"

enum {
    KEY_INDEX = 1,
    KEY_VIDEOS,
    KEY_SHARD,
    KEY_SHORT_SIDE,
    KEY_FPS,
    KEY_FRAME_STEP,
    KEY_LEVEL,
    KEY_DEVICE,
    KEY_MAX_BAD,
    KEY_TIME_LIMIT,
    KEY_FORCE,
};

enum { DEFAULT_SHORT_SIDE = 256, MAX_SHORT_SIDE = 8192, MAX_LEVEL = 19, MAX_FPS = 1000 };

static const struct argp_option options[] = {
    {"index", KEY_INDEX, "FILE", 0, "The index, from teg-index", 0},
    {"videos", KEY_VIDEOS, "DIR", 0, "Folder with the videos (default: where the index found them)",
     0},
    {"output", 'o', "FILE", 0, "The frames store to be written", 0},
    {"shard", KEY_SHARD, "I/N", 0, "Only every N-th video, from the I-th on, into FILE.I-of-N", 0},
    {"short-side", KEY_SHORT_SIDE, "N", 0,
     "Scale longer short sides down to N pixels; 0: never (default: 256)", 0},
    {"fps", KEY_FPS, "RATE", 0, "Frames a second, as 25 or 30000/1001 (default: each video's own)",
     0},
    {"frame-step", KEY_FRAME_STEP, "N", 0, "Store every N-th frame only (default: 1)", 0},
    {"level", KEY_LEVEL, "N", 0, "zstd level, 1 to 19 (default: 1)", 0},
    {"device", KEY_DEVICE, "NAME", 0, "What decodes the videos: cpu or cuda (default: cpu)", 0},
    {"max-bad", KEY_MAX_BAD, "N", 0, "Put up with N bad videos (default: 0)", 0},
    {"time-limit", KEY_TIME_LIMIT, "S", 0,
     "Give a file up after S seconds without a frame (default: 60)", 0},
    {"force", KEY_FORCE, NULL, 0, "Replace what is there", 0},
    {0},
};

static const char *const device_names[] = {"cpu", "cuda", NULL};

static void parse_fps(struct argp_state *state, const char *arg, struct decode_settings *s)
{
    struct err e;
    if (num_fraction(arg, &s->fps_num, &s->fps_den, &e) < 0)
        argp_error(state, "--fps: %s", e.text);
    if (s->fps_num > INT32_MAX || s->fps_den > INT32_MAX || s->fps_num / s->fps_den >= MAX_FPS)
        argp_error(state, "--fps: %s is not a frame rate below %d", arg, MAX_FPS);
}

static void parse_shard(struct argp_state *state, const char *arg, struct shard *s)
{
    struct err e;
    if (shard_parse(s, arg, &e) < 0)
        argp_error(state, "--shard: %s", e.text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct decode_options *o = state->input;
    switch (key) {
    case KEY_INDEX:
        o->index = arg;
        return 0;
    case KEY_VIDEOS:
        o->videos = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case KEY_SHARD:
        parse_shard(state, arg, &o->shard);
        return 0;
    case KEY_SHORT_SIDE:
        o->settings.short_side = (int)cli_i64(state, "short-side", arg, 0, MAX_SHORT_SIDE);
        return 0;
    case KEY_FPS:
        parse_fps(state, arg, &o->settings);
        return 0;
    case KEY_FRAME_STEP:
        o->settings.frame_step = cli_i64(state, "frame-step", arg, 1, 1000000);
        return 0;
    case KEY_LEVEL:
        o->level = (int)cli_i64(state, "level", arg, 1, MAX_LEVEL);
        return 0;
    case KEY_DEVICE:
        o->cuda = cli_choice(state, "device", arg, device_names) == 1;
        return 0;
    case KEY_MAX_BAD:
        o->max_bad = cli_i64(state, "max-bad", arg, 0, INT64_MAX);
        return 0;
    case KEY_TIME_LIMIT:
        o->settings.time_limit = cli_f64(state, "time-limit", arg, 0.001, 1e6);
        return 0;
    case KEY_FORCE:
        o->force = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->index || !o->output)
            argp_error(state, "--index and --output are needed");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "Decodes the videos of an index into a store of frames.",
};

int main(int argc, char **argv)
{
    static const char *const not_recorded[] = {"videos",     "shard", "max-bad",
                                               "time-limit", "force", NULL};
    struct decode_options o = {
        .settings = {.short_side = DEFAULT_SHORT_SIDE, .frame_step = 1},
        .level = CODEC_DEFAULT_LEVEL,
    };
    struct cli cli = {
        .tool = "teg-decode", .argp = &argp, .input = &o, .not_recorded = not_recorded};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    struct err e = {0};
    stop_install();
    o.n_threads = cli.n_threads;
    o.argv = cli.argv;
    int rc = decode_store(&o, cli.ui, &e);
    return cli_finish(&cli, rc, &e);
}
