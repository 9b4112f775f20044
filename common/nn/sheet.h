/* SPDX-License-Identifier: Apache-2.0 */
/* Contact sheets: rendered pictures as tiles, text, lines and colours on one image. */
#ifndef TEG_NN_SHEET_H
#define TEG_NN_SHEET_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/image.h"

enum {
    SHEET_MARGIN = 16,
    SHEET_LINE = 12,  /* from one line of small text to the next */
    SHEET_TITLE = 24, /* height of a title */
};
/* 0xRRGGBB */
enum {
    SHEET_BACKGROUND = 0x1b1d22,
    SHEET_PANEL = 0x2a2d34,
    SHEET_RULE = 0x565b66,
    SHEET_UNMATCHED = 0x7d8490,
    SHEET_TEXT = 0xe8eaee,
    SHEET_FAINT = 0x9aa0ab,
    SHEET_INK = 0x101114, /* text on a colour */
};

/* Colours that are told apart side by side, repeating after SHEET_N_COLOURS. */
enum { SHEET_N_COLOURS = 10 };
uint32_t sheet_colour(size_t i);

/*
 * rgb [side, side, 3] in [0, 1] -> a new tile of width x height, both at most `side`: means over
 * areas, rounded to 8 bits; an exact copy where the sizes are equal.
 */
struct sheet_pixels {
    const float *rgb;
    size_t side;
};
int sheet_tile(struct image *tile, struct sheet_pixels from, size_t width, size_t height,
               struct err *e);

/* A line of small text, or a title. */
void sheet_text(struct image *im, long x, long y, uint32_t rgb, const char *text);
void sheet_title(struct image *im, long x, long y, const char *text);
/* printf of small text. */
struct sheet_pen {
    struct image *im;
    long x, y;
    uint32_t rgb;
};
void sheet_printf(const struct sheet_pen *pen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Pixels that small text needs. */
size_t sheet_text_width(const char *text);

struct sheet_segment {
    long x0, y0, x1, y1;
};
void sheet_line(struct image *im, struct sheet_segment s, uint32_t rgb); /* 2 pixels wide */
/* A bar with text in its middle, as far as it fits. */
void sheet_bar(struct image *im, struct image_box box, uint32_t rgb, const char *text);
/* An outline of `n` pixels inside the box. */
void sheet_outline(struct image *im, struct image_box box, unsigned n, uint32_t rgb);

#endif
