/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/frames.h"

#include <pthread.h>

#include "tests/unit/support.h"

static char folder[256], path[300];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/frames.lmdb", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

static void test_difference(void **state)
{
    (void)state;
    static uint8_t a[4000], b[4000], rows[4000];
    srand(3);
    for (int round = 0; round < 300; round++) {
        size_t stride = 1 + (size_t)rand() % 70, n_rows = (size_t)rand() % 50;
        for (size_t i = 0; i < stride * n_rows; i++)
            a[i] = rows[i] = (uint8_t)rand();
        for (size_t i = stride; i < stride * n_rows; i++)
            b[i] = (uint8_t)(a[i] - a[i - stride]);
        memcpy(b, a, n_rows ? stride : 0);
        frames_difference(rows, n_rows, stride);
        assert_memory_equal(rows, b, stride * n_rows);
        frames_undo_difference(rows, n_rows, stride);
        assert_memory_equal(rows, a, stride * n_rows);
    }
}

static struct frames_info make_info(int width, int height, int64_t n_frames)
{
    return (struct frames_info){.width = width,
                                .height = height,
                                .n_frames = n_frames,
                                .fps_num = 30000,
                                .fps_den = 1001,
                                .frame_step = 2,
                                .matrix = COLOR_BT709,
                                .full_range = true,
                                .ok = true,
                                .reason = "scaled"};
}

static void test_record(void **state)
{
    (void)state;
    struct err e = {0};
    struct frames_info info = make_info(341, 255, 7), back;
    struct json *j = frames_info_to_json(&info);
    assert_string_equal(
        json_text(j),
        "{\"width\":341,\"height\":255,\"n_frames\":7,\"fps\":\"30000/1001\",\"frame_step\":2,"
        "\"matrix\":\"bt709\",\"range\":\"full\",\"status\":\"ok\",\"reason\":\"scaled\"}");
    support_ok(frames_info_from_json(&back, j, &e), &e);
    json_free(j);
    assert_int_equal(back.stored_width, 342);
    assert_int_equal(back.stored_height, 256);
    assert_int_equal(back.matrix, COLOR_BT709);
    assert_true(back.full_range && back.ok);
    assert_string_equal(back.reason, "scaled");

    /* Nothing could be decoded. */
    info = (struct frames_info){.frame_step = 1, .reason = "no decoder"};
    j = frames_info_to_json(&info);
    support_ok(frames_info_from_json(&back, j, &e), &e);
    json_free(j);
    assert_false(back.ok);
    assert_int_equal(back.n_frames, 0);
}

