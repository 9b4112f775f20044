/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/lbfgs.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

enum { HISTORY = 10, MAX_TRIALS = 30 };
static const double SUFFICIENT = 1e-4, CURVATURE = 0.9; /* of the Wolfe conditions */

struct pair {
    float *s, *y;   /* step and change of the gradient */
    double inverse; /* 1 / s.y */
};

struct lbfgs {
    const struct lbfgs_problem *p;
    struct pair pairs[HISTORY]; /* the latest is first */
    size_t n_pairs;
    float *w, *grad, *trial, *trial_grad, *direction;
    double value;
};

static double dot(const float *a, const float *b, size_t n)
{
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++)
            lane[l] += (double)a[i + l] * b[i + l];
    for (; i < n; i++)
        lane[i % 8] += (double)a[i] * b[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static void add_scaled(float *y, double factor, const float *x, size_t n)
{
    float f = (float)factor;
    for (size_t i = 0; i < n; i++)
        y[i] += f * x[i];
}

static double largest(const float *v, size_t n)
{
    float max = 0;
    for (size_t i = 0; i < n; i++)
        max = fabsf(v[i]) > max ? fabsf(v[i]) : max;
    return max;
}

/* direction = -H grad by the two loops over the history. */
static void find_direction(struct lbfgs *s)
{
    size_t n = s->p->n;
    double alpha[HISTORY] = {0};
    float *d = s->direction;
    for (size_t i = 0; i < n; i++)
        d[i] = -s->grad[i];
    for (size_t k = 0; k < s->n_pairs; k++) {
        alpha[k] = s->pairs[k].inverse * dot(s->pairs[k].s, d, n);
        add_scaled(d, -alpha[k], s->pairs[k].y, n);
    }
    double scale = 1 / sqrt(dot(s->grad, s->grad, n));
    if (s->n_pairs)
        scale = 1 / (s->pairs[0].inverse * dot(s->pairs[0].y, s->pairs[0].y, n));
    for (size_t i = 0; i < n; i++)
        d[i] *= (float)scale;
    for (size_t k = s->n_pairs; k-- > 0;)
        add_scaled(d, alpha[k] - s->pairs[k].inverse * dot(s->pairs[k].y, d, n), s->pairs[k].s, n);
}

/*
 * Finds a step along the direction that satisfies the weak Wolfe conditions by bisection and
 * doubling. The point is left in trial. 1 where there is one, 0 where not.
 */
static int search_line(struct lbfgs *s, double *value, struct err *e)
{
    size_t n = s->p->n;
    double slope = dot(s->grad, s->direction, n), low = 0, high = INFINITY, step = 1;
    if (!(slope < 0))
        return 0;
    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        memcpy(s->trial, s->w, n * sizeof *s->trial);
        add_scaled(s->trial, step, s->direction, n);
        int rc = s->p->evaluate(s->p->user, s->trial, s->trial_grad, value, e);
        if (rc < 0)
            return rc;
        if (!(*value <= s->value + SUFFICIENT * step * slope))
            high = step;
        else if (dot(s->trial_grad, s->direction, n) < CURVATURE * slope)
            low = step;
        else
            return 1;
        step = isinf(high) ? 2 * step : 0.5 * (low + high);
    }
    return 0;
}

/* Takes the trial point; its step and gradient change become the latest pair. */
static void accept(struct lbfgs *s, double value)
{
    size_t n = s->p->n;
    struct pair last = s->pairs[HISTORY - 1];
    for (size_t i = 0; i < n; i++) {
        last.s[i] = s->trial[i] - s->w[i];
        last.y[i] = s->trial_grad[i] - s->grad[i];
    }
    memcpy(s->w, s->trial, n * sizeof *s->w);
    memcpy(s->grad, s->trial_grad, n * sizeof *s->grad);
    s->value = value;
    double product = dot(last.s, last.y, n);
    if (!(product > 0)) {                    /* rounding; the Wolfe conditions say otherwise */
        s->n_pairs -= s->n_pairs == HISTORY; /* its memory was written over */
        return;
    }
    last.inverse = 1 / product;
    memmove(s->pairs + 1, s->pairs, (HISTORY - 1) * sizeof *s->pairs);
    s->pairs[0] = last;
    s->n_pairs += s->n_pairs < HISTORY;
}

static int init(struct lbfgs *s, struct err *e)
{
    size_t n = s->p->n;
    float **vectors[] = {&s->grad, &s->trial, &s->trial_grad, &s->direction};
    for (size_t i = 0; i < 4; i++)
        if (!(*vectors[i] = mem_new(n, sizeof(float), e)))
            return ERR_FAIL;
    for (size_t k = 0; k < HISTORY; k++) {
        s->pairs[k].s = mem_new(n, sizeof(float), e);
        s->pairs[k].y = mem_new(n, sizeof(float), e);
        if (!s->pairs[k].s || !s->pairs[k].y)
            return ERR_FAIL;
    }
    return 0;
}

static void release(struct lbfgs *s)
{
    free(s->grad);
    free(s->trial);
    free(s->trial_grad);
    free(s->direction);
    for (size_t k = 0; k < HISTORY; k++) {
        free(s->pairs[k].s);
        free(s->pairs[k].y);
    }
}

int lbfgs_minimize(const struct lbfgs_problem *problem, float *w, struct err *e)
{
    struct lbfgs s = {.p = problem, .w = w};
    int rc = init(&s, e);
    if (rc == 0)
        rc = problem->evaluate(problem->user, w, s.grad, &s.value, e);
    if (rc == 0 && !(isfinite(s.value) && isfinite(dot(s.grad, s.grad, problem->n))))
        rc = err_set(e, "the loss is not a finite number");
    for (uint64_t i = 0; rc == 0 && i < problem->max_iterations; i++) {
        double value;
        if (largest(s.grad, problem->n) <= problem->tolerance)
            break;
        find_direction(&s);
        rc = search_line(&s, &value, e);
        if (rc <= 0)
            break;
        rc = 0;
        accept(&s, value);
        if (problem->report)
            problem->report(problem->user, i);
    }
    release(&s);
    return rc;
}
