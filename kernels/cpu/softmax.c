/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax with cross-entropy over rows of logits. */
#include <math.h>

#include "kernels/cpu/cpu.h"

/* Rows are summed in this many parts, whatever the number of threads. */
enum { N_PARTS = 64, LANES = 16, CHUNK = 256 };

struct part {
    double loss;
    size_t n_correct;
};

/* Largest of n values; NaN among them is passed over (row_exp's sum shows it). */
CPU_CLONES static float row_max(const float *x, size_t n)
{
    float lane[LANES], max = -INFINITY;
    for (size_t l = 0; l < LANES; l++)
        lane[l] = -INFINITY;
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] = x[k + l] > lane[l] ? x[k + l] : lane[l];
    for (; k < n; k++)
        max = x[k] > max ? x[k] : max;
    for (size_t l = 0; l < LANES; l++)
        max = lane[l] > max ? lane[l] : max;
    return max;
}

/* exp(x[k] - max) into y (which may be x), or nowhere; returns the sum. */
CPU_CLONES static double row_exp(const float *x, float max, size_t n, float *y)
{
    float e[CHUNK], lane[LANES] = {0};
    for (size_t start = 0; start < n; start += CHUNK) {
        size_t len = n - start < CHUNK ? n - start : CHUNK;
        for (size_t k = 0; k < len; k++)
            e[k] = elem_exp(x[start + k] - max);
        for (size_t k = 0; k + LANES <= len; k += LANES)
            for (size_t l = 0; l < LANES; l++)
                lane[l] += e[k + l];
        for (size_t k = len / LANES * LANES; k < len; k++)
            lane[k % LANES] += e[k];
        if (y)
            memcpy(y + start, e, len * sizeof *e);
    }
    double sum = 0;
    for (size_t l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

CPU_CLONES static void row_scale(float *y, size_t n, float factor)
{
    for (size_t k = 0; k < n; k++)
        y[k] *= factor;
}

/* One row; its gradient is (softmax - one-hot) * weight * scale. */
static void softmax_row(const struct softmax_xent_args *a, size_t row, struct part *part)
{
    size_t at = row * (a->stride ? a->stride : a->classes);
    const float *x = a->logits + at;
    float *d = a->d_logits ? a->d_logits + at : NULL;
    size_t target = (size_t)a->target[row];
    bool known = a->target[row] >= 0 && target < a->classes;
    float weight = a->weight ? a->weight[row] : 1.0f;
    float max = row_max(x, a->classes), at_target = known ? x[target] : NAN;
    size_t first = 0;
    while (known && first < target && x[first] < max)
        first++;
    bool correct = first == target && at_target == max;
    double sum = row_exp(x, max, a->classes, d);
    part->loss += (double)weight * (log(sum) - ((double)at_target - (double)max));
    part->n_correct += correct;
    if (!d)
        return;
    row_scale(d, a->classes, (float)(a->scale * (double)weight / sum));
    if (known)
        d[target] -= a->scale * weight;
}

int cpu_softmax_xent(struct backend *b, const struct softmax_xent_args *a)
{
    struct part parts[N_PARTS] = {{0}};
#pragma omp parallel for schedule(static) num_threads((int)b->n_threads)
    for (size_t p = 0; p < N_PARTS; p++)
        for (size_t r = a->rows * p / N_PARTS; r < a->rows * (p + 1) / N_PARTS; r++)
            softmax_row(a, r, &parts[p]);
    memset(a->sums, 0, XENT_SUMS * sizeof *a->sums);
    for (size_t p = 0; p < N_PARTS; p++) {
        a->sums[XENT_LOSS] += parts[p].loss;
        a->sums[XENT_CORRECT] += (double)parts[p].n_correct;
    }
    return 0;
}
