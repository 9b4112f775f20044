/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every tool's main has in common: the options --threads --log --quiet --verbose, exit codes,
 * the one error line, a checked stdout, and the command line as it goes into outputs. A tool looks
 * like this:
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct request r = defaults;              // what the user asked for
 *         struct cli cli = {.tool = "teg-index", .argp = &argp, .input = &r};
 *         if (cli_parse(&cli, argc, argv))          // prints usage itself, exit 2
 *             return cli_finish(&cli, ERR_FAIL, NULL);
 *         struct err e = {0};
 *         int rc = index_build(&r.options, cli.ui, &e);
 *         return cli_finish(&cli, rc, &e);          // prints the error, closes stdout, 0 / 1
 *     }
 */
#ifndef TEG_BASE_CLI_H
#define TEG_BASE_CLI_H

#include <argp.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/base/ui.h"

struct cli {
    const char *tool;        /* program name */
    const struct argp *argp; /* the tool's own options; the common ones are added as a child */
    void *input;             /* state->input of the tool's parser */
    unsigned without;        /* CLI_NO_* flags: common options that mean nothing to this tool */
    /* Names of options whose value must not reach outputs (besides the common ones): NULL-ended or
     * NULL. */
    const char *const *not_recorded;
    /* Names of options whose file is written, besides --output and --log: NULL-ended or NULL. */
    const char *const *outputs;
    unsigned n_path_arguments; /* the first so many arguments may be files that are read */
    const char *threads_help;  /* of --threads, where results depend on it; else NULL */
    bool silent; /* another process with the same command line says what is wrong with it, and what
                    there is to say besides */

    size_t n_threads;   /* --threads, default pool_n_processors() */
    bool threads_given; /* which of these it is */
    struct ui *ui;      /* open after cli_parse */
    struct json *argv;  /* the command line for `!meta`: see cli_parse */
};

enum { CLI_NO_THREADS = 1, CLI_NO_LOG = 2 };

/*
 * Files that are written must be none of those that are read, nor one another: an output is renamed
 * over what is there. Standard streams that are closed are kept from becoming some file.
 *
 * Parses; usage errors print "tool: error: ..." and a hint, and end the program with status 2
 * (argp's own exits are set to 2 as well). --version prints "tool VERSION". Other failures (the log
 * cannot be opened, a file is to be read and written) are printed and returned. cli->argv becomes
 * the list of the tool's options in the long form ("--seed=7"), in the order of --help, and of its
 * arguments. It does not depend on where a run took place: the common options, --output and the
 * tool's `not_recorded` are left out; arguments, and values whose name in the help holds FILE, DIR,
 * PATH, STORE or MODEL, are cut down to their last component.
 */
int cli_parse(struct cli *cli, int argc, char **argv);

/* Prints the error of rc < 0 (ERR_STOPPED says how to go on), checks stdout; returns the exit
 * status. */
int cli_finish(struct cli *cli, int rc, const struct err *e);

/* For option parsers: argp_error with the option's name in front when the conversion fails. */
int64_t cli_i64(struct argp_state *state, const char *option, const char *text, int64_t min,
                int64_t max);
double cli_f64(struct argp_state *state, const char *option, const char *text, double min,
               double max);
/* Index of `text` in the NULL-ended list `names`; argp_error lists them otherwise. */
int cli_choice(struct argp_state *state, const char *option, const char *text,
               const char *const *names);
/* "2,1": two counts of 1 or more; `form` is what the error calls them ("KS,KL"). */
void cli_pair(struct argp_state *state, const char *option, const char *text, const char *form,
              size_t out[2]);

#endif
