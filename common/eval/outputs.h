/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the outputs of an evaluation may replace, asked before the work that they come from: only
 * earlier outputs of the same kind, so that a slip of the hand does not cost a store.
 *
 *     const struct output outputs[] = {{"--output", o->out, OUTPUT_METRICS},
 *                                      {"--csv", o->csv, OUTPUT_BOXES}};
 *     outputs_check(&(struct outputs){"teg-ava-eval", o->force, outputs, 2}, &e);
 */
#ifndef TEG_EVAL_OUTPUTS_H
#define TEG_EVAL_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum output_kind {
    OUTPUT_METRICS,   /* of the same tool (report.h) */
    OUTPUT_PICTURE,   /* PNG */
    OUTPUT_DECISIONS, /* JSON Lines of probe_write_predictions */
    OUTPUT_BOXES,     /* CSV of ava_scores_to_csv */
    OUTPUT_TIMES,     /* JSON of gebd_file.h, of each video times */
    OUTPUT_TRUTH,     /* the same, of each video what gebd_prepare_video makes */
    OUTPUT_PER_VIDEO, /* TSV of gebd_write_per_video */
};

struct output {
    const char *option, *path; /* path NULL: not asked for */
    enum output_kind kind;
};

struct outputs {
    const char *tool;
    bool force; /* anything may be replaced */
    const struct output *list;
    size_t n;
};

/*
 * Fails where an output cannot be written, where two of them are one file, and, without `force`,
 * where one would replace a file of another kind. Empty files, devices and pipes may be anything.
 */
int outputs_check(const struct outputs *o, struct err *e);

#endif
