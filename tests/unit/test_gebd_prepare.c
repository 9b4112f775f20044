/* SPDX-License-Identifier: Apache-2.0 */
/* Raw annotations of Kinetics-GEBD become ground truth: the notebook's steps by hand, and its
 * answers. */
#include "common/datasets/gebd_prepare.h"
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

#define CLOCK                                                                                      \
    "\"fps\":10,\"video_duration\":10.0,\"num_frames\":100.7,\"path_video\":\"c/a.mp4\","          \
    "\"f1_consis_avg\":0.5,\"f1_consis\":[1,2,3]"

/* The times that one rater's changes become; the other two raters mark nothing. */
static void check(const char *changes, const char *times, const char *frames)
{
    char text[2048];
    struct err e = {0};
    struct json *out;
    enum gebd_prepared what;
    snprintf(text, sizeof text, "{" CLOCK ",\"substages_timestamps\":[%s,[],[]]}", changes);
    struct json *raw = parse(text);
    support_ok(gebd_prepare_video(raw, &out, &what, &e), &e);
    assert_int_equal(what, GEBD_PREPARED);
    assert_string_equal(json_text(json_at(json_member(out, "substages_timestamps"), 0)), times);
    assert_string_equal(json_text(json_at(json_member(out, "substages_myframeidx"), 0)), frames);
    json_free(out);
    json_free(raw);
}

#define CHANGE(start, end, label)                                                                  \
    "{\"start_time\":" #start ",\"end_time\":" #end ",\"label\":\"" label "\"}"
#define EVENT(at)         CHANGE(at, at, "EventChange (Timestamp/Range): Multiple")
#define SHOT(at)          CHANGE(at, at, "ShotChangeImmediateTimestamp: Change due to Cut")
#define RANGE(start, end) CHANGE(start, end, "ShotChangeGradualRange: N/A")

static void test_steps(void **state)
{
    (void)state;
    check("[]", "[]", "[]");
    /* Moments at the ends of the video go; frames are cut to the last one. */
    check("[" EVENT(0.25) "," EVENT(0.5) "," EVENT(9.75) "]", "[0.5]", "[5.0]");
    /* Of close ones the first stays; any other label is a moment of a shot. */
    check("[" EVENT(3) "," EVENT(1) "," EVENT(1.5) "," EVENT(3.75) "]", "[1.0,3.0,3.75]",
          "[10.0,30.0,37.0]");
    check("[" CHANGE(1, 1, "EventChange:") "," CHANGE(1.5, 1.5, "") "]", "[1.0]", "[10.0]");
    /* The last change of the shot does not remove the events near it. */
    check("[" SHOT(2) "," EVENT(2.25) "," SHOT(5) "," EVENT(5.25) "]", "[2.0,5.0,5.25]",
          "[20.0,50.0,52.0]");
    /* In a range, the one that follows a removed one is not looked at. */
    check("[" RANGE(4, 6) "," EVENT(4) "," EVENT(5) "," EVENT(6) "]", "[5.0,5.0]", "[50.0,50.0]");
    /* Ranges that overlap, also in an order that is not that of time. */
    check("[" RANGE(1, 3) "," RANGE(2, 4) "," RANGE(7, 8) "]", "[2.5,7.5]", "[25.0,75.0]");
    check("[" RANGE(6, 8) "," RANGE(1, 2) "]", "[7.0]", "[70.0]");
    /* By value: of two ranges that begin alike the first one's begin goes. */
    check("[" RANGE(1, 5) "," RANGE(1, 2) "," RANGE(8, 9) "]", "[3.0,8.5]", "[30.0,85.0]");
}

static void test_last_frame(void **state)
{
    (void)state;
    struct err e = {0};
    struct json *out,
        *raw = parse("{\"fps\":25,\"video_duration\":10,\"num_frames\":50,"
                     "\"path_video\":\"a/b\",\"f1_consis_avg\":NaN,\"f1_consis\":[1,2,"
                     "3],\"substages_timestamps\":[[" EVENT(9.5) "],[],[]]}");
    enum gebd_prepared what;
    support_ok(gebd_prepare_video(raw, &out, &what, &e), &e);
    assert_string_equal(
        json_text(out),
        "{\"num_frames\":50,\"path_video\":\"a/b\",\"fps\":25,\"video_duration\":10,"
        "\"path_frame\":\"a/b\",\"f1_consis\":[1,2,3],\"f1_consis_avg\":NaN,"
        "\"substages_myframeidx\":[[49],[],[]],\"substages_timestamps\":[[9.5],[],[]]}");
    json_free(out);
    json_free(raw);
}

