/* SPDX-License-Identifier: Apache-2.0 */
/* The importers of Kinetics, UCF101, HMDB51, Something-Something v2 and Diving48, on text. */
#include "common/datasets/importer.h"
#include "tests/unit/support.h"

#define TEXT(t) t, strlen(t)

static void expect_video(const struct video_list *list, size_t i, const char *const want[4])
{
    assert_true(i < list->n);
    const struct video *v = &list->videos[i];
    const char *got[4] = {v->id, v->path, v->split, v->class_name};
    for (int k = 0; k < 4; k++)
        assert_string_equal(got[k] ? got[k] : "-", want[k]);
}

#define EXPECT(list, i, ...) expect_video(list, i, (const char *const[4]){__VA_ARGS__})

static void test_kinetics(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    static const char crawler[] = "label,youtube_id,time_start,time_end,split,is_cc\r\n"
                                  "\"air drumming\",--nQbRBEz2s,104,114,val,0\r\n"
                                  "\"massaging person's head\",_abcdefghij,0.0,10.9,val,1\r\n";
    static const char deepmind[] = "label,youtube_id,time_start,time_end,split\n"
                                   "air drumming,--nQbRBEz2s,104,114,validate\n"
                                   "testifying,---QUuC4vJs,84,94,train\n";
    static const char test[] = "youtube_id,time_start,time_end\nabc,1,11\n";
    support_ok(kinetics_read_text(TEXT(crawler), NULL, &list, &e), &e);
    support_ok(kinetics_read_text(TEXT(deepmind), NULL, &list, &e), &e);
    support_ok(kinetics_read_text(TEXT(test), "test", &list, &e), &e);
    assert_int_equal(list.n, 5);
    support_ok(video_list_merge(&list, &e), &e);
    support_ok(video_list_finish(&list, &e), &e);
    assert_int_equal(list.n, 4);
    assert_string_equal(list.notes[0], "1 videos are listed again, with the same label");
    EXPECT(&list, 0, "---QUuC4vJs_000084_000094", "testifying/---QUuC4vJs_000084_000094.mp4",
           "train", "testifying");
    EXPECT(&list, 1, "--nQbRBEz2s_000104_000114", "air drumming/--nQbRBEz2s_000104_000114.mp4",
           "val", "air drumming");
    EXPECT(&list, 2, "_abcdefghij_000000_000010",
           "massaging person's head/_abcdefghij_000000_000010.mp4", "val",
           "massaging person's head");
    EXPECT(&list, 3, "abc_000001_000011", "abc_000001_000011.mp4", "test", "-");
    support_failed(kinetics_read_text(TEXT("a,b\n"), NULL, &list, &e), &e,
                   "line 1: the header names no column youtube_id");
    support_failed(
        kinetics_read_text(TEXT("youtube_id,time_start,time_end\nx,9,8\n"), NULL, &list, &e), &e,
        "line 2: ends at 8, but begins at 9");
    video_list_release(&list);
}

/* A label known from one file and not from the other: the label stays. */
static void test_merge(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    static const char bare[] = "youtube_id,time_start,time_end,split\nabc,1,11,test\n";
    static const char full[] = "youtube_id,time_start,time_end,split,label\nabc,1,11,test,jump\n";
    support_ok(kinetics_read_text(TEXT(bare), NULL, &list, &e), &e);
    support_ok(kinetics_read_text(TEXT(full), NULL, &list, &e), &e);
    support_ok(video_list_merge(&list, &e), &e);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.videos[0].class_name, "jump");
    static const char other[] = "youtube_id,time_start,time_end,split,label\nabc,1,11,train,jump\n";
    support_ok(kinetics_read_text(TEXT(other), NULL, &list, &e), &e);
    support_ok(video_list_merge(&list, &e), &e);
    support_failed(video_list_finish(&list, &e), &e, "abc_000001_000011");
    video_list_release(&list);
}

static void test_ucf101(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    support_ok(ucf101_read_classes(TEXT("1 Hammering\r\n2 HammerThrow\r\n3 HandStandPushups\r\n"),
                                   &list, &e),
               &e);
    assert_string_equal(json_text(list.settings),
                        "{\"classes\":[\"Hammering\",\"HammerThrow\",\"HandstandPushups\"]}");
    support_ok(ucf101_read_text(TEXT("HammerThrow/v_HammerThrow_g08_c01.avi 2\r\n"
                                     "HandstandPushups/v_HandStandPushups_g08_c01.avi 3\r\n"),
                                "train", &list, &e),
               &e);
    /* The test list of a copy: class and files renamed, numbers added. */
    support_ok(ucf101_read_text(TEXT("HandStandPushups/v_HandstandPushups_g01_c01.avi 3\n"
                                     "Hammering/v_Hammering_g01_c01.avi\n"),
                                "test", &list, &e),
               &e);
    EXPECT(&list, 0, "v_HammerThrow_g08_c01", "HammerThrow/v_HammerThrow_g08_c01.avi", "train",
           "HammerThrow");
    EXPECT(&list, 1, "v_HandStandPushups_g08_c01",
           "HandstandPushups/v_HandStandPushups_g08_c01.avi", "train", "HandstandPushups");
    EXPECT(&list, 2, "v_HandStandPushups_g01_c01",
           "HandStandPushups/v_HandstandPushups_g01_c01.avi", "test", "HandstandPushups");
    EXPECT(&list, 3, "v_Hammering_g01_c01", "Hammering/v_Hammering_g01_c01.avi", "test",
           "Hammering");
    support_failed(ucf101_read_text(TEXT("\nHammering/v.avi 2\n"), "test", &list, &e), &e,
                   "line 2: label 2, but class Hammering has number 1 in classInd.txt");
    support_failed(ucf101_read_text(TEXT("Hamster/v.avi\n"), "test", &list, &e), &e,
                   "line 1: class Hamster is not in classInd.txt");
    video_list_release(&list);
}

