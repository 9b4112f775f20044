/* SPDX-License-Identifier: Apache-2.0 */
/* AVA's metric: small cases by hand, and the answers of both official programs. */
#include <math.h>

#include "common/base/json.h"
#include "common/base/rng.h"
#include "common/datasets/ava_files.h"
#include "common/eval/ava.h"
#include "common/eval/ava_heap.h"
#include "common/eval/ava_score.h"
#include "tests/unit/golden.h"
#include "tests/unit/support.h"

#define MAP "item {\n  name: \"stand\"\n  id: 1\n}\nitem {\n  name: \"sit\"\n  id: 3\n}\n"

/* -- label maps -- */

static void check_labels(const char *text, const char *expected)
{
    struct err e = {0};
    struct ava_labels l = {0};
    char found[256] = "";
    support_ok(ava_labels_read_text(&l, text, strlen(text), &e), &e);
    for (size_t i = 0; i < l.n; i++) {
        size_t len = strlen(found);
        snprintf(found + len, sizeof found - len, "%lld=%s;", (long long)l.classes[i].id,
                 l.classes[i].name);
        assert_int_equal(ava_labels_find(&l, l.classes[i].id), i);
    }
    assert_string_equal(found, expected);
    assert_int_equal(ava_labels_find(&l, 0), -1);
    assert_int_equal(ava_labels_find(&l, -1), -1);
    assert_int_equal(ava_labels_find(&l, 2), -1);
    assert_int_equal(ava_labels_find(&l, INT64_MAX), -1);
    ava_labels_release(&l);
}

static void check_bad_labels(const char *text, size_t len, const char *message)
{
    struct err e = {0};
    struct ava_labels l = {0};
    support_failed(ava_labels_read_text(&l, text, len, &e), &e, message);
    ava_labels_release(&l);
}

static void test_labels(void **state)
{
    (void)state;
    check_labels(MAP, "1=stand;3=sit;");
    check_labels("label {\n  name: \"a \\\"b\"\n  label_id: 7\n  label_type: PERSON\n}", "7=a \\;");
    /* Only what begins with two blanks counts; one name serves the ids behind it. */
    check_labels("  name: \"a\"\r\n  id: 4 \r\n   id: 5\n id: 6\n  id: 3\n", "3=a;4=a;");
    check_labels("  name: \"a\"\n  id: 1\n  name: \"b\"\n  id: 1\n", "1=b;");
    check_labels("  name: \"open\n  id: 1\n", "1=open;");
    static const char nul[] = "  name: \"a\"\n  id: 1\0\n";
    check_bad_labels(nul, sizeof nul - 1, "line 2: a NUL byte");
    check_bad_labels("", 0, "no class in it");
    check_bad_labels("item {\n  name: a\n", 17, "line 2: a name without quotes");
    check_bad_labels("  id: 1\n  name: \"a\"\n", 20, "line 1: class id 1 has no name in front");
    check_bad_labels("  name: \"\xff\"\n", 12, "line 1: the name is not UTF-8");
    static const char *const bad[] = {"0", "-1", "x", "65536", "1.0", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        int n = snprintf(text, sizeof text, "  name: \"a\"\n  id: %s\n", bad[i]);
        check_bad_labels(text, (size_t)n, "line 2: class id: expected an integer from 1 to 65535");
    }
}

/* What no map names is found again by the number in its name. */
static void test_unnamed(void **state)
{
    static const char *const others[] = {"sit", "action", "action ", "action 0", "action 16x"};
    char name[AVA_ACTION_NAME_BYTES];
    (void)state;
    ava_files_action_name(name, 16);
    assert_string_equal(name, "action 16");
    assert_int_equal(ava_files_action_id(name), 16);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(ava_files_action_id(others[i]), 0);
}

/* -- rows -- */

struct case_text {
    enum ava_rules rules;
    const char *excluded, *annotations, *predictions;
};

static int read_case(struct ava_data *d, struct ava_labels *l, const struct case_text *c,
                     struct err *e)
{
    support_ok(ava_labels_read_text(l, MAP, strlen(MAP), e), e);
    ava_data_init(d, c->rules, l);
    if (c->excluded && ava_read_exclusions(d, c->excluded, strlen(c->excluded), e) < 0)
        return ERR_FAIL;
    const struct ava_file file = {"gt.csv", c->annotations, strlen(c->annotations)};
    if (ava_read_annotations(d, &file, 1, e) < 0)
        return ERR_FAIL;
    return ava_read_predictions(d, c->predictions, strlen(c->predictions), e);
}

