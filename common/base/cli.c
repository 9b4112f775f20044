/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/base/pool.h"
#include "common/base/version.h"

struct given_path {
    const char *option; /* NULL: an argument */
    const char *path;
    bool is_output;
};

/* Everything that lives while the options are parsed. */
struct parse {
    struct cli *cli;
    struct ui_options ui;
    struct given_path *paths;
    size_t n_paths;
    struct json *options, *arguments; /* recorded, in the order of the command line */
};

/* -- stdout and stderr -- */

static const char *tool_name = "teg";
static bool stdout_closed;
static FILE *real_stderr; /* while argp runs, stderr is a filter */

static int close_stdout(struct err *e)
{
    stdout_closed = true;
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) != 0 || failed)
        return errno ? err_errno(e, "standard output")
                     : err_set(e, "standard output: cannot write");
    return 0;
}

/* --help and --version end the program inside argp: their output is checked as well. */
static void check_stdout_at_exit(void)
{
    struct err e;
    if (!stdout_closed && close_stdout(&e) < 0) {
        fprintf(real_stderr, "%s: error: %s\n", tool_name, e.text);
        _exit(EXIT_FAILURE);
    }
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "%s %s\n", tool_name, TEG_VERSION);
}

/*
 * argp and getopt write "tool: what"; through this stream it becomes "tool: error: what". The
 * stream is line-buffered, so a message always begins a write.
 */
static ssize_t write_usage_error(void *cookie, const char *text, size_t len)
{
    const struct cli *cli = cookie;
    size_t name = strlen(tool_name);
    if (cli->silent)
        return (ssize_t)len;
    if (len > name && memcmp(text, tool_name, name) == 0 && text[name] == ':') {
        fprintf(real_stderr, "%s: error", tool_name);
        fwrite(text + name, 1, len - name, real_stderr);
    } else {
        fwrite(text, 1, len, real_stderr);
    }
    return (ssize_t)len;
}

/* -- what is read and what is written -- */

