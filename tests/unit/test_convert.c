/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>

#include "common/video/convert.h"
#include "common/video/nv12.h"
#include "tests/unit/support.h"

static AVFrame *new_frame(enum AVPixelFormat format, int width, int height)
{
    AVFrame *f = av_frame_alloc();
    f->format = format;
    f->width = width;
    f->height = height;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    return f;
}

/* Sets sample (x, y) of a plane, of 8 or more bits. */
static void set(AVFrame *f, int plane, int x, int y, int value)
{
    int depth = av_pix_fmt_desc_get(f->format)->comp[plane].depth;
    uint8_t *row = f->data[plane] + y * f->linesize[plane];
    if (depth == 8)
        row[x] = (uint8_t)value;
    else
        ((uint16_t *)row)[x] = (uint16_t)value;
}

static int luma_of(int x, int y)
{
    return (x * 5 + y * 3) % 256;
}

/* Luma with structure, chroma constant: u, v. Values are 8 bits wide, shifted to the depth. */
static void fill(AVFrame *f, int u, int v)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    int up = d->comp[0].depth - 8;
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            set(f, 0, x, y, luma_of(x, y) << up);
    int cw = AV_CEIL_RSHIFT(f->width, d->log2_chroma_w),
        ch = AV_CEIL_RSHIFT(f->height, d->log2_chroma_h);
    for (int y = 0; d->nb_components > 1 && y < ch; y++)
        for (int x = 0; x < cw; x++) {
            set(f, 1, x, y, u << up);
            set(f, 2, x, y, v << up);
        }
}

static uint8_t *run(const AVFrame *f, const struct frames_info *info, int rotation)
{
    struct err e = {0};
    struct converter *c;
    size_t bytes = nv12_bytes(info->width, info->height);
    uint8_t *picture = malloc(bytes + 16);
    memset(picture + bytes, 0x5a, 16);
    assert_int_equal(converter_new(&c, &e), 0);
    const struct convert_target target = {info, rotation};
    support_ok(converter_run(c, f, &target, picture, &e), &e);
    for (int i = 0; i < 16; i++)
        assert_int_equal(picture[bytes + (size_t)i], 0x5a);
    converter_free(c);
    return picture;
}

/* -- sizes and colours -- */

static void expect_plan(int w, int h, int short_side, int rotation, const int expected[2])
{
    struct frames_info info = {0};
    AVFrame *f = av_frame_alloc();
    f->format = AV_PIX_FMT_YUV420P;
    f->width = w;
    f->height = h;
    convert_plan(f, short_side, rotation, &info);
    assert_int_equal(info.width, expected[0]);
    assert_int_equal(info.height, expected[1]);
    assert_int_equal(info.stored_width, expected[0] + expected[0] % 2);
    assert_int_equal(info.stored_height, expected[1] + expected[1] % 2);
    av_frame_free(&f);
}

static void test_plan_sizes(void **state)
{
    (void)state;
    expect_plan(1280, 720, 256, 0, (const int[]){456, 256}); /* 455.1 */
    expect_plan(720, 1280, 256, 0, (const int[]){256, 456});
    expect_plan(1280, 720, 256, 90, (const int[]){256, 456});
    expect_plan(1280, 720, 256, 180, (const int[]){456, 256});
    expect_plan(340, 256, 256, 0, (const int[]){340, 256});
    expect_plan(321, 241, 256, 0, (const int[]){321, 241}); /* nothing is enlarged */
    expect_plan(321, 241, 0, 270, (const int[]){241, 321});
    expect_plan(1920, 1080, 0, 0, (const int[]){1920, 1080});
    expect_plan(1, 1, 256, 0, (const int[]){1, 1});
    expect_plan(16000, 300, 256, 0, (const int[]){13654, 256});
}

static void expect_colour(const AVFrame *f, enum color_matrix matrix, bool full_range)
{
    struct frames_info info = {0};
    convert_plan(f, 0, 0, &info);
    assert_int_equal(info.matrix, matrix);
    assert_int_equal(info.full_range, full_range);
}

