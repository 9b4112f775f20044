/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of the PC baseline: by hand, and as its code makes them. */
#include "common/sampling/agreement.h"
#include "common/sampling/gebd_pc.h"
#include "tests/unit/golden.h"
#include "tests/unit/support.h"

static struct json *parse(const char *text)
{
    struct err e = {0};
    struct json *v = json_parse(text, strlen(text), &e);
    if (!v)
        fail_msg("%s: %s", text, e.text);
    return v;
}

static void test_by_hand(void **state)
{
    (void)state;
    struct err e = {0};
    struct gebd_pc_list list;
    /* Half a change is 1.5 frames; the second rater counts. */
    struct json *video = parse("{\"num_frames\":13,\"fps\":10,\"f1_consis\":[0.5,0.9,0.9],"
                               "\"substages_myframeidx\":[[2],[5.5,11.6],[]]}");
    support_ok(gebd_pc_samples(video, 0, &list, &e), &e);
    static const int labels[] = {0, 1, 1, 0};
    static const int64_t before[] = {1, 1, 1, 1, 4}, behind[] = {10, 13, 13, 13, 13};
    assert_int_equal(list.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(list.samples[i].current, 1 + 3 * i);
        assert_int_equal(list.samples[i].label, labels[i]);
    }
    for (size_t i = 0; i < GEBD_PC_SIDE; i++) {
        assert_int_equal(list.samples[2].block[i], before[i]);
        assert_int_equal(list.samples[2].block[GEBD_PC_SIDE + i], behind[i]);
    }
    gebd_pc_release(&list);
    support_ok(gebd_pc_samples(video, 2, &list, &e), &e);
    assert_int_equal(list.n, 4);
    assert_int_equal(list.samples[3].current, 12);
    gebd_pc_release(&list);
    json_free(video);
    video = parse("{\"num_frames\":1,\"fps\":10,\"f1_consis\":[0],\"substages_myframeidx\":[[]]}");
    support_ok(gebd_pc_samples(video, 0, &list, &e), &e);
    assert_int_equal(list.n, 0);
    gebd_pc_release(&list);
    json_free(video);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *video, *message;
    } bad[] = {
        {"1", "expected an object"},
        {"{}", "'num_frames' is missing"},
        {"{\"num_frames\":1.5}", "'num_frames': expected an integer"},
        {"{\"num_frames\":1}", "'fps' is missing"},
        {"{\"num_frames\":1,\"fps\":1}", "'f1_consis' is missing"},
        {"{\"num_frames\":1,\"fps\":1,\"f1_consis\":[]}", "no rater"},
        {"{\"num_frames\":1,\"fps\":1,\"f1_consis\":[\"1\"]}", "element 0: expected a number"},
        {"{\"num_frames\":1,\"fps\":1,\"f1_consis\":[0,1],\"substages_myframeidx\":[[]]}",
         "rater 1: expected an array"},
        {"{\"num_frames\":1,\"fps\":1,\"f1_consis\":[0],\"substages_myframeidx\":[[1,null]]}",
         "rater 0: element 1: expected a number"},
        {"{\"num_frames\":1000000000000,\"fps\":1,\"f1_consis\":[0],\"substages_myframeidx\":[[]]}",
         "'num_frames': more than"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        struct gebd_pc_list list;
        struct json *video = parse(bad[i].video);
        support_failed(gebd_pc_samples(video, 0, &list, &e), &e, bad[i].message);
        json_free(video);
    }
}

/* numpy.argmax: the first maximum, NaN being one. */
static void test_agreement(void **state)
{
    (void)state;
    static const struct {
        const char *consistency;
        size_t n, best;
    } cases[] = {
        {"[]", 5, 0},
        {"[0.1, 0.7, 0.7, 0.2]", 4, 1},
        {"[0.1, 0.7, 0.9]", 2, 1},
        {"[0.1, NaN, 0.9, NaN]", 4, 1},
        {"[0.9, null]", 2, 1},
        {"[null, 2]", 2, 0},
        {"[-1, 0]", 9, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *list = parse(cases[i].consistency);
        assert_int_equal(agreement_best(list, cases[i].n), cases[i].best);
        json_free(list);
    }
}

/* -- as the baseline's code makes them -- */

static void check_sample(const struct gebd_pc_sample *s, const struct json *expected,
                         const char *folder)
{
    const struct json *block = json_member(expected, "block_idx");
    assert_string_equal(json_str(json_member(expected, "folder")), folder);
    assert_int_equal(s->current, json_i64(json_member(expected, "current_idx")));
    assert_int_equal(s->label, json_i64(json_member(expected, "label")));
    assert_int_equal(json_len(block), GEBD_PC_BLOCK);
    for (size_t i = 0; i < GEBD_PC_BLOCK; i++)
        assert_int_equal(s->block[i], json_i64(json_at(block, i)));
}

/* The samples of one video after the other. Returns how many there are. */
static size_t check_case(const char *path)
{
    struct err e = {0};
    struct json *root = json_load(path, &e), *video;
    struct json_walk walk = {0};
    const char *id;
    size_t n = 0;
    if (!root)
        fail_msg("%s", e.text);
    struct json *expected = json_member(root, "samples");
    while (json_next(json_member(root, "gt"), &walk, &id, &video)) {
        struct gebd_pc_list list;
        int offset = (int)json_i64(json_member(root, "start_offset_choice"));
        support_ok(gebd_pc_samples(video, offset, &list, &e), &e);
        for (size_t i = 0; i < list.n; i++)
            check_sample(&list.samples[i], json_at(expected, n + i),
                         json_str(json_member(video, "path_frame")));
        n += list.n;
        gebd_pc_release(&list);
    }
    assert_int_equal(n, json_len(expected));
    json_free(root);
    return n;
}

static void test_official_samples(void **state)
{
    (void)state;
    size_t n_cases = 0, n_samples = 0;
    char path[1024];
    const char *root = golden_path("gebd_pc");
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "%s/c%02d.json", root, i);
        if (!file_exists(path))
            continue;
        n_samples += check_case(path);
        n_cases++;
    }
    assert_true(n_cases > 0);
    print_message("# %zu cases, %zu samples\n", n_cases, n_samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_official_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
