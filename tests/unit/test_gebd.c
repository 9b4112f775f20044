/* SPDX-License-Identifier: Apache-2.0 */
/* Boundary scores: small cases by hand, and the answers of the official evaluators, bit for bit. */
#include <math.h>

#include "common/base/file.h"
#include "common/eval/gebd_eval.h"
#include "tests/unit/golden.h"
#include "tests/unit/support.h"

/* -- by hand -- */

static struct json *parse(const char *text)
{
    struct err e = {0};
    struct json *v = json_parse(text, strlen(text), &e);
    if (!v)
        fail_msg("%s: %s", text, e.text);
    return v;
}

static int evaluate(struct gebd_result *r, struct gebd_request q, const char *annotations,
                    const char *predictions, struct err *e)
{
    struct gebd_truth *truth;
    struct json *found = parse(predictions);
    q.n_threads = q.n_threads ? q.n_threads : 1;
    q.predictions = (struct gebd_predictions){"pred.json", found};
    int rc = gebd_truth_parse(&truth, "gt.json", annotations, strlen(annotations), e);
    if (rc == 0) {
        q.truth = truth;
        rc = gebd_evaluate(r, &q, e);
        gebd_truth_close(truth);
    }
    json_free(found);
    return rc;
}

static void check(struct gebd_request q, const char *annotations, const char *predictions,
                  const uint64_t expected[3])
{
    struct gebd_result r;
    struct err e = {0};
    support_ok(evaluate(&r, q, annotations, predictions, &e), &e);
    assert_int_equal(r.counts[0].tp, expected[0]);
    assert_int_equal(r.counts[0].n_positive, expected[1]);
    assert_int_equal(r.counts[0].n_detected, expected[2]);
    gebd_result_release(&r);
}

/* A video of ten seconds at 25 frames a second. */
#define VIDEO                                                                                      \
    "\"fps\":25,\"video_duration\":10.0,\"num_frames\":250,\"f1_consis_avg\":0.5,"                 \
    "\"path_frame\":\"c/a_000000_000010\",\"substages_timestamps\":[[2.0],[1,2.0,3]],"             \
    "\"substages_myframeidx\":[[50.0],[25,50.0,75]]"
#define ONE "{\"a\":{" VIDEO "}}"

static void test_rules_and_units(void **state)
{
    (void)state;
    struct gebd_request challenge = {.rules = GEBD_CHALLENGE, .unit = GEBD_SECONDS},
                        notebook = {.rules = GEBD_NOTEBOOK, .unit = GEBD_FRAMES, .downsample = 3};
    struct gebd_request frames = {.rules = GEBD_CHALLENGE, .unit = GEBD_FRAMES, .downsample = 25},
                        seconds = {.rules = GEBD_NOTEBOOK, .unit = GEBD_SECONDS};
    check(challenge, ONE, "{\"a\":[3,1,2]}", (uint64_t[]){3, 3, 3});
    check(frames, ONE, "{\"a\":[3,1,2]}", (uint64_t[]){3, 3, 3});
    check(seconds, ONE, "{\"a\":[3,1,2]}", (uint64_t[]){3, 3, 3});
    check(notebook, ONE, "{\"a\":[8,17,25]}", (uint64_t[]){3, 3, 3});
    check(notebook, ONE, "{\"a\":{\"bdy_idx_list\":[0],\"bdy_idx_list_smt\":[17]}}",
          (uint64_t[]){1, 1, 1});
    /* The last frame is within the video, its end is not. */
    check(notebook, ONE, "{\"a\":[83, 83.1]}", (uint64_t[]){0, 1, 1});
    /* A time becomes the number of the frame that is shown then, as those of the annotators did. */
    check(seconds, ONE, "{\"a\":[2.516]}", (uint64_t[]){1, 1, 1});
    check(seconds, ONE, "{\"a\":[9.98, 10]}", (uint64_t[]){0, 1, 1});
    /* Without predictions: the first rater, or nothing. */
    check(challenge, ONE, "{\"b\":[1]}", (uint64_t[]){0, 1, 0});
    check(notebook, ONE, "{\"b\":[1]}", (uint64_t[]){0, 0, 0});
    check(notebook, ONE, "{\"a\":[-1]}", (uint64_t[]){0, 1, 0});
    /* Under the path of its frames. */
    check(challenge, ONE, "{\"c/a_000000_000010\":[2]}", (uint64_t[]){1, 1, 1});
    check(challenge, "{}", "{}", (uint64_t[]){0, 0, 0});
}