static void test_plan_colours(void **state)
{
    (void)state;
    AVFrame *f = av_frame_alloc();
    f->width = 320;
    f->height = 240;
    f->format = AV_PIX_FMT_YUV420P;
    expect_colour(f, COLOR_BT601, false);
    f->height = 720;
    f->width = 1280;
    expect_colour(f, COLOR_BT709, false);
    f->colorspace = AVCOL_SPC_SMPTE170M;
    f->color_range = AVCOL_RANGE_JPEG;
    expect_colour(f, COLOR_BT601, true);
    f->colorspace = AVCOL_SPC_BT2020_NCL;
    f->color_range = AVCOL_RANGE_MPEG;
    f->format = AV_PIX_FMT_YUV420P10;
    expect_colour(f, COLOR_BT2020, false);
    f->format = AV_PIX_FMT_YUVJ444P;
    expect_colour(f, COLOR_BT2020, true);
    f->format = AV_PIX_FMT_GBRP; /* becomes what is usual for the size */
    f->color_range = AVCOL_RANGE_JPEG;
    expect_colour(f, COLOR_BT709, false);
    av_frame_free(&f);
}

/* -- pictures -- */

static void test_420_is_copied(void **state)
{
    (void)state;
    const int sizes[][2] = {{1, 1}, {2, 2}, {17, 9}, {64, 48}, {33, 50}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        AVFrame *f = new_frame(AV_PIX_FMT_YUV420P, sizes[i][0], sizes[i][1]);
        struct frames_info info = {0};
        fill(f, 77, 201);
        convert_plan(f, 0, 90, &info);
        uint8_t *turned = run(f, &info, 90);
        const struct nv12_planes planes = {f->data[0],     f->data[1],     f->data[2],
                                           f->linesize[0], f->linesize[1], f->linesize[2]};
        uint8_t *lying = malloc(nv12_bytes(f->width, f->height)),
                *expected = malloc(nv12_bytes(f->width, f->height));
        nv12_from_planes(&planes, f->width, f->height, lying);
        nv12_rotate(lying, f->width, f->height, 90, expected);
        assert_memory_equal(turned, expected, nv12_bytes(f->width, f->height));
        free(lying);
        free(expected);
        free(turned);
        av_frame_free(&f);
    }
}

/* Samples keep their values in every planar format, of either range; deeper ones lose their low
 * bits. */
static void expect_values_kept(enum AVPixelFormat format, enum AVColorRange range, int tolerance)
{
    enum { W = 53, H = 37 };
    AVFrame *f = new_frame(format, W, H);
    struct frames_info info = {0};
    f->color_range = range;
    fill(f, 77, 201);
    convert_plan(f, 0, 0, &info);
    uint8_t *p = run(f, &info, 0);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            if (abs(p[y * (W + 1) + x] - luma_of(x, y)) > tolerance)
                fail_msg("%s: luma %d, %d: %d is not %d", av_get_pix_fmt_name(format), x, y,
                         p[y * (W + 1) + x], luma_of(x, y));
    const uint8_t *chroma = p + (W + 1) * (H + 1);
    bool grey = av_pix_fmt_desc_get(format)->nb_components == 1;
    for (int i = 0; i < (W + 1) * (H + 1) / 2; i++)
        assert_true(abs(chroma[i] - (grey ? 128 : i % 2 ? 201 : 77)) <= tolerance);
    free(p);
    av_frame_free(&f);
}

static void test_values_are_kept(void **state)
{
    (void)state;
    const enum AVPixelFormat formats[] = {
        AV_PIX_FMT_YUV420P,  AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P,  AV_PIX_FMT_YUV410P,
        AV_PIX_FMT_YUV411P,  AV_PIX_FMT_YUV440P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P,
        AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_GRAY8,   AV_PIX_FMT_YUVA420P};
    const enum AVPixelFormat deep[] = {AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV422P10,
                                       AV_PIX_FMT_YUV444P10, AV_PIX_FMT_YUV420P12,
                                       AV_PIX_FMT_YUV444P12, AV_PIX_FMT_GRAY10};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        expect_values_kept(formats[i], AVCOL_RANGE_MPEG, 0);
        expect_values_kept(formats[i], AVCOL_RANGE_JPEG, 0);
        expect_values_kept(formats[i], AVCOL_RANGE_UNSPECIFIED, 0);
    }
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        expect_values_kept(deep[i], AVCOL_RANGE_MPEG, 1);
        expect_values_kept(deep[i], AVCOL_RANGE_JPEG, 1);
    }
}

