/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goodness of fit. Seeds are fixed, so a test fails always or never; a bound that a right generator
 * passes with one seed in a thousand or better tells a wrong one apart by far.
 */
#ifndef TEG_TESTS_UNIT_STATISTICS_H
#define TEG_TESTS_UNIT_STATISTICS_H

#include <math.h>
#include <stdlib.h>

#include "tests/unit/support.h"

/* Counts against expected counts (each at least 5 or so): chi-square, about five deviations. */
static inline void statistics_chi_square(const size_t *count, const double *expected, size_t n)
{
    double x = 0, dof = (double)n - 1;
    for (size_t i = 0; i < n; i++)
        x += ((double)count[i] - expected[i]) * ((double)count[i] - expected[i]) / expected[i];
    if (x > dof + 5 * sqrt(2 * dof))
        fail_msg("chi-square %g with %g degrees of freedom", x, dof);
}

static inline void statistics_chi_square_even(const size_t *count, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += count[i];
    double *expected = malloc(n * sizeof *expected);
    assert_non_null(expected);
    for (size_t i = 0; i < n; i++)
        expected[i] = (double)total / (double)n;
    statistics_chi_square(count, expected, n);
    free(expected);
}

static inline int statistics_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov against a continuous distribution, at the 0.1 % point. Sorts x. */
static inline void statistics_ks(double *x, size_t n, double (*cdf)(double, const void *),
                                 const void *parameters)
{
    double worst = 0;
    qsort(x, n, sizeof *x, statistics_compare);
    for (size_t i = 0; i < n; i++) {
        double p = cdf(x[i], parameters);
        worst = fmax(worst, fmax(p - (double)i / (double)n, (double)(i + 1) / (double)n - p));
    }
    if (worst * sqrt((double)n) > 1.95)
        fail_msg("Kolmogorov-Smirnov: %g at n = %zu", worst * sqrt((double)n), n);
}

/* Cumulative distribution of the uniform one between two numbers. */
static inline double statistics_uniform(double x, const void *limits)
{
    const double *l = limits;
    return fmin(fmax((x - l[0]) / (l[1] - l[0]), 0), 1);
}

/* A share of n trials against its probability: five deviations. */
static inline void statistics_share(size_t hits, size_t n, double p)
{
    double off = fabs((double)hits / (double)n - p), deviation = sqrt(p * (1 - p) / (double)n);
    if (off > 5 * deviation)
        fail_msg("%zu of %zu, expected a share of %g", hits, n, p);
}

#endif
