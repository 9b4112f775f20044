/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/datasets/importer.h"
#include "tests/unit/support.h"

#define TEXT(t) t, strlen(t)

static const char vocabulary[] = "{\"symbols\":[\"<s>\",\"<pad>\",\"</"
                                 "s>\",\"<unk>\",\"run.02\",\"walk.01\"],\"count\":[1,1,1,1,9,8]}";
static const char ids[] = "[\"v_-a_seg_b_seg_20_30\",\"v__v_c_seg_0_10\"]";

static void begin(struct vidsitu_import *im, struct video_list *list)
{
    struct err e = {0};
    *list = (struct video_list){0};
    *im = (struct vidsitu_import){.list = list, .split = "val"};
    support_ok(vidsitu_read_vocabulary(TEXT(vocabulary), im, &e), &e);
    support_ok(vidsitu_read_split(TEXT(ids), im, &e), &e);
    assert_int_equal(list->n, 2);
}

static void end(struct vidsitu_import *im)
{
    video_list_release(im->list);
    vidsitu_release(im);
}

/* An entry of vinfo whose five events have these verbs, or one of vsann. */
static char *entry(const char *id, bool of_vinfo, const char *verbs)
{
    struct err e = {0};
    struct buf text = {0};
    support_ok(buf_printf(&text, &e, "{\"clip_name\":NaN,\"vid_seg_int\":\"%s\"%s", id,
                          of_vinfo ? ",\"vbid_lst\":{" : ""),
               &e);
    for (int i = 1; i <= 5; i++)
        support_ok(of_vinfo
                       ? buf_printf(&text, &e, "%s\"Ev%d\":%s", i > 1 ? "," : "", i, verbs)
                       : buf_printf(&text, &e, ",\"Ev%d\":{\"vid_seg_int\":\"%s\",\"VerbID\":%s}",
                                    i, id, verbs),
                   &e);
    support_ok(buf_printf(&text, &e, of_vinfo ? "}}" : "}"), &e);
    return (char *)text.data;
}

static int read_entry(struct vidsitu_import *im, const char *id, bool of_vinfo, const char *verbs,
                      struct err *e)
{
    char text[2000], *one = entry(id, of_vinfo, verbs);
    snprintf(text, sizeof text, "[%s]", one);
    free(one);
    return of_vinfo ? vidsitu_read_vinfo(TEXT(text), im, e) : vidsitu_read_vsann(TEXT(text), im, e);
}

static void expect_event(const struct event *event, double start, const char *label,
                         const char *labels)
{
    struct err e = {0};
    struct buf all = {0};
    assert_true(event->start == start && event->end == start + 2);
    assert_string_equal(event->label, label);
    support_ok(buf_printf(&all, &e, "%s", ""), &e);
    for (size_t i = 0; i < event->n_labels; i++)
        support_ok(buf_printf(&all, &e, "%s ", event->labels[i]), &e);
    assert_string_equal((char *)all.data, labels);
    buf_release(&all);
}

static void test_ids(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list;
    struct vidsitu_import im;
    begin(&im, &list);
    assert_string_equal(list.videos[0].id, "v_-a_seg_b_seg_20_30");
    assert_string_equal(list.videos[0].path, "v_-a_seg_b_seg_20_30.mp4");
    assert_string_equal(list.videos[1].split, "val");
    assert_string_equal(
        json_text(list.settings),
        "{\"labels\":[\"<s>\",\"<pad>\",\"</s>\",\"<unk>\",\"run.02\",\"walk.01\"]}");
    support_failed(vidsitu_read_split(TEXT("[\"v_a_seg_0_10\",\"v_a_seg_0_11\"]"), &im, &e), &e,
                   "entry 2: 'v_a_seg_0_11': lasts 11 s, not 10");
    support_failed(vidsitu_read_split(TEXT("[\"a_seg_0_10\"]"), &im, &e), &e,
                   "'a_seg_0_10' is no v_ID_seg_START_END");
    support_failed(vidsitu_read_split(TEXT("[\"v_seg_0_10\"]"), &im, &e), &e, "is no v_ID_seg");
    end(&im);
}

static void test_ten_annotations(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list;
    struct vidsitu_import im;
    begin(&im, &list);
    /* Of equals the first counts, and only the first ten vote; all are kept. */
    support_ok(
        read_entry(
            &im, "v_-a_seg_b_seg_20_30", true,
            "[\"eat.01\",\"walk.01\",\"run.02\",\"run.02\",\"walk.01\",\"a\",\"b\",\"c\",\"d\","
            "\"e\",\"run.02\",\"eat.01\",\"eat.01\"]",
            &e),
        &e);
    assert_int_equal(list.videos[0].n_events, 5);
    for (int i = 0; i < 5; i++)
        expect_event(&list.videos[0].events[i], 2 * i, "walk.01",
                     "eat.01 walk.01 run.02 run.02 walk.01 a b c d e run.02 eat.01 eat.01 ");
    /* A verb that is not in the vocabulary. */
    support_ok(read_entry(&im, "v__v_c_seg_0_10", true, "[\"eat.01\"]", &e), &e);
    expect_event(&list.videos[1].events[4], 8, "<unk>", "eat.01 ");
    support_failed(read_entry(&im, "v__v_c_seg_0_10", true, "[\"run.02\"]", &e), &e,
                   "entry 1: v__v_c_seg_0_10 is described twice");
    support_ok(read_entry(&im, "v_other_seg_0_10", true, "[\"run.02\"]", &e), &e);
    end(&im);
    begin(&im, &list);
    support_failed(read_entry(&im, "v__v_c_seg_0_10", true, "[]", &e), &e,
                   "v__v_c_seg_0_10: Ev1: expected an array of verbs");
    end(&im);
}

static void test_one_annotation(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list;
    struct vidsitu_import im;
    begin(&im, &list);
    im.split = "train"; /* rows of videos of another split are passed over */
    support_ok(read_entry(&im, "v__v_c_seg_0_10", false, "\"run.02\"", &e), &e);
    assert_int_equal(list.videos[1].n_events, 0);
    im.split = "val";
    support_ok(read_entry(&im, "v__v_c_seg_0_10", false, "\"run.02\"", &e), &e);
    support_ok(read_entry(&im, "v__v_c_seg_0_10", false, "\"walk.01\"", &e), &e);
    expect_event(&list.videos[1].events[0], 0, "run.02", "");
    expect_event(&list.videos[1].events[4], 8, "run.02", "");
    support_ok(read_entry(&im, "v_-a_seg_b_seg_20_30", false, "\"eat.01\"", &e), &e);
    expect_event(&list.videos[0].events[1], 2, "<unk>", "eat.01 ");
    end(&im);
    begin(&im, &list);
    support_failed(read_entry(&im, "v__v_c_seg_0_10", false, "7", &e), &e,
                   "Ev1: member 'VerbID': expected a string");
    end(&im);
}

static void test_vocabulary(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    struct vidsitu_import im = {.list = &list};
    support_failed(vidsitu_read_vocabulary(TEXT("{\"symbols\":[\"a\"]}"), &im, &e), &e,
                   "symbols: 1, but number 3 is that of unknown verbs");
    support_failed(vidsitu_read_vocabulary(TEXT("{\"symbols\":[\"a\",\"a\"]}"), &im, &e), &e,
                   "symbols: 1: 'a' is there already");
    support_failed(vidsitu_read_vocabulary(TEXT("{}"), &im, &e), &e, "'symbols' is missing");
    end(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ten_annotations),
        cmocka_unit_test(test_one_annotation),
        cmocka_unit_test(test_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