static void test_record_refused(void **state)
{
    (void)state;
    static const struct {
        const char *member, *value, *why;
    } cases[] = {
        {"width", "0", "'width': 0, less than 1"},
        {"width", "16385", "sides up to 16384"},
        {"width", "2.5", "'width': expected an integer"},
        {"n_frames", "-1", "'n_frames': -1"},
        {"n_frames", "100000001", "'n_frames': more than"},
        {"frame_step", "0", "'frame_step': 0"},
        {"fps", "\"30/0\"", "'fps': '30/0' is no fraction"},
        {"matrix", "\"bt470\"", "'matrix': unknown value 'bt470'"},
        {"range", "true", "'range': expected a string"},
        {"status", "\"bad\"", NULL}, /* with a reason: fine */
        {"colour", "1", "'colour' is unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct frames_info info = make_info(4, 4, 1);
        struct json *j = frames_info_to_json(&info);
        struct json *value = json_parse(cases[i].value, strlen(cases[i].value), &e);
        assert_int_equal(json_add(j, cases[i].member, value), 0);
        int rc = frames_info_from_json(&info, j, &e);
        if (cases[i].why)
            support_failed(rc, &e, cases[i].why);
        else
            support_ok(rc, &e);
        json_free(j);
    }
}

/* Pixel i of frame t of video v. */
static uint8_t pixel(size_t v, int64_t t, size_t i)
{
    return (uint8_t)(i * 7 / 5 + (size_t)t * 31 + v * 101 + i * i / 1000);
}

static void put_video(struct store_writer *w, const char *id, size_t v,
                      const struct frames_info *info)
{
    struct err e = {0};
    struct codec *c;
    struct buf value = {0};
    char key[STORE_MAX_KEY + 1];
    struct json *j = frames_info_to_json(info);
    support_ok(store_put(w, id, json_text(j), strlen(json_text(j)), &e), &e);
    json_free(j);
    support_ok(codec_new(&c, &e), &e);
    int sw = info->width + info->width % 2, sh = info->height + info->height % 2;
    size_t n = (size_t)sw * (size_t)sh * 3 / 2;
    uint8_t *picture = malloc(n);
    assert_non_null(picture);
    for (int64_t t = 0; t < info->n_frames; t++) {
        for (size_t i = 0; i < n; i++)
            picture[i] = pixel(v, t, i);
        support_ok(frames_key(key, id, t, &e), &e);
        support_ok(frames_pack(c, picture, sw, sh, &value, &e), &e);
        support_ok(store_put(w, key, value.data, value.len, &e), &e);
    }
    free(picture);
    buf_release(&value);
    codec_free(c);
}

/* Ids that sort between the frames of others, too. */
static const char *const ids[] = {"a", "a-b", "a/00000000x", "a/0b", "a/5/7", "a/b", "b"};
enum { N_IDS = sizeof ids / sizeof *ids };

static void make_store(uint64_t count)
{
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = {
        .schema = FRAMES_SCHEMA, .version = FRAMES_VERSION, .tool = "test", .force = true};
    support_ok(store_create(&w, path, &spec, &e), &e);
    for (size_t v = 0; v < N_IDS; v++) {
        struct frames_info info =
            make_info(17 + (int)v, 11 + (int)v * 3, v == 5 ? 0 : (int64_t)v + 2);
        put_video(w, ids[v], v, &info);
    }
    support_ok(store_publish(w, count, &e), &e);
}

static void check_frame(struct frames *f, size_t v, int64_t t)
{
    struct err e = {0};
    const struct frames_info *info = frames_video(f, v);
    size_t n = (size_t)info->stored_width * (size_t)info->stored_height * 3 / 2;
    uint8_t *picture = malloc(n);
    assert_non_null(picture);
    support_ok(frames_read(f, v, t, picture, &e), &e);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(picture[i], pixel(v, t, i));
    free(picture);
}

static void *read_all(void *handle)
{
    struct frames *f = handle;
    for (int round = 0; round < 20; round++)
        for (size_t v = 0; v < N_IDS; v++)
            for (int64_t t = 0; t < frames_video(f, v)->n_frames; t++)
                check_frame(f, v, t);
    return NULL;
}

static void test_read(void **state)
{
    (void)state;
    struct err e = {0};
    struct frames *f, *copy[3];
    uint8_t picture[4096];
    make_store(N_IDS);
    support_ok(frames_open(&f, path, &e), &e);
    assert_int_equal(frames_n_videos(f), N_IDS);
    for (size_t v = 0; v < N_IDS; v++) {
        assert_string_equal(frames_id(f, v), ids[v]);
        assert_int_equal(frames_find(f, ids[v]), v);
        assert_int_equal(frames_video(f, v)->width, 17 + v);
    }
    assert_int_equal(frames_find(f, "c"), -1);
    assert_int_equal(frames_find(f, ""), -1);
    assert_int_equal(frames_read(f, 0, 2, picture, &e), ERR_NOT_FOUND);
    support_failed(-1, &e, "no record a/00000002");
    support_failed(frames_read(f, 0, -1, picture, &e), &e, "-1 does not fit");
    support_failed(frames_read(f, 0, 100000000, picture, &e), &e, "does not fit into 8 digits");

    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        support_ok(frames_share(&copy[i], f, &e), &e);
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, copy[i]), 0);
    }
    read_all(f);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        frames_close(copy[i]);
    }
    frames_close(f);
    frames_close(NULL);
}

static void test_wrong_store(void **state)
{
    (void)state;
    struct err e = {0};
    struct frames *f;
    make_store(N_IDS + 1);
    support_failed(frames_open(&f, path, &e), &e, "holds 7 videos, !meta says 8");

    /* A picture of another size than the video's record says. */
    struct store_writer *w;
    struct store_spec spec = {
        .schema = FRAMES_SCHEMA, .version = FRAMES_VERSION, .tool = "test", .force = true};
    struct frames_info info = make_info(8, 8, 1);
    uint8_t picture[96] = {0};
    support_ok(store_create(&w, path, &spec, &e), &e);
    put_video(w, "small", 0, &info);
    info.width = 6;
    info.n_frames = 0;
    put_video(w, "smaller", 0, &info);
    struct codec *c;
    struct buf value = {0};
    support_ok(codec_new(&c, &e), &e);
    support_ok(frames_pack(c, picture, 8, 8, &value, &e), &e);
    support_ok(store_put(w, "smaller/00000000", value.data, value.len, &e), &e);
    support_ok(store_put(w, "smaller/00000001", "no picture", 10, &e), &e);
    support_ok(store_publish(w, 2, &e), &e);
    support_failed(frames_pack(c, picture, 7, 8, &value, &e), &e, "7 x 8 cannot be stored");
    support_failed(frames_pack(c, picture, 8, 0, &value, &e), &e, "8 x 0 cannot be stored");
    buf_release(&value);
    codec_free(c);
    support_ok(frames_open(&f, path, &e), &e);
    support_ok(frames_read(f, 0, 0, picture, &e), &e);
    support_failed(frames_read(f, 1, 0, picture, &e), &e,
                   "smaller/00000000: not a picture |u1 [12, 6]");
    support_failed(frames_read(f, 1, 1, picture, &e), &e, "smaller/00000001: not a zstd frame");
    frames_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_record_refused),
        cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_store, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
