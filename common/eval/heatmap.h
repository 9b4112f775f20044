/* SPDX-License-Identifier: Apache-2.0 */
/* A matrix drawn as coloured cells with names, numbers and a colour scale. */
#ifndef TEG_EVAL_HEATMAP_H
#define TEG_EVAL_HEATMAP_H

#include <stddef.h>

#include "common/base/image.h"

struct heatmap {
    const char *title; /* or NULL */
    size_t rows, cols;
    const double *values; /* [rows, cols]; NaN is drawn grey */
    double low, high;     /* ends of the colour scale; low < high */
    const char *const *row_names, *const
                                      *col_names; /* or NULL; drawn where a cell is high enough */
    const double
        *numbers; /* [rows, cols] written into the cells where there is room, NaN is not; or NULL */
    int decimals; /* of the numbers */
    size_t cell;  /* pixels, at least 1 */
};

/* Size of the drawing in pixels. */
void heatmap_size(const struct heatmap *h, size_t *width, size_t *height);
void heatmap_draw(struct image *im, long x, long y, const struct heatmap *h);

#endif
