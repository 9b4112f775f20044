/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd_group.h"

const char *const gebd_grouping_names[] = {"paper", "official", NULL};

/* The boundary of the run [first, end). */
static double centre(const struct gebd_series *s, enum gebd_grouping grouping, size_t first,
                     size_t end)
{
    if (grouping == GEBD_OFFICIAL)
        return s->time[first + (end - 1 - first) / 2];
    double sum = 0;
    for (size_t i = first; i < end; i++)
        sum += s->time[i];
    return sum / (double)(end - first);
}

size_t gebd_group(const struct gebd_series *s, enum gebd_grouping grouping, double threshold,
                  double *out)
{
    size_t n_out = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t first = i;
        while (i < s->n && s->score[i] >= threshold)
            i++;
        if (i > first)
            out[n_out++] = centre(s, grouping, first, i);
    }
    return n_out;
}