/* Scores [2] of stand and sit. */
static int score_case(const struct case_text *c, struct ava_class_score *scores, struct err *e)
{
    struct ava_labels l = {0};
    struct ava_data d;
    int rc = read_case(&d, &l, c, e);
    if (rc == 0)
        rc = ava_score(&d, scores, e);
    ava_data_release(&d);
    ava_labels_release(&l);
    return rc;
}

static void check_case(const struct case_text *c, double stand, double sit)
{
    struct err e = {0};
    struct ava_class_score s[2];
    support_ok(score_case(c, s, &e), &e);
    const double expected[2] = {stand, sit};
    for (int k = 0; k < 2; k++)
        if (!(fabs(s[k].ap - expected[k]) < 1e-15 || (isnan(s[k].ap) && isnan(expected[k]))))
            fail_msg("%s: %.17g, not %.17g", c->predictions, s[k].ap, expected[k]);
}

/* The same under both rules. */
static void check_both(const char *annotations, const char *predictions, double stand, double sit)
{
    struct case_text c = {AVA_SLOWFAST, NULL, annotations, predictions};
    check_case(&c, stand, sit);
    c.rules = AVA_ACTIVITYNET;
    check_case(&c, stand, sit);
}

#define BOX "0.1,0.1,0.5,0.5"
#define GT  "v,0902," BOX ",1,0\n"

static void test_matching(void **state)
{
    (void)state;
    check_both(GT, "v,902," BOX ",1,0.9\n", 1, NAN);
    check_both(GT, "", 0, NAN);
    check_both("", "", NAN, NAN);
    check_both(GT, "v,902," BOX ",3,0.9\n", 0, NAN);
    check_both(GT GT, "v,902," BOX ",1,0.9\nv,902," BOX ",1,0.8\n", 0.5, NAN);
    /* Half an overlap is enough, in doubles: 0.5 and 0.4 of 0.8. */
    check_both("v,902,0,0,1,1,1,0\n", "v,902,0,0,1,0.5,1,0.9\n", 1, NAN);
    check_both("v,902,0,0,1,1,1,0\n", "v,902,0,0,1,0.499,1,0.9\n", 0, NAN);
    /* The one that overlaps most is taken, so the prediction is wrong although another is free. */
    check_both("v,902,0,0,1,1,1,0\nv,902,0,0,1,0.9,1,0\n",
               "v,902,0,0,1,0.97,1,0.9\nv,902,0,0,1,0.97,1,0.8\n", 0.5, NAN);
    /* Of equal scores the later ranks first: here the wrong one, there (in another frame) the
     * right. */
    check_both(GT, "v,902," BOX ",1,0.5\nv,902,0.6,0.6,0.9,0.9,1,0.5\n", 0.5, NAN);
    check_both(GT "v,903," BOX ",3,0\n", "v,903," BOX ",1,0.5\nv,902," BOX ",1,0.5\n", 1, 0);
    /* No area: the prediction does not count; an annotation is missed. */
    check_both(GT,
               "v,902,0.5,0.1,0.1,0.5,1,0.9\nv,902,0.1,0.5,0.5,0.5,1,0.9\nv,902," BOX ",1,0.1\n", 1,
               NAN);
    check_both("v,902,0.1,0.1,0.1,0.5,1,0\n" GT, "v,902," BOX ",1,0.1\n", 0.5, NAN);
    check_both(GT "v,903," BOX ",3,0\n", "v,903," BOX ",3,-1\nv,902," BOX ",3,-2\n", 0, 1);
}

/* Precision falls and rises: 1, 1/2, 2/3, with recall 1/2 and 1 of two boxes. */
static void test_envelope(void **state)
{
    (void)state;
    check_both(GT "v,903," BOX ",1,0\n",
               "v,902," BOX ",1,0.9\nv,902,0.6,0.6,0.9,0.9,1,0.8\nv,903," BOX ",1,0.7\n",
               0.5 + 0.5 * 2 / 3, NAN);
}