static void test_hmdb51(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    support_ok(
        hmdb51_read_text(TEXT("a&b!#;(1)[x]_brush_hair_0.avi 1 \r\nTwo words.avi 2\nc.avi 0 \n"),
                         "brush_hair", &list, &e),
        &e);
    EXPECT(&list, 0, "brush_hair/a&b!#;(1)[x]_brush_hair_0",
           "brush_hair/a&b!#;(1)[x]_brush_hair_0.avi", "train", "brush_hair");
    EXPECT(&list, 1, "brush_hair/Two words", "brush_hair/Two words.avi", "test", "brush_hair");
    EXPECT(&list, 2, "brush_hair/c", "brush_hair/c.avi", "-", "brush_hair");
    support_failed(hmdb51_read_text(TEXT("c.avi 3\n"), "x", &list, &e), &e,
                   "line 1: no FILE and 0, 1 or 2: c.avi 3");
    video_list_release(&list);
}

static void test_ssv2(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    struct ssv2_import im = {.list = &list, .split = "train"};
    support_ok(ssv2_read_labels(
                   TEXT("{\"Opening something\": \"1\", \"Holding something\": \"0\"}"), &im, &e),
               &e);
    assert_string_equal(json_text(list.settings),
                        "{\"classes\":[\"Holding something\",\"Opening something\"]}");
    support_ok(
        ssv2_read_entries(TEXT("[{\"id\":\"78687\",\"label\":\"holding potato\",\"template\":"
                               "\"Holding [something]\",\"placeholders\":[\"potato\"]}]"),
                          &im, &e),
        &e);
    support_failed(ssv2_read_entries(TEXT("[{\"id\":\"1\"}]"), &im, &e), &e,
                   "entry 1: id 1: member 'template' is missing");
    im.split = "test";
    im.unlabelled = true;
    support_ok(ssv2_read_entries(TEXT("[{\"id\":\"1420\"},{\"id\":\"9\"}]"), &im, &e), &e);
    support_ok(ssv2_read_answers(TEXT("1420;Opening something\r\n"), &im, &e), &e);
    EXPECT(&list, 0, "78687", "78687.webm", "train", "Holding something");
    EXPECT(&list, 1, "1420", "1420.webm", "test", "Opening something");
    EXPECT(&list, 2, "9", "9.webm", "test", "-");
    support_failed(ssv2_read_answers(TEXT("9;Eating something"), &im, &e), &e,
                   "line 1: 'Eating something' is not among the labels");
    ssv2_release(&im);
    video_list_release(&list);
    support_failed(ssv2_read_labels(TEXT("{\"A\":\"0\",\"B\":\"2\"}"), &im, &e), &e,
                   "'B': number 2, but there are 2 labels");
    ssv2_release(&im);
}

static void test_diving48(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    support_ok(diving48_read_vocabulary(TEXT("[[\"Back\",\"15som\",\"05Twis\",\"FREE\"],[\"A\"]]"),
                                        &list, &e),
               &e);
    assert_string_equal(json_text(list.settings),
                        "{\"classes\":[\"Back+15som+05Twis+FREE\",\"A\"]}");
    support_ok(diving48_read_text(TEXT("[{\"vid_name\":\"-mmq0PT-u8k_00155\",\"label\":0,"
                                       "\"start_frame\":0,\"end_frame\":48}]"),
                                  "train", &list, &e),
               &e);
    EXPECT(&list, 0, "-mmq0PT-u8k_00155", "rgb/-mmq0PT-u8k_00155.mp4", "train",
           "Back+15som+05Twis+FREE");
    support_failed(
        diving48_read_text(TEXT("[{\"vid_name\":\"a\",\"label\":2}]"), "train", &list, &e), &e,
        "entry 1: a: label 2, but the vocabulary has 2 classes");
    video_list_release(&list);
}

static void test_table(void **state)
{
    (void)state;
    const struct importer *im;
    size_t n = 0;
    for (; (im = importer_at(n)); n++) {
        assert_ptr_equal(importer_find(im->name), im);
        assert_non_null(im->what);
    }
    assert_true(n > 5);
    assert_null(importer_find("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinetics), cmocka_unit_test(test_merge),
        cmocka_unit_test(test_ucf101),   cmocka_unit_test(test_hmdb51),
        cmocka_unit_test(test_ssv2),     cmocka_unit_test(test_diving48),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
