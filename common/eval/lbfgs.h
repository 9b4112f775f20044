/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Minimises a smooth function by L-BFGS (Nocedal 1980) with a bisection search for a step that
 * satisfies the weak Wolfe conditions. Vectors are float32, their products are summed in float64.
 */
#ifndef TEG_EVAL_LBFGS_H
#define TEG_EVAL_LBFGS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct lbfgs_problem {
    size_t n; /* variables */
    /* Value and gradient [n] at w [n]. A negative return ends the search and is returned. */
    int (*evaluate)(void *user, const float *w, float *grad, double *value, struct err *e);
    /* After each iteration, when the last evaluation was at the new point; or NULL. */
    void (*report)(void *user, uint64_t iteration);
    void *user;
    uint64_t max_iterations;
    double tolerance; /* ends where no component of the gradient is larger */
};

/*
 * Starts at w [n] and leaves the best point there. Ends well too when no step makes the function
 * smaller any more, which is where float32 gradients end. Values that are not finite at the start
 * are an error.
 */
int lbfgs_minimize(const struct lbfgs_problem *problem, float *w, struct err *e);

#endif
