/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/index.h"

#include <math.h>

#include "tests/unit/support.h"

static char folder[256], path[300];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/index.lmdb", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

static int parse(struct video *v, const char *text, struct err *e)
{
    struct json *j = json_parse(text, strlen(text), e);
    assert_non_null(j);
    int rc = video_from_json(v, j, e);
    json_free(j);
    return rc;
}

static void test_every_member(void **state)
{
    (void)state;
    struct err e = {0};
    struct video v = {0};
    static const char text[] =
        "{\"path\":\"a/"
        "b.mp4\",\"split\":\"val\",\"class\":\"caf\u00e9\",\"width\":320,\"height\":240,"
        "\"rotation\":90,\"fps\":\"30000/"
        "1001\",\"n_frames\":300,\"duration\":10.01,\"codec\":\"h264\","
        "\"variable_rate\":true,\"verified\":true,\"status\":\"ok\",\"reason\":\"no sound\","
        "\"events\":[{\"start\":0.0,\"end\":2.5,\"label\":\"run.02\",\"labels\":[\"run.02\","
        "\"walk.01\"]},{\"start\":2.5,\"end\":5.0}],"
        "\"extra\":{\"boundaries\":[[1.5],[]]}}";
    support_ok(parse(&v, text, &e), &e);
    assert_string_equal(v.path, "a/b.mp4");
    assert_string_equal(v.class_name, "caf\u00e9");
    assert_int_equal(v.rotation, 90);
    assert_int_equal(v.fps_num, 30000);
    assert_int_equal(v.fps_den, 1001);
    assert_int_equal(v.n_frames, 300);
    assert_true(v.duration == 10.01);
    assert_true(v.ok && v.variable_rate && v.verified);
    assert_int_equal(v.n_events, 2);
    assert_string_equal(v.events[0].label, "run.02");
    assert_int_equal(v.events[0].n_labels, 2);
    assert_string_equal(v.events[0].labels[1], "walk.01");
    assert_null(v.events[1].label);
    assert_int_equal(v.events[1].n_labels, 0);
    struct json *j = video_to_json(&v);
    assert_string_equal(json_text(j), text);
    json_free(j);
    video_release(&v);
    assert_null(v.path);
    assert_int_equal(v.n_events, 0);
    video_release(&v);
}

/* What the tools may leave unset comes out as an absent member and comes back unset. */
static void test_bad_video(void **state)
{
    (void)state;
    struct err e = {0};
    struct video v = {.path = "x.avi", .reason = "no video stream"}, back = {0};
    struct json *j = video_to_json(&v);
    assert_non_null(j);
    support_ok(video_from_json(&back, j, &e), &e);
    json_free(j);
    assert_false(back.ok);
    assert_string_equal(back.reason, "no video stream");
    assert_null(back.split);
    assert_null(back.class_name);
    assert_null(back.codec);
    assert_int_equal(back.fps_num, 0);
    video_release(&back);
}

#define START                                                                                      \
    "{\"path\":\"a\",\"width\":2,\"height\":2,\"rotation\":0,\"fps\":\"25/1\",\"n_frames\":1,"
