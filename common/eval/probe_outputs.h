/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the probe: what its outputs may replace, asked before the work that they come from. */
#ifndef TEG_EVAL_PROBE_OUTPUTS_H
#define TEG_EVAL_PROBE_OUTPUTS_H

#include "common/base/err.h"
#include "common/eval/probe.h"

/*
 * Fails where an output cannot be written, where two of them are one file, and, without `force`,
 * where one would replace a file of another kind: metrics replace metrics of a probe, predictions
 * such predictions, pictures PNG files, and everything an empty file.
 */
int probe_outputs_check(const struct probe_options *o, struct err *e);

#endif
