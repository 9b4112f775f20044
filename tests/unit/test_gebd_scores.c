/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of windows become boundaries; predictions are read from text. */
#include <math.h>

#include "common/eval/gebd_file.h"
#include "common/eval/gebd_scores.h"
#include "common/store/embeddings.h"
#include "tests/unit/folder_support.h"
#include "tests/unit/golden.h"

static struct json *parse(const char *text)
{
    struct err e = {0};
    struct json *v = json_parse(text, strlen(text), &e);
    if (!v)
        fail_msg("%s: %s", text, e.text);
    return v;
}

/* -- grouping -- */

static void check_group(enum gebd_grouping grouping, const struct gebd_series *s, size_t n,
                        const double *expected)
{
    double out[16];
    assert_int_equal(gebd_group(s, grouping, 0.5, out), n);
    for (size_t i = 0; i < n; i++)
        assert_true(out[i] == expected[i]);
}

static void test_runs(void **state)
{
    (void)state;
    static const double time[] = {0, 1, 2, 4, 5, 6, 7, 11},
                        score[] = {1, 0, 0.5, 0.9, 0.5, 1, 0.4999, 0.7};
    struct gebd_series s = {.time = time, .score = score, .n = 8};
    check_group(GEBD_PAPER, &s, 3, (double[]){0, 4.25, 11});
    check_group(GEBD_OFFICIAL, &s, 3, (double[]){0, 4, 11});
    s.n = 3;
    check_group(GEBD_PAPER, &s, 2, (double[]){0, 2});
    s.n = 0;
    check_group(GEBD_PAPER, &s, 0, NULL);
}

/* -- scores in JSON, against the official grouping -- */

static struct json *group_file(const char *text, const char *annotations, double threshold,
                               struct err *e)
{
    const char *path = support_path(folder, "scores.json");
    struct gebd_scores *s;
    struct gebd_truth *truth;
    struct json *out = NULL;
    size_t n_left_out;
    support_ok(gebd_truth_parse(&truth, "gt.json", annotations, strlen(annotations), e), e);
    struct gebd_scores_how how = {
        .grouping = GEBD_OFFICIAL, .threshold = threshold, .truth = truth, .n_threads = 2};
    support_write(path, text, strlen(text));
    if (gebd_scores_open(&s, path, e) == 0) {
        if (gebd_scores_group(s, &how, &out, &n_left_out, e) < 0)
            out = NULL;
        gebd_scores_close(s);
    }
    gebd_truth_close(truth);
    return out;
}

static void check_case(struct json *at)
{
    struct err e = {0};
    char annotations[128];
    struct json *all = json_new_object();
    snprintf(annotations, sizeof annotations, "{\"v\":{\"fps\":%.17g}}",
             json_f64(json_member(at, "fps")));
    json_add(all, "v", json_ref(at));
    struct json *found =
        group_file(json_text(all), annotations, json_f64(json_member(at, "threshold")), &e);
    if (!found)
        fail_msg("%s", e.text);
    struct json *times = json_member(found, "v"), *expected = json_member(at, "timestamps");
    assert_int_equal(json_len(times), json_len(expected));
    for (size_t i = 0; i < json_len(expected); i++)
        assert_true(json_f64(json_at(times, i)) == json_f64(json_at(expected, i)));
    json_free(found);
    json_free(all);
}

static void test_official_groups(void **state)
{
    (void)state;
    struct err e = {0};
    struct json *cases = json_load(golden_path("gebd_group/score_to_boundary.json"), &e);
    if (!cases)
        fail_msg("%s", e.text);
    assert_true(json_len(cases) > 0);
    for (size_t i = 0; i < json_len(cases); i++)
        check_case(json_at(cases, i));
    print_message("# %zu cases\n", json_len(cases));
    json_free(cases);
}

