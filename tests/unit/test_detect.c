/* SPDX-License-Identifier: Apache-2.0 */
/* Detectors of event boundaries, against OpenCV and SciPy (tests/oracle/detect.py) and on stores
 * whose boundaries are known. */
#include <math.h>

#include "common/base/json.h"
#include "common/eval/detect.h"
#include "common/store/embeddings.h"
#include "tests/unit/folder_support.h"
#include "tests/unit/oracle_file.h"

/* -- colours and cuts -- */

static void test_colours(void **state)
{
    (void)state;
    struct buf rgb_file = {0}, hsv_file = {0};
    struct npy rgb = oracle_load(&rgb_file, "detect_rgb", "|u1"),
               hsv = oracle_load(&hsv_file, "detect_hsv", "|u1");
    size_t n = rgb.dim[0];
    const uint8_t *expected = hsv.data;
    uint8_t *planes = malloc(3 * n);
    assert_non_null(planes);
    shots_hsv(rgb.data, n, planes);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            assert_int_equal(planes[c * n + i], expected[3 * i + c]);
    free(planes);
    buf_release(&rgb_file);
    buf_release(&hsv_file);
}

static void test_difference(void **state)
{
    (void)state;
    static const uint8_t a[] = {0, 179, 10, 20, 255, 0}, b[] = {10, 170, 10, 50, 0, 3};
    assert_true(shots_difference(a, a, 2) == 0);
    assert_true(shots_difference(a, b, 2) == (19 / 2.0 + 30 / 2.0 + 258 / 2.0) / 3);
}

static void test_short_scenes(void **state)
{
    (void)state;
    static const struct {
        int64_t frame;
        double difference;
        bool cut;
    } frames[] = {{1, 50, false},  {14, 90, false}, {15, 26.9, false}, {16, 27, true},
                  {17, 99, false}, {30, 99, false}, {31, 27.5, true},  {200, 0, false}};
    struct shots_options o = {.threshold = 27, .min_scene = 15};
    struct shots_filter f = {0};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        assert_int_equal(shots_is_cut(&f, frames[i].frame, frames[i].difference, &o),
                         frames[i].cut);
}

/* -- a frames store -- */

/* Pictures of one grey level each, 6 x 4. */
static void put_video(struct store_writer *w, struct codec *c, const char *id,
                      const uint8_t *levels, int64_t n)
{
    struct err e = {0};
    struct frames_info info = {.width = 5,
                               .height = 3,
                               .n_frames = n,
                               .fps_num = 30000,
                               .fps_den = 1001,
                               .frame_step = 1,
                               .full_range = true,
                               .ok = true};
    struct json *j = frames_info_to_json(&info);
    support_ok(store_put(w, id, json_text(j), strlen(json_text(j)), &e), &e);
    json_free(j);
    for (int64_t t = 0; t < n; t++) {
        struct buf packed = {0};
        uint8_t picture[6 * 6];
        char key[STORE_MAX_KEY + 1];
        memset(picture, levels[t], 6 * 4);
        memset(picture + 6 * 4, 128, 6 * 2);
        support_ok(frames_pack(c, picture, 6, 4, &packed, &e), &e);
        support_ok(frames_key(key, id, t, &e), &e);
        support_ok(store_put(w, key, packed.data, packed.len, &e), &e);
        buf_release(&packed);
    }
}

static void check_detected(const struct detect_options *options, const char *expected)
{
    struct detect_options o = *options;
    for (o.n_threads = 1; o.n_threads < 4; o.n_threads++) {
        struct err e = {0};
        struct buf text = {0};
        o.out = support_path(folder, "found.json");
        support_ok(detect_run(&o, NULL, &e), &e);
        support_ok(file_read(o.out, &text, &e), &e);
        support_ok(buf_append(&text, "", 1, &e), &e);
        assert_string_equal((const char *)text.data, expected);
        buf_release(&text);
    }
}

static void test_cuts(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    uint8_t levels[40] = {0};
    struct store_spec spec = {.schema = FRAMES_SCHEMA, .version = FRAMES_VERSION, .tool = "test"};
    struct detect_options o = detect_defaults();
    char path[600];
    snprintf(path, sizeof path, "%s/frames.lmdb", folder);
    o.input = path;
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    for (int t = 0; t < 40; t++)
        levels[t] = t < 10 ? 0 : t < 20 ? 250 : t < 30 ? 150 : 240;
    put_video(w, c, "a", levels, 40);
    put_video(w, c, "b", levels, 1);
    put_video(w, c, "c", levels, 0);
    support_ok(store_publish(w, 3, &e), &e);
    codec_free(c);
    /* Frame 10 is too early for a cut; frame 30 is too soon behind frame 20. */
    check_detected(&o, "{\"a\": [0.6673333333333333],\n\"b\": [],\n\"c\": []}\n");
    o.shots.min_scene = 10;
    check_detected(&o, "{\"a\": [0.33366666666666667,0.6673333333333333,1.001],\n\"b\": [],\n"
                       "\"c\": []}\n");
    o.shots.threshold = 31;
    check_detected(&o, "{\"a\": [0.33366666666666667,0.6673333333333333],\n\"b\": [],\n"
                       "\"c\": []}\n");
}

