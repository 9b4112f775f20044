/* SPDX-License-Identifier: Apache-2.0 */
/* VidSitu's metric: small cases by hand, and the official answers, to the bit. */
#include "common/base/json.h"
#include "common/eval/vidsitu.h"
#include "common/eval/vidsitu_eval.h"
#include "common/eval/vidsitu_predictions.h"
#include "tests/unit/golden.h"
#include "tests/unit/support.h"

/* -- by hand -- */

/* An event of `video` from lists of digits: predicted and given verbs. */
static struct vidsitu_event event(uint32_t video, const char *predicted, const char *given)
{
    static uint32_t numbers[64][32];
    static size_t next;
    uint32_t *p = numbers[next++ % 64], *g = numbers[next++ % 64];
    struct vidsitu_event e = {.video = video, .predicted = p, .given = g};
    for (; *predicted; predicted++)
        p[e.n_predicted++] = (uint32_t)(*predicted - '0');
    for (; *given; given++)
        g[e.n_given++] = (uint32_t)(*given - '0');
    return e;
}

static struct vidsitu_scores score(const struct vidsitu_event *events, size_t n,
                                   enum vidsitu_rules rules)
{
    struct err e = {0};
    struct vidsitu_scores s;
    support_ok(vidsitu_score(&s, events, n, rules, &e), &e);
    return s;
}

static void test_accuracy(void **state)
{
    (void)state;
    struct vidsitu_event events[] = {
        event(0, "12345", "5555555555"),  /* right with the fifth */
        event(0, "1", "1222222222"),      /* one of ten */
        event(7, "123459", "0000000009"), /* the sixth does not count */
        event(7, "3", "00000000003"),     /* nor does the eleventh annotator */
        event(7, "", "1111111111"),
    };
    struct vidsitu_scores s = score(events, 5, VIDSITU_OFFICIAL);
    assert_true(s.per_event[0] == 0.2 && s.per_event[3] == 0.2 && s.per_event[4] == 0.4);
    assert_true(s.per_video[3] == 0 && s.per_video[4] == 0.5);
    assert_int_equal(s.n_videos, 2);
    assert_int_equal(s.n_events, 5);
    assert_int_equal(s.n_agreed, 5);
    s = score(events, 5, VIDSITU_MIN_AGREE_2);
    assert_true(s.per_event[0] == 0 && s.per_event[4] == 0.2 && s.per_video[4] == 0);
    /* Events without agreement stay in the denominator. */
    struct vidsitu_event split[] = {event(0, "1", "1234567890"), event(1, "1", "1123456789")};
    s = score(split, 2, VIDSITU_MIN_AGREE_2);
    assert_true(s.per_event[0] == 0.5 && s.per_video[0] == 0.5);
    assert_int_equal(s.n_agreed, 1);
}

static void test_recall(void **state)
{
    (void)state;
    struct vidsitu_event events[] = {
        event(0, "1", "1122"), /* 1 found, 2 not */
        event(0, "2", "1122"), /* 2 found, 1 not */
        event(0, "3", "1134"), /* 1 not; 3 and 4 are not called for */
        event(0, "5", "55"),   /* 5 found */
    };
    for (int rules = 0; rules < VIDSITU_N_RULES; rules++) {
        struct vidsitu_scores s = score(events, 4, (enum vidsitu_rules)rules);
        assert_int_equal(s.n_verbs[0], 3);
        assert_true(s.recall[0] == (1 + 0.5 + 1.0 / 3) / 3);
        assert_int_equal(s.n_verbs[1], 2);
        assert_true(s.recall[1] == (0.5 + 1.0 / 3) / 2);
        assert_int_equal(s.n_verbs[2], 1);
        assert_true(s.recall[2] == 1.0 / 3);
        assert_int_equal(s.n_verbs[3], 0);
        assert_true(s.recall[3] == 0);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    struct vidsitu_scores s = score(NULL, 0, VIDSITU_OFFICIAL);
    assert_true(s.per_event[4] == 0 && s.per_video[4] == 0 && s.recall[0] == 0);
    assert_int_equal(s.n_videos, 0);
    struct vidsitu_event bare = event(0, "12", "");
    s = score(&bare, 1, VIDSITU_OFFICIAL);
    assert_true(s.per_event[4] == 0);
    assert_int_equal(s.n_agreed, 0);
}

/* -- predictions -- */

#define FIVE(list) "[" list "," list "," list "," list "," list "]"

static void test_predictions(void **state)
{
    (void)state;
    static const char text[] = "[{\"ann_idx\":2,\"pred_vbs_ev\":" FIVE(
        "[\"a\",\"b\",\"a\",\"c\",\"d\",\"e\"]") "},"
                                                 "{\"pred_vbs_ev\":" FIVE(
                                                     "[]") ",\"pred_scores_ev\":[],\"ann_idx\":0},"
                                                           "{\"ann_idx\":2,\"pred_vbs_ev\":" FIVE(
                                                               "[\"z\"]") "}]";
    struct err e = {0};
    struct intern verbs = {0};
    struct vidsitu_predictions p;
    support_ok(vidsitu_predictions_init(&p, 3, &verbs, &e), &e);
    support_ok(vidsitu_predictions_read_text(&p, text, sizeof text - 1, &e), &e);
    assert_int_equal(p.n_predicted, 2);
    assert_int_equal(p.n_repeated, 1);
    assert_true(p.videos[0].there && !p.videos[1].there);
    assert_int_equal(p.videos[0].n[4], 0);
    assert_int_equal(p.videos[2].n[4], 5);
    assert_int_equal(p.videos[2].verbs[4][2], intern_find(&verbs, "a"));
    assert_int_equal(p.videos[2].verbs[4][4], intern_find(&verbs, "d"));
    vidsitu_predictions_release(&p);
    intern_release(&verbs);
}

static void test_bad_predictions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"{}", "not an array of predictions"},
        {"[1]", "entry 1: expected an object"},
        {"[{\"pred_vbs_ev\":[]}]", "entry 1: member 'ann_idx' is missing"},
        {"[{\"ann_idx\":0}]", "entry 1: member 'pred_vbs_ev' is missing"},
        {"[{\"ann_idx\":1.0,\"pred_vbs_ev\":[]}]", "member 'ann_idx': expected an integer"},
        {"[{\"ann_idx\":3,\"pred_vbs_ev\":" FIVE("[]") "}]", "ann_idx is 3, but the split has 3"},
        {"[{\"ann_idx\":-1,\"pred_vbs_ev\":" FIVE("[]") "}]", "ann_idx is -1"},
        {"[{\"ann_idx\":0,\"pred_vbs_ev\":[[],[]]}]",
         "pred_vbs_ev: 2 lists, not one for each of 5"},
        {"[{\"ann_idx\":0,\"pred_vbs_ev\":" FIVE("\"a\"") "}]",
         "pred_vbs_ev: 0: expected an array"},
        {"[{\"ann_idx\":0,\"pred_vbs_ev\":" FIVE("[1]") "}]",
         "pred_vbs_ev: 0: 0: expected a string"},
        {"[", "1:2: unexpected end of data"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        struct intern verbs = {0};
        struct vidsitu_predictions p;
        support_ok(vidsitu_predictions_init(&p, 3, &verbs, &e), &e);
        int rc = vidsitu_predictions_read_text(&p, bad[i].text, strlen(bad[i].text), &e);
        support_failed(rc, &e, bad[i].message);
        vidsitu_predictions_release(&p);
        intern_release(&verbs);
    }
}

