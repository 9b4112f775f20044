/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/nn/extract.h"
#include "common/nn/nn_device.h"
#include "common/sampling/sampling.h"

enum option_key {
    OPT_MODEL = 256,
    OPT_FRAMES,
    OPT_SAMPLES,
    OPT_EPOCH,
    OPT_INDEX,
    OPT_SHARD,
    OPT_STRATEGY,
    OPT_CLIP,
    OPT_CLIPS,
    OPT_FORM,
    OPT_TYPE,
    OPT_CROP_SIZE,
    OPT_BATCH,
    OPT_PRECISION,
    OPT_DEVICE,
    OPT_FORCE,
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "Inputs and outputs:", 1},
    {"model", OPT_MODEL, "MODEL", 0, "Trained model, a .safetensors file", 0},
    {"frames", OPT_FRAMES, "STORE", 0, "Frames store (teg-decode)", 0},
    {"samples", OPT_SAMPLES, "STORE", 0, "Clips to take (teg-sample); default: a plan of its own",
     0},
    {"epoch", OPT_EPOCH, "N", 0, "Epoch of the samples store (default 0)", 0},
    {"index", OPT_INDEX, "STORE", 0, "Without --samples: the index, for events and classes", 0},
    {"output", 'o', "STORE", 0, "Embeddings store to write", 0},
    {"shard", OPT_SHARD, "I/N", 0, "Only every N-th video, from the I-th on, into STORE.I-of-N", 0},
    {"force", OPT_FORCE, 0, 0, "Replace the output, drop what was begun in another way", 0},
    {0, 0, 0, 0, "Without --samples:", 2},
    {"strategy", OPT_STRATEGY, "NAME", 0,
     "events (default where the index has some), uniform (default otherwise), window or dense", 0},
    {"clip", OPT_CLIP, "LxS", 0, "Frames and stride of a clip (default 32x2)", 0},
    {"clips", OPT_CLIPS, "N", 0, "Clips a video with uniform (default 10)", 0},
    {0, 0, 0, 0, "Features and scores:", 3},
    {"form", OPT_FORM, "pooled|dense|logits", 0,
     "One vector of features a clip, one every two frames, or class scores before the softmax "
     "(logits where the model has a classifier, else pooled)",
     0},
    {"type", OPT_TYPE, "float16|float32", 0, "Default float16, logits float32", 0},
    {"crop-size", OPT_CROP_SIZE, "N", 0,
     "Side of the network's input, pixels (default: as the model was trained)", 0},
    {"batch", OPT_BATCH, "N", 0, "Clips at a time (default 8; on a GPU 32)", 0},
    {"precision", OPT_PRECISION, "f32|bf16|tf32", 0,
     "Of activations; tf32: f32 whose products a GPU may round (default f32)", 0},
    {"device", OPT_DEVICE, "auto|cpu|cuda", 0, "Where to compute (default auto)", 0},
    {0},
};

/* Plans of a fixed set of clips; the others draw at random, which is teg-sample's business. */
static enum strategy parse_strategy(struct argp_state *state, const char *text)
{
    static const char *const names[] = {"uniform", "events", "window", "dense", NULL};
    static const enum strategy strategies[] = {STRATEGY_UNIFORM, STRATEGY_EVENTS, STRATEGY_WINDOW,
                                               STRATEGY_DENSE};
    return strategies[cli_choice(state, "strategy", text, names)];
}

static struct clip_shape parse_clip(struct argp_state *state, const char *text)
{
    struct clip_shape shape = {0};
    struct err e = {0};
    if (clip_shape_parse(text, &shape, &e) < 0)
        argp_error(state, "--clip: %s", e.text);
    return shape;
}

static void parse_shard(struct argp_state *state, const char *text, struct shard *s)
{
    struct err e = {0};
    if (shard_parse(s, text, &e) < 0)
        argp_error(state, "--shard: %s", e.text);
}

static error_t parse_inputs(int key, char *text, struct argp_state *state)
{
    struct extract_options *o = state->input;
    switch (key) {
    case OPT_MODEL:
        o->model = text;
        return 0;
    case OPT_FRAMES:
        o->frames = text;
        return 0;
    case OPT_SAMPLES:
        o->samples = text;
        return 0;
    case OPT_EPOCH:
        o->epoch = (size_t)cli_i64(state, "epoch", text, 0, 99999999);
        return 0;
    case OPT_INDEX:
        o->index = text;
        return 0;
    case OPT_STRATEGY:
        o->plan.strategy = parse_strategy(state, text);
        o->plan.strategy_given = true;
        return 0;
    case OPT_CLIP:
        o->plan.clip = parse_clip(state, text);
        return 0;
    case OPT_CLIPS:
        o->plan.n_clips = cli_i64(state, "clips", text, 1, 1 << 20);
        return 0;
    case 'o':
        o->out = text;
        return 0;
    case OPT_SHARD:
        parse_shard(state, text, &o->shard);
        return 0;
    case OPT_FORCE:
        o->force = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void check_options(struct argp_state *state, const struct extract_options *o)
{
    const struct extract_plan *p = &o->plan;
    if (!o->model || !o->frames || !o->out)
        argp_error(state, "--model, --frames and --output are needed");
    if (o->samples && (o->index || p->strategy_given || p->clip.length || p->n_clips))
        argp_error(state, "--index, --strategy, --clip and --clips do not go with --samples, "
                          "which names its clips itself");
    if (!o->samples && o->epoch)
        argp_error(state, "--epoch belongs to --samples");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const char *const types[] = {"float16", "float32", NULL};
    struct extract_options *o = state->input;
    switch (key) {
    case OPT_FORM:
        o->form = (enum extract_form)cli_choice(state, "form", text, extract_form_names);
        return 0;
    case OPT_TYPE:
        o->type = (enum extract_type)cli_choice(state, "type", text, types);
        return 0;
    case OPT_CROP_SIZE:
        o->crop_size = (size_t)cli_i64(state, "crop-size", text, 16, 2048);
        return 0;
    case OPT_BATCH:
        o->batch = (size_t)cli_i64(state, "batch", text, 1, 1 << 16);
        return 0;
    case OPT_PRECISION:
        nn_compute_parse(cli_choice(state, "precision", text, nn_compute_names), &o->dtype,
                         &o->tf32);
        return 0;
    case OPT_DEVICE:
        o->device = nn_device_names[cli_choice(state, "device", text, nn_device_names)];
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument: %s", text);
        return 0;
    case ARGP_KEY_END:
        check_options(state, o);
        return 0;
    default:
        return parse_inputs(key, text, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "--model MODEL --frames STORE [--samples STORE | --index STORE] -o STORE",
    .doc = "Features or class scores of video clips by a trained model.\v"
           "An interrupted run goes on when the same command is given again.\n\n"
           "Example:\n"
           "  teg-extract --model model.safetensors --frames frames.lmdb --index index.lmdb \\\n"
           "    -o embeddings.lmdb",
};

static const char threads_help[] =
    "Threads that compute (default: all processors); another number may round differently";

static const char *const not_recorded[] = {"shard", "force", NULL};

int main(int argc, char **argv)
{
    struct extract_options o;
    extract_defaults(&o);
    struct cli cli = {.tool = "teg-extract",
                      .argp = &argp,
                      .input = &o,
                      .not_recorded = not_recorded,
                      .threads_help = threads_help};
    if (cli_parse(&cli, argc, argv) < 0)
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    o.n_threads = cli.n_threads;
    o.ui = cli.ui;
    o.argv = cli.argv;
    struct err e = {0};
    int rc = extract_run(&o, &e);
    return cli_finish(&cli, rc, &e);
}
