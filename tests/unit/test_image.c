/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <math.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/font.h"
#include "common/base/image.h"
#include "tests/unit/support.h"

enum { BLACK = 0x000000, WHITE = 0xffffff, RED = 0xff0000 };

static uint32_t at(const struct image *im, size_t x, size_t y)
{
    const uint8_t *p = im->rgb + 3 * (y * im->width + x);
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* The picture as text, one letter a pixel. */
static void check_picture(const struct image *im, const char *expected)
{
    char text[1024];
    size_t n = 0;
    for (size_t y = 0; y < im->height; y++) {
        for (size_t x = 0; x < im->width; x++)
            text[n++] = at(im, x, y) == BLACK ? '.' : at(im, x, y) == RED ? 'r' : 'w';
        text[n++] = '\n';
    }
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void test_drawing(void **state)
{
    (void)state;
    struct err e = {0};
    struct image im, stamp;
    support_ok(image_init(&im, 8, 5, BLACK, &e), &e);
    image_frame(&im, (struct image_box){1, 1, 4, 3}, RED);
    check_picture(&im, "........\n.rrrr...\n.r..r...\n.rrrr...\n........\n");
    image_fill(&im, (struct image_box){6, 3, 100, 100}, WHITE);
    image_fill(&im, (struct image_box){-2, -3, 4, 4}, WHITE);
    check_picture(&im, "ww......\n.rrrr...\n.r..r...\n.rrrr.ww\n......ww\n");
    support_ok(image_init(&stamp, 3, 2, RED, &e), &e);
    image_fill(&stamp, (struct image_box){0, 0, 1, 1}, WHITE);
    image_blit(&im, 5, -1, &stamp);
    image_blit(&im, -1, 4, &stamp);
    image_blit(&im, 7, 2, &stamp);
    check_picture(&im, "ww...rrr\n.rrrr...\n.r..r..w\n.rrrr.wr\nrr....ww\n");
    /* All outside: nothing changes, nothing is touched. */
    image_fill(&im, (struct image_box){-5, 0, 5, 5}, RED);
    image_fill(&im, (struct image_box){8, 0, 1, 1}, RED);
    image_fill(&im, (struct image_box){0, 1000, 1, 1}, RED);
    image_frame(&im, (struct image_box){0, 0, 0, 3}, RED);
    image_blit(&im, -3, 0, &stamp);
    image_blit(&im, 0, 5, &stamp);
    check_picture(&im, "ww...rrr\n.rrrr...\n.r..r..w\n.rrrr.wr\nrr....ww\n");
    image_release(&im);
    assert_null(im.rgb);
    image_release(&stamp);
}

static void test_text(void **state)
{
    (void)state;
    struct err e = {0};
    struct image im;
    support_ok(image_init(&im, 11, 7, BLACK, &e), &e);
    image_text(&im, 0, 0, (struct image_font){1, WHITE}, "T1");
    check_picture(&im, "wwwww...w..\n..w....ww..\n..w.....w..\n..w.....w..\n"
                       "..w.....w..\n..w.....w..\n..w....www.\n");
    image_fill(&im, (struct image_box){0, 0, 11, 7}, BLACK);
    image_text(&im, -2, -4, (struct image_font){2, WHITE}, "-\xc3");
    check_picture(&im, "..........w\n..........w\nwwwwwwww..w\nwwwwwwww..w\n"
                       "..........w\n..........w\n..........w\n");
    image_release(&im);
}

static void test_font(void **state)
{
    (void)state;
    for (char a = '!'; a <= '~'; a++)
        for (char b = ' '; b < a; b++)
            if (memcmp(font_glyph(a), font_glyph(b), FONT_ROWS) == 0)
                fail_msg("'%c' looks like '%c'", a, b);
    for (int row = 0; row < FONT_ROWS; row++)
        for (char c = ' '; c <= '~'; c++)
            assert_true(font_glyph(c)[row] < 1 << FONT_WIDTH);
    for (char c = ' '; c <= '~'; c++) {
        bool below = font_glyph(c)[FONT_HEIGHT] && font_glyph(c)[FONT_ROWS - 1];
        if (below != (strchr("gjpqy", c) != NULL))
            fail_msg("'%c' is %s the line", c, below ? "below" : "not below");
        if (islower(c) && !strchr("bdfhijklt", c))
            assert_true(!font_glyph(c)[0] && !font_glyph(c)[1]); /* no taller than an x */
    }
}

static unsigned brightness(uint32_t rgb)
{
    return 299 * (rgb >> 16) + 587 * (rgb >> 8 & 0xff) + 114 * (rgb & 0xff);
}

static void test_heat(void **state)
{
    (void)state;
    assert_int_equal(image_heat(-1), image_heat(0));
    assert_int_equal(image_heat(2), image_heat(1));
    assert_int_equal(image_heat(NAN), 0x808080);
    for (int i = 0; i < 100; i++) /* also without colours the greater is the brighter */
        assert_true(brightness(image_heat(i / 100.0)) < brightness(image_heat((i + 1) / 100.0)));
}

static void test_sizes(void **state)
{
    (void)state;
    struct err e = {0};
    struct image im;
    support_failed(image_init(&im, 0, 5, 0, &e), &e, "0 x 5 pixels has no content");
    support_failed(image_init(&im, SIZE_MAX, 5, 0, &e), &e, "is too large");
    support_failed(image_init(&im, 1u << 31, 5, 0, &e), &e, "is too large");
    support_failed(image_init(&im, INT32_MAX, INT32_MAX, 0, &e), &e, "out of memory");
}

/* More than a stream keeps back: libpng is the one whose writing fails. */
static void test_full_disk(void **state)
{
    (void)state;
    struct err e = {0};
    struct image im;
    support_ok(image_init(&im, 200, 200, RED, &e), &e);
    uint32_t noise = 1;
    for (size_t i = 0; i < 200 * 200 * 3; i++) {
        noise = noise * 1664525 + 1013904223;
        im.rgb[i] = (uint8_t)(noise >> 24);
    }
    support_failed(image_write_png("/dev/full", &im, &e), &e, "/dev/full: No space left on device");
    image_release(&im);
}

static void test_png(void **state)
{
    (void)state;
    struct err e = {0};
    struct image im, back = {0};
    char folder[256];
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "a.png");
    support_ok(image_init(&im, 7, 5, RED, &e), &e);
    for (size_t i = 0; i < 7 * 5 * 3; i++)
        im.rgb[i] = (uint8_t)(i * 37);
    support_ok(image_write_png(path, &im, &e), &e);
    support_ok(image_read_png(path, &back, &e), &e);
    assert_true(back.width == 7 && back.height == 5);
    assert_memory_equal(back.rgb, im.rgb, 7 * 5 * 3);
    image_release(&back);

    struct buf bytes = {0};
    support_ok(file_read(path, &bytes, &e), &e);
    for (size_t len = 0; len < bytes.len; len++) {
        support_write(path, bytes.data, len);
        if (image_read_png(path, &back, &e) == 0)
            image_release(&back); /* only the trailer is missing */
        else
            support_failed(ERR_FAIL, &e, "a.png: ");
        assert_true(back.rgb == NULL);
    }
    buf_release(&bytes);
    support_failed(image_read_png(support_path(folder, "none"), &back, &e), &e, "none: No such");
    support_failed(image_write_png("/dev/full", &im, &e), &e, "/dev/full: ");
    support_failed(image_write_png(support_path(folder, "no/a.png"), &im, &e), &e, "No such");
    image_release(&im);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawing),   cmocka_unit_test(test_text),  cmocka_unit_test(test_font),
        cmocka_unit_test(test_heat),      cmocka_unit_test(test_sizes), cmocka_unit_test(test_png),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