/* Nothing is lost in many terms. */
static void test_perfect(void **state)
{
    (void)state;
    enum { N = 30001 };
    struct err e = {0};
    struct buf truth = {0}, guess = {0};
    for (int i = 0; i < N; i++) {
        support_ok(buf_printf(&truth, &e, "v,%d," BOX ",1,0\n", i), &e);
        support_ok(buf_printf(&guess, &e, "v,%d," BOX ",1,0.5\n", i), &e);
    }
    struct ava_class_score s[2];
    struct case_text c = {AVA_SLOWFAST, NULL, (char *)truth.data, (char *)guess.data};
    support_ok(score_case(&c, s, &e), &e);
    assert_true(s[0].ap == 1);
    assert_int_equal(s[0].n_matched, N);
    buf_release(&truth);
    buf_release(&guess);
}

/* What the two programs do differently. */
static void test_rules(void **state)
{
    (void)state;
    struct case_text c = {AVA_SLOWFAST, NULL, GT,
                          "v,902," BOX ",1,0.2\nv,902,0.1,0.1,0.5,0.52,1,0.9\n"};
    check_case(&c, 0.5, NAN); /* in the order of the file */
    c.rules = AVA_ACTIVITYNET;
    check_case(&c, 1, NAN); /* in the order of the scores */
    c.predictions = "v,902,0.6,0.6,0.9,0.9,1,0.5\nv,902," BOX ",1,0.5\n";
    check_case(&c, 0.5, NAN); /* of equal scores in the order of the heap: y1 decides here */
    c.rules = AVA_SLOWFAST;
    check_case(&c, 1, NAN);
    c.rules = AVA_ACTIVITYNET;
    c.predictions = "v,903," BOX ",1,0.9\nv,902," BOX ",1,0.8\n";
    check_case(&c, 1, NAN);
    c.annotations = GT "v,903.0000001\n";
    check_case(&c, 0.5, NAN);
    c.annotations = GT "v,903," BOX ",77,0\n";
    check_case(&c, 0.5, NAN);
    c.rules = AVA_SLOWFAST;
    check_case(&c, 0.5, NAN);
    c.annotations = GT;
    check_case(&c, 0.5, NAN);
    c.excluded = "v,0903\nw,1\n";
    check_case(&c, 1, NAN);
    c.annotations = "v,902," BOX ",1,no number\n"; /* SlowFast's does not look at it */
    check_case(&c, 1, NAN);
    c = (struct case_text){AVA_ACTIVITYNET, NULL, GT, "v,902," BOX ",1\n"};
    check_case(&c, 1, NAN);
}

static void test_counts(void **state)
{
    (void)state;
    struct err e = {0};
    struct ava_labels l = {0};
    struct ava_data d;
    struct buf text = {0};
    for (int i = 0; i < 60; i++)
        buf_printf(&text, &e, "v,902," BOX ",1,0.%02d\n", (i * 7) % 60);
    buf_printf(&text, &e, "v,904," BOX ",1,1\nv,902\nw,902,0.5,0.1,0.1,0.5,3,1\nv,902," BOX ",2,1");
    buf_append(&text, "", 1, &e);
    struct case_text c = {AVA_ACTIVITYNET, NULL, GT "w,902\n", (char *)text.data};
    support_ok(read_case(&d, &l, &c, &e), &e);
    const struct ava_counts *n = &d.predictions.counts;
    assert_int_equal(n->rows, 64);
    assert_int_equal(n->frames, 2);
    assert_int_equal(n->empty, 1);
    assert_int_equal(n->other_class, 1);
    assert_int_equal(n->unlisted, 1);
    assert_int_equal(n->over_capacity, 10);
    assert_int_equal(n->invalid, 1);
    assert_int_equal(d.predictions.n, 50);
    for (size_t i = 0; i < 50; i++) /* the best, in order */
        assert_true(d.predictions.rows[i].score == (double)(59 - i) / 100);
    assert_int_equal(d.annotations.counts.empty, 1);
    assert_int_equal(d.annotations.counts.frames, 1);
    ava_data_release(&d);
    ava_labels_release(&l);
    buf_release(&text);
}