#define REST "\"duration\":1,\"variable_rate\":false,\"verified\":false,\"status\":\"ok\""

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "not an object"},
        {"{}", "'status' is missing"},
        {START REST ",\"clas\":\"x\"}", "'clas' is unknown"},
        {START REST ",\"class\":7}", "'class': expected a string"},
        {START REST ",\"events\":{}}", "'events': expected an array"},
        {START REST ",\"events\":[{\"start\":1}]}", "events: 0: member 'end' is missing"},
        {START REST ",\"events\":[{\"start\":2,\"end\":1}]}", "events: 0: ends at 1 before"},
        {START REST ",\"events\":[{\"start\":-1,\"end\":1}]}", "'start': -1, less than 0"},
        {START REST ",\"events\":[{\"start\":NaN,\"end\":1}]}", "'start': not a finite number"},
        {START REST ",\"events\":[{\"start\":1,\"end\":2,\"labels\":[]}]}", "'labels' is empty"},
        {START REST ",\"events\":[{\"start\":1,\"end\":2,\"labels\":[\"a\",1]}]}",
         "events: 0: labels: 1: expected a string"},
        {START REST ",\"extra\":[]}", "'extra': expected an object"},
        {"{\"path\":\"\"," REST "}", "'path' is missing or empty"},
        {"{\"path\":\"a\",\"status\":\"bad\"}", "'reason' is missing beside status bad"},
        {"{\"path\":\"a\",\"status\":\"fine\"}", "'status': unknown value 'fine'"},
        {"{\"path\":\"a\",\"width\":0," REST "}", "'width': 0, less than 1"},
        {"{\"path\":\"a\",\"width\":3000000000," REST "}", "'width': 3000000000, more than"},
        {"{\"path\":\"a\",\"width\":1,\"height\":1,\"rotation\":45,\"n_frames\":0," REST "}",
         "'rotation': 45"},
        {"{\"path\":\"a\",\"width\":1,\"height\":1,\"rotation\":0,\"n_frames\":0," REST "}",
         "'fps' is missing"},
        {"{\"path\":\"a\",\"width\":1,\"height\":1,\"rotation\":0,\"fps\":\"0/"
         "1\",\"n_frames\":0," REST "}",
         "'fps': '0/1' is no fraction"},
        {"{\"path\":\"a\",\"width\":1,\"height\":1,\"rotation\":0,\"fps\":\"25\",\"n_frames\":"
         "0," REST "}",
         "'fps': '25' is no fraction"},
        {"{\"path\":\"a\",\"width\":1,\"height\":1,\"rotation\":0,\"fps\":25,\"n_frames\":0," REST
         "}",
         "'fps': expected a string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct video v = {0};
        support_failed(parse(&v, cases[i].text, &e), &e, cases[i].why);
        video_release(&v);
    }
}

