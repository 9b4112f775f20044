/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the probe: events that several annotators gave labels are also scored as VidSitu's. */
#ifndef TEG_EVAL_PROBE_VERBS_H
#define TEG_EVAL_PROBE_VERBS_H

#include "common/base/err.h"
#include "common/eval/probe_data.h"
#include "common/eval/vidsitu.h"

/*
 * The five best classes of each test decision, from scores [decisions, n_classes], against all
 * labels of its event. 1: fills out [VIDSITU_N_RULES]; 0: no event has several labels. An event
 * without a list of them has its one label.
 */
int probe_verbs_score(const struct probe_data *d, const double *scores, struct vidsitu_scores *out,
                      struct err *e);

#endif
