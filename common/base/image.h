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
/* Everything is clipped at the border. */
void image_fill(struct image *im, long x, long y, size_t w, size_t h, uint32_t rgb);
void image_frame(struct image *im, long x, long y, size_t w, size_t h,
                 uint32_t rgb); /* 1 px outline */
void image_blit(struct image *im, long x, long y, const struct image *from);
/* 5x7 font in a 6x9 cell, ASCII 32..126, `scale` times enlarged. */
void image_text(struct image *im, long x, long y, unsigned scale, uint32_t rgb, const char *text);

int image_write_png(const char *path, const struct image *im, struct err *e); /* atomic */
int image_read_png(const char *path, struct image *im, struct err *e);

#endif
