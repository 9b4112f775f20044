/* SPDX-License-Identifier: Apache-2.0 */
#include <libavutil/frame.h>

#include "common/base/file.h"
#include "common/video/decode.h"
#include "common/video/encode.h"
#include "common/video/nv12.h"
#include "tests/unit/support.h"

enum { WIDTH = 32, HEIGHT = 24, BYTES = WIDTH * HEIGHT * 3 / 2, N_FRAMES = 20 };

static char folder[256];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

static struct encode_options options(enum encode_codec codec)
{
    return (struct encode_options){.codec = codec,
                                   .width = WIDTH,
                                   .height = HEIGHT,
                                   .fps_num = 30000,
                                   .fps_den = 1001,
                                   .quality = encode_default_quality(codec),
                                   .gop = 8};
}

/* A ramp that wanders. */
static void paint(int t, uint8_t *picture)
{
    for (int i = 0; i < BYTES; i++)
        picture[i] =
            (uint8_t)(i < WIDTH * HEIGHT ? 32 + (i % WIDTH + 3 * t) % 64 : 118 + 20 * (i % 2));
}

static void put_frames(struct encoder *x)
{
    struct err e = {0};
    uint8_t picture[BYTES];
    for (int t = 0; t < N_FRAMES; t++) {
        paint(t, picture);
        support_ok(encoder_put(x, picture, &e), &e);
    }
}

static void write_file(const char *path, enum encode_codec codec)
{
    struct err e = {0};
    struct encoder *x = NULL;
    struct encode_options o = options(codec);
    support_ok(encoder_open(&x, path, &o, &e), &e);
    put_frames(x);
    assert_false(file_exists(path));
    support_ok(encoder_publish(x, &e), &e);
}

static void check_same_bytes(enum encode_codec codec)
{
    struct err e = {0};
    struct buf a = {0}, b = {0};
    if (!encode_available(codec)) {
        print_message("skipped: this FFmpeg has no %s encoder\n", encode_codec_names[codec]);
        skip();
    }
    support_remove(support_path(folder, "a.mp4"));
    support_remove(support_path(folder, "b.mp4"));
    write_file(support_path(folder, "a.mp4"), codec);
    write_file(support_path(folder, "b.mp4"), codec);
    support_ok(file_read(support_path(folder, "a.mp4"), &a, &e), &e);
    support_ok(file_read(support_path(folder, "b.mp4"), &b, &e), &e);
    assert_true(a.len > 500);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_memory_equal(a.data + 4, "ftyp", 4);
    assert_false(file_exists(support_path(folder, "a.mp4.tmp")));
    buf_release(&a);
    buf_release(&b);
}

static void test_h264(void **state)
{
    (void)state;
    check_same_bytes(ENCODE_H264);
}

static void test_mpeg4(void **state)
{
    (void)state;
    check_same_bytes(ENCODE_MPEG4);
}

/* Mean absolute difference from the picture that went in. */
static double difference(const AVFrame *frame, int t)
{
    uint8_t wanted[BYTES], got[BYTES];
    struct nv12_planes planes = {frame->data[0],     frame->data[1],     frame->data[2],
                                 frame->linesize[0], frame->linesize[1], frame->linesize[2]};
    paint(t, wanted);
    nv12_from_planes(&planes, WIDTH, HEIGHT, got);
    double sum = 0;
    for (int i = 0; i < BYTES; i++)
        sum += abs(got[i] - wanted[i]);
    return sum / BYTES;
}

static void check_content(enum encode_codec codec)
{
    if (!encode_available(codec))
        skip();
    struct err e = {0};
    struct decoder *d = NULL;
    struct frame_range range;
    struct decode_settings settings = {.frame_step = 1};
    struct decode_request request = {.fps_num = 30000, .fps_den = 1001};
    AVFrame *frame = av_frame_alloc();
    request.path = support_path(folder, "c.mp4");
    support_remove(request.path);
    write_file(request.path, codec);
    support_ok(decoder_new(&d, &request, &settings, &e), &e);
    for (int t = 0; t < N_FRAMES; t++) {
        assert_int_equal(decoder_next(d, frame, &range, &e), 1);
        assert_int_equal(range.first, t);
        assert_int_equal(range.end, t + 1);
        assert_true(difference(frame, t) < 2.5);
        assert_true(difference(frame, t + 5) > 5);
        av_frame_unref(frame);
    }
    assert_int_equal(decoder_next(d, frame, &range, &e), 0);
    assert_true(decoder_info(d)->ok);
    assert_int_equal(decoder_info(d)->matrix, COLOR_BT601);
    assert_false(decoder_info(d)->full_range);
    decoder_free(d);
    av_frame_free(&frame);
}

static void test_content_of_h264(void **state)
{
    (void)state;
    check_content(ENCODE_H264);
}

static void test_content_of_mpeg4(void **state)
{
    (void)state;
    check_content(ENCODE_MPEG4);
}

static void test_abandon(void **state)
{
    (void)state;
    struct err e = {0};
    struct encoder *x = NULL;
    struct encode_options o = options(ENCODE_MPEG4);
    const char *path = support_path(folder, "gone.mp4");
    support_ok(encoder_open(&x, path, &o, &e), &e);
    put_frames(x);
    assert_true(file_exists(support_path(folder, "gone.mp4.tmp")));
    encoder_abandon(x);
    encoder_abandon(NULL);
    assert_false(file_exists(path));
    assert_false(file_exists(support_path(folder, "gone.mp4.tmp")));
}

static void test_refusals(void **state)
{
    (void)state;
    struct err e = {0};
    struct encoder *x = NULL;
    struct encode_options o = options(ENCODE_MPEG4);
    o.width = 33;
    support_failed(encoder_open(&x, "x.mp4", &o, &e), &e, "x.mp4: cannot encode 33x24 pixels");
    o = options(ENCODE_MPEG4);
    o.quality = 32;
    support_failed(encoder_open(&x, "x.mp4", &o, &e), &e, "quality 32");
    o = options(ENCODE_MPEG4);
    o.fps_num = 0;
    support_failed(encoder_open(&x, "x.mp4", &o, &e), &e, "frame rate");
    o = options(ENCODE_MPEG4);
    support_failed(encoder_open(&x, support_path(folder, "none/x.mp4"), &o, &e), &e,
                   "No such file or directory");
    assert_null(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h264),
        cmocka_unit_test(test_mpeg4),
        cmocka_unit_test(test_content_of_h264),
        cmocka_unit_test(test_content_of_mpeg4),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
