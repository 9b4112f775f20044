/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of queries to the positions of their items. */
#include <math.h>

#include "kernels/cpu/cpu.h"

enum { LANES = 16 };

CPU_CLONES static float dot(const float *x, const float *y, size_t n)
{
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += x[i + l] * y[i + l];
    double sum = 0.0;
    for (size_t l = 0; l < LANES; l++)
        sum += (double)lane[l];
    for (; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return (float)sum;
}

/* y += factor x */
CPU_CLONES static void add_scaled(float *y, const float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* Scores become probabilities. */
static void softmax(float *p, size_t n)
{
    float max = p[0];
    double sum = 0.0;
    for (size_t s = 1; s < n; s++)
        max = p[s] > max ? p[s] : max;
    for (size_t s = 0; s < n; s++) {
        p[s] = elem_exp(p[s] - max);
        sum += (double)p[s];
    }
    for (size_t s = 0; s < n; s++)
        p[s] = (float)((double)p[s] / sum);
}

static void attend(const struct attention_args *a, size_t query)
{
    size_t first = a->item[query] * a->positions;
    const float *q = a->q + query * a->dim;
    float *p = a->p + query * a->positions, *y = a->y + query * a->dim;
    for (size_t s = 0; s < a->positions; s++)
        p[s] = a->scale * dot(q, a->k + (first + s) * a->dim, a->dim);
    softmax(p, a->positions);
    memset(y, 0, a->dim * sizeof *y);
    for (size_t s = 0; s < a->positions; s++)
        add_scaled(y, a->v + (first + s) * a->dim, p[s], a->dim);
}

int cpu_attention(struct backend *b, const struct attention_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t query = 0; query < a->n_queries; query++)
        attend(a, query);
    return 0;
}

/* One query's share; ds = p (dy v - sum p dy v) is the gradient of its scaled scores. */
static void attend_grad(const struct attention_grad_args *g, size_t query)
{
    const struct attention_args *a = &g->forward;
    size_t first = a->item[query] * a->positions;
    const float *q = a->q + query * a->dim, *dy = g->dy + query * a->dim;
    const float *p = a->p + query * a->positions;
    float *dq = g->dq + query * a->dim;
    double mean = 0.0;
    memset(dq, 0, a->dim * sizeof *dq);
    for (size_t s = 0; s < a->positions; s++)
        mean += (double)p[s] * (double)dot(dy, a->v + (first + s) * a->dim, a->dim);
    for (size_t s = 0; s < a->positions; s++) {
        size_t at = (first + s) * a->dim;
        float dp = dot(dy, a->v + at, a->dim);
        float ds = a->scale * (float)((double)p[s] * ((double)dp - mean));
        add_scaled(dq, a->k + at, ds, a->dim);
        add_scaled(g->dk + at, q, ds, a->dim);
        add_scaled(g->dv + at, dy, p[s], a->dim);
    }
}

int cpu_attention_grad(struct backend *b, const struct attention_grad_args *g)
{
    const struct attention_args *a = &g->forward;
    size_t of_item = a->positions * a->dim;
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t item = 0; item < a->n_items; item++) {
        memset(g->dk + item * of_item, 0, of_item * sizeof *g->dk);
        memset(g->dv + item * of_item, 0, of_item * sizeof *g->dv);
        for (size_t query = 0; query < a->n_queries; query++)
            if (a->item[query] == item)
                attend_grad(g, query);
    }
    return 0;
}