/* -- PA -- */

static void test_peaks(void **state)
{
    (void)state;
    struct buf errors_file = {0}, windows_file = {0}, peaks_file = {0};
    struct npy errors = oracle_load(&errors_file, "detect_errors", "<f8"),
               windows = oracle_load(&windows_file, "detect_windows", "<i8"),
               peaks = oracle_load(&peaks_file, "detect_peaks", "<i2");
    struct pa_options o = detect_defaults().pa;
    size_t found[256], n_found, n_all = 0;
    for (size_t k = 0; k < errors.dim[0]; k++) {
        struct err e = {0};
        size_t n = (size_t)((const int64_t *)windows.data)[k];
        const int16_t *expected = (const int16_t *)peaks.data + k * peaks.dim[1];
        support_ok(pa_boundaries((const double *)errors.data + k * errors.dim[1], n, &o, found,
                                 &n_found, &e),
                   &e);
        for (size_t i = 0; i < n_found; i++)
            assert_int_equal(found[i], expected[i]);
        assert_int_equal(expected[n_found], -1);
        n_all += n_found;
    }
    assert_true(n_all > 20);
    buf_release(&errors_file);
    buf_release(&windows_file);
    buf_release(&peaks_file);
}

static void test_still_video(void **state)
{
    (void)state;
    struct err e = {0};
    struct pa_options o = detect_defaults().pa;
    double zero[50] = {0};
    size_t found[50], n_found;
    support_ok(pa_boundaries(zero, 50, &o, found, &n_found, &e), &e);
    assert_int_equal(n_found, 0);
    support_ok(pa_boundaries(zero, 1, &o, found, &n_found, &e), &e);
    assert_int_equal(n_found, 0);
}

enum { WINDOWS = 80, STEPS = 5, CHANNELS = 3 };

/* Features of one direction before 4.8 s and of another one from there on, seen by windows of five
 * steps 0.12 s apart whose middle is at the window's centre. */
static const char *make_windows(size_t n_steps)
{
    static char path[600];
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct embedding_clip clips[WINDOWS];
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "test"};
    snprintf(path, sizeof path, "%s/windows.lmdb", folder);
    support_remove(path);
    for (uint32_t i = 0; i < WINDOWS; i++)
        clips[i] = (struct embedding_clip){.clip = i, .centre = 0.12 * i, .target = -1};
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(embeddings_put_video(w, "v", clips, WINDOWS, &e), &e);
    for (size_t i = 0; i < WINDOWS; i++) {
        float values[STEPS * CHANNELS] = {0};
        struct embedding x = {.shape = {.n_steps = n_steps, .n_channels = CHANNELS},
                              .values = values};
        for (size_t t = 0; t < STEPS; t++)
            values[t * CHANNELS + (i + t >= 40 + STEPS / 2)] = 1;
        support_ok(embeddings_put(w, c, "v", i, &x, &e), &e);
    }
    support_ok(store_publish(w, 1, &e), &e);
    codec_free(c);
    return path;
}

static void test_unpredictable_moment(void **state)
{
    (void)state;
    struct err e = {0};
    struct detect_options o = detect_defaults();
    o.method = DETECT_PA;
    o.input = make_windows(STEPS);
    o.pa = (struct pa_options){.smooth = 1, .scale = 3};
    o.out = support_path(folder, "found.json");
    support_ok(detect_run(&o, NULL, &e), &e);
    struct json *found = json_load(o.out, &e), *times = json_member(found, "v");
    bool near = false;
    for (size_t i = 0; i < json_len(times); i++)
        near = near || fabs(json_f64(json_at(times, i)) - 4.8) < 0.13;
    assert_true(near);
    assert_in_range(json_len(times), 1, 3);
    json_free(found);
}

/* -- refusals -- */

static void test_refusals(void **state)
{
    (void)state;
    struct err e = {0};
    struct detect_options o = detect_defaults();
    o.out = support_path(folder, "none.json");
    o.input = "absent.lmdb";
    support_failed(detect_run(&o, NULL, &e), &e, "absent.lmdb");
    o.method = DETECT_PA;
    o.input = make_windows(0);
    support_failed(detect_run(&o, NULL, &e), &e, "its clips have one step");
    o.method = DETECT_SHOTS;
    support_failed(detect_run(&o, NULL, &e), &e, "holds embeddings, not frames");
    assert_false(file_exists(o.out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_colours),      cmocka_unit_test(test_difference),
        cmocka_unit_test(test_short_scenes), cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_peaks),        cmocka_unit_test(test_still_video),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_unpredictable_moment),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
