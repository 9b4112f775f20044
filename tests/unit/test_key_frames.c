/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/key_frames.h"

#include <math.h>

#include "common/datasets/importer.h"
#include "common/store/index.h"
#include "tests/unit/support.h"

#define TEXT(t) t, strlen(t)

static void expect_extra(struct key_frames *k, size_t video, double start, const char *text)
{
    struct err e = {0};
    struct json *extra = NULL;
    support_ok(key_frames_extra(k, video, start, INFINITY, &extra, &e), &e);
    assert_string_equal(json_text(extra), text);
    support_ok(index_check_extra(extra, &e), &e);
    json_free(extra);
}

/* Rows of one box are put together wherever they stand; persons and boxes keep the file's order. */
static void test_boxes(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_frames k = {0};
    support_ok(key_frames_read_boxes(&k,
                                     TEXT("-a,0903,0.5,0.5,1,1,17,1\r\n"
                                          "-a,0902,0.5,0.25,0.75,1.000,80,1\r\n"
                                          "b,0902,0,0,1,1,3,0\r\n"
                                          "-a,0902,0.1,0.1,0.2,0.2,12,0\r\n"
                                          "-a,0902,0.5,0.25,0.75,1,12,1\r\n"
                                          "-a,0902,0.5,0.25,0.75,1,12,1\r\n"
                                          "-a,0902,0.5,0.25,0.75,1,12,2\r\n"),
                                     "train", &e),
               &e);
    support_ok(key_frames_finish(&k, &e), &e);
    assert_int_equal(k.n_videos, 2);
    assert_string_equal(k.video[0].name, "-a");
    assert_string_equal(k.video[0].split, "train");
    expect_extra(
        &k, 0, 900,
        "{\"key_frames\":[{\"time\":2.0,\"timestamp\":\"0902\"},{\"time\":3.0,\"timestamp\":"
        "\"0903\"}],"
        "\"boxes\":[{\"time\":2.0,\"box\":[0.5,0.25,0.75,1.0],\"labels\":[12,80],\"person\":1},"
        "{\"time\":2.0,\"box\":[0.1,0.1,0.2,0.2],\"labels\":[12],\"person\":0},"
        "{\"time\":2.0,\"box\":[0.5,0.25,0.75,1.0],\"labels\":[12],\"person\":2},"
        "{\"time\":3.0,\"box\":[0.5,0.5,1.0,1.0],\"labels\":[17],\"person\":1}]}");
    assert_int_equal(k.video[0].n_outside, 0);
    expect_extra(
        &k, 0, 902.5,
        "{\"key_frames\":[{\"time\":0.5,\"timestamp\":\"0903\"}],"
        "\"boxes\":[{\"time\":0.5,\"box\":[0.5,0.5,1.0,1.0],\"labels\":[17],\"person\":1}]}");
    assert_int_equal(k.video[0].n_outside, 1);
    assert_int_equal(key_frames_n_inside(&k, 0, 902, 903), 2);
    assert_int_equal(key_frames_n_inside(&k, 0, 902.5, 1000), 1);
    key_frames_release(&k);
}

static void test_rows_without_boxes(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_frames k = {0};
    support_ok(
        key_frames_read_boxes(&k,
                              TEXT("00g-inkLork,5.016949\n"
                                   "00_77WAvZ_o,17.000000,0.308489,0.465223,0.530244,0.991838,12\n"
                                   "x,0902,,,,,,\n"),
                              "val", &e),
        &e);
    support_ok(key_frames_finish(&k, &e), &e);
    expect_extra(&k, 0, 0,
                 "{\"key_frames\":[{\"time\":5.016949,\"timestamp\":\"5.016949\"}],\"boxes\":[]}");
    expect_extra(&k, 1, 12,
                 "{\"key_frames\":[{\"time\":5.0,\"timestamp\":\"17.000000\"}],"
                 "\"boxes\":[{\"time\":5.0,\"box\":[0.308489,0.465223,0.530244,0.991838],"
                 "\"labels\":[12]}]}");
    expect_extra(&k, 2, 900,
                 "{\"key_frames\":[{\"time\":2.0,\"timestamp\":\"0902\"}],\"boxes\":[]}");
    key_frames_release(&k);
}

