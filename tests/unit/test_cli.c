/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/base/cli.h"
#include "common/base/file.h"
#include "common/base/version.h"
#include "tests/unit/folder_support.h"

/* A small tool as they all are; --fail chooses how its one library call ends. */
struct request {
    int64_t seed;
    double scale;
    int mode, fail;
    const char *output;
};

static const char *const modes[] = {"fast", "slow", NULL};
static const char *const outcomes[] = {"no", "error", "stop", "stop-says-why", NULL};

static const struct argp_option options[] = {
    {"seed", 's', "N", 0, "Seed of the drawing", 0},
    {"scale", 'x', "FACTOR", 0, "Scale", 0},
    {"mode", 'm', "MODE", 0, "fast or slow", 0},
    {"videos", 'd', "DIR", 0, "Folder of the videos", 0},
    {"output", 'o', "FILE", 0, "Where to write", 0},
    {"fail", 'f', "HOW", 0, "How to end", 0},
    {"flag", 'g', NULL, 0, "A flag", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 's':
        r->seed = cli_i64(state, "seed", arg, 0, 100);
        return 0;
    case 'x':
        r->scale = cli_f64(state, "scale", arg, 0, 1);
        return 0;
    case 'm':
        r->mode = cli_choice(state, "mode", arg, modes);
        return 0;
    case 'f':
        r->fail = cli_choice(state, "fail", arg, outcomes);
        return 0;
    case 'd':
    case 'g':
        return 0;
    case 'o':
        r->output = arg;
        return 0;
    case ARGP_KEY_ARG:
        return state->arg_num < 2 ? 0 : ARGP_ERR_UNKNOWN;
    case ARGP_KEY_END:
        if (!r->output)
            argp_error(state, "--output is missing");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int tool_main(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "STORE...", "Does little.", NULL, NULL, NULL};
    static const char *const not_recorded[] = {"fail", NULL};
    struct request r = {0};
    struct cli cli = {.tool = "teg-test", .argp = &argp, .input = &r, .not_recorded = not_recorded};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    struct err e = {0};
    int rc = 0;
    printf("%s %d %zu\n", json_text(cli.argv), (int)r.seed, cli.n_threads);
    if (r.fail == 1)
        rc = err_set(&e, "x.lmdb: not a store");
    else if (r.fail == 2)
        rc = err_code(&e, ERR_STOPPED, "stopped");
    else if (r.fail == 3)
        rc = err_code(&e, ERR_STOPPED, "repeat with --resume");
    return cli_finish(&cli, rc, &e);
}

static void redirect(int fd, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, fd);
    close(file);
}

static void load(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

struct outcome {
    int status;
    char out[8192], err[8192];
};

/* `command` is split at blanks; stdout may be sent elsewhere. */
static void run_to(struct outcome *o, const char *command, const char *stdout_path)
{
    const char *err_path = support_path(folder, "err");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char words[512], *argv[32], *rest = words;
        int argc = 0;
        snprintf(words, sizeof words, "./some/where/teg-test %s", command);
        while ((argv[argc] = strsep(&rest, " ")))
            argc++;
        redirect(STDOUT_FILENO, stdout_path);
        redirect(STDERR_FILENO, err_path);
        exit(tool_main(argc, argv));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    o->status = WEXITSTATUS(status);
    load(err_path, o->err, sizeof o->err);
    load(stdout_path, o->out, sizeof o->out);
}

static void run(struct outcome *o, const char *command)
{
    run_to(o, command, support_path(folder, "out"));
}

static void test_success(void **state)
{
    (void)state;
    struct outcome o;
    run(&o, "-s 7 --mode=slow -d /data/set/videos --fail no -g -q --threads 3 --scale 1/data -o x");
    assert_int_equal(o.status, 2); /* --scale is no number */
    run(&o, "-s 7 --mo=slow -d /data/set/videos --fail no -g -q --threads 3 -x 1e-1 a/b.lmdb -o x");
    assert_string_equal(o.err, "");
    assert_int_equal(o.status, 0);
    static const char argv[] = "[\"--seed=7\",\"--scale=1e-1\",\"--mode=slow\",\"--videos=videos\","
                               "\"--flag\",\"b.lmdb\"] 7 3\n";
    assert_string_equal(o.out, argv);
    run(&o, "a/b.lmdb -q -o y -g -x 1e-1 --threads 3 --mode slow -d videos --seed 7");
    assert_string_equal(o.out, argv);
    run(&o, "-s 1 -m fast -s 2 -o x --threads 2 -- --seed=9 -g");
    assert_string_equal(o.out,
                        "[\"--seed=1\",\"--seed=2\",\"--mode=fast\",\"--seed=9\",\"-g\"] 2 2\n");
}

static void test_verbose(void **state)
{
    (void)state;
    struct outcome o;
    run(&o, "-v -s 7 --threads 3 -o x");
    assert_int_equal(o.status, 0);
    assert_non_null(strstr(o.err, "recorded in outputs as [\"--seed=7\"]\n"));
    assert_non_null(strstr(o.err, "threads: 3\n"));
    assert_non_null(strstr(o.err, " MiB of memory\n"));
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *command, *err;
    } cases[] = {
        {"-o x -f error", "teg-test: error: x.lmdb: not a store\n"},
        {"-o x -f stop", "teg-test: stopped: run the same command again to go on\n"},
        {"-o x -f stop-says-why", "teg-test: stopped: repeat with --resume\n"},
        {"-o x --log /no/such/log", "teg-test: error: /no/such/log: No such file or directory\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o;
        run(&o, cases[i].command);
        assert_int_equal(o.status, 1);
        assert_string_equal(o.err, cases[i].err);
    }
}

static void test_same_files(void **state)
{
    (void)state;
    static const struct {
        const char *format, *err; /* NULL: fine */
    } cases[] = {
        {"-o %s/a -d %s/b", NULL},
        {"-o %s/a -d %s/a", "/a: --videos and --output are the same file\n"},
        {"-o %s/a -d %s/linked", "/a: --videos and --output are the same file\n"},
        {"-d %s/a --log %s/./a", "/./a: --videos and --log are the same file\n"},
        {"-o %s/absent --log %s/absent", "/absent: --log and --output are the same file\n"},
        {"-o %s/a a -o %s/absent", NULL},
        {"-o /dev/null -d /dev/null %s %s", NULL},
    };
    struct outcome o;
    char command[1024], a[300], b[300];
    struct err e;
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/linked", folder);
    assert_int_equal(file_write(a, "a", 1, &e), 0);
    assert_int_equal(symlink("a", b), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(command, sizeof command, i == 3 ? "-o x " : "");
        snprintf(command + strlen(command), sizeof command - strlen(command), cases[i].format,
                 folder, folder);
        run(&o, command);
        if (cases[i].err && !strstr(o.err, cases[i].err))
            fail_msg("%s: %s", command, o.err);
        assert_int_equal(o.status, cases[i].err ? 1 : 0);
    }
    snprintf(command, sizeof command, "-o x --log %s", a);
    run(&o, command);
    assert_non_null(strstr(o.err, "/a: is there and no log of JSON Lines"));
}

/* Closed standard streams must not become the files that are opened next. */
static void test_closed_streams(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *argv[] = {"teg-test", "-o", "x", NULL};
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        int status = tool_main(3, argv);
        bool kept = fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0;
        _exit(status * 10 + kept);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 11); /* stdout cannot take what it prints */
}

