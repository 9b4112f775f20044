/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/video_files.h"

#include "common/base/file.h"
#include "common/datasets/annotation_files.h"
#include "tests/unit/support.h"

static char folder[256];

/* Makes empty files, with their folders. */
static int set_up(void **state)
{
    static const char *const names[] = {"air_drumming/-a_000001_000011.mp4",
                                        "train/air drumming/b_000001_000011.webm",
                                        "old/c.mp4",
                                        "new/c.mkv",
                                        "kept class/d.mp4",
                                        "other/d.mp4",
                                        "e.txt",
                                        "e.f.mp4",
                                        "ab/v_HandstandPushups_g01.avi"};
    struct err e = {0};
    (void)state;
    support_make_folder(folder, sizeof folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_join(folder, names[i]), *parent = path_folder(path);
        support_ok(file_make_folder(parent, &e), &e);
        support_write(path, "", 0);
        free(parent);
        free(path);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

static void expect(struct video_files *files, const char *path, const char *found)
{
    const char *got = video_files_find(files, path);
    if (!found)
        assert_null(got);
    else if (!got)
        fail_msg("%s: not found", path);
    else
        assert_string_equal(got, found);
}

static void test_find(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_files files;
    support_ok(video_files_init(&files, folder, NULL, &e), &e);
    assert_int_equal(files.n, 8);
    assert_int_equal(files.n_other, 1);
    expect(&files, "air drumming/-a_000001_000011.mp4", "air_drumming/-a_000001_000011.mp4");
    expect(&files, "air drumming/b_000001_000011.mp4", "train/air drumming/b_000001_000011.webm");
    expect(&files, "e.f", "e.f.mp4");
    expect(&files, "e.mp4", NULL);
    expect(&files, "a_000001_000011.mp4", NULL);
    expect(&files, "-a_000001.mp4", NULL);
    expect(&files, "x/v_HandStandPushups_g01.avi", NULL);
    files.ignore_case = true;
    expect(&files, "x/v_HandStandPushups_g01.avi", "ab/v_HandstandPushups_g01.avi");
    /* The folder decides; where it does not, the first by path is taken and counted. */
    assert_int_equal(files.n_twice, 0);
    expect(&files, "\"kept_class\"/d.mp4", "kept class/d.mp4");
    assert_int_equal(files.n_twice, 0);
    expect(&files, "c.mp4", "new/c.mkv");
    assert_int_equal(files.n_twice, 1);
    video_files_release(&files);
    support_failed(video_files_init(&files, support_path(folder, "nowhere"), NULL, &e), &e,
                   "nowhere");
}

static void test_next(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_files files;
    size_t at = 0;
    support_ok(video_files_init(&files, folder, NULL, &e), &e);
    assert_string_equal(video_files_next(&files, "c", &at)->path, "new/c.mkv");
    assert_string_equal(video_files_next(&files, "c", &at)->path, "old/c.mp4");
    assert_null(video_files_next(&files, "c", &at));
    at = 0;
    assert_non_null(video_files_next(&files, "-a_", &at));
    assert_null(video_files_next(&files, "-a_", &at));
    at = 0;
    assert_null(video_files_next(&files, "-A_", &at));
    video_files_release(&files);
}

static void test_settle(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_files files;
    struct video_list list = {0};
    static const char *const listed[] = {"kept class/d.mp4", "gone/g.mp4", "x/y.mp4", "c.mp4"};
    for (size_t i = 0; i < 4; i++)
        support_ok(video_list_add_path(&list, listed[i], NULL, NULL, &e), &e);
    list.videos[2].id = strdup("e.f");
    support_ok(video_files_init(&files, folder, NULL, &e), &e);
    support_ok(video_files_settle(&files, &list, &e), &e);
    assert_string_equal(list.videos[0].path, "kept class/d.mp4");
    assert_string_equal(list.videos[1].path, "gone/g.mp4");
    assert_string_equal(list.videos[2].path, "e.f.mp4");
    assert_string_equal(list.videos[3].path, "new/c.mkv");
    assert_int_equal(list.n_other_files, 1);
    assert_int_equal(list.n_notes, 2);
    assert_string_equal(list.notes[0], "3 video files belong to no listed video");
    assert_string_equal(list.notes[1], "1 videos have several files: the first by name is taken");
    video_files_release(&files);
    video_list_release(&list);
}

/* -- annotation files -- */

static int collect(void *user, const char *path, const char *text, size_t len, struct err *e)
{
    struct buf *out = user;
    if (len == 3 && memcmp(text, "bad", 3) == 0)
        return err_set(e, "is bad");
    return buf_printf(out, e, "[%s %.*s]", path_base(path), (int)len, text);
}

static void test_annotation_files(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf out = {0};
    char *path = NULL;
    const char *const names[] = {"none.csv", "old/c.mp4", "e.txt", NULL};
    assert_int_equal(annotation_files_find(folder, names, &path, &e), 1);
    assert_string_equal(path_base(path), "c.mp4");
    free(path);
    assert_int_equal(annotation_files_find(folder, (const char *const[]){"none", NULL}, &path, &e),
                     0);
    support_failed(
        annotation_files_need(folder, (const char *const[]){"x/none", "n", NULL}, &path, &e), &e,
        ": holds no none");
    support_failed(annotation_files_read_all(folder, ".csv", collect, &out, &e), &e,
                   "holds no file *.csv");
    support_write(support_path(folder, "b.csv"), "2", 1);
    support_write(support_path(folder, "a.CSV"), "1", 1);
    support_write(support_path(folder, ".csv"), "3", 1);
    support_write(support_path(folder, "old/below.csv"), "4", 1);
    support_ok(annotation_files_read_all(folder, ".csv", collect, &out, &e), &e);
    assert_string_equal((char *)out.data, "[a.CSV 1][b.csv 2]");
    buf_clear(&out);
    support_ok(
        annotation_files_read_all(support_path(folder, "e.f.mp4"), ".csv", collect, &out, &e), &e);
    assert_string_equal((char *)out.data, "[e.f.mp4 ]");
    support_write(support_path(folder, "b.csv"), "bad", 3);
    support_failed(annotation_files_read_all(folder, ".csv", collect, &out, &e), &e,
                   "b.csv: is bad");
    buf_release(&out);
}

static void test_split_of_a_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"a/kinetics-400_val.csv", "val"},
                                           {"train.json", "train"},
                                           {"k400_mr345_valnew_min_change_duration0.3.json", "val"},
                                           {"Diving48_V2_test.json", "test"},
                                           {"validation", "val"},
                                           {"train/a.csv", NULL},
                                           {"valuable.csv", NULL},
                                           {"new.csv", NULL},
                                           {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *split = annotation_files_split(cases[i][0]);
        assert_string_equal(split ? split : "-", cases[i][1] ? cases[i][1] : "-");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_annotation_files),
        cmocka_unit_test(test_split_of_a_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
