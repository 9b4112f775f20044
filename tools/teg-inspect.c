/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/cli.h"
#include "common/nn/preview.h"
#include "common/store/inspect.h"

enum key_use { NO_KEY, MAY_HAVE_KEY, NEEDS_KEY };

/* One line a subcommand: its arguments are files, then a key where it takes one. */
static const struct command {
    const char *name;
    int n_files;
    enum key_use key;
    int (*run)(const struct inspect *i, struct err *e); /* NULL: preview */
} commands[] = {
    {.name = "ls", .n_files = 1, .key = NO_KEY, .run = inspect_ls},
    {.name = "show", .n_files = 1, .key = NEEDS_KEY, .run = inspect_show},
    {.name = "verify", .n_files = 1, .key = NO_KEY, .run = inspect_verify},
    {.name = "export", .n_files = 1, .key = NEEDS_KEY, .run = inspect_export},
    {.name = "diff", .n_files = 2, .key = NO_KEY, .run = inspect_diff},
    {.name = "preview", .n_files = 1, .key = MAY_HAVE_KEY, .run = NULL},
};

static const char args_doc[] = "ls FILE\n"
                               "show FILE KEY\n"
                               "verify FILE\n"
                               "export FILE KEY\n"
                               "diff FILE FILE\n"
                               "preview FILE [VIDEO]";

static const char doc[] =
    "Looks into stores and .safetensors files.\v"
    "Commands:\n"
    "  ls       what the file is, and its keys\n"
    "  show     one record; the key of the description is !meta or __metadata__\n"
    "  verify   read everything, name every bad record\n"
    "  export   an array as .npy, a frame or a matrix as PNG\n"
    "  diff     what differs between two files\n"
    "  preview  a contact sheet as PNG: frames of a video in a frames store, or the\n"
    "           clips of an example in a samples store as the network sees them";

struct request {
    const struct command *command;
    struct inspect inspect;
    struct preview_options preview;
    bool for_ls, for_show, for_preview; /* one of their options was given */
};

enum { KEY_ALL = 256, KEY_NPY, KEY_PNG };
enum { KEY_FRAMES = 512, KEY_EPOCH, KEY_EXAMPLE, KEY_AGGREGATE, KEY_CROP_SIZE, KEY_TILES };

static const struct argp_option options[] = {
    {"long", 'l', NULL, 0, "ls: a line on every record, with type, shape and sizes", 0},
    {"all", KEY_ALL, NULL, 0, "show: every element and row, however many", 0},
    {"npy", KEY_NPY, "FILE", 0, "export: write the array to FILE", 0},
    {"png", KEY_PNG, "FILE", 0, "export: write a picture to FILE", 0},
    {"output", 'o', "FILE", 0, "preview: the PNG picture to write", 0},
    {"tiles", KEY_TILES, "N", 0, "preview: frames of a video to show at most (default: 24)", 0},
    {"frames", KEY_FRAMES, "FILE", 0, "preview: the frames store that the samples refer to", 0},
    {"epoch", KEY_EPOCH, "N", 0, "preview: table of the samples store (default: 0)", 0},
    {"example", KEY_EXAMPLE, "N", 0, "preview: example of that epoch (default: 0)", 0},
    {"crop-size", KEY_CROP_SIZE, "N", 0,
     "preview: side of the network's input, pixels (default: 224)", 0},
    {"aggregate", KEY_AGGREGATE, "KS,KL", 0,
     "preview: feature steps behind an embedding of the short and of the long clip (default: 2,1)",
     0},
    {0},
};

static void choose_command(struct request *r, struct argp_state *state, const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            r->command = &commands[i];
    if (!r->command)
        argp_error(state, "there is no command '%s'", name);
}

