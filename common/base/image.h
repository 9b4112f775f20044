/* SPDX-License-Identifier: Apache-2.0 */
/* PNG files and a small drawing surface with text, for previews and matrices. libpng underneath. */
#ifndef TEG_BASE_IMAGE_H
#define TEG_BASE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct image {
    size_t width, height;
    uint8_t *rgb; /* [height, width, 3], owned */
};

int image_init(struct image *im, size_t width, size_t height, uint32_t rgb,
               struct err *e); /* 0xRRGGBB */
void image_release(struct image *im);

struct image_box {
    long x, y; /* of the upper left corner; may lie outside */
    size_t width, height;
};

struct image_font {
    unsigned scale; /* 1: a character is 5 x 7 pixels, 9 with what is below the line, of 6 x 9 */
    uint32_t rgb;
};

/* All drawing is clipped at the border. */
void image_fill(struct image *im, struct image_box box, uint32_t rgb);
void image_frame(struct image *im, struct image_box box, uint32_t rgb); /* outline of 1 pixel */
void image_blit(struct image *im, long x, long y, const struct image *from);
/* One line of ASCII 32..126, its cell's upper left corner at x, y; other bytes show as boxes. */
void image_text(struct image *im, long x, long y, struct image_font font, const char *text);

/* 0xRRGGBB for t in [0, 1]: dark blue over red to pale yellow, ever brighter; grey for NaN. */
uint32_t image_heat(double t);

int image_write_png(const char *path, const struct image *im, struct err *e); /* atomic */
int image_read_png(const char *path, struct image *im, struct err *e);

#endif