static void test_detections_and_exclusions(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_frames k = {0};
    support_ok(key_frames_read_detections(&k,
                                          TEXT("-a,0902,0.3,0.1,0.4,0.8,,0.996382\n"
                                               "-a,0904,0.3,0.1,0.4,0.8,80,0.5\n"
                                               "new,902,0,0,1,1,,1\n"),
                                          "test", &e),
               &e);
    /* A detector's file settles the split of a video only where nothing was read before. */
    support_failed(key_frames_read_boxes(&k, TEXT("-a,0902,0,0,1,1,3,0\n"), "val", &e), &e,
                   "line 1: -a: val here, test before");
    key_frames_release(&k);
    support_ok(
        key_frames_read_boxes(&k, TEXT("-a,0902,0,0,1,1,3,0\n-a,0903,0,0,1,1,3,0\n"), "val", &e),
        &e);
    support_ok(key_frames_read_excluded(&k, TEXT("-a,0903\nnowhere,0902\n-a,0999\n"), &e), &e);
    support_ok(key_frames_read_detections(&k,
                                          TEXT("-a,902,0.3,0.1,0.4,0.8,,0.996382\n"
                                               "-a,0904,0.3,0.1,0.4,0.8,80,0.5\n"
                                               "-a,0903,0.3,0.1,0.4,0.8,80,0.5\n"
                                               "new,0902,0,0,1,1,,1\n"),
                                          "test", &e),
               &e);
    support_ok(key_frames_finish(&k, &e), &e);
    assert_string_equal(k.video[0].split, "val");
    expect_extra(&k, 0, 900,
                 "{\"key_frames\":[{\"time\":2.0,\"timestamp\":\"0902\"},"
                 "{\"time\":3.0,\"timestamp\":\"0903\",\"excluded\":true},"
                 "{\"time\":4.0,\"timestamp\":\"0904\"}],"
                 "\"boxes\":[{\"time\":2.0,\"box\":[0.0,0.0,1.0,1.0],\"labels\":[3],\"person\":0},"
                 "{\"time\":2.0,\"box\":[0.3,0.1,0.4,0.8],\"score\":0.996382},"
                 "{\"time\":4.0,\"box\":[0.3,0.1,0.4,0.8],\"labels\":[80],\"score\":0.5}]}");
    assert_string_equal(k.video[1].name, "nowhere");
    assert_int_equal(k.video[1].n, 0);
    assert_string_equal(k.video[2].split, "test");
    key_frames_release(&k);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a,0902,0,0\n", "line 1: 4 columns, not 2, 7 or 8"},
        {"a,0902,10,20,30,40,1,0\n", "a corner is no share of the picture"},
        {"a,0902,0.5,0,0.4,1,1,0\n", "the box ends before it begins"},
        {"a,0902,0,0,1,1,,0\n", "no action"},
        {"a,0902,0,0,1,1,0,0\n", "action: "},
        {"a,0902,0,0,1,1,81,0\n", "action: "},
        {"a,0902,0,0,1,1,1,x\n", "person: "},
        {"a,x\n", "seconds: "},
        {",0902\n", "no id of a video"},
        {"a\n", "no ID,SECONDS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct key_frames k = {0};
        support_failed(key_frames_read_boxes(&k, TEXT(cases[i][0]), NULL, &e), &e, cases[i][1]);
        key_frames_release(&k);
    }
    struct err e = {0};
    struct key_frames k = {0};
    support_ok(key_frames_read_boxes(&k, TEXT("a,0902\n"), "train", &e), &e);
    support_failed(key_frames_read_boxes(&k, TEXT("a,0903\n"), "val", &e), &e,
                   "a: val here, train before");
    support_failed(key_frames_read_detections(&k, TEXT("a,0902,0,0,1,1,,1.5\n"), "test", &e), &e,
                   "score: ");
    key_frames_release(&k);
    support_failed(key_frames_finish(&k, &e), &e, "no rows");
}

static void test_actions(void **state)
{
    (void)state;
    struct err e = {0};
    struct json *actions = NULL;
    support_ok(key_frames_read_actions(
                   TEXT("item {\r\n  name: \"bend/bow (at the waist)\"\r\n  id: 1\r\n}\r\n"
                        "label {\n  name: \"b\"\n  label_id: 80\n  label_type: X\n}\n"),
                   &actions, &e),
               &e);
    assert_string_equal(
        json_text(actions),
        "[{\"id\":1,\"name\":\"bend/bow (at the waist)\"},{\"id\":80,\"name\":\"b\"}]");
    json_free(actions);
    support_failed(key_frames_read_actions(
                       TEXT("item {\n  name: \"a\"\n}\nitem {\n  name: \"b\"\n"), &actions, &e),
                   &e, "line 5: 'a' has no id");
    support_failed(
        key_frames_read_actions(TEXT("item {\n name: \"a\"\n id: 1\n}\n{\n name: \"b\"\n id: 1\n"),
                                &actions, &e),
        &e, "line 7: id 1 is there already");
    support_failed(
        key_frames_read_actions(TEXT("item {\n name: \"a\"\n id: 81\n}\n"), &actions, &e), &e,
        "line 3: id: ");
    support_failed(key_frames_read_actions(TEXT("\n"), &actions, &e), &e, "no item");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_rows_without_boxes),
        cmocka_unit_test(test_detections_and_exclusions),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