/* Rows that share a box. */
static void test_shared_boxes(void **state)
{
    (void)state;
    struct err e = {0};
    struct ava_labels l = {0};
    struct ava_data d;
    struct case_text c = {AVA_SLOWFAST, NULL, GT GT,
                          "v,902," BOX ",1,1\nv,902," BOX ",3,1\nv,903," BOX ",3,1\n"};
    support_ok(read_case(&d, &l, &c, &e), &e);
    assert_int_equal(d.predictions.n, 3);
    assert_int_equal(d.predictions.n_boxes, 2);
    assert_int_equal(d.annotations.n_boxes, 2);
    ava_data_release(&d);
    ava_labels_release(&l);
}

static void check_refused(const struct case_text *c, const char *message)
{
    struct err e = {0};
    struct ava_class_score s[2];
    support_failed(score_case(c, s, &e), &e, message);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        struct case_text text;
        const char *message;
    } bad[] = {
        {{0, NULL, GT "v,903\n", ""}, "line 2: 2 columns, not 7 or 8 (the rules activitynet"},
        {{0, NULL, GT "\n", ""}, "line 2: a blank line"},
        {{1, NULL, GT " \n", ""}, "line 2: a blank line"},
        {{1, NULL, GT, "v,902,1,2,3\n"}, "line 1: 5 columns, not 2, 7 or 8"},
        {{0, NULL, GT, "v,902," BOX ",1\n"}, "line 1: 7 columns: the score is missing"},
        {{0, NULL, GT, "v,902.5," BOX ",1,1\n"}, "line 1: timestamp: expected an integer"},
        {{1, NULL, GT, "v,nan," BOX ",1,1\n"}, "line 1: timestamp: expected a number"},
        {{0, NULL, "v,902,0.1,x,0.5,0.5,1,0\n", ""}, "line 1: y1: expected a number, got 'x'"},
        {{0, NULL, "v,902," BOX ",,0\n", ""}, "line 1: class id: expected an integer, got ''"},
        {{0, NULL, GT, "v,902," BOX ",1,nan\n"}, "line 1: column 8: expected a number"},
        {{1, NULL, "v,902," BOX ",1,bob\n", ""}, "line 1: column 8: expected a number"},
        {{0, "v\n", "", ""}, "line 1: 1 columns, not 2"},
        {{0, "v,902\n\n", "", ""}, "line 2: a blank line"},
        {{0, NULL, GT "v,902,0.5,0.1,0.1,0.5,3,0\n", "v,902," BOX ",3,1\n"},
         "line 2: the box of class 'sit' ends before it begins"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(&bad[i].text, bad[i].message);
    /* No prediction is compared with the inverted box: it counts, and is missed. */
    check_both(GT "v,902,0.5,0.1,0.1,0.5,3,0\n", "v,902," BOX ",1,1\n", 1, 0);
}

/* -- the heap -- */

static double smallest(const double *x, size_t n, size_t *at)
{
    *at = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] < x[*at])
            *at = i;
    return x[*at];
}

static void test_heap(void **state)
{
    (void)state;
    enum { N = 50 };
    for (uint64_t round = 0; round < 50; round++) {
        struct rng r;
        struct err e = {0};
        struct ava_heap h = {0};
        double kept[N];
        size_t at;
        rng_init(&r, 1, 0, round);
        for (size_t i = 0; i < 200; i++) {
            struct ava_entry entry = {.score = (double)rng_below(&r, 40)};
            if (i < N) {
                support_ok(ava_heap_push(&h, &entry, &e), &e);
                kept[i] = entry.score;
            } else if (entry.score > smallest(kept, N, &at)) {
                assert_true(h.entries[0].score == kept[at]);
                ava_heap_replace(&h, &entry);
                kept[at] = entry.score;
            }
        }
        support_ok(ava_heap_sort(&h, &e), &e);
        for (size_t n = N; n > 0; n--) {
            assert_true(h.entries[n - 1].score == smallest(kept, n, &at));
            kept[at] = kept[n - 1];
        }
        ava_heap_release(&h);
    }
}

/* Python: heapq.heappush of (2,7) (1,1) (2,5) (2,6) (1,0), then sorted by -score. */
static void test_heap_order(void **state)
{
    (void)state;
    static const struct {
        double score;
        uint32_t class;
    } pushed[] = {{2, 7}, {1, 1}, {2, 5}, {2, 6}, {1, 0}},
      sorted[] = {{2, 5}, {2, 7}, {2, 6}, {1, 0}, {1, 1}};
    struct err e = {0};
    struct ava_heap h = {0};
    for (size_t i = 0; i < 5; i++) {
        struct ava_entry entry = {.score = pushed[i].score, .class = pushed[i].class};
        support_ok(ava_heap_push(&h, &entry, &e), &e);
    }
    support_ok(ava_heap_sort(&h, &e), &e);
    for (size_t i = 0; i < 5; i++) {
        assert_true(h.entries[i].score == sorted[i].score);
        assert_int_equal(h.entries[i].class, sorted[i].class);
    }
    ava_heap_release(&h);
}

