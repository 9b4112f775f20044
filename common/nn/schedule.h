/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The learning rate of a step (RECIPE section 3): half-period cosine from `base` to 0 over all
 * steps; during the warm-up a line from 0 to where the cosine is at its end. The cosine is not
 * shifted by the warm-up.
 */
#ifndef TEG_NN_SCHEDULE_H
#define TEG_NN_SCHEDULE_H

#include <stdint.h>

struct schedule {
    double base;
    uint64_t warmup_steps, total_steps; /* warmup_steps < total_steps */
};

/* `step` counts from 0 and is less than total_steps. */
double schedule_lr(const struct schedule *s, uint64_t step);

#endif
