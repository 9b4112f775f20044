/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/heatmap.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/font.h"

enum { MARGIN = 8, GAP = 4, SCALE_WIDTH = 10, SCALE_TEXT = 6 * FONT_CELL_WIDTH, MAX_NAME = 40 };
enum { INK = 0x202020, MISSING = 0xb0b0b0 };

static const struct image_font font = {.scale = 1, .rgb = INK},
                               font_on_dark = {.scale = 1, .rgb = 0xffffff};

/* White over blue to nearly black, by lightness. */
static uint32_t color(double share)
{
    static const double stop[][3] = {
        {255, 255, 255}, {150, 186, 226}, {48, 104, 176}, {10, 24, 66}};
    enum { LAST = sizeof stop / sizeof *stop - 1 };
    double at = (share < 0 ? 0 : share > 1 ? 1 : share) * LAST;
    int i = at >= LAST ? LAST - 1 : (int)at;
    uint32_t rgb = 0;
    for (int c = 0; c < 3; c++)
        rgb = rgb << 8 | (uint32_t)lround(stop[i][c] + (at - i) * (stop[i + 1][c] - stop[i][c]));
    return rgb;
}

static double share_of(const struct heatmap *h, double value)
{
    return (value - h->low) / (h->high - h->low);
}

static size_t name_len(const char *name)
{
    size_t n = strlen(name);
    return n < MAX_NAME ? n : MAX_NAME;
}

/* Pixels that the longest name takes; 0 where there are none, or they do not fit beside the cells.
 */
static size_t names_width(const struct heatmap *h, const char *const *names, size_t n)
{
    size_t longest = 0;
    for (size_t i = 0; names && h->cell >= FONT_CELL_HEIGHT && i < n; i++)
        longest = name_len(names[i]) > longest ? name_len(names[i]) : longest;
    return longest ? longest * FONT_CELL_WIDTH + GAP : 0;
}

static size_t title_height(const struct heatmap *h)
{
    return h->title ? FONT_CELL_HEIGHT + 2 * GAP : 0;
}

void heatmap_size(const struct heatmap *h, size_t *width, size_t *height)
{
    size_t title = h->title ? 2 * MARGIN + strlen(h->title) * FONT_CELL_WIDTH : 0;
    *width = 2 * MARGIN + names_width(h, h->row_names, h->rows) + h->cols * h->cell + 2 * GAP +
             SCALE_WIDTH + SCALE_TEXT;
    *width = *width < title ? title : *width;
    *height =
        2 * MARGIN + title_height(h) + names_width(h, h->col_names, h->cols) + h->rows * h->cell;
    size_t scale = 2 * MARGIN + title_height(h) + 2 * FONT_CELL_HEIGHT;
    *height = *height < scale ? scale : *height;
}

static void draw_name(struct image *im, long x, long y, const char *name)
{
    char text[MAX_NAME + 1] = {0};
    memcpy(text, name, name_len(name));
    image_text(im, x, y, font, text);
}

/* Reads upwards from (x, y), its lower left corner. */
static void draw_name_upwards(struct image *im, long x, long y, const char *name)
{
    for (size_t i = 0; i < name_len(name); i++) {
        const uint8_t *rows = font_glyph(name[i]);
        for (int row = 0; row < FONT_ROWS; row++)
            for (int col = 0; col < FONT_WIDTH; col++)
                if (rows[row] >> (FONT_WIDTH - 1 - col) & 1) {
                    struct image_box dot = {.x = x + row,
                                            .y = y - (long)i * FONT_CELL_WIDTH - col,
                                            .width = 1,
                                            .height = 1};
                    image_fill(im, dot, INK);
                }
    }
}

static void draw_cell(struct image *im, long x, long y, const struct heatmap *h, size_t i)
{
    double share = share_of(h, h->values[i]);
    struct image_box box = {.x = x, .y = y, .width = h->cell, .height = h->cell};
    image_fill(im, box, isnan(share) ? MISSING : color(share));
    if (!h->numbers || isnan(h->numbers[i]) || h->cell < 2 * FONT_HEIGHT)
        return;
    char text[32];
    int len = snprintf(text, sizeof text, "%.*f", h->decimals, h->numbers[i]);
    long room = (long)h->cell, width = (long)len * FONT_CELL_WIDTH - 1;
    if (width + 2 <= room)
        image_text(im, x + (room - width) / 2, y + (room - FONT_HEIGHT) / 2,
                   share > 0.5 ? font_on_dark : font, text);
}

/* The colour scale, high at the top, with its two ends written beside it. */
static void draw_scale(struct image *im, long x, long y, const struct heatmap *h)
{
    size_t height =
        h->rows * h->cell < 2 * FONT_CELL_HEIGHT ? 2 * FONT_CELL_HEIGHT : h->rows * h->cell;
    char text[16];
    for (size_t i = 0; i < height; i++) {
        struct image_box line = {.x = x, .y = y + (long)i, .width = SCALE_WIDTH, .height = 1};
        image_fill(im, line, color(1 - (double)i / (double)height));
    }
    struct image_box outline = {
        .x = x - 1, .y = y - 1, .width = SCALE_WIDTH + 2, .height = height + 2};
    image_frame(im, outline, INK);
    snprintf(text, sizeof text, "%.4g", h->high);
    image_text(im, x + SCALE_WIDTH + GAP, y, font, text);
    snprintf(text, sizeof text, "%.4g", h->low);
    image_text(im, x + SCALE_WIDTH + GAP, y + (long)height - FONT_HEIGHT, font, text);
}

void heatmap_draw(struct image *im, long x, long y, const struct heatmap *h)
{
    size_t row_names = names_width(h, h->row_names, h->rows), cell = h->cell;
    size_t col_names = names_width(h, h->col_names, h->cols);
    long left = x + MARGIN + (long)row_names,
         top = y + MARGIN + (long)title_height(h) + (long)col_names;
    long middle = ((long)cell - FONT_HEIGHT) / 2;
    if (h->title)
        image_text(im, x + MARGIN, y + MARGIN, font, h->title);
    for (size_t r = 0; row_names && r < h->rows; r++)
        draw_name(im, left - GAP - (long)name_len(h->row_names[r]) * FONT_CELL_WIDTH,
                  top + (long)(r * cell) + middle, h->row_names[r]);
    for (size_t c = 0; col_names && c < h->cols; c++)
        draw_name_upwards(im, left + (long)(c * cell) + middle, top - GAP, h->col_names[c]);
    for (size_t i = 0; i < h->rows * h->cols; i++)
        draw_cell(im, left + (long)(i % h->cols * cell), top + (long)(i / h->cols * cell), h, i);
    struct image_box outline = {
        .x = left - 1, .y = top - 1, .width = h->cols * cell + 2, .height = h->rows * cell + 2};
    image_frame(im, outline, INK);
    draw_scale(im, left + (long)(h->cols * cell) + 2 * GAP, top, h);
}
