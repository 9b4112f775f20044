/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation and GELU. Sums are float64. */
#include <math.h>

#include "kernels/cpu/cpu.h"

static void normalise_row(const struct layer_norm_args *a, size_t row)
{
    const float *x = a->x + row * a->columns;
    float *y = a->y + row * a->columns;
    double sum = 0.0, square = 0.0;
    for (size_t c = 0; c < a->columns; c++)
        sum += (double)x[c];
    double mean = sum / (double)a->columns;
    for (size_t c = 0; c < a->columns; c++)
        square += ((double)x[c] - mean) * ((double)x[c] - mean);
    float inv_std = (float)(1.0 / sqrt(square / (double)a->columns + (double)a->eps));
    for (size_t c = 0; c < a->columns; c++)
        y[c] = (x[c] - (float)mean) * inv_std * a->gamma[c] + a->beta[c];
    a->mean[row] = (float)mean;
    a->inv_std[row] = inv_std;
}

int cpu_layer_norm(struct backend *b, const struct layer_norm_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t row = 0; row < a->rows; row++)
        normalise_row(a, row);
    return 0;
}

/* dx = (g - mean(g) - n mean(g n)) / std with g = dy gamma and n the normalised x. */
static void grad_row(const struct layer_norm_grad_args *a, size_t row)
{
    const float *x = a->x + row * a->columns, *dy = a->dy + row * a->columns;
    float *dx = a->dx + row * a->columns, mean = a->mean[row], inv_std = a->inv_std[row];
    double sum = 0.0, along = 0.0;
    for (size_t c = 0; c < a->columns; c++) {
        double g = (double)dy[c] * (double)a->gamma[c];
        sum += g;
        along += g * (double)((x[c] - mean) * inv_std);
    }
    float mean_g = (float)(sum / (double)a->columns), mean_gn = (float)(along / (double)a->columns);
    for (size_t c = 0; c < a->columns; c++) {
        float n = (x[c] - mean) * inv_std;
        dx[c] = inv_std * (dy[c] * a->gamma[c] - mean_g - n * mean_gn);
    }
}

static void grad_column(const struct layer_norm_grad_args *a, size_t c)
{
    double gamma = 0.0, beta = 0.0;
    for (size_t row = 0; row < a->rows; row++) {
        float dy = a->dy[row * a->columns + c];
        float n = (a->x[row * a->columns + c] - a->mean[row]) * a->inv_std[row];
        gamma += (double)dy * (double)n;
        beta += (double)dy;
    }
    a->d_gamma[c] += (float)gamma;
    a->d_beta[c] += (float)beta;
}

int cpu_layer_norm_grad(struct backend *b, const struct layer_norm_grad_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t c = 0; c < a->columns; c++)
        grad_column(a, c);
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t row = 0; row < a->rows; row++)
        grad_row(a, row);
    return 0;
}

int cpu_gelu(struct backend *b, const float *x, float *y, size_t n)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        y[i] = elem_gelu(x[i]);
    return 0;
}

int cpu_gelu_grad(struct backend *b, const float *x, const float *dy, float *dx, size_t n)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < n; i++)
        dx[i] = elem_gelu_grad(dy[i], x[i]);
    return 0;
}
