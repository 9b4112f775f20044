/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/cli.h"
#include "common/store/inspect.h"

/* One line a subcommand: its arguments are files, then a key where it takes one. */
static const struct command {
    const char *name;
    int n_files;
    bool takes_key;
    int (*run)(const struct inspect *i, struct err *e);
} commands[] = {
    {.name = "ls", .n_files = 1, .takes_key = false, .run = inspect_ls},
    {.name = "show", .n_files = 1, .takes_key = true, .run = inspect_show},
    {.name = "verify", .n_files = 1, .takes_key = false, .run = inspect_verify},
    {.name = "export", .n_files = 1, .takes_key = true, .run = inspect_export},
    {.name = "diff", .n_files = 2, .takes_key = false, .run = inspect_diff},
};

static const char args_doc[] = "ls FILE\n"
                               "show FILE KEY\n"
                               "verify FILE\n"
                               "export FILE KEY\n"
                               "diff FILE FILE";

static const char doc[] =
    "Looks into stores and .safetensors files.\v"
    "Commands:\n"
    "  ls      what the file is, and its keys\n"
    "  show    one record; the key of the description is !meta or __metadata__\n"
    "  verify  read everything, name every bad record\n"
    "  export  an array as .npy, a frame or a matrix as PNG\n"
    "  diff    what differs between two files";

struct request {
    const struct command *command;
    struct inspect inspect;
};

enum { KEY_ALL = 256, KEY_NPY, KEY_PNG };

static const struct argp_option options[] = {
    {"long", 'l', NULL, 0, "ls: a line on every record, with type, shape and sizes", 0},
    {"all", KEY_ALL, NULL, 0, "show: every element and row, however many", 0},
    {"npy", KEY_NPY, "FILE", 0, "export: write the array to FILE", 0},
    {"png", KEY_PNG, "FILE", 0, "export: write a picture to FILE", 0},
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
    else if (n == n_files && r->command->takes_key)
        r->inspect.key = arg;
    else
        argp_error(state, "unexpected argument '%s'", arg);
}

static void check_complete(const struct request *r, struct argp_state *state)
{
    const struct inspect *i = &r->inspect;
    bool exports = r->command && r->command->run == inspect_export;
    if (!r->command)
        argp_error(state, "a command is missing");
    else if (!i->path || (r->command->n_files > 1 && !i->other))
        argp_error(state, "%s: a file is missing", r->command->name);
    else if (r->command->takes_key && !i->key)
        argp_error(state, "%s: a key is missing", r->command->name);
    else if (exports && !i->npy && !i->png)
        argp_error(state, "export: --npy or --png is missing");
    else if (!exports && (i->npy || i->png))
        argp_error(state, "--npy and --png belong to export");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 'l':
    case KEY_ALL:
        r->inspect.all = true;
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
    return ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {options, parse, args_doc, doc, NULL, NULL, NULL};
    struct request r = {.inspect = {.out = stdout}};
    struct cli cli = {
        .tool = "teg-inspect", .argp = &argp, .input = &r, .without = CLI_NO_THREADS | CLI_NO_LOG};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    struct err e = {0};
    r.inspect.ui = cli.ui;
    return cli_finish(&cli, r.command->run(&r.inspect, &e), &e);
}
