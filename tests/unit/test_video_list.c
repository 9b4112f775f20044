/* SPDX-License-Identifier: Apache-2.0 */
#include "common/datasets/importer.h"
#include "common/datasets/split_file.h"
#include "tests/unit/support.h"

static struct video_list list_of(const char *const *paths)
{
    struct video_list list = {0};
    struct err e = {0};
    for (; *paths; paths++)
        support_ok(video_list_add_path(&list, *paths, NULL, NULL, &e), &e);
    return list;
}

static void expect_ids(const struct video_list *list, const char *const *ids)
{
    for (size_t i = 0; i < list->n; i++)
        assert_string_equal(list->videos[i].id, ids[i]);
    assert_null(ids[list->n]);
}

static void test_ids(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list =
        list_of((const char *[]){"run/b.mp4", "run/a.mp4", "run/a.avi", "x.y/c", ".mp4",
                                 "n/00000012.mp4", "n/000000123.mp4", "n/a0000012.mp4", NULL});
    support_ok(video_list_finish(&list, &e), &e);
    expect_ids(&list, (const char *[]){".mp4", "n/00000012.mp4", "n/000000123", "n/a0000012",
                                       "run/a.avi", "run/a.mp4", "run/b", "x.y/c", NULL});
    video_list_release(&list);
}

static void test_odd_names(void **state)
{
    (void)state;
    struct err e = {0};
    char name[600], given[16] = "!g";
    memset(name, 'x', sizeof name);
    snprintf(name + 590, sizeof name - 590, "\xc3\xa9.mp4");
    struct video_list list = list_of(
        (const char *[]){"!a.mp4", "a!\n\x7f.mp4", "b\xe9/c.mp4", "\xc3\xa9.mp4", name, NULL});
    support_ok(video_list_finish(&list, &e), &e);
    assert_string_equal(list.videos[0].id, "%21a");
    assert_string_equal(list.videos[0].path, "!a.mp4");
    assert_string_equal(list.videos[1].id, "a!%0A%7F");
    assert_null(list.videos[1].reason);
    assert_string_equal(list.videos[2].id, "b%E9/c");
    assert_string_equal(list.videos[2].path, "b%E9/c.mp4");
    assert_non_null(list.videos[2].reason);
    assert_int_equal(strlen(list.videos[3].id), INDEX_MAX_ID);
    assert_int_equal(list.videos[3].id[INDEX_MAX_ID - 33], '~');
    assert_string_equal(list.videos[3].path, name);
    assert_string_equal(list.videos[4].id, "\xc3\xa9");
    video_list_release(&list);
    list = list_of((const char *[]){"a.mp4", NULL});
    list.videos[0].id = strdup(given);
    support_failed(video_list_finish(&list, &e), &e, "a.mp4: id");
    video_list_release(&list);
}