static void test_states(void **state)
{
    (void)state;
    struct gebd_request q = {.rules = GEBD_CHALLENGE, .unit = GEBD_SECONDS};
    struct gebd_result r;
    struct err e = {0};
    support_ok(evaluate(&r, q,
                        "{\"a\":{" VIDEO "},\"b\":{" VIDEO "},\"c\":{" VIDEO
                        "},\"d\":{\"f1_consis_avg\":0.29}}",
                        "{\"x\":[1],\"d\":[1],\"b\":[11],\"a\":[1.1],\"y\":[]}", &e),
               &e);
    static const enum gebd_state states[] = {GEBD_SCORED, GEBD_EMPTY, GEBD_MISSING, GEBD_SKIPPED};
    assert_int_equal(r.n_videos, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(r.videos[i].state, states[i]);
        assert_int_equal(r.n_state[i], 1);
    }
    assert_int_equal(r.n_extra, 2);
    assert_int_equal(r.videos[0].match[0].rater, 1);
    assert_int_equal(r.videos[0].match[0].tp, 1);
    assert_true(r.videos[0].match[0].f1 == 0.5);
    gebd_result_release(&r);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        enum gebd_rules rules;
        enum gebd_unit unit;
        const char *annotations, *predictions, *message;
    } bad[] = {
        {0, 0, "[]", "{}", "gt.json: 1:1: expected an object"},
        {0, 0, "", "{}", "gt.json: 1:1: expected an object"},
        {0, 0, "\x80\x04", "{}", "gt.json: a pickle; convert it"},
        {0, 0, "{\n1:2}", "{}", "gt.json: 2:1: expected the id"},
        {0, 0, "{\"a\":{},}", "{}", "gt.json: 1:9: expected the id"},
        {0, 0, "{\"\":{}}", "{}", "gt.json: 1:2: an empty id"},
        {0, 0, "{\"a\\x\":{}}", "{}", "gt.json: 1:2: "},
        {0, 0, "{\"a", "{}", "gt.json: 1:2: "},
        {0, 0, "{\"a\" {}}", "{}", "gt.json: 1:6: expected ':'"},
        {0, 0, "{\"a\":{}", "{}", "gt.json: 1:8: expected ',' or '}'"},
        {0, 0, "{\"a\":{}]", "{}", "gt.json: 1:8: expected ',' or '}'"},
        {0, 0, "{} 1", "{}", "gt.json: 1:4: unexpected text"},
        {0, 0, "{\"a\":{},\"a\":{}}", "{}", "gt.json: video 'a' occurs twice"},
        {0, 0, "{\"a\":}", "{}", "gt.json: video 'a': 1:1: unexpected end"},
        {0, 0, "{\"a\":{]}}", "{}", "gt.json: 1:"},
        {0, 0, "{\"a\":{\"x\":[1,]}}", "{}", "gt.json: video 'a': 1:9: "},
        {0, 0, "{}", "[]", "pred.json: expected an object"},
        {0, 0, "{\"a\":1}", "{}", "gt.json: video 'a': expected an object"},
        {0, 0, "{\"a\":{}}", "{}", "gt.json: video 'a': member 'f1_consis_avg' is missing"},
        {0, 0, "{\"a\":{\"f1_consis_avg\":\"1\"}}", "{}", "'f1_consis_avg': expected a number"},
        {0, 0, "{\"a\":{\"f1_consis_avg\":1}}", "{}", "'substages_timestamps' is missing"},
        {0, 0, "{\"a\":{\"f1_consis_avg\":1,\"substages_timestamps\":[]}}", "{}", "no rater"},
        {0, 0, "{\"a\":{\"f1_consis_avg\":1,\"substages_timestamps\":[1]}}", "{}",
         "rater 0: expected an array"},
        {0, 0, "{\"a\":{\"f1_consis_avg\":1}}", "{\"a\":[1]}", "member 'fps' is missing"},
        {0, 0, "{\"a\":{\"f1_consis_avg\":1,\"fps\":null}}", "{\"a\":[1]}", "'video_duration'"},
        {1, 1, "{\"a\":{\"f1_consis_avg\":1,\"fps\":null}}", "{\"a\":[1]}", "'num_frames'"},
        {0, 1, "{\"a\":{\"f1_consis_avg\":1,\"fps\":0}}", "{\"a\":[1]}", "'fps': 0 is not"},
        {1, 0, "{\"a\":{\"f1_consis_avg\":1,\"fps\":null}}", "{\"a\":[1]}", "'fps': expected"},
        {0, 0, ONE, "{\"a\":1}", "pred.json: video 'a': expected an array"},
        {0, 0, ONE, "{\"a\":null}", "pred.json: video 'a': expected an array"},
        {0, 0, ONE, "{\"a\":[1,\"2\"]}", "pred.json: video 'a': element 1: expected a number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gebd_request q = {.rules = bad[i].rules, .unit = bad[i].unit, .downsample = 1};
        struct gebd_result r;
        struct err e = {0};
        int rc = evaluate(&r, q, bad[i].annotations, bad[i].predictions, &e);
        support_failed(rc, &e, bad[i].message);
    }
}