/* -- the official code -- */

struct tally {
    int n_equal, n_errors;
};

static void check_rules(const char *folder, const struct json *got, const struct json *expected)
{
    struct json_walk w = {0};
    const char *name;
    struct json *value;
    assert_int_equal(json_len(got), json_len(expected));
    while (json_next(expected, &w, &name, &value))
        if (!json_member(got, name) || json_f64(json_member(got, name)) != json_f64(value))
            fail_msg("%s: %s", folder, name);
}

static void check_golden(const char *folder, void *user)
{
    struct tally *t = user;
    char predictions[1200], answer[1200];
    struct err e = {0};
    struct json *metrics = NULL;
    snprintf(predictions, sizeof predictions, "%s/pred.json", folder);
    snprintf(answer, sizeof answer, "%s/expected.json", folder);
    struct vidsitu_options o = {
        .predictions = predictions, .annotations = folder, .split = "valid", .out = "/dev/null"};
    /* run in the official code's debug mode */
    if (strstr(folder, "/e11_") || strstr(folder, "/e13_"))
        o.max_missing = 1000;
    struct json *expected = json_load(answer, &e);
    assert_non_null(expected);
    int rc = vidsitu_run(&o, NULL, &metrics, &e);
    if (json_member(json_member(expected, "official"), "error")) {
        support_failed(rc, &e, folder);
        t->n_errors++;
    } else {
        support_ok(rc, &e);
        for (int k = 0; k < VIDSITU_N_RULES; k++)
            check_rules(folder,
                        json_member(json_member(metrics, "vidsitu"), vidsitu_rules_names[k]),
                        json_member(expected, vidsitu_rules_names[k]));
        t->n_equal++;
    }
    json_free(metrics);
    json_free(expected);
}

static void test_golden(void **state)
{
    (void)state;
    struct tally t = {0};
    golden_each_folder("vidsitu", check_golden, &t);
    assert_true(t.n_equal > 40 && t.n_errors >= 4);
    print_message("# %d answers equal under both rules, %d refused as officially\n", t.n_equal,
                  t.n_errors);
}

/* One verb for every event of the real validation split. */
static void test_constant(void **state)
{
    (void)state;
    char annotations[512], reason[600];
    const char *shared = getenv("SHARED");
    snprintf(annotations, sizeof annotations, "%s/fixtures/vidsitu", shared ? shared : "../shared");
    snprintf(reason, sizeof reason, "%s is absent", annotations);
    struct err e = {0};
    char folder[256];
    struct buf text = {0};
    struct json *metrics = NULL;
    if (!file_exists(annotations))
        support_skip(reason);
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "pred.json");
    for (int i = 0; i < 1324; i++)
        support_ok(buf_printf(&text, &e,
                              "%s{\"ann_idx\":%d,\"pred_vbs_ev\":" FIVE("[\"look.01\"]") "}",
                              i ? "," : "[", i),
                   &e);
    support_ok(buf_append(&text, "]", 1, &e), &e);
    support_write(path, text.data, text.len);
    struct vidsitu_options o = {
        .predictions = path, .annotations = annotations, .split = "valid", .out = "/dev/null"};
    support_ok(vidsitu_run(&o, NULL, &metrics, &e), &e);
    const struct json *v = json_member(metrics, "vidsitu");
    assert_int_equal(json_i64(json_member(v, "events")), 6620);
    assert_int_equal(json_i64(json_member(v, "agreed_events")), 6620 - 46);
    assert_true(json_f64(json_member(json_member(v, "official"), "Per_Ev_Top_1")) == 2318 / 6620.0);
    assert_true(json_f64(json_member(json_member(v, "min_agree_2"), "acc")) == 975 / 6620.0);
    json_free(metrics);
    buf_release(&text);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_nothing),         cmocka_unit_test(test_predictions),
        cmocka_unit_test(test_bad_predictions), cmocka_unit_test(test_golden),
        cmocka_unit_test(test_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
