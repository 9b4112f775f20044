/* SPDX-License-Identifier: Apache-2.0 */
#include <libavutil/frame.h>

#include "common/base/file.h"
#include "common/video/decode.h"
#include "common/video/encode.h"
#include "common/video/nv12.h"
#include "tests/unit/folder_support.h"

enum { WIDTH = 32, HEIGHT = 24, BYTES = WIDTH * HEIGHT * 3 / 2, N_FRAMES = 20 };

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

/* A path in the folder; none is there. */
static const char *empty_path(const char *stem, const char *extension)
{
    char name[16];
    snprintf(name, sizeof name, "%s.%s", stem, extension);
    const char *path = support_path(folder, name);
    support_remove(path);
    return path;
}

static void check_same_bytes(enum encode_codec codec, const char *extension, const char *magic,
                             size_t magic_at)
{
    struct err e = {0};
    struct buf a = {0}, b = {0};
    if (!encode_available(codec)) {
        print_message("skipped: this FFmpeg has no %s encoder\n", encode_codec_names[codec]);
        skip();
    }
    const char *path_a = empty_path("a", extension), *path_b = empty_path("b", extension);
    write_file(path_a, codec);
    write_file(path_b, codec);
    support_ok(file_read(path_a, &a, &e), &e);
    support_ok(file_read(path_b, &b, &e), &e);
    assert_true(a.len > 500);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_memory_equal(a.data + magic_at, magic, 4);
    char part[300];
    snprintf(part, sizeof part, "%s.tmp", path_a);
    assert_false(file_exists(part));
    buf_release(&a);
    buf_release(&b);
}

static void test_h264(void **state)
{
    (void)state;
    check_same_bytes(ENCODE_H264, "mp4", "ftyp", 4);
}

static void test_mpeg4(void **state)
{
    (void)state;
    check_same_bytes(ENCODE_MPEG4, "mp4", "ftyp", 4);
    check_same_bytes(ENCODE_MPEG4, "avi", "RIFF", 0);
}

static void test_vp9(void **state)
{
    (void)state;
    check_same_bytes(ENCODE_VP9, "webm", "\x1a\x45\xdf\xa3", 0);
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

static void check_content(enum encode_codec codec, const char *extension)
{
    if (!encode_available(codec))
        skip();
    struct err e = {0};
    struct decoder *d = NULL;
    struct frame_range range;
    struct decode_settings settings = {.frame_step = 1};
    struct decode_request request = {.fps_num = 30000, .fps_den = 1001};
    AVFrame *frame = av_frame_alloc();
    request.path = empty_path("c", extension);
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
    check_content(ENCODE_H264, "mp4");
}

static void test_content_of_mpeg4(void **state)
{
    (void)state;
    check_content(ENCODE_MPEG4, "mp4");
    check_content(ENCODE_MPEG4, "avi");
}

static void test_content_of_vp9(void **state)
{
    (void)state;
    check_content(ENCODE_VP9, "webm");
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
    support_failed(encoder_open(&x, "x.webm", &o, &e), &e, "x.webm: a file of this name does not");
    support_failed(encoder_open(&x, "x.txt", &o, &e), &e, "does not hold mpeg4");
    assert_false(encode_fits("a.avi", ENCODE_H264));
    assert_true(encode_fits("a/b.mp4", ENCODE_VP9));
    support_failed(encoder_open(&x, support_path(folder, "none/x.mp4"), &o, &e), &e,
                   "No such file or directory");
    assert_null(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h264),
        cmocka_unit_test(test_mpeg4),
        cmocka_unit_test(test_vp9),
        cmocka_unit_test(test_content_of_h264),
        cmocka_unit_test(test_content_of_mpeg4),
        cmocka_unit_test(test_content_of_vp9),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