static void test_usage_errors(void **state)
{
    (void)state;
    static const struct {
        const char *command, *message;
    } cases[] = {
        {"-s 7", "--output is missing"},
        {"-o x -s many", "--seed: expected an integer from 0 to 100, got 'many'"},
        {"-o x -s 101", "--seed: expected an integer from 0 to 100, got '101'"},
        {"-o x --scale=nan", "--scale: expected a number from 0 to 1, got 'nan'"},
        {"-o x --mode medium", "--mode: expected one of fast, slow; got 'medium'"},
        {"-o x --threads 0", "--threads: expected an integer from 1 to 4096, got '0'"},
        {"-o x a b c", "unexpected argument 'c'"},
        {"--output=", "--output: nothing given"},
        {"-o x --log=", "--log: nothing given"},
        {"-o x a ", "an argument is empty"},
        {"-o x --nonsense", "unrecognized option '--nonsense'"},
        {"-o x -Z", "invalid option -- 'Z'"},
        {"-o", "option requires an argument -- 'o'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o;
        char expected[512];
        run(&o, cases[i].command);
        snprintf(expected, sizeof expected,
                 "teg-test: error: %s\nTry `teg-test --help' or `teg-test --usage' for more "
                 "information.\n",
                 cases[i].message);
        assert_string_equal(o.err, expected);
        assert_string_equal(o.out, "");
        assert_int_equal(o.status, 2);
    }
}

static void test_help(void **state)
{
    (void)state;
    struct outcome o;
    run(&o, "--version");
    assert_int_equal(o.status, 0);
    assert_string_equal(o.out, "teg-test " TEG_VERSION "\n");
    run(&o, "--help");
    assert_int_equal(o.status, 0);
    assert_string_equal(o.err, "");
    static const char *const parts[] = {"Usage: teg-test [OPTION...] STORE...\nDoes little.\n",
                                        "  -s, --seed=N ",
                                        "\n Common options:\n",
                                        "--log=FILE ",
                                        "-q, --quiet ",
                                        "--threads=N ",
                                        "-v, --verbose ",
                                        "-?, --help ",
                                        "-V, --version "};
    const char *at = o.out;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!(at = strstr(at, parts[i])))
            fail_msg("'%s' is not where it should be in\n%s", parts[i], o.out);
    for (char *rest = o.out, *line; (line = strsep(&rest, "\n"));)
        assert_true(strlen(line) < 80);
}

static void test_full_stdout(void **state)
{
    (void)state;
    static const char *const commands[] = {"-o x", "--help", "--version"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct outcome o;
        run_to(&o, commands[i], "/dev/full");
        assert_int_equal(o.status, 1);
        assert_string_equal(o.err, "teg-test: error: standard output: No space left on device\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_success, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verbose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_usage_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_same_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_streams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_help, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_stdout, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