static void test_scores_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"[]", "scores.json: expected an object"},
        {"\x80\x04}.", "a pickle; convert it to JSON first: pipelines/pkl2json.py"},
        {"{\"v\":[1]}", "video 'v': expected an object"},
        {"{\"v\":{\"scores\":[]}}", "'frame_idx' is missing"},
        {"{\"v\":{\"frame_idx\":[1],\"scores\":[]}}", "0 scores for 1 frames"},
        {"{\"v\":{\"frame_idx\":[1],\"scores\":[NaN]}}", "'scores', element 0: expected a finite"},
        {"{\"v\":{\"frame_idx\":[\"1\"],\"scores\":[1]}}", "'frame_idx', element 0"},
        {"{\"w\":{\"frame_idx\":[1],\"scores\":[1]}}", "video 'w': annotation: member 'fps': 0"},
        {"{\"x\":{\"frame_idx\":[1],\"scores\":[1]}}", "annotation: member 'fps' is missing"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        assert_null(
            group_file(bad[i].text, "{\"v\":{\"fps\":25},\"w\":{\"fps\":0},\"x\":{}}", 0.5, &e));
        support_failed(ERR_FAIL, &e, bad[i].message);
    }
}

/* -- scores in a store -- */

struct made {
    double centre;
    uint32_t clip, view;
    float logits[2];
};

static struct shard shard; /* of the stores that are made */

static const char *make_store(size_t n_logits, size_t n_steps, const struct made *made, size_t n)
{
    static char path[600];
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct embedding_clip clips[16];
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "test", .shard = shard};
    snprintf(path, sizeof path, "%s/scores.lmdb", folder);
    support_remove(path);
    for (size_t i = 0; i < n; i++)
        clips[i] = (struct embedding_clip){
            .clip = made[i].clip, .view = made[i].view, .centre = made[i].centre, .target = -1};
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(embeddings_put_video(w, "c/v", clips, n, &e), &e);
    for (size_t i = 0; i < n; i++) {
        struct embedding x = {.shape = {.n_steps = n_steps, .n_channels = n_logits},
                              .values = made[i].logits};
        support_ok(embeddings_put(w, c, "c/v", i, &x, &e), &e);
    }
    support_ok(store_publish(w, 1, &e), &e);
    codec_free(c);
    return path;
}

static void test_logits(void **state)
{
    (void)state;
    static const struct made two[] = {{0.5, 0, 0, {1, 0}},
                                      {1, 1, 0, {0, 3}},
                                      {1, 1, 1, {2, 1}},
                                      {1.5, 2, 0, {-1, -1}},
                                      {2, 3, 0, {5, 4}}};
    struct err e = {0};
    struct gebd_scores *s;
    struct gebd_series_memory memory = {0};
    struct gebd_series series;
    struct json *truth = parse("{\"path_frame\":\"c/v\"}"), *out;
    struct gebd_scores_how how = {.threshold = 0.5, .n_threads = 2};
    size_t n_left_out;
    support_ok(gebd_scores_open(&s, make_store(2, 0, two, 5), &e), &e);
    support_ok(gebd_scores_series(s, "v", truth, &memory, &series, &e), &e);
    assert_int_equal(series.n, 4);
    assert_true(series.time[1] == 1 && series.time[3] == 2);
    assert_true(fabs(series.score[0] - 1 / (1 + exp(1))) < 1e-12);
    assert_true(fabs(series.score[1] - (1 / (1 + exp(-3)) + 1 / (1 + exp(1))) / 2) < 1e-12);
    assert_true(series.score[2] == 0.5);
    support_ok(gebd_scores_group(s, &how, &out, &n_left_out, &e), &e);
    assert_string_equal(json_text(out), "{\"c/v\":[1.25]}");
    json_free(out);
    assert_int_equal(gebd_scores_series(s, "w", NULL, &memory, &series, &e), ERR_NOT_FOUND);
    gebd_scores_close(s);

    static const struct made one[] = {{0, 0, 0, {-1}}, {1, 1, 0, {2}}};
    support_ok(gebd_scores_open(&s, make_store(1, 0, one, 2), &e), &e);
    support_ok(gebd_scores_series(s, "c/v", NULL, &memory, &series, &e), &e);
    assert_true(fabs(series.score[1] - 1 / (1 + exp(-2))) < 1e-12);
    gebd_scores_close(s);

    shard = (struct shard){1, 1};
    support_ok(gebd_scores_open(&s, make_store(1, 0, one, 2), &e), &e);
    shard = (struct shard){0};
    assert_int_equal(access(support_path(folder, "scores.lmdb"), F_OK), -1);
    support_ok(gebd_scores_series(s, "c/v", NULL, &memory, &series, &e), &e);
    assert_int_equal(series.n, 2);
    gebd_scores_close(s);
    gebd_series_release(&memory);
    json_free(truth);
}