static void test_mean_adds_in_pairs(void **state)
{
    (void)state;
    /* One after the other, ten tenths are less than 1. */
    static const double tenths[GEBD_THRESHOLDS] = {0.1, 0.1, 0.1, 0.1, 0.1,
                                                   0.1, 0.1, 0.1, 0.1, 0.1};
    assert_true(gebd_mean(tenths) == 0.1);
    static const double ones[GEBD_THRESHOLDS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_true(gebd_mean(ones) == 1);
}

/* -- against the official evaluators -- */

static struct json *load(const char *folder, const char *name)
{
    struct err e = {0};
    struct json *v = json_load(support_path(folder, name), &e);
    if (!v)
        fail_msg("%s", e.text);
    return v;
}

static double number(const struct json *object, const char *name)
{
    assert_non_null(json_member(object, name));
    return json_f64(json_member(object, name));
}

static void check_equal(const char *what, double ours, double official)
{
    if (ours != official)
        fail_msg("%s: %.17g instead of %.17g", what, ours, official);
}

static void check_challenge(const char *folder, struct gebd_request q, const struct json *expected)
{
    struct gebd_result r;
    struct err e = {0};
    int rc = gebd_evaluate(&r, &q, &e);
    assert_int_equal(json_len(expected), GEBD_THRESHOLDS);
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++) {
        const struct json *at = json_at(expected, k);
        if (json_member(at, "error")) {
            assert_true(rc < 0);
            continue;
        }
        support_ok(rc, &e);
        struct gebd_score s = gebd_score(&r.counts[k]);
        check_equal(folder, gebd_thresholds[k], number(at, "threshold"));
        check_equal(folder, (double)r.counts[k].tp, number(at, "tp"));
        check_equal(folder, (double)r.counts[k].n_positive, number(at, "num_pos"));
        check_equal(folder, (double)r.counts[k].n_detected, number(at, "num_det"));
        check_equal(folder, s.precision, number(at, "prec"));
        check_equal(folder, s.recall, number(at, "rec"));
        check_equal(folder, s.f1, number(at, "f1"));
    }
    if (rc == 0)
        gebd_result_release(&r);
}

static void check_notebook(const char *folder, struct gebd_request q, const struct json *expected)
{
    struct gebd_result r;
    struct err e = {0};
    double values[3][GEBD_THRESHOLDS];
    static const char *const names[] = {"prec", "rec", "f1"}, *const means[] = {"mean_prec",
                                                                                "mean_rec",
                                                                                "mean_f1"};
    support_ok(gebd_evaluate(&r, &q, &e), &e);
    for (size_t k = 0; k < GEBD_THRESHOLDS; k++) {
        struct gebd_score s = gebd_score(&r.counts[k]);
        values[0][k] = s.precision;
        values[1][k] = s.recall;
        values[2][k] = s.f1;
    }
    for (size_t i = 0; i < 3; i++) {
        const struct json *list = json_member(expected, names[i]);
        for (size_t k = 0; k < GEBD_THRESHOLDS; k++)
            check_equal(folder, values[i][k], json_f64(json_at(list, k)));
        check_equal(folder, gebd_mean(values[i]), number(expected, means[i]));
    }
    gebd_result_release(&r);
}

static void check_golden(const char *folder, void *user)
{
    struct err e = {0};
    struct gebd_truth *truth;
    struct json *expected = load(folder, "expected.json"), *found = load(folder, "pred.json");
    struct json *notebook = json_member(expected, "notebook_eval");
    (void)user;
    support_ok(gebd_truth_open(&truth, support_path(folder, "gt.json"), &e), &e);
    struct gebd_request q = {
        .truth = truth, .predictions = {"pred.json", found}, .n_threads = 2, .downsample = 3};
    check_challenge(folder, q, json_member(expected, "challenge_eval"));
    json_free(found);
    if (notebook) {
        q.rules = GEBD_NOTEBOOK;
        q.unit = GEBD_FRAMES;
        q.predictions.json = found = load(folder, "pred_frameidx_ds3.json");
        check_notebook(folder, q, notebook);
        json_free(found);
    }
    gebd_truth_close(truth);
    json_free(expected);
}

static void test_official_answers(void **state)
{
    (void)state;
    golden_each_folder("gebd", check_golden, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_and_units),  cmocka_unit_test(test_states),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_mean_adds_in_pairs),
        cmocka_unit_test(test_official_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
