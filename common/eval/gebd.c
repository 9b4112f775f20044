/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/gebd.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"

const double gebd_thresholds[GEBD_THRESHOLDS] = {0.05, 0.1,  0.15, 0.2,  0.25,
                                                 0.3,  0.35, 0.4,  0.45, 0.5};

void gebd_matcher_release(struct gebd_matcher *m)
{
    free(m->distance);
    free(m->taken);
    *m = (struct gebd_matcher){0};
}

static double f1(double precision, double recall)
{
    return recall + precision == 0 ? 0 : 2 * recall * precision / (recall + precision);
}

struct gebd_score gebd_score(const struct gebd_counts *c)
{
    struct gebd_score s = {
        .recall = c->n_positive ? (double)c->tp / (double)c->n_positive : 1,
        .precision = c->n_detected ? (double)c->tp / (double)c->n_detected : 0,
    };
    s.f1 = f1(s.precision, s.recall);
    return s;
}

double gebd_mean(const double v[GEBD_THRESHOLDS])
{
    double sum = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
    return (sum + v[8] + v[9]) / GEBD_THRESHOLDS;
}

/* -- matching -- */

static int make_room(struct gebd_matcher *m, size_t n_positive, size_t n_detected, struct err *e)
{
    size_t n;
    if (!size_mul(n_positive, n_detected, &n))
        return err_set(e, "too many boundaries");
    if (n > m->cap) {
        double *grown = mem_grow(m->distance, n, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        m->distance = grown;
        m->cap = n;
    }
    if (n_detected > m->taken_cap) {
        unsigned char *grown = mem_grow(m->taken, n_detected, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        m->taken = grown;
        m->taken_cap = n_detected;
    }
    return 0;
}

/* The nearest detection that is left. NaN counts as nearest, as for numpy.argmin. */
static size_t nearest(const double *distance, const unsigned char *taken, size_t n)
{
    size_t best = n;
    for (size_t k = 0; k < n; k++) {
        if (taken[k])
            continue;
        if (best == n || distance[k] < distance[best] ||
            (isnan(distance[k]) && !isnan(distance[best])))
            best = k;
    }
    return best;
}

struct outcome {
    uint32_t tp;
    double refused; /* the least distance that was too large: up to it, every limit does the same */
};

/* Greedy, one to one, in the rater's order. */
static struct outcome match_rater(struct gebd_matcher *m, size_t n_positive, size_t n_detected,
                                  double limit)
{
    struct outcome o = {.refused = INFINITY};
    memset(m->taken, 0, n_detected);
    for (size_t i = 0; i < n_positive && o.tp < n_detected; i++) {
        const double *row = m->distance + i * n_detected;
        size_t k = nearest(row, m->taken, n_detected);
        if (row[k] <= limit) {
            m->taken[k] = 1;
            o.tp++;
        } else if (row[k] < o.refused) {
            o.refused = row[k];
        }
    }
    return o;
}

static void keep_best(struct gebd_match *best, uint32_t rater, const struct gebd_counts *c)
{
    double value = gebd_score(c).f1;
    if (rater == 0 || value > best->f1)
        *best = (struct gebd_match){.rater = rater,
                                    .tp = (uint32_t)c->tp,
                                    .n_positive = (uint32_t)c->n_positive,
                                    .f1 = value};
}

int gebd_match(struct gebd_matcher *m, const struct gebd_example *x,
               struct gebd_match out[GEBD_THRESHOLDS], struct err *e)
{
    size_t n = x->detections.n;
    for (size_t r = 0; r < x->n_raters; r++) {
        const struct gebd_times *rater = &x->raters[r];
        struct outcome o = {.refused = -INFINITY};
        if (make_room(m, rater->n, n, e) < 0)
            return ERR_FAIL;
        for (size_t i = 0; i < rater->n; i++)
            for (size_t k = 0; k < n; k++)
                m->distance[i * n + k] = fabs(rater->at[i] - x->detections.at[k]);
        for (size_t t = 0; t < GEBD_THRESHOLDS; t++) {
            double limit = gebd_thresholds[t] * x->length;
            if (!(limit < o.refused))
                o = match_rater(m, rater->n, n, limit);
            struct gebd_counts c = {.tp = o.tp, .n_positive = rater->n, .n_detected = n};
            keep_best(&out[t], (uint32_t)r, &c);
        }
    }
    return 0;
}