static void test_stores_refused(void **state)
{
    (void)state;
    static const struct made back[] = {{1, 0, 0, {1, 0}}, {0.5, 1, 0, {0, 3}}};
    struct err e = {0};
    struct gebd_scores *s;
    struct json *out;
    struct gebd_scores_how how = {.threshold = 0.5, .n_threads = 1};
    size_t n_left_out;
    support_failed(gebd_scores_open(&s, make_store(1, 2, back, 2), &e), &e,
                   "holds [2, 1] numbers a clip");
    support_ok(gebd_scores_open(&s, make_store(2, 0, back, 2), &e), &e);
    support_failed(gebd_scores_group(s, &how, &out, &n_left_out, &e), &e,
                   "video 'c/v': window 1 is at 0.5 s, behind one at 1 s");
    gebd_scores_close(s);
    assert_int_equal(gebd_scores_open(&s, support_path(folder, "none"), &e), ERR_NOT_FOUND);
}

/* -- predictions as text -- */

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } good[] = {
        {"a\t1.5,2,-3e-1\r\n\nb\t\n", "{\"a\":[1.5,2.0,-0.3],\"b\":[]}"},
        {"\xef\xbb\xbf"
         "a\tnan,inf,-inf",
         "{\"a\":[NaN,Infinity,-Infinity]}"},
        {" \n{\"a\": [1, NaN, -Infinity]}", "{\"a\":[1,NaN,-Infinity]}"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err e = {0};
        struct json *v = gebd_parse_predictions(good[i].text, strlen(good[i].text), &e);
        if (!v)
            fail_msg("%s: %s", good[i].text, e.text);
        assert_string_equal(json_text(v), good[i].expected);
        json_free(v);
    }
}

static void test_lines_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "empty"},
        {" \n", "empty"},
        {"a\t1\nb 2\n", "line 2: expected an id, a tab"},
        {"\t1", "line 1: expected an id"},
        {"a\t1\t2", "line 1: expected an id"},
        {"a\t1\na\t2", "line 2: video 'a' occurs twice"},
        {"a\t1,x", "line 1: expected a number, got 'x'"},
        {"a\t1,,2", "line 1: expected a number, got ''"},
        {"a\t1,", "line 1: the list ends with a comma"},
        {"a\t0x10", "line 1: expected a number"},
        {"[1]", "expected an object"},
        {"{\"a\":[1}", "1:8: "},
        {"\x80\x05\x95", "a pickle"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        assert_null(gebd_parse_predictions(bad[i].text, strlen(bad[i].text), &e));
        support_failed(ERR_FAIL, &e, bad[i].message);
    }
    struct err e = {0};
    assert_null(gebd_parse_predictions("a\t1\0\n", 5, &e));
    support_failed(ERR_FAIL, &e, "line 1: a NUL byte");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),           cmocka_unit_test(test_official_groups),
        cmocka_unit_test(test_scores_refused), cmocka_unit_test(test_logits),
        cmocka_unit_test(test_stores_refused), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
