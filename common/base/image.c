/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/image.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/font.h"
#include "common/base/num.h"

static void put_pixel(uint8_t *p, uint32_t rgb)
{
    p[0] = (uint8_t)(rgb >> 16);
    p[1] = (uint8_t)(rgb >> 8);
    p[2] = (uint8_t)rgb;
}

static int allocate(struct image *im, size_t width, size_t height, struct err *e)
{
    size_t bytes;
    if (!width || !height)
        return err_set(e, "an image of %zu x %zu pixels has no content", width, height);
    if (width > INT32_MAX || height > INT32_MAX || !size_mul(width * 3, height, &bytes))
        return err_set(e, "an image of %zu x %zu pixels is too large", width, height);
    uint8_t *rgb = mem_new(bytes, 1, e);
    if (!rgb)
        return ERR_FAIL;
    *im = (struct image){.width = width, .height = height, .rgb = rgb};
    return 0;
}

int image_init(struct image *im, size_t width, size_t height, uint32_t rgb, struct err *e)
{
    int rc = allocate(im, width, height, e);
    if (rc == 0)
        image_fill(im, (struct image_box){0, 0, width, height}, rgb);
    return rc;
}

void image_release(struct image *im)
{
    free(im->rgb);
    *im = (struct image){0};
}

/* -- drawing -- */

/* Cuts [at, at + n) down to [0, limit); returns what is left and moves `at` to where it begins. */
static size_t clip(long *at, size_t n, size_t limit)
{
    if (*at < 0) {
        size_t hidden = 0 - (size_t)*at;
        if (n <= hidden)
            return 0;
        n -= hidden;
        *at = 0;
    }
    if ((size_t)*at >= limit)
        return 0;
    return n < limit - (size_t)*at ? n : limit - (size_t)*at;
}

static uint8_t *pixel(const struct image *im, long x, long y)
{
    return im->rgb + 3 * ((size_t)y * im->width + (size_t)x);
}

void image_fill(struct image *im, struct image_box box, uint32_t rgb)
{
    size_t w = clip(&box.x, box.width, im->width);
    size_t h = clip(&box.y, box.height, im->height);
    for (size_t row = 0; row < h; row++) {
        uint8_t *p = pixel(im, box.x, box.y + (long)row);
        for (size_t column = 0; column < w; column++)
            put_pixel(p + 3 * column, rgb);
    }
}

void image_frame(struct image *im, struct image_box box, uint32_t rgb)
{
    long x = box.x, y = box.y;
    size_t w = box.width, h = box.height;
    if (!w || !h)
        return;
    image_fill(im, (struct image_box){x, y, w, 1}, rgb);
    image_fill(im, (struct image_box){x, y + (long)h - 1, w, 1}, rgb);
    image_fill(im, (struct image_box){x, y, 1, h}, rgb);
    image_fill(im, (struct image_box){x + (long)w - 1, y, 1, h}, rgb);
}

void image_blit(struct image *im, long x, long y, const struct image *from)
{
    long left = x, top = y;
    size_t w = clip(&x, from->width, im->width);
    size_t h = clip(&y, from->height, im->height);
    for (size_t row = 0; w && row < h; row++) {
        long to = y + (long)row;
        memcpy(pixel(im, x, to), pixel(from, x - left, to - top), 3 * w);
    }
}

void image_text(struct image *im, long x, long y, struct image_font font, const char *text)
{
    long scale = (long)font.scale;
    for (; *text; text++, x += FONT_CELL_WIDTH * scale) {
        const uint8_t *glyph = font_glyph(*text);
        for (int row = 0; row < FONT_ROWS; row++)
            for (int column = 0; column < FONT_WIDTH; column++) {
                struct image_box dot = {x + column * scale, y + row * scale, font.scale,
                                        font.scale};
                if (glyph[row] >> (FONT_WIDTH - 1 - column) & 1)
                    image_fill(im, dot, font.rgb);
            }
    }
}

uint32_t image_heat(double t)
{
    static const uint8_t stop[][3] = {{10, 10, 44},   {74, 28, 122},  {176, 46, 96},
                                      {236, 106, 50}, {250, 190, 76}, {253, 250, 222}};
    enum { LAST = sizeof stop / sizeof *stop - 1 };
    if (isnan(t))
        return 0x808080;
    double at = t <= 0 ? 0 : t >= 1 ? LAST : t * LAST;
    size_t low = at < LAST ? (size_t)at : LAST - 1;
    uint32_t rgb = 0;
    for (int c = 0; c < 3; c++) {
        double x = stop[low][c] + (at - (double)low) * (stop[low + 1][c] - stop[low][c]);
        rgb = rgb << 8 | (uint32_t)(x + 0.5);
    }
    return rgb;
}

/* -- PNG -- */

int image_write_png(const char *path, const struct image *im, struct err *e)
{
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)im->width,
                     .height = (png_uint_32)im->height,
                     .format = PNG_FORMAT_RGB};
    struct file_out *f;
    int rc = file_out_open(&f, path, e);
    if (rc < 0)
        return rc;
    errno = 0;
    if (!png_image_write_to_stdio(&png, file_out_stream(f), 0, im->rgb, 0, NULL)) {
        bool failed = ferror(file_out_stream(f)) && errno; /* libpng knows no reason */
        rc = failed ? err_errno(e, "%s", path) : err_set(e, "%s: %s", path, png.message);
        file_out_abandon(f);
        return rc;
    }
    return file_out_publish(f, e);
}

static int decode_png(png_image *png, struct image *im, struct err *e)
{
    static const png_color black = {0, 0, 0};
    struct image read;
    png->format = PNG_FORMAT_RGB;
    int rc = allocate(&read, png->width, png->height, e);
    if (rc < 0)
        return rc;
    if (!png_image_finish_read(png, &black, read.rgb, 0, NULL)) {
        image_release(&read);
        return err_set(e, "%s", png->message);
    }
    *im = read;
    return 0;
}

int image_read_png(const char *path, struct image *im, struct err *e)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    struct buf data = {0};
    int rc = file_read(path, &data, e);
    if (rc == 0) {
        if (!png_image_begin_read_from_memory(&png, data.data, data.len))
            rc = err_set(e, "%s", png.message);
        else
            rc = decode_png(&png, im, e);
        if (rc < 0)
            err_add(e, "%s", path);
    }
    png_image_free(&png);
    buf_release(&data);
    return rc;
}