static void test_left_out(void **state)
{
    (void)state;
    struct err e = {0};
    size_t counts[GEBD_PREPARED_N];
    struct json *raw = parse("{\"a\":{" CLOCK ",\"substages_timestamps\":[[],[]]},"
                             "\"b\":{" CLOCK ",\"substages_timestamps\":[[],[],[]]},"
                             "\"c\":{\"substages_timestamps\":[[],[],[]]},"
                             "\"d\":{\"fps\":1,\"video_duration\":1,\"f1_consis_avg\":1,"
                             "\"num_frames\":null,\"substages_timestamps\":[[],[],[]]}}"),
                *out;
    support_ok(gebd_prepare(raw, &out, counts, &e), &e);
    assert_int_equal(counts[GEBD_PREPARED], 1);
    assert_int_equal(counts[GEBD_FEW_RATERS], 1);
    assert_int_equal(counts[GEBD_INCOMPLETE], 2);
    assert_int_equal(json_len(out), 1);
    json_free(out);
    json_free(raw);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *message;
    } bad[] = {
        {"[]", "expected an object"},
        {"{\"a\":1}", "video 'a': expected an object"},
        {"{\"a\":{}}", "video 'a': member 'substages_timestamps' is missing"},
        {"{\"a\":{" CLOCK ",\"substages_timestamps\":[1,[],[]]}}", "rater 0: expected an array"},
        {"{\"a\":{" CLOCK ",\"substages_timestamps\":[[],[],[{}]]}}",
         "video 'a': member 'substages_timestamps': rater 2: change 0: member 'start_time'"},
        {"{\"a\":{" CLOCK ",\"substages_timestamps\":[[],[" CHANGE(1, NaN, "x") "],[]]}}",
         "'end_time' is not finite"},
        {"{\"a\":{" CLOCK ",\"substages_timestamps\":[[],[],[],[]]}}", "3 numbers for 4 raters"},
        {"{\"a\":{\"fps\":1,\"video_duration\":1,\"num_frames\":1,\"f1_consis_avg\":1,"
         "\"substages_timestamps\":[[],[],[]]}}",
         "'path_video' is missing"},
        {"{\"a\":{\"fps\":\"1\",\"video_duration\":1,\"num_frames\":1,\"f1_consis_avg\":1,"
         "\"substages_timestamps\":[[],[],[]]}}",
         "'fps': expected a number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        size_t counts[GEBD_PREPARED_N];
        struct json *out, *raw = parse(bad[i].raw);
        support_failed(gebd_prepare(raw, &out, counts, &e), &e, bad[i].message);
        json_free(raw);
    }
}

/* -- against the notebook -- */

static struct json *load(const char *folder, const char *name)
{
    struct err e = {0};
    struct json *v = json_load(support_path(folder, name), &e);
    if (!v)
        fail_msg("%s", e.text);
    return v;
}

/* Equal members in equal order, numbers of equal value. */
static bool same(struct json *a, struct json *b)
{
    bool numbers = (json_kind(a) == JSON_REAL || json_kind(a) == JSON_INT) &&
                   (json_kind(b) == JSON_REAL || json_kind(b) == JSON_INT);
    if (numbers)
        return json_f64(a) == json_f64(b);
    if (json_kind(a) != json_kind(b) || json_len(a) != json_len(b))
        return false;
    if (json_kind(a) == JSON_ARRAY) {
        for (size_t i = 0; i < json_len(a); i++)
            if (!same(json_at(a, i), json_at(b, i)))
                return false;
        return true;
    }
    if (json_kind(a) != JSON_OBJECT)
        return json_equal(a, b);
    struct json_walk w = {0}, v = {0};
    const char *name_a, *name_b;
    struct json *x, *y;
    while (json_next(a, &w, &name_a, &x))
        if (!json_next(b, &v, &name_b, &y) || strcmp(name_a, name_b) != 0 || !same(x, y))
            return false;
    return true;
}

static void check_golden(const char *folder, void *user)
{
    struct err e = {0};
    size_t counts[GEBD_PREPARED_N];
    struct json *raw = load(folder, "raw.json"), *expected = load(folder, "expected.json"), *out;
    support_ok(gebd_prepare(raw, &out, counts, &e), &e);
    if (!same(out, expected))
        fail_msg("%s: %.300s instead of %.300s", folder, json_text(out), json_text(expected));
    *(size_t *)user += json_len(out);
    json_free(out);
    json_free(raw);
    json_free(expected);
}

static void test_official_answers(void **state)
{
    (void)state;
    size_t n_videos = 0;
    golden_each_folder("gebd_prepare", check_golden, &n_videos);
    print_message("# %zu videos\n", n_videos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_last_frame),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_official_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
