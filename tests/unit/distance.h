/* SPDX-License-Identifier: Apache-2.0 */
/* How far apart two vectors are. */
#ifndef TEG_TESTS_UNIT_DISTANCE_H
#define TEG_TESTS_UNIT_DISTANCE_H

#include <math.h>
#include <stddef.h>

/* |got - want| / |want|; NaN where `want` is 0 throughout. */
static inline double distance(const float *got, const float *want, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        difference += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    return sqrt(difference / norm);
}

#endif
