/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "common/base/cli.h"
#include "common/base/stop.h"
#include "common/nn/nn_device.h"
#include "common/nn/train.h"

enum option_key {
    OPT_FRAMES = 256,
    OPT_SAMPLES,
    OPT_TASK,
    OPT_MODEL,
    OPT_INIT,
    OPT_OBJECTIVE,
    OPT_ALPHA,
    OPT_AGGREGATE,
    OPT_NEGATIVES,
    OPT_TEMPERATURE,
    OPT_HEAD_WIDTH,
    OPT_HEAD_DIM,
    OPT_HEAD_LAYERS,
    OPT_DROPOUT,
    OPT_FREEZE_NORM,
    OPT_BATCH,
    OPT_MICRO_BATCH,
    OPT_RECOMPUTE,
    OPT_CROP_SIZE,
    OPT_PRECISION,
    OPT_EPOCHS,
    OPT_LR,
    OPT_BASE_LR,
    OPT_WARMUP,
    OPT_MOMENTUM,
    OPT_DECAY,
    OPT_OPTIMIZER,
    OPT_TRUST,
    OPT_SEED,
    OPT_LOG,
    OPT_LOG_EVERY,
    OPT_CHECKPOINT,
    OPT_STOP_AT,
    OPT_FORCE,
    OPT_DEVICE,
};

struct request {
    struct train_options o;
    bool objective_given;
    double alpha;        /* < 0: not given */
    size_t aggregate[2]; /* short, long; 0: not given */
    double temperature;  /* < 0: the objective's */
    bool other_only;
    double trust;   /* < 0: not given */
    uint64_t given; /* bit key - 256 of every option */
};

static const struct argp_option options[] = {
    {0, 0, 0, 0, "Inputs and outputs:", 1},
    {"frames", OPT_FRAMES, "STORE", 0, "Frames store (teg-decode)", 0},
    {"samples", OPT_SAMPLES, "STORE", 0,
     "Samples store (teg-sample): pairs of clips, or single clips with targets", 0},
    {"output", 'o', "MODEL", 0, "Model to write, a .safetensors file", 0},
    {"init", OPT_INIT, "MODEL", 0, "Start from this model's weights", 0},
    {"log", OPT_LOG, "FILE", 0, "Training log to write, JSON Lines", 0},
    {"force", OPT_FORCE, 0, 0, "Replace the output, drop a checkpoint that does not fit", 0},
    {0, 0, 0, 0, "Model:", 2},
    {"task", OPT_TASK, "NAME", 0,
     "pretrain (default), classify, supervised (classify from new weights), boundary or localize",
     0},
    {"model", OPT_MODEL, "NAME", 0, "r3d50 (default) or r3d-tiny", 0},
    {"crop-size", OPT_CROP_SIZE, "N", 0, "Side of the network's input, pixels (default 224)", 0},
    {"precision", OPT_PRECISION, "f32|bf16|tf32", 0,
     "Of activations; tf32: f32 whose products a GPU may round (default f32)", 0},
    {"device", OPT_DEVICE, "auto|cpu|cuda", 0, "Where to compute (default auto)", 0},
    {0, 0, 0, 0, "Pre-training:", 3},
    {"objective", OPT_OBJECTIVE, "TEXT", 0,
     "teg-fg (default), teg-ps, cvrl, or granularities HEAD:K_SHORT,K_LONG,WEIGHT;...", 0},
    {"alpha", OPT_ALPHA, "X", 0,
     "Weight of the fine-grained loss, 0..1; the persistent one gets 1 - X", 0},
    {"aggregate", OPT_AGGREGATE, "KS,KL", 0,
     "With --alpha: feature steps behind a fine-grained embedding (default 2,1)", 0},
    {"negatives", OPT_NEGATIVES, "all|other", 0,
     "Negatives of the anchor's own long clip too (all, default) or of other videos only", 0},
    {"temperature", OPT_TEMPERATURE, "X", 0, "Default 0.1 (0.156 for Kinetics)", 0},
    {"head-width", OPT_HEAD_WIDTH, "N", 0, "Hidden width of the heads (default the features')", 0},
    {"head-dim", OPT_HEAD_DIM, "N", 0, "Size of an embedding (default 128)", 0},
    {"head-layers", OPT_HEAD_LAYERS, "N", 0, "Hidden layers of the heads (default 3)", 0},
    {0, 0, 0, 0, "Training with labels:", 4},
    {"dropout", OPT_DROPOUT, "X", 0,
     "Share of the features that is dropped (classify, localize 0.5, supervised 0.2, boundary 0)",
     0},
    {"freeze-norm", OPT_FREEZE_NORM, 0, 0,
     "Batch normalisation keeps the running statistics of --init", 0},
    {0, 0, 0, 0, "Optimisation:", 5},
    {"batch", OPT_BATCH, "N", 0,
     "Examples a step (default 32); what an epoch has left over is not trained", 0},
    {"micro-batch", OPT_MICRO_BATCH, "N|auto", 0,
     "Examples in memory at a time; the loss stays that of the batch (default the batch; auto: as "
     "many as fit)",
     0},
    {"recompute", OPT_RECOMPUTE, 0, 0,
     "Keep only what is between blocks in memory, compute the rest again; the same result", 0},
    {"epochs", OPT_EPOCHS, "N", 0,
     "Epochs of the samples store to train (default all; 0 writes the untrained model)", 0},
    {"lr", OPT_LR, "X", 0, "Learning rate of the batch (default that of --base-lr)", 0},
    {"base-lr", OPT_BASE_LR, "X", 0,
     "Learning rate of a batch of 1024, in proportion for others (pretrain, classify 0.32, "
     "supervised 1.6, boundary 0.4, localize 0.04)",
     0},
    {"warmup-epochs", OPT_WARMUP, "X", 0,
     "Default 5, at most a quarter of the epochs (boundary, localize 0)", 0},
    {"momentum", OPT_MOMENTUM, "X", 0, "Default 0.9", 0},
    {"weight-decay", OPT_DECAY, "X", 0,
     "Of kernels (pretrain 1e-6, classify, boundary, localize 1e-5, supervised 1e-4)", 0},
    {"optimizer", OPT_OPTIMIZER, "sgd|lars", 0, "Default sgd", 0},
    {"trust", OPT_TRUST, "X", 0, "Trust coefficient of LARS (default 0.001)", 0},
    {"seed", OPT_SEED, "N", 0, "Of the initial weights and of what is dropped (default 0)", 0},
    {0, 0, 0, 0, "Running:", 6},
    {"log-every", OPT_LOG_EVERY, "N", 0, "Steps a log record averages over (default 10)", 0},
    {"checkpoint-minutes", OPT_CHECKPOINT, "X", 0, "Between checkpoints (default 10)", 0},
    {"stop-at", OPT_STOP_AT, "STEP", 0, "Write a checkpoint after this step and stop", 0},
    {0},
};