static bool is_named(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool is_output(const struct cli *cli, const char *option)
{
    return strcmp(option, "output") == 0 || strcmp(option, "log") == 0 ||
           is_named(cli->outputs, option);
}

/* An option that is given again counts as it was given last. */
static int add_path(struct parse *p, const char *option, const char *path)
{
    size_t i = 0;
    while (i < p->n_paths &&
           (!option || !p->paths[i].option || strcmp(p->paths[i].option, option) != 0))
        i++;
    if (i == p->n_paths) {
        struct given_path *paths = mem_grow(p->paths, i + 1, sizeof *paths, NULL);
        if (!paths)
            return ERR_FAIL;
        p->paths = paths;
        p->n_paths++;
    }
    p->paths[i] = (struct given_path){option, path, option && is_output(p->cli, option)};
    return 0;
}

static int check_paths(const struct parse *p, struct err *e)
{
    for (size_t i = 0; i < p->n_paths; i++)
        for (size_t j = 0; j < i; j++) {
            bool swap = p->paths[j].is_output; /* what is read is named first */
            const struct given_path *a = &p->paths[swap ? i : j], *b = &p->paths[swap ? j : i];
            if ((a->is_output || b->is_output) && file_is_same(a->path, b->path))
                return err_set(e, "%s: %s%s and %s%s are the same file", b->path,
                               a->option ? "--" : "", a->option ? a->option : "the argument",
                               b->option ? "--" : "", b->option ? b->option : "the argument");
        }
    return 0;
}

/* -- the common options -- */

enum { KEY_THREADS = 0x1000, KEY_LOG };

static const struct argp_option threads_option = {
    "threads",
    KEY_THREADS,
    "N",
    0,
    "Threads to work on (default: all processors); results never depend on it",
    0};
static const struct argp_option log_option = {
    "log", KEY_LOG, "FILE", 0, "Append what happens to FILE, one JSON object a line", 0};
static const struct argp_option quiet_option = {"quiet", 'q', NULL, 0, "Errors and warnings only",
                                                0};
static const struct argp_option verbose_option = {
    "verbose", 'v', NULL, 0, "More details: options, threads, time and memory", 0};

static void check_given(struct argp_state *state, const char *option, const char *text)
{
    if (text && !*text && option)
        argp_error(state, "--%s: nothing given", option);
    else if (text && !*text)
        argp_error(state, "an argument is empty");
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct parse *p = state->input;
    switch (key) {
    case KEY_THREADS:
        p->cli->n_threads = (size_t)cli_i64(state, "threads", arg, 1, 4096);
        p->cli->threads_given = true;
        return 0;
    case KEY_LOG:
        check_given(state, "log", arg);
        p->ui.log_path = arg;
        return add_path(p, "log", arg) < 0 ? ENOMEM : 0;
    case 'q':
        p->ui.quiet = true;
        return 0;
    case 'v':
        p->ui.verbose = true;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* -- the command line for `!meta` -- */

static bool is_recorded(const struct cli *cli, const char *name)
{
    return strcmp(name, "output") != 0 && !is_named(cli->not_recorded, name);
}

static bool is_path(const char *argument_name)
{
    static const char *const names[] = {"FILE", "DIR", "PATH", "STORE", "MODEL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(argument_name, names[i]))
            return true;
    return false;
}

static const struct argp_option *find_option(const struct argp_option *options, int key)
{
    for (const struct argp_option *o = options; o && (o->name || o->key || o->doc); o++)
        if (o->key == key && o->name && !(o->flags & (OPTION_ALIAS | OPTION_DOC)))
            return o;
    return NULL;
}

/* One entry for an option or an argument that the tool took; other keys of argp are passed over. */
static int record(struct parse *p, int key, const char *arg)
{
    const struct cli *cli = p->cli;
    bool positional = key == ARGP_KEY_ARG;
    const struct argp_option *o = positional ? NULL : find_option(cli->argp->options, key);
    if (!positional && (!o || !is_recorded(cli, o->name)))
        return 0;
    bool path = arg && (positional || (o->arg && is_path(o->arg)));
    struct buf text = {0};
    int rc = o ? buf_printf(&text, NULL, "--%s%s", o->name, arg ? "=" : "") : 0;
    if (rc == 0)
        rc = buf_printf(&text, NULL, "%s", !arg ? "" : path ? path_base(arg) : arg);
    if (rc == 0)
        rc = json_append(positional ? p->arguments : p->options,
                         json_new_str((const char *)text.data));
    buf_release(&text);
    return rc;
}

/* Whether an entry is that of an option: "--name" or "--name=value". */
static bool is_entry_of(const char *entry, const char *name)
{
    size_t len = strlen(name);
    return strncmp(entry + 2, name, len) == 0 && (!entry[2 + len] || entry[2 + len] == '=');
}

/* cli->argv: the options in the order of --help, those given repeatedly in that they came in. */
static int order_recorded(struct parse *p)
{
    int rc = 0;
    for (const struct argp_option *o = p->cli->argp->options; o && (o->name || o->key || o->doc);
         o++)
        for (size_t i = 0; o->name && i < json_len(p->options); i++)
            if (is_entry_of(json_str(json_at(p->options, i)), o->name))
                rc |= json_append(p->cli->argv, json_ref(json_at(p->options, i)));
    for (size_t i = 0; i < json_len(p->arguments); i++)
        rc |= json_append(p->cli->argv, json_ref(json_at(p->arguments, i)));
    return rc;
}

/* Stands in front of the tool's own parser, to see every option that it takes. */
static error_t parse_tool(int key, char *arg, struct argp_state *state)
{
    struct parse *p = state->input;
    struct cli *cli = p->cli;
    if (key == ARGP_KEY_INIT) {
        size_t n = 0; /* the common options are the last child */
        while (cli->argp->children && cli->argp->children[n].argp)
            n++;
        state->child_inputs[n] = p;
    }
    const struct argp_option *option = find_option(cli->argp->options, key);
    if (option || key == ARGP_KEY_ARG)
        check_given(state, option ? option->name : NULL, arg);
    bool is_file = option ? option->arg && is_path(option->arg)
                          : key == ARGP_KEY_ARG && state->arg_num < cli->n_path_arguments;
    if (is_file && add_path(p, option ? option->name : NULL, arg) < 0)
        return ENOMEM;
    state->input = cli->input;
    error_t rc = cli->argp->parser ? cli->argp->parser(key, arg, state) : ARGP_ERR_UNKNOWN;
    state->input = p;
    if (key == ARGP_KEY_ARG && rc == ARGP_ERR_UNKNOWN) /* argp's own message does not name it */
        argp_error(state, "unexpected argument '%s'", arg);
    return rc == 0 && record(p, key, arg) < 0 ? ENOMEM : rc;
}

/* -- parsing -- */

/* Parses with what goes to stderr filtered; a usage error does not come back. */
static int parse_filtered(const struct argp *argp, int argc, char **argv, struct parse *p)
{
    FILE *filter =
        fopencookie((void *)p->cli, "w", (cookie_io_functions_t){.write = write_usage_error});
    if (filter) {
        setvbuf(filter, NULL, _IOLBF, BUFSIZ);
        stderr = filter;
    }
    int rc = argp_parse(argp, argc, argv, 0, NULL, p);
    stderr = real_stderr;
    if (filter)
        fclose(filter);
    return rc;
}

/* The tool's argp with the common options as one more child. */
static int run_argp(struct parse *p, int argc, char **argv)
{
    enum { MAX_CHILDREN = 8 };
    const struct cli *cli = p->cli;
    struct argp_option options[5] = {{0}};
    size_t n = 0;
    if (!(cli->without & CLI_NO_THREADS))
        options[n++] = threads_option;
    if (cli->threads_help)
        options[0].doc = cli->threads_help;
    if (!(cli->without & CLI_NO_LOG))
        options[n++] = log_option;
    options[n++] = quiet_option;
    options[n] = verbose_option;
    const struct argp common = {.options = options, .parser = parse_common};
    struct argp_child children[MAX_CHILDREN + 2] = {{0}};
    for (n = 0; cli->argp->children && cli->argp->children[n].argp && n < MAX_CHILDREN; n++)
        children[n] = cli->argp->children[n];
    children[n] = (struct argp_child){.argp = &common, .header = "Common options:"};
    struct argp all = *cli->argp;
    all.parser = parse_tool;
    all.children = children;
    return parse_filtered(&all, argc, argv, p);
}

/* A closed one would become the next file that is opened. As it is not for writing, data for a
 * closed stdout still fail. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            _exit(EXIT_FAILURE);
}

static void tell_start(const struct cli *cli)
{
    ui_detail(cli->ui, "TeG %s, recorded in outputs as %s", TEG_VERSION, json_text(cli->argv));
    if (!(cli->without & CLI_NO_THREADS))
        ui_detail(cli->ui, "threads: %zu", cli->n_threads);
}

static void tell_end(const struct cli *cli)
{
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) < 0)
        return;
    double processor = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    ui_detail(cli->ui, "%.1f s of processor time, at most %.0f MiB of memory", processor,
              (double)used.ru_maxrss / 1024);
}

int cli_parse(struct cli *cli, int argc, char **argv)
{
    struct err e = {0};
    keep_standard_streams();
    struct parse p = {.cli = cli,
                      .ui = {.tool = cli->tool},
                      .options = json_new_array(),
                      .arguments = json_new_array()};
    tool_name = cli->tool;
    argv[0] = (char *)cli->tool; /* getopt's messages start with it */
    real_stderr = stderr;
    argp_err_exit_status = 2;
    argp_program_version_hook = print_version;
    atexit(check_stdout_at_exit);
    cli->n_threads = pool_n_processors();
    cli->argv = json_new_array();
    int rc = cli->argv && p.options && p.arguments ? 0 : err_set(&e, "out of memory");
    if (rc == 0 && (run_argp(&p, argc, argv) != 0 || order_recorded(&p) != 0))
        rc = err_set(&e, "the command line cannot be read");
    json_free(p.options);
    json_free(p.arguments);
    if (rc == 0)
        rc = check_paths(&p, &e);
    free(p.paths);
    p.ui.quiet = p.ui.quiet || cli->silent;
    p.ui.verbose = p.ui.verbose && !cli->silent;
    if (rc == 0)
        rc = ui_open(&cli->ui, &p.ui, &e);
    if (rc < 0 && !cli->silent)
        fprintf(stderr, "%s: error: %s\n", cli->tool, e.text);
    if (rc == 0)
        tell_start(cli);
    return rc;
}

static void print_outcome(int rc, const char *text)
{
    static const char plain[] = "stopped";
    if (rc != ERR_STOPPED) {
        fprintf(stderr, "%s: error: %s\n", tool_name, text);
        return;
    }
    size_t len = strlen(text);
    bool says_more = len >= sizeof plain && strcmp(text + len - (sizeof plain - 1), plain) != 0;
    fprintf(stderr, "%s: stopped: %s\n", tool_name,
            says_more ? text : "run the same command again to go on");
}

int cli_finish(struct cli *cli, int rc, const struct err *e)
{
    struct err late_ui = {0}, late_stdout = {0};
    tell_end(cli);
    int ui_rc = ui_close(cli->ui, &late_ui); /* first, as it takes the progress line away */
    int stdout_rc = close_stdout(&late_stdout);
    json_free(cli->argv);
    cli->ui = NULL;
    cli->argv = NULL;
    if (rc < 0 && e)
        print_outcome(rc, e->text);
    else if (ui_rc < 0)
        print_outcome(ui_rc, late_ui.text);
    else if (stdout_rc < 0)
        print_outcome(stdout_rc, late_stdout.text);
    return rc < 0 || ui_rc < 0 || stdout_rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* -- conversions for option parsers -- */

int64_t cli_i64(struct argp_state *state, const char *option, const char *text, int64_t min,
                int64_t max)
{
    struct err e;
    int64_t n = min;
    if (num_i64(text, min, max, &n, &e) < 0)
        argp_error(state, "--%s: %s", option, e.text);
    return n;
}

double cli_f64(struct argp_state *state, const char *option, const char *text, double min,
               double max)
{
    struct err e;
    double x = min;
    if (num_f64(text, min, max, &x, &e) < 0)
        argp_error(state, "--%s: %s", option, e.text);
    return x;
}

int cli_choice(struct argp_state *state, const char *option, const char *text,
               const char *const *names)
{
    struct buf list = {0};
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            buf_release(&list);
            return i;
        }
        buf_printf(&list, NULL, "%s%s", i ? ", " : "", names[i]);
    }
    argp_error(state, "--%s: expected one of %s; got '%.64s'", option,
               list.data ? (char *)list.data : "nothing", text);
    buf_release(&list);
    return 0;
}

void cli_pair(struct argp_state *state, const char *option, const char *text, const char *form,
              size_t out[2])
{
    char part[2][16];
    int end = 0;
    if (sscanf(text, "%15[0-9],%15[0-9]%n", part[0], part[1], &end) != 2 || text[end])
        argp_error(state, "--%s: \"%s\" is not %s", option, text, form);
    for (int i = 0; i < 2; i++)
        out[i] = (size_t)cli_i64(state, option, part[i], 1, 4096);
}
