/* SPDX-License-Identifier: Apache-2.0 */
/* RoIAlign with the maximum over its grid, copies of columns, sigmoid cross-entropy. */
#include "kernels/cpu/cpu.h"

static struct elem_corners corners_of(const struct roi_max_args *a, size_t box, size_t cell)
{
    const size_t shape[3] = {a->height, a->width, a->channels};
    return elem_roi_corners(a->box + 4 * box, cell, ROI_GRID, shape);
}

/* Where the map of the box's item begins. */
static size_t first_of(const struct roi_max_args *a, size_t box)
{
    return a->item[box] * a->height * a->width * a->channels;
}

static void pool_box(const struct roi_max_args *a, size_t box)
{
    const float *map = a->map + first_of(a, box);
    float *y = a->y + box * a->channels;
    uint8_t *arg = a->arg + box * a->channels;
    for (size_t cell = 0; cell < ROI_GRID * ROI_GRID; cell++) {
        struct elem_corners t = corners_of(a, box, cell);
        for (size_t c = 0; c < a->channels; c++) {
            float v = 0.0f;
            for (size_t k = 0; k < 4; k++)
                v += t.share[k] * map[t.at[k] + c];
            if (cell == 0 || v > y[c]) {
                y[c] = v;
                arg[c] = (uint8_t)cell;
            }
        }
    }
}

int cpu_roi_max(struct backend *b, const struct roi_max_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t box = 0; box < a->n_boxes; box++)
        pool_box(a, box);
    return 0;
}

static void pool_box_grad(const struct roi_max_args *a, size_t box)
{
    float *d_map = a->d_map + first_of(a, box);
    const float *dy = a->y + box * a->channels;
    const uint8_t *arg = a->arg + box * a->channels;
    for (size_t cell = 0; cell < ROI_GRID * ROI_GRID; cell++) {
        struct elem_corners t = corners_of(a, box, cell);
        for (size_t c = 0; c < a->channels; c++)
            for (size_t k = 0; arg[c] == cell && k < 4; k++)
                d_map[t.at[k] + c] += t.share[k] * dy[c];
    }
}

int cpu_roi_max_grad(struct backend *b, const struct roi_max_args *a)
{
    size_t of_item = a->height * a->width * a->channels;
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t item = 0; item < a->n_items; item++) {
        memset(a->d_map + item * of_item, 0, of_item * sizeof *a->d_map);
        for (size_t box = 0; box < a->n_boxes; box++)
            if (a->item[box] == item)
                pool_box_grad(a, box);
    }
    return 0;
}

int cpu_copy_columns(struct backend *b, const struct copy_columns_args *a)
{
    (void)b;
    for (size_t row = 0; row < a->rows; row++) {
        const float *from = a->from + row * a->from_stride;
        float *to = a->to + row * a->to_stride;
        for (size_t c = 0; c < a->columns; c++)
            to[c] = from[c];
    }
    return 0;
}

int cpu_tile_rows(struct backend *b, const struct tile_rows_args *a)
{
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t row = 0; row < a->rows; row++)
        memcpy(a->many + row * a->stride, a->few + row / a->repeat % a->period * a->columns,
               a->columns * sizeof *a->many);
    return 0;
}

int cpu_tile_rows_grad(struct backend *b, const struct tile_rows_args *a)
{
    size_t all = a->repeat * a->period;
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (size_t i = 0; i < a->period * a->columns; i++) {
        size_t first = i / a->columns * a->repeat;
        double sum = 0.0;
        for (size_t row = first; row < a->rows; row += all)
            for (size_t k = 0; k < a->repeat; k++)
                sum += (double)a->many[(row + k) * a->stride + i % a->columns];
        a->few[i] = (float)sum;
    }
    return 0;
}

int cpu_sigmoid_xent(struct backend *b, const struct sigmoid_xent_args *a)
{
    double loss = 0.0;
    (void)b;
    for (size_t i = 0; i < a->rows * a->classes; i++) {
        float x = a->logits[i], weight = a->weight ? a->weight[i / a->classes] : 1.0f;
        float target = (float)(a->target[i] != 0);
        loss += (double)weight * (double)elem_sigmoid_xent(x, target);
        if (a->d_logits)
            a->d_logits[i] = a->scale * weight * (elem_sigmoid(x) - target);
    }
    *a->loss = loss;
    return 0;
}