/* Full white, black and red of RGB against the formulas of BT.601 and BT.709, limited range. */
static void test_rgb(void **state)
{
    (void)state;
    const struct {
        int width, height, rgb[3], ycc[3];
    } cases[] = {
        {64, 48, {255, 255, 255}, {235, 128, 128}}, {64, 48, {0, 0, 0}, {16, 128, 128}},
        {64, 48, {255, 0, 0}, {81, 90, 240}},       {1280, 720, {255, 0, 0}, {63, 102, 240}},
        {1280, 720, {0, 0, 255}, {32, 240, 118}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AVFrame *f = new_frame(AV_PIX_FMT_RGB24, cases[i].width, cases[i].height);
        struct frames_info info = {0};
        for (int y = 0; y < f->height; y++)
            for (int x = 0; x < 3 * f->width; x++)
                f->data[0][y * f->linesize[0] + x] = (uint8_t)cases[i].rgb[x % 3];
        convert_plan(f, 0, 0, &info);
        uint8_t *p = run(f, &info, 0);
        size_t luma = (size_t)f->width * (size_t)f->height;
        assert_in_range(p[luma / 2], cases[i].ycc[0] - 1, cases[i].ycc[0] + 1);
        assert_in_range(p[luma], cases[i].ycc[1] - 1, cases[i].ycc[1] + 1);
        assert_in_range(p[luma + 1], cases[i].ycc[2] - 1, cases[i].ycc[2] + 1);
        free(p);
        av_frame_free(&f);
    }
}

/* Down by 4: away from the border a ramp stays a ramp, and noise of one pixel is averaged away. */
static void test_scaling(void **state)
{
    (void)state;
    enum { W = 512, H = 256 };
    AVFrame *f = new_frame(AV_PIX_FMT_YUV420P, W, H);
    struct frames_info info = {0};
    fill(f, 90, 160);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            set(f, 0, x, y, 40 + x / 4 + ((x + y) % 2 ? 30 : -30));
    convert_plan(f, 64, 0, &info);
    assert_int_equal(info.width, 128);
    uint8_t *p = run(f, &info, 0);
    for (int y = 2; y < 62; y++)
        for (int x = 2; x < 126; x++)
            assert_in_range(p[y * 128 + x], 39 + x, 42 + x);
    for (int i = 0; i < 128 * 32; i++)
        assert_int_equal(p[128 * 64 + i], i % 2 ? 160 : 90);
    free(p);
    av_frame_free(&f);
}

/* The size of a video is that of its first frame; later ones are brought to it. */
static void test_size_change(void **state)
{
    (void)state;
    struct err e = {0};
    struct converter *c;
    struct frames_info info = {0};
    uint8_t picture[64 * 48 * 3 / 2];
    assert_int_equal(converter_new(&c, &e), 0);
    for (int i = 0; i < 12; i++) { /* more sizes than a converter remembers */
        AVFrame *f = new_frame(AV_PIX_FMT_YUV420P, 64 + 8 * (i % 6), 48);
        memset(f->data[0], 100 + i, (size_t)(f->linesize[0] * 48));
        memset(f->data[1], 50, (size_t)(f->linesize[1] * 24));
        memset(f->data[2], 60, (size_t)(f->linesize[2] * 24));
        if (i == 0)
            convert_plan(f, 0, 0, &info);
        const struct convert_target target = {&info, 0};
        support_ok(converter_run(c, f, &target, picture, &e), &e);
        for (int k = 0; k < 64 * 48; k++)
            assert_int_equal(picture[k], 100 + i);
        assert_int_equal(picture[64 * 48], 50);
        assert_int_equal(picture[64 * 48 + 1], 60);
        av_frame_free(&f);
    }
    converter_free(c);
}

/* Every pixel format there is, at sizes from 1 x 1: converted or refused with a reason. */
static void test_all_formats(void **state)
{
    (void)state;
    struct converter *c;
    struct err e = {0};
    int n_converted = 0;
    assert_int_equal(converter_new(&c, &e), 0);
    for (const AVPixFmtDescriptor *d = NULL; (d = av_pix_fmt_desc_next(d));)
        for (int size = 1; size <= 17; size += 4) {
            AVFrame *f = av_frame_alloc();
            struct frames_info info = {0};
            f->format = av_pix_fmt_desc_get_id(d);
            f->width = size;
            f->height = size + 2;
            if (d->flags & AV_PIX_FMT_FLAG_HWACCEL || av_frame_get_buffer(f, 0) < 0) {
                av_frame_free(&f);
                continue;
            }
            for (int i = 0; i < AV_NUM_DATA_POINTERS && f->buf[i]; i++)
                memset(f->buf[i]->data, 0, f->buf[i]->size);
            convert_plan(f, 8, 0, &info);
            uint8_t *picture = malloc(nv12_bytes(info.width, info.height));
            const struct convert_target target = {&info, 0};
            int rc = converter_run(c, f, &target, picture, &e);
            if (rc < 0)
                support_failed(rc, &e, "cannot scale");
            n_converted += rc == 0;
            free(picture);
            av_frame_free(&f);
        }
    assert_true(n_converted > 500);
    converter_free(c);
}

/* A GPU's decoder gives the chroma samples side by side: the same picture, scaled or not. */
static void interleaved_chroma_is_the_same(void **state)
{
    (void)state;
    static const enum AVPixelFormat pairs[][2] = {{AV_PIX_FMT_YUV420P, AV_PIX_FMT_NV12},
                                                  {AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_P010LE}};
    for (size_t i = 0; i < 2; i++)
        for (int short_side = 0; short_side <= 48; short_side += 48) {
            AVFrame *planar = new_frame(pairs[i][0], 100, 80);
            AVFrame *pairwise = new_frame(pairs[i][1], 100, 80);
            bool deep = i == 1;
            for (int y = 0; y < 80; y++)
                for (int x = 0; x < 100; x++) {
                    int luma = luma_of(x, y), u = (x * 7 + y) % 200 + 20,
                        v = (x + y * 9) % 180 + 30;
                    uint8_t *rows[2] = {pairwise->data[0] + y * pairwise->linesize[0],
                                        pairwise->data[1] + y / 2 * pairwise->linesize[1]};
                    set(planar, 0, x, y, luma << (deep ? 2 : 0));
                    if (deep)
                        ((uint16_t *)rows[0])[x] = (uint16_t)(luma << 8);
                    else
                        rows[0][x] = (uint8_t)luma;
                    if (x % 2 || y % 2)
                        continue;
                    set(planar, 1, x / 2, y / 2, u << (deep ? 2 : 0));
                    set(planar, 2, x / 2, y / 2, v << (deep ? 2 : 0));
                    for (int k = 0; k < 2; k++)
                        if (deep)
                            ((uint16_t *)rows[1])[x + k] = (uint16_t)((k ? v : u) << 8);
                        else
                            rows[1][x + k] = (uint8_t)(k ? v : u);
                }
            struct frames_info info = {0};
            convert_plan(planar, short_side, 0, &info);
            uint8_t *want = run(planar, &info, 0), *got = run(pairwise, &info, 0);
            assert_memory_equal(want, got, nv12_bytes(info.width, info.height));
            free(want);
            free(got);
            av_frame_free(&planar);
            av_frame_free(&pairwise);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_sizes),
        cmocka_unit_test(test_plan_colours),
        cmocka_unit_test(test_420_is_copied),
        cmocka_unit_test(test_values_are_kept),
        cmocka_unit_test(test_rgb),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_size_change),
        cmocka_unit_test(test_all_formats),
        cmocka_unit_test(interleaved_chroma_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
