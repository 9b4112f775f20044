/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/schedule.h"

#include <math.h>

static double cosine(const struct schedule *s, uint64_t step)
{
    return s->base * 0.5 * (1 + cos(M_PI * (double)step / (double)s->total_steps));
}

double schedule_lr(const struct schedule *s, uint64_t step)
{
    if (step >= s->warmup_steps)
        return cosine(s, step);
    return cosine(s, s->warmup_steps) * (double)step / (double)s->warmup_steps;
}