/* -- the official programs -- */

struct tally {
    int n_equal, n_errors;
};

static bool is_near(const struct json *got, const struct json *expected)
{
    if (json_kind(got) == JSON_NULL || json_kind(expected) == JSON_NULL)
        return json_kind(got) == json_kind(expected);
    return fabs(json_f64(got) - json_f64(expected)) <= 1e-12;
}

/* The official answer has one AP a name: of two classes with one name (x02) it keeps the later and
 * hides the other, which our list shows. */
static void check_answer(const char *folder, const struct json *metrics,
                         const struct json *expected)
{
    static const char prefix[] = "PascalBoxes_PerformanceByCategory/AP@0.5IOU/";
    const struct json *classes = json_member(metrics, "classes");
    struct json_walk w = {0};
    const char *key;
    struct json *value;
    size_t n_names = 0;
    const struct json *map = json_member(expected, "PascalBoxes_Precision/mAP@0.5IOU");
    assert_non_null(map);
    if (!is_near(json_member(metrics, "mAP"), map))
        fail_msg("%s: mAP %s", folder, json_text(json_member(metrics, "mAP")));
    while (json_next(expected, &w, &key, &value)) {
        const struct json *ap = NULL;
        if (strncmp(key, prefix, strlen(prefix)) != 0)
            continue;
        n_names++;
        for (size_t i = 0; i < json_len(classes); i++)
            if (strcmp(json_str(json_member(json_at(classes, i), "name")), key + strlen(prefix)) ==
                0)
                ap = json_member(json_at(classes, i), "ap");
        if (!ap || !is_near(ap, value))
            fail_msg("%s: %s", folder, key);
    }
    bool has_twins = strstr(folder, "/x02_") != NULL;
    assert_int_equal(json_len(classes), n_names + has_twins);
}

static void check_golden(const char *folder, enum ava_rules rules, struct tally *t)
{
    static const char *const names[] = {"det.csv", "gt.csv", "labelmap.pbtxt", "excluded.csv"};
    char path[4][1200], answer[1200];
    struct err e = {0};
    struct json *metrics = NULL;
    for (int i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    snprintf(answer, sizeof answer, "%s/expected_%s_stable.json", folder, ava_rules_names[rules]);
    struct ava_options o = {.predictions = path[0],
                            .annotations = {path[1]},
                            .n_annotations = 1,
                            .labels = path[2],
                            .rules = rules,
                            .out = "/dev/null"};
    if (rules == AVA_SLOWFAST && file_exists(path[3]))
        o.exclude = path[3];
    struct json *expected = json_load(answer, &e);
    assert_non_null(expected);
    int rc = ava_run(&o, NULL, &metrics, &e);
    if (json_member(expected, "error")) {
        support_failed(rc, &e, folder); /* names the file */
        support_failed(rc, &e, "csv: line ");
        t->n_errors++;
    } else {
        support_ok(rc, &e);
        check_answer(folder, metrics, expected);
        t->n_equal++;
    }
    json_free(metrics);
    json_free(expected);
}

static void test_golden(void **state)
{
    (void)state;
    const char *root = golden_path("ava");
    struct tally t = {0};
    DIR *folder = opendir(root);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", root, entry->d_name);
        check_golden(path, AVA_SLOWFAST, &t);
        check_golden(path, AVA_ACTIVITYNET, &t);
    }
    closedir(folder);
    assert_true(t.n_equal > 100 && t.n_errors > 10);
    print_message("# %d answers equal, %d refused as officially\n", t.n_equal, t.n_errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),       cmocka_unit_test(test_matching),
        cmocka_unit_test(test_envelope),     cmocka_unit_test(test_perfect),
        cmocka_unit_test(test_rules),        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_shared_boxes), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_heap),         cmocka_unit_test(test_heap_order),
        cmocka_unit_test(test_golden),       cmocka_unit_test(test_unnamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