static void test_extra(void **state)
{
    (void)state;
    struct err e = {0};
    struct video v = {0};
    support_ok(
        parse(&v,
              START REST
              ",\"extra\":{\"boundaries\":[[0,1.5],[]],\"consistency\":[0.5,null],"
              "\"consistency_mean\":null,\"key_frames\":[{\"time\":2,\"timestamp\":\"0902\"},"
              "{\"time\":3.5,\"timestamp\":\"0903.5\",\"excluded\":true}],"
              "\"boxes\":[{\"time\":2,\"box\":[0,0.25,1,0.25],\"labels\":[12,80],\"person\":0},"
              "{\"time\":2,\"box\":[0,0,1,1],\"score\":0.9}],\"mine\":{\"a\":1}}}",
              &e),
        &e);
    video_release(&v);
    static const char *const refused[][2] = {
        {"\"boundaries\":{}", "extra: boundaries: expected an array"},
        {"\"boundaries\":[1]", "boundaries: 0: expected an array"},
        {"\"boundaries\":[[],[-1]]", "boundaries: 1: 0: expected a number from 0"},
        {"\"boundaries\":[[NaN]]", "boundaries: 0: 0: expected a number from 0"},
        {"\"consistency\":[\"x\"]", "consistency: 0: expected a finite number"},
        {"\"consistency_mean\":NaN", "consistency_mean: expected a finite number"},
        {"\"key_frames\":[{\"time\":2}]", "key_frames: 0: member 'timestamp' is missing"},
        {"\"key_frames\":[{\"time\":2,\"timestamp\":\"2\",\"excluded\":1}]", "'excluded'"},
        {"\"key_frames\":[{\"time\":2,\"timestamp\":\"2\",\"x\":1}]", "'x' is unknown"},
        {"\"boxes\":[{\"box\":[0,0,1,1]}]", "boxes: 0: member 'time' is missing"},
        {"\"boxes\":[{\"time\":1,\"box\":[0,0,1]}]", "box: 3 numbers, not 4"},
        {"\"boxes\":[{\"time\":1,\"box\":[0,0,1,\"1\"]}]", "box: 3: expected a finite"},
        {"\"boxes\":[{\"time\":1,\"box\":[0,0.5,1,0.4]}]", "box: ends before it begins"},
        {"\"boxes\":[{\"time\":1,\"box\":[0,0,1,1],\"labels\":[1.5]}]",
         "labels: 0: expected an int"},
        {"\"boxes\":[{\"time\":1,\"box\":[0,0,1,1],\"person\":-1}]", "'person': -1"},
        {"\"boxes\":[{\"time\":1,\"box\":[0,0,1,1],\"score\":null}]", "'score'"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char text[512];
        snprintf(text, sizeof text, START REST ",\"extra\":{%s}}", refused[i][0]);
        support_failed(parse(&v, text, &e), &e, refused[i][1]);
        video_release(&v);
    }
}

static void test_ids(void **state)
{
    (void)state;
    struct err e = {0};
    char longest[482];
    memset(longest, 'x', sizeof longest);
    longest[480] = '\0';
    static const char *const good[] = {
        "a",         "class/name 1", "-id_",      "caf\u00e9/\U0001F600",
        "a/1234567", "a/123456789",  "12345678x", "v/00000001/x"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        support_ok(index_check_id(good[i], &e), &e);
    support_ok(index_check_id(longest, &e), &e);
    longest[480] = 'x';
    longest[481] = '\0';
    support_failed(index_check_id(longest, &e), &e, "481 bytes");
    support_failed(index_check_id("", &e), &e, "0 bytes");
    support_failed(index_check_id("!meta", &e), &e, "starts with '!'");
    support_failed(index_check_id("12345678", &e), &e, "8 digits");
    support_failed(index_check_id("a/00000000", &e), &e, "8 digits");
    support_failed(index_check_id("a\nb", &e), &e, "control character");
    support_failed(index_check_id("a\x7f", &e), &e, "control character");
    static const char *const no_utf8[] = {"\xff",
                                          "a\xc3",
                                          "\xc0\x80",
                                          "\xed\xa0\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xe0\x80\x80",
                                          "\xf0\x80\x80\x80",
                                          "\xf4\x90\x80\x80",
                                          "\x80"};
    for (size_t i = 0; i < sizeof no_utf8 / sizeof *no_utf8; i++)
        support_failed(index_check_id(no_utf8[i], &e), &e, "not UTF-8");
}

static void put(struct store_writer *w, const char *id, const struct video *v)
{
    struct err e = {0};
    struct json *j = video_to_json(v);
    assert_non_null(j);
    support_ok(store_put(w, id, json_text(j), strlen(json_text(j)), &e), &e);
    json_free(j);
}

static void make_index(const char *settings)
{
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = {
        .schema = INDEX_SCHEMA, .version = INDEX_VERSION, .tool = "test", .force = true};
    struct event events[] = {{.start = 0, .end = 1, .label = "walk"},
                             {.start = 1, .end = 2},
                             {.start = 2, .end = 3, .label = "run"}};
    struct video v = {
        .path = "p", .width = 4, .height = 2, .fps_num = 25, .fps_den = 1, .ok = true};
    spec.settings = json_parse(settings, strlen(settings), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    v.class_name = "zebra";
    put(w, "c", &v);
    v.class_name = "ant";
    v.events = events;
    v.n_events = 3;
    put(w, "a", &v);
    v.class_name = NULL;
    v.n_events = 1;
    put(w, "b", &v);
    v.class_name = "ant";
    v.n_events = 0;
    put(w, "a-x", &v);
    support_ok(store_publish(w, 4, &e), &e);
    json_free(spec.settings);
}

static void test_index(void **state)
{
    (void)state;
    struct err e = {0};
    struct index *x;
    make_index("{\"root\":\"../videos\"}");
    support_ok(index_open(&x, path, &e), &e);
    static const char *const ids[] = {"a", "a-x", "b", "c"};
    assert_int_equal(index_n_videos(x), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(index_video(x, i)->id, ids[i]);
        assert_ptr_equal(index_find(x, ids[i]), index_video(x, i));
    }
    assert_null(index_find(x, "aa"));
    assert_int_equal(index_n_classes(x, false), 2);
    assert_string_equal(index_class(x, false, 0), "ant");
    assert_string_equal(index_class(x, false, 1), "zebra");
    assert_int_equal(index_class_number(x, false, "zebra"), 1);
    assert_int_equal(index_class_number(x, false, "walk"), -1);
    assert_int_equal(index_n_classes(x, true), 2);
    assert_int_equal(index_class_number(x, true, "run"), 0);
    assert_int_equal(index_class_number(x, true, "walk"), 1);
    char *root = index_root(x);
    assert_string_equal(root, support_path(folder, "../videos"));
    free(root);
    assert_string_equal(store_path(index_store(x)), path);
    index_close(x);
    index_close(NULL);
    make_index("{}");
    support_ok(index_open(&x, path, &e), &e);
    root = index_root(x);
    assert_string_equal(root, support_path(folder, "."));
    free(root);
    index_close(x);
}

static void test_listed_classes(void **state)
{
    (void)state;
    struct err e = {0};
    struct index *x;
    make_index("{\"classes\":[\"zebra\",\"ant\",\"bee\"],\"labels\":[\"<unk>\",\"walk\",\"run\"]}");
    support_ok(index_open(&x, path, &e), &e);
    assert_int_equal(index_n_classes(x, false), 3);
    assert_string_equal(index_class(x, false, 0), "zebra");
    assert_int_equal(index_class_number(x, false, "bee"), 2);
    assert_int_equal(index_class_number(x, false, "ant"), 1);
    assert_int_equal(index_class_number(x, false, "<unk>"), -1);
    assert_int_equal(index_n_classes(x, true), 3);
    assert_int_equal(index_class_number(x, true, "run"), 2);
    index_close(x);
    static const char *const refused[][2] = {
        {"{\"classes\":[\"zebra\",\"bee\"]}",
         "settings: classes: 'ant', which a has, is not listed"},
        {"{\"labels\":[\"walk\"]}", "settings: labels: 'run', which a has, is not listed"},
        {"{\"labels\":[\"walk\",\"run\",\"walk\"]}", "labels: 'walk' is listed twice"},
        {"{\"classes\":[\"ant\",1]}", "classes: 1: expected a string"},
        {"{\"classes\":{}}", "classes: not a list"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        make_index(refused[i][0]);
        support_failed(index_open(&x, path, &e), &e, refused[i][1]);
    }
}

static void test_bad_records(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *why;
    } cases[] = {
        {"v", "{", "index.lmdb: v: 1:"},
        {"v", "{}", "index.lmdb: v: member 'status' is missing"},
        {"a/00000001",
         "{\"path\":\"a\",\"status\":\"bad\",\"reason\":\"r\",\"width\":0,\"height\":0,"
         "\"rotation\":0,"
         "\"n_frames\":0,\"duration\":0,\"variable_rate\":false,\"verified\":false}",
         "8 digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct store_writer *w;
        struct index *x;
        struct store_spec spec = {
            .schema = INDEX_SCHEMA, .version = INDEX_VERSION, .tool = "test", .force = true};
        support_ok(store_create(&w, path, &spec, &e), &e);
        support_ok(store_put(w, cases[i].key, cases[i].value, strlen(cases[i].value), &e), &e);
        support_ok(store_publish(w, 1, &e), &e);
        support_failed(index_open(&x, path, &e), &e, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member),
        cmocka_unit_test(test_bad_video),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_extra),
        cmocka_unit_test(test_ids),
        cmocka_unit_test_setup_teardown(test_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listed_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_records, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