static void test_refused_lists(void **state)
{
    (void)state;
    const struct {
        const char *paths[3];
        const char *message;
    } cases[] = {
        {{NULL}, "no videos"},
        {{"a.mp4", "a.mp4", NULL}, "a.mp4: listed twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct video_list list = list_of(cases[i].paths);
        support_failed(video_list_finish(&list, &e), &e, cases[i].message);
        video_list_release(&list);
    }
}

static void test_given_ids(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = list_of((const char *[]){"a.mp4", "b.mp4", NULL});
    list.videos[0].id = strdup("b");
    support_failed(video_list_finish(&list, &e), &e, "id b: both of a.mp4 and b.mp4");
    video_list_release(&list);
}

static void test_paths(void **state)
{
    (void)state;
    const char *const clean[][2] = {{"a/b.mp4", "a/b.mp4"}, {"./a//b.mp4", "a/b.mp4"},
                                    {"a/./b", "a/b"},       {"a/b/", "a/b"},
                                    {"...", "..."},         {"-v.mp4", "-v.mp4"}};
    const char *const refused[] = {"/a", "../a", "a/..", "a/../b", "", "./", "."};
    for (size_t i = 0; i < sizeof clean / sizeof *clean; i++) {
        struct err e = {0};
        char path[16];
        snprintf(path, sizeof path, "%s", clean[i][0]);
        support_ok(video_path_clean(path, &e), &e);
        assert_string_equal(path, clean[i][1]);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char path[16];
        snprintf(path, sizeof path, "%s", refused[i]);
        assert_true(video_path_clean(path, NULL) < 0);
    }
    assert_true(video_path_is_video("a/b.MP4"));
    assert_true(video_path_is_video("b.webm"));
    assert_false(video_path_is_video("b.txt"));
    assert_false(video_path_is_video("mp4"));
    assert_false(video_path_is_video("a/._b.mp4"));
}

/* Reads a folder of empty files. */
static struct video_list import(const char *const *files)
{
    char folder[256];
    struct err e = {0};
    struct video_list list = {0};
    support_make_folder(folder, sizeof folder);
    for (; *files; files++) {
        char command[1024];
        snprintf(command, sizeof command, "cd '%s' && mkdir -p \"$(dirname '%s')\" && : > '%s'",
                 folder, *files, *files);
        assert_int_equal(system(command), 0);
    }
    const struct import_options options = {.videos = folder};
    support_ok(importer_find("folder")->read(&options, &list, &e), &e);
    support_ok(video_list_finish(&list, &e), &e);
    support_remove(folder);
    return list;
}

static void expect_video(const struct video *v, const char *id, const char *split,
                         const char *class_name)
{
    assert_string_equal(v->id, id);
    assert_string_equal(v->split ? v->split : "-", split);
    assert_string_equal(v->class_name ? v->class_name : "-", class_name);
}

static void test_folder_of_classes(void **state)
{
    (void)state;
    struct video_list list = import((const char *[]){
        "run/a.mp4", "run/deep/er/b.mkv", "jump high/c.avi", "top.mp4", "run/readme.txt", NULL});
    assert_int_equal(list.n, 4);
    assert_int_equal(list.n_other_files, 1);
    expect_video(&list.videos[0], "jump high/c", "-", "jump high");
    expect_video(&list.videos[1], "run/a", "-", "run");
    expect_video(&list.videos[2], "run/deep/er/b", "-", "run");
    expect_video(&list.videos[3], "top", "-", "-");
    video_list_release(&list);
}

static void test_folder_of_splits(void **state)
{
    (void)state;
    struct video_list list =
        import((const char *[]){"train/run/a.mp4", "valid/run/b.mp4", "Test/c.mp4", NULL});
    expect_video(&list.videos[0], "Test/c", "test", "-");
    expect_video(&list.videos[1], "train/run/a", "train", "run");
    expect_video(&list.videos[2], "valid/run/b", "val", "run");
    video_list_release(&list);
    /* A class that is called like a split is a class while others are not. */
    list = import((const char *[]){"train/a.mp4", "bus/b.mp4", NULL});
    expect_video(&list.videos[0], "bus/b", "-", "bus");
    expect_video(&list.videos[1], "train/a", "-", "train");
    video_list_release(&list);
}

static void test_list(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    const char text[] = "Split,label,path\nval,\"a, b\",x/y.mp4\n,,z.mp4\n";
    support_ok(list_read_text(text, strlen(text), &list, &e), &e);
    support_ok(video_list_finish(&list, &e), &e);
    assert_int_equal(list.n, 2);
    expect_video(&list.videos[0], "x/y", "val", "a, b");
    expect_video(&list.videos[1], "z", "-", "-");
    video_list_release(&list);
    support_failed(list_read_text("a.mp4,x\nb.mp4,y,dev\n", 19, &list, &e), &e, "2: split dev");
    video_list_release(&list);
}

static void test_annotations(void **state)
{
    (void)state;
    struct err e = {0};
    struct video_list list = {0};
    const char text[] =
        "{\"path\": \"a.mp4\", \"split\": \"train\", \"class\": \"c\", \"events\": "
        "[{\"start\": 1, \"end\": 2.5, \"label\": \"l\"}, {\"start\": 3, \"end\": 4}], "
        "\"extra\": {\"boundaries\": [[1.0]]}}\n"
        "\n"
        "{\"path\": \"b.mp4\", \"events\": [{\"start\": 2}]}\n";
    support_failed(annotations_read_text(text, strlen(text), &list, &e), &e, "line 3: event 1: ");
    support_ok(video_list_finish(&list, &e), &e);
    assert_int_equal(list.n, 1);
    const struct video *v = &list.videos[0];
    expect_video(v, "a", "train", "c");
    assert_int_equal(v->n_events, 2);
    assert_true(v->events[0].start == 1 && v->events[0].end == 2.5);
    assert_string_equal(v->events[0].label, "l");
    assert_null(v->events[1].label);
    assert_string_equal(json_text(v->extra), "{\"boundaries\":[[1.0]]}");
    video_list_release(&list);
}

static void test_split_file(void **state)
{
    (void)state;
    char folder[256];
    struct err e = {0};
    struct split_unknown unknown = {0};
    struct video_list list =
        list_of((const char *[]){"a/x 1.mp4", "b.mp4", "c.mp4", "d.mp4", NULL});
    support_ok(video_list_finish(&list, &e), &e);
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "split.txt");
    const char good[] = "a/x 1  train\r\nb.mp4,test\nnowhere.mp4 val\n\nc\tvalidation \nc val\n";
    support_write(path, good, strlen(good));
    support_ok(split_file_apply(path, &list, &unknown, &e), &e);
    assert_int_equal(unknown.n, 1);
    assert_string_equal(unknown.first, "nowhere.mp4");
    expect_video(&list.videos[0], "a/x 1", "train", "-");
    expect_video(&list.videos[1], "b", "test", "-");
    expect_video(&list.videos[2], "c", "val", "-");
    expect_video(&list.videos[3], "d", "-", "-");
    const char *const bad[][2] = {{"b train\nb.mp4 test\n", "2: b.mp4: test here, train before"},
                                  {"b\n", "1: no split behind b"},
                                  {"path,split\nb\n", "2: no split behind b"},
                                  {"label,split,path\nx,val\n", "2: 2 fields only"},
                                  {"b everything\n", "1: split everything is none of"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        support_write(path, bad[i][0], strlen(bad[i][0]));
        support_failed(split_file_apply(path, &list, &unknown, &e), &e, bad[i][1]);
    }
    video_list_release(&list);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_refused_lists),
        cmocka_unit_test(test_given_ids),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_folder_of_classes),
        cmocka_unit_test(test_folder_of_splits),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_split_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
