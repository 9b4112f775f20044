/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/sheet.h"

#include <math.h>
#include <stdarg.h>

enum { CELL_WIDTH = 6, CELL_HEIGHT = 9, GLYPH_HEIGHT = 7 };

uint32_t sheet_colour(size_t i)
{
    static const uint32_t colours[SHEET_N_COLOURS] = {0xf2c14e, 0x4fb3ff, 0xff7a70, 0x6fdc8c,
                                                      0xc792ff, 0xff9f45, 0x45d6d0, 0xff8ac4,
                                                      0xb5d334, 0x9fa8ff};
    return colours[i % SHEET_N_COLOURS];
}

/* How much of input column `in` lies in output column `out` of `n_out`, as a share of the output
 * column. */
static float share(size_t in, size_t n_in, size_t out, size_t n_out)
{
    double scale = (double)n_in / (double)n_out;
    double low = fmax((double)in, (double)out * scale);
    double high = fmin((double)in + 1.0, (double)(out + 1) * scale);
    return high > low ? (float)((high - low) / scale) : 0.0f;
}

static void average(const struct sheet_pixels *from, const struct image *tile, size_t x, size_t y,
                    float mean[3])
{
    size_t side = from->side;
    mean[0] = mean[1] = mean[2] = 0.0f;
    for (size_t v = y * side / tile->height; v * tile->height < (y + 1) * side; v++)
        for (size_t u = x * side / tile->width; u * tile->width < (x + 1) * side; u++) {
            float weight = share(u, side, x, tile->width) * share(v, side, y, tile->height);
            for (size_t c = 0; c < 3; c++)
                mean[c] += weight * from->rgb[(v * side + u) * 3 + c];
        }
}

int sheet_tile(struct image *tile, struct sheet_pixels from, size_t width, size_t height,
               struct err *e)
{
    int rc = image_init(tile, width, height, 0, e);
    if (rc < 0)
        return rc;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            float mean[3];
            average(&from, tile, x, y, mean);
            for (size_t c = 0; c < 3; c++)
                tile->rgb[(y * width + x) * 3 + c] = (uint8_t)lrintf(fminf(mean[c], 1.0f) * 255.0f);
        }
    return 0;
}

void sheet_text(struct image *im, long x, long y, uint32_t rgb, const char *text)
{
    image_text(im, x, y, (struct image_font){.scale = 1, .rgb = rgb}, text);
}

void sheet_title(struct image *im, long x, long y, const char *text)
{
    image_text(im, x, y, (struct image_font){.scale = 2, .rgb = SHEET_TEXT}, text);
}

void sheet_printf(const struct sheet_pen *pen, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    sheet_text(pen->im, pen->x, pen->y, pen->rgb, text);
}

size_t sheet_text_width(const char *text)
{
    return strlen(text) * CELL_WIDTH;
}

void sheet_line(struct image *im, struct sheet_segment s, uint32_t rgb)
{
    long dx = s.x1 - s.x0, dy = s.y1 - s.y0;
    long n = labs(dx) > labs(dy) ? labs(dx) : labs(dy);
    for (long i = 0; i <= n; i++) {
        long x = s.x0 + (n ? dx * i / n : 0), y = s.y0 + (n ? dy * i / n : 0);
        image_fill(im, (struct image_box){x, y, 2, 2}, rgb);
    }
}

void sheet_bar(struct image *im, struct image_box box, uint32_t rgb, const char *text)
{
    image_fill(im, box, rgb);
    size_t n = strlen(text), room = box.width / CELL_WIDTH;
    char cut[64];
    snprintf(cut, sizeof cut, "%.*s", (int)(n < room ? n : room), text);
    sheet_text(im, box.x + (long)(box.width - sheet_text_width(cut)) / 2 + 1,
               box.y + ((long)box.height - GLYPH_HEIGHT) / 2, SHEET_INK, cut);
}

void sheet_outline(struct image *im, struct image_box box, unsigned n, uint32_t rgb)
{
    for (unsigned i = 0; i < n && box.width > 2 && box.height > 2; i++) {
        image_frame(im, box, rgb);
        box = (struct image_box){box.x + 1, box.y + 1, box.width - 2, box.height - 2};
    }
}
