/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/importer.h"
#include "tests/unit/support.h"

#define TEXT(t) t, strlen(t)

static void test_entries(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    support_ok(
        gebd_read_text(TEXT("{\"-aaaaaaaaaa\": {\"num_frames\": 250, \"path_video\": "
                            "\"air_drumming/-aaaaaaaaaa_000001_000011.mp4\", \"fps\": 25.0, "
                            "\"f1_consis\": [0.5, 1, NaN], \"f1_consis_avg\": NaN, "
                            "\"substages_myframeidx\": [[25.0]], "
                            "\"substages_timestamps\": [[1.2345678901234567, 2], [], [0]]},\n"
                            "\"b\": {\"substages_timestamps\": [[3.5]]}}"),
                       "val", &list, &e),
        &e);
    assert_int_equal(list.n, 2);
    const struct video *v = &list.videos[0];
    assert_string_equal(v->id, "-aaaaaaaaaa");
    assert_string_equal(v->path, "air_drumming/-aaaaaaaaaa_000001_000011.mp4");
    assert_string_equal(v->class_name, "air_drumming");
    assert_string_equal(v->split, "val");
    assert_string_equal(json_text(v->extra),
                        "{\"boundaries\":[[1.2345678901234567,2.0],[],[0.0]],"
                        "\"consistency\":[0.5,1.0,null],\"consistency_mean\":null}");
    v = &list.videos[1];
    assert_string_equal(v->path, "b.mp4");
    assert_null(v->class_name);
    assert_string_equal(json_text(v->extra), "{\"boundaries\":[[3.5]]}");
    support_ok(index_check_extra(list.videos[0].extra, &e), &e);
    video_list_release(&list);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\x80\x04\x95", "a pickle, not JSON"},
        {"[]x", "unexpected text"},
        {"[1]", "an array, not an object of videos"},
        {"{\"a\":{}}", "a: member 'substages_timestamps' is missing"},
        {"{\"a\":{\"substages_timestamps\":[[-1]]}}", "rater 1: -1 is no time"},
        {"{\"a\":{\"substages_timestamps\":[],\"f1_consis\":[\"x\"]}}", "f1_consis: 0: expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct video_list list = {0};
        support_failed(gebd_read_text(TEXT(cases[i][0]), NULL, &list, &e), &e, cases[i][1]);
        video_list_release(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
