/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cli.h"
#include "common/eval/vidsitu.h"
#include "common/eval/vidsitu_eval.h"
#include "common/eval/report.h"

static const char *const not_recorded[] = {"print", "force", NULL};

struct request {
    struct vidsitu_options vidsitu;
    enum report_form print;
};

enum { KEY_PREDICTIONS = 256, KEY_ANNOTATIONS, KEY_SPLIT, KEY_MISSING, KEY_FORCE, KEY_PRINT };

static const struct argp_option options[] = {
    {"predictions", KEY_PREDICTIONS, "FILE", 0, "Predicted verbs in the official form, JSON", 0},
    {"annotations", KEY_ANNOTATIONS, "DIR", 0, "Folder of the official annotation files", 0},
    {"split", KEY_SPLIT, "NAME", 0, "Split, as the official files call it (valid)", 0},
    {"max-missing", KEY_MISSING, "N", 0, "Videos of the split without predictions (0)", 0},
    {"output", 'o', "FILE", 0, "Metrics to write, JSON", 0},
    {"force", KEY_FORCE, NULL, 0, "Replace a file that is no earlier output", 0},
    {"print", KEY_PRINT, "KIND", 0, "What goes to stdout: table, json or none (table)", 0},
    {0},
};

static void check_complete(const struct request *r, struct argp_state *state)
{
    const struct vidsitu_options *o = &r->vidsitu;
    const char *missing = !o->predictions   ? "--predictions FILE"
                          : !o->annotations ? "--annotations DIR"
                          : !o->out         ? "-o FILE"
                                            : NULL;
    if (missing)
        argp_error(state, "%s is missing", missing);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    struct vidsitu_options *o = &r->vidsitu;
    switch (key) {
    case KEY_PREDICTIONS:
        o->predictions = arg;
        break;
    case KEY_ANNOTATIONS:
        o->annotations = arg;
        break;
    case KEY_SPLIT:
        o->split = arg;
        break;
    case KEY_MISSING:
        o->max_missing = (uint64_t)cli_i64(state, "max-missing", arg, 0, INT64_MAX);
        break;
    case 'o':
        o->out = arg;
        break;
    case KEY_FORCE:
        o->force = true;
        break;
    case KEY_PRINT:
        r->print = (enum report_form)cli_choice(state, "print", arg, report_form_names);
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        break;
    case ARGP_KEY_END:
        check_complete(r, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .doc = "Measures predicted verbs against VidSitu's annotations: "
                                     "accuracy and recall, as the official code computes them."};
    struct request r = {.vidsitu = {.split = "valid"}};
    struct cli cli = {.tool = "teg-vidsitu-eval",
                      .argp = &argp,
                      .input = &r,
                      .without = CLI_NO_THREADS | CLI_NO_LOG,
                      .not_recorded = not_recorded};
    struct json *metrics = NULL;
    struct err e = {0};
    if (cli_parse(&cli, argc, argv))
        return cli_finish(&cli, ERR_FAIL, NULL);
    r.vidsitu.argv = cli.argv;
    int rc = vidsitu_run(&r.vidsitu, cli.ui, &metrics, &e);
    if (rc == 0)
        report_show(stdout, r.print, metrics, vidsitu_eval_print);
    json_free(metrics);
    return cli_finish(&cli, rc, &e);
}