static void parse_objective(struct argp_state *state, struct request *r, const char *text)
{
    struct err e = {0};
    if (objective_parse(&r->o.objective, text, &e) < 0)
        argp_error(state, "--%s", e.text);
    r->objective_given = true;
}

static error_t parse_model(int key, char *text, struct argp_state *state)
{
    static const char *const negatives[] = {"all", "other", NULL};
    struct request *r = state->input;
    switch (key) {
    case OPT_TASK:
        r->o.task = (enum train_task)cli_choice(state, "task", text, train_task_names);
        return 0;
    case OPT_MODEL:
        r->o.backbone = arch_names[cli_choice(state, "model", text, arch_names)];
        return 0;
    case OPT_OBJECTIVE:
        parse_objective(state, r, text);
        return 0;
    case OPT_ALPHA:
        r->alpha = cli_f64(state, "alpha", text, 0.0, 1.0);
        return 0;
    case OPT_AGGREGATE:
        cli_pair(state, "aggregate", text, "KS,KL", r->aggregate);
        return 0;
    case OPT_NEGATIVES:
        r->other_only = cli_choice(state, "negatives", text, negatives) == 1;
        return 0;
    case OPT_TEMPERATURE:
        r->temperature = cli_f64(state, "temperature", text, 1e-4, 1e4);
        return 0;
    case OPT_HEAD_WIDTH:
        r->o.head_width = (size_t)cli_i64(state, "head-width", text, 1, 1 << 16);
        return 0;
    case OPT_HEAD_DIM:
        r->o.head_dim = (size_t)cli_i64(state, "head-dim", text, 1, 1 << 16);
        return 0;
    case OPT_HEAD_LAYERS:
        r->o.head_layers = (int)cli_i64(state, "head-layers", text, 0, ARCH_MAX_UNITS - 1);
        return 0;
    case OPT_DROPOUT:
        r->o.dropout = cli_f64(state, "dropout", text, 0.0, 0.99);
        return 0;
    case OPT_FREEZE_NORM:
        r->o.frozen_norm = true;
        return 0;
    case OPT_CROP_SIZE:
        r->o.crop_size = (size_t)cli_i64(state, "crop-size", text, 16, 2048);
        return 0;
    case OPT_PRECISION:
        nn_compute_parse(cli_choice(state, "precision", text, nn_compute_names), &r->o.dtype,
                         &r->o.tf32);
        return 0;
    case OPT_DEVICE:
        r->o.device = nn_device_names[cli_choice(state, "device", text, nn_device_names)];
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_optimisation(int key, char *text, struct argp_state *state)
{
    static const char *const optimizers[] = {"sgd", "lars", NULL};
    struct request *r = state->input;
    struct train_options *o = &r->o;
    switch (key) {
    case OPT_BATCH:
        o->batch = (size_t)cli_i64(state, "batch", text, 1, 1 << 20);
        return 0;
    case OPT_MICRO_BATCH:
        o->micro_auto = strcmp(text, "auto") == 0;
        o->micro_batch =
            o->micro_auto ? 0 : (size_t)cli_i64(state, "micro-batch", text, 1, 1 << 20);
        return 0;
    case OPT_RECOMPUTE:
        o->recompute = true;
        return 0;
    case OPT_EPOCHS:
        o->epochs = cli_i64(state, "epochs", text, 0, 99999999);
        return 0;
    case OPT_LR:
        o->lr = cli_f64(state, "lr", text, 0.0, 1e6);
        return 0;
    case OPT_BASE_LR:
        o->base_lr = cli_f64(state, "base-lr", text, 0.0, 1e6);
        return 0;
    case OPT_WARMUP:
        o->warmup_epochs = cli_f64(state, "warmup-epochs", text, 0.0, 1e6);
        return 0;
    case OPT_MOMENTUM:
        o->momentum = cli_f64(state, "momentum", text, 0.0, 0.99999);
        return 0;
    case OPT_DECAY:
        o->weight_decay = cli_f64(state, "weight-decay", text, 0.0, 1.0);
        return 0;
    case OPT_OPTIMIZER:
        o->lars = cli_choice(state, "optimizer", text, optimizers) == 1;
        return 0;
    case OPT_TRUST:
        r->trust = cli_f64(state, "trust", text, 1e-9, 1e3);
        return 0;
    case OPT_SEED:
        o->seed = (uint64_t)cli_i64(state, "seed", text, 0, INT64_MAX);
        return 0;
    case OPT_LOG_EVERY:
        o->log_every = cli_i64(state, "log-every", text, 1, INT64_MAX);
        return 0;
    case OPT_CHECKPOINT:
        o->checkpoint_minutes = cli_f64(state, "checkpoint-minutes", text, 0.0, 1e6);
        return 0;
    case OPT_STOP_AT:
        o->stop_at = cli_i64(state, "stop-at", text, 1, INT64_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool given(const struct request *r, int key)
{
    return r->given >> (key - OPT_FRAMES) & 1;
}

/* Options that mean nothing for the task. */
static void check_task(struct argp_state *state, const struct request *r)
{
    static const struct {
        int key;
        const char *name;
        bool labels; /* of the tasks with labels, else of pre-training */
    } options_of[] = {
        {OPT_OBJECTIVE, "objective", false},     {OPT_ALPHA, "alpha", false},
        {OPT_AGGREGATE, "aggregate", false},     {OPT_NEGATIVES, "negatives", false},
        {OPT_TEMPERATURE, "temperature", false}, {OPT_HEAD_WIDTH, "head-width", false},
        {OPT_HEAD_DIM, "head-dim", false},       {OPT_HEAD_LAYERS, "head-layers", false},
        {OPT_DROPOUT, "dropout", true},          {OPT_FREEZE_NORM, "freeze-norm", true},
    };
    bool labels = r->o.task != TASK_PRETRAIN;
    for (size_t i = 0; i < sizeof options_of / sizeof options_of[0]; i++)
        if (given(r, options_of[i].key) && options_of[i].labels != labels)
            argp_error(state, "--%s means nothing with --task %s", options_of[i].name,
                       train_task_names[r->o.task]);
    if (r->o.task == TASK_SUPERVISED && r->o.init)
        argp_error(state, "--task supervised starts from new weights; with --init it is classify");
    if (r->o.frozen_norm && !r->o.init)
        argp_error(state, "--freeze-norm needs the statistics of a model (--init)");
    if (given(r, OPT_LR) && given(r, OPT_BASE_LR))
        argp_error(state, "--lr and --base-lr exclude each other");
}

static void choose_objective(struct argp_state *state, struct request *r)
{
    struct err e = {0};
    if (r->alpha >= 0.0 && r->objective_given)
        argp_error(state, "--alpha and --objective exclude each other");
    if (r->alpha < 0.0 && r->aggregate[0])
        argp_error(state, "--aggregate belongs to --alpha");
    if (r->alpha >= 0.0 &&
        objective_from_alpha(&r->o.objective, r->alpha, r->aggregate[0] ? r->aggregate[0] : 2,
                             r->aggregate[1] ? r->aggregate[1] : 1, &e) < 0)
        argp_error(state, "--%s", e.text);
    if (r->temperature > 0.0)
        r->o.objective.temperature = r->temperature;
    r->o.objective.other_only = r->other_only;
}

static void check_request(struct argp_state *state, struct request *r)
{
    if (!r->o.frames || !r->o.samples || !r->o.out)
        argp_error(state, "--frames, --samples and --output are needed");
    if (r->o.micro_batch && r->o.batch % r->o.micro_batch != 0)
        argp_error(state, "--micro-batch %zu does not divide --batch %zu", r->o.micro_batch,
                   r->o.batch);
    if (r->trust >= 0.0 && !r->o.lars)
        argp_error(state, "--trust belongs to --optimizer lars");
    if (r->trust >= 0.0)
        r->o.trust = r->trust;
    if (r->o.task == TASK_PRETRAIN && r->o.batch < 2)
        argp_error(state, "--batch %zu: an example needs others to be told from", r->o.batch);
    check_task(state, r);
    choose_objective(state, r);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct request *r = state->input;
    if (key >= OPT_FRAMES && key <= OPT_DEVICE)
        r->given |= (uint64_t)1 << (key - OPT_FRAMES);
    switch (key) {
    case OPT_FRAMES:
        r->o.frames = text;
        return 0;
    case OPT_SAMPLES:
        r->o.samples = text;
        return 0;
    case 'o':
        r->o.out = text;
        return 0;
    case OPT_INIT:
        r->o.init = text;
        return 0;
    case OPT_LOG:
        r->o.log = text;
        return 0;
    case OPT_FORCE:
        r->o.force = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument: %s", text);
        return 0;
    case ARGP_KEY_END:
        check_request(state, r);
        return 0;
    default:
        if (parse_model(key, text, state) == 0)
            return 0;
        return parse_optimisation(key, text, state);
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "--frames STORE --samples STORE -o MODEL",
    .doc = "Learns video representations without labels (TeG), or goes on with labels.\v"
           "An interrupted run goes on when the same command is given again.\n\n"
           "Example:\n"
           "  teg-train --frames frames.lmdb --samples samples.lmdb --objective teg-fg \\\n"
           "    --batch 32 --log train.jsonl -o model.safetensors\n"
           "  teg-train --task classify --init model.safetensors --frames frames.lmdb \\\n"
           "    --samples labelled.lmdb --base-lr 0.64 -o classifier.safetensors",
};

static const char threads_help[] =
    "Threads that compute (default: all processors); another number may round differently";

int main(int argc, char **argv)
{
    struct request r = {.alpha = -1.0, .temperature = -1.0, .trust = -1.0};
    train_defaults(&r.o);
    struct cli cli = {.tool = "teg-train",
                      .argp = &argp,
                      .input = &r,
                      .without = CLI_NO_LOG,
                      .threads_help = threads_help,
                      .silent = !processes_speaks()};
    if (cli_parse(&cli, argc, argv) < 0)
        return cli_finish(&cli, ERR_FAIL, NULL);
    stop_install();
    r.o.n_threads = cli.threads_given ? cli.n_threads : 0;
    r.o.ui = cli.ui;
    struct err e = {0};
    int rc = processes_open(&r.o.processes, &e);
    if (rc < 0 && cli.silent)
        err_set(&e, "%s", "");
    if (rc == 0)
        rc = train_run(&r.o, &e);
    int status = cli_finish(&cli, rc, *e.text ? &e : NULL); /* of several processes one speaks */
    bool lost = r.o.processes && rc < 0 && rc != ERR_STOPPED;
    processes_close(r.o.processes);
    if (lost) /* see train_run */
        _exit(status);
    return status;
}
