/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the probe: which videos it uses, with which labels, and what it lacks. */
#ifndef TEG_EVAL_PROBE_PLAN_H
#define TEG_EVAL_PROBE_PLAN_H

#include "common/base/err.h"
#include "common/eval/probe_data.h"

/* Fills everything of `d` that does not need the features; index and stores are open. */
int probe_plan(struct probe_data *d, const struct probe_source *source, struct err *e);

#endif