/* Argument `n`, counted behind the command. */
static void take_argument(struct request *r, struct argp_state *state, int n, char *arg)
{
    int n_files = r->command->n_files;
    if (n < n_files)
        *(n == 0 ? &r->inspect.path : &r->inspect.other) = arg;
    else if (n == n_files && r->command->key != NO_KEY)
        r->inspect.key = arg;
    else
        argp_error(state, "unexpected argument '%s'", arg);
}

static void check_complete(const struct request *r, struct argp_state *state)
{
    const struct inspect *i = &r->inspect;
    bool exports = r->command && r->command->run == inspect_export;
    bool lists = r->command && r->command->run == inspect_ls;
    bool shows = r->command && r->command->run == inspect_show;
    if (!r->command)
        argp_error(state, "a command is missing");
    else if (!i->path || (r->command->n_files > 1 && !i->other))
        argp_error(state, "%s: a file is missing", r->command->name);
    else if (r->command->key == NEEDS_KEY && !i->key)
        argp_error(state, "%s: a key is missing", r->command->name);
    else if (r->command->run && r->for_preview)
        argp_error(state, "%s: an option of preview was given", r->command->name);
    else if (!r->command->run && !r->preview.output)
        argp_error(state, "preview: -o is missing");
    else if (exports && !i->npy && !i->png)
        argp_error(state, "export: --npy or --png is missing");
    else if (!exports && (i->npy || i->png))
        argp_error(state, "--npy and --png belong to export");
    else if (!lists && r->for_ls)
        argp_error(state, "-l belongs to ls");
    else if (!shows && r->for_show)
        argp_error(state, "--all belongs to show");
}

static error_t parse_preview(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct preview_options *o = &r->preview;
    switch (key) {
    case 'o':
        o->output = arg;
        break;
    case KEY_FRAMES:
        o->frames = arg;
        break;
    case KEY_TILES:
        o->n_tiles = (size_t)cli_i64(state, "tiles", arg, 1, 600);
        break;
    case KEY_EPOCH:
        o->epoch = (size_t)cli_i64(state, "epoch", arg, 0, 99999999);
        break;
    case KEY_EXAMPLE:
        o->example = (size_t)cli_i64(state, "example", arg, 0, UINT32_MAX);
        break;
    case KEY_CROP_SIZE:
        o->crop_size = (size_t)cli_i64(state, "crop-size", arg, 1, 2048);
        break;
    case KEY_AGGREGATE:
        cli_pair(state, "aggregate", arg, "KS,KL", o->aggregate);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    r->for_preview = true;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 'l':
        r->for_ls = r->inspect.all = true;
        return 0;
    case KEY_ALL:
        r->for_show = r->inspect.all = true;
        return 0;
    case KEY_NPY:
        r->inspect.npy = arg;
        return 0;
    case KEY_PNG:
        r->inspect.png = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            choose_command(r, state, arg);
        else
            take_argument(r, state, (int)state->arg_num - 1, arg);
        return 0;
    case ARGP_KEY_END:
        check_complete(r, state);
        return 0;
    }
    return parse_preview(key, arg, state);
}

static int run(struct request *r, struct err *e)
{
    if (r->command->run)
        return r->command->run(&r->inspect, e);
    r->preview.store = r->inspect.path;
    r->preview.id = r->inspect.key;
    return preview_write(&r->preview, e);
}

int main(int argc, char **argv)
{
    static const char *const outputs[] = {"npy", "png", NULL};
    static const struct argp argp = {options, parse, args_doc, doc, NULL, NULL, NULL};
    struct request r = {
        .inspect = {.out = stdout},
        .preview = {.n_tiles = 24, .crop_size = 224, .aggregate = {2, 1}},
    };
    struct cli cli = {.tool = "teg-inspect",
                      .argp = &argp,
                      .input = &r,
                      .without = CLI_NO_THREADS | CLI_NO_LOG,
                      .outputs = outputs,
                      .n_path_arguments = 2}; /* the command, and the store */
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    struct err e = {0};
    r.inspect.ui = cli.ui;
    return cli_finish(&cli, run(&r, &e), &e);
}
