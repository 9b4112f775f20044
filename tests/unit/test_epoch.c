/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/sampling/epoch.h"
#include "common/sampling/sampling.h"
#include "common/store/npy.h"
#include "tests/unit/statistics.h"

enum { MAX_VIDEOS = 500 };

/* A selection without stores: video i has 20 + 7 i frames and class i % 3. */
static struct selection make_selection(size_t n)
{
    static struct selected video[MAX_VIDEOS];
    static struct frames_info info[MAX_VIDEOS];
    static char id[MAX_VIDEOS][24];
    assert_true(n <= MAX_VIDEOS);
    for (size_t i = 0; i < n; i++) {
        snprintf(id[i], sizeof id[i], "v%03zu", i);
        info[i] = (struct frames_info){.width = 340,
                                       .height = 256,
                                       .n_frames = 20 + 7 * (int64_t)i,
                                       .fps_num = 25,
                                       .fps_den = 1,
                                       .ok = true};
        video[i] = (struct selected){id[i], NULL, &info[i], (int32_t)(i % 3)};
    }
    return (struct selection){.video = video, .n = n, .n_wanted = n};
}

static struct sample *table(const struct sampling_options *o, const struct selection *s,
                            size_t epoch, size_t *n_rows)
{
    struct err e = {0};
    struct epochs *x;
    support_ok(epochs_new(&x, o, s, NULL, &e), &e);
    *n_rows = epochs_n_rows(x);
    struct sample *rows = calloc(*n_rows, sizeof *rows);
    assert_non_null(rows);
    support_ok(epochs_fill(x, epoch, rows, &e), &e);
    epochs_free(x);
    return rows;
}

static void test_pairs(void **state)
{
    (void)state;
    struct selection s = make_selection(100);
    struct sampling_options o;
    sampling_defaults(STRATEGY_CONTAINED, &o);
    for (size_t epoch = 0; epoch < 20; epoch++) {
        size_t n_rows, seen[100] = {0}, in_order = 0;
        struct sample *rows = table(&o, &s, epoch, &n_rows);
        assert_int_equal(n_rows, 200);
        for (size_t i = 0; i < 100; i++) {
            const struct sample *a = &rows[2 * i], *b = a + 1;
            assert_true(a->role == SAMPLE_LONG && b->role == SAMPLE_SHORT);
            assert_true(a->video == b->video && a->example == i && b->example == i);
            assert_true(a->length == 32 && a->stride == 4 && b->length == 16 && b->stride == 2);
            assert_true(b->start >= a->start && b->start + 30 <= a->start + 124);
            assert_true(a->edge == SAMPLE_WRAP && a->clip == 0 && a->weight == 1);
            assert_int_equal(a->target, a->video % 3);
            seen[a->video]++;
            in_order += a->video == i;
        }
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(seen[i], 1);
        assert_true(in_order < 15);
        free(rows);
    }
}

/* Every order of four videos is as frequent as any other. */
static void test_order_is_uniform(void **state)
{
    (void)state;
    enum { N = 24000 };
    struct selection s = make_selection(4);
    struct sampling_options o;
    struct err e = {0};
    struct epochs *x;
    struct sample rows[4];
    size_t count[256] = {0}, found[24], n = 0;
    sampling_defaults(STRATEGY_SINGLE, &o);
    support_ok(epochs_new(&x, &o, &s, NULL, &e), &e);
    for (size_t epoch = 0; epoch < N; epoch++) {
        support_ok(epochs_fill(x, epoch, rows, &e), &e);
        count[rows[0].video | rows[1].video << 2 | rows[2].video << 4 | rows[3].video << 6]++;
    }
    epochs_free(x);
    for (size_t i = 0; i < 256; i++) {
        if (count[i]) {
            assert_true(n < 24);
            found[n++] = count[i];
        }
    }
    assert_int_equal(n, 24);
    statistics_chi_square_even(found, 24);
}

/* Clips of a video follow from the seed and the epoch, not from augmentation or order. */
static void test_draws_are_apart(void **state)
{
    (void)state;
    struct selection s = make_selection(50);
    struct sampling_options o, plain;
    size_t n, n_equal = 0;
    sampling_defaults(STRATEGY_RANDOM, &o);
    plain = o;
    augment_preset(AUGMENT_NONE, &plain.augment);
    struct sample *a = table(&o, &s, 3, &n), *b = table(&plain, &s, 3, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(a[i].video == b[i].video && a[i].start == b[i].start);
    free(b);
    o.shuffle = false;
    b = table(&o, &s, 3, &n);
    for (size_t i = 0; i < n; i++) {
        struct sample row = b[2 * a[i].video + i % 2]; /* key order: two rows a video */
        row.example = a[i].example;
        assert_memory_equal(&row, &a[i], sizeof row);
    }
    free(b);
    b = table(&o, &s, 4, &n);
    for (size_t i = 0; i < n; i++)
        n_equal += a[i].start == b[i].start;
    assert_true(n_equal < n / 4);
    free(b);
    o.seed = 1;
    b = table(&o, &s, 3, &n);
    n_equal = 0;
    for (size_t i = 0; i < n; i++)
        n_equal += a[i].start == b[i].start;
    assert_true(n_equal < n / 4);
    free(a);
    free(b);
}

static void test_views_of_a_plan(void **state)
{
    (void)state;
    struct selection s = make_selection(20);
    struct sampling_options o;
    size_t n;
    sampling_defaults(STRATEGY_UNIFORM, &o);
    o.augment.n_crops = 3;
    struct sample *rows = table(&o, &s, 0, &n);
    assert_int_equal(n, 20 * 10 * 3);
    for (size_t i = 0; i < n; i++) {
        const struct sample *r = &rows[i];
        int64_t last = s.video[r->video].info->n_frames - 1 - 62;
        assert_int_equal(r->video, i / 30);
        assert_int_equal(r->clip, i / 3 % 10);
        assert_int_equal(r->view, i % 3);
        assert_int_equal(r->example, i);
        assert_int_equal(r->start, last > 0 ? (int64_t)r->clip * last / 9 : 0);
        assert_int_equal(r->crop_x, 42 * (i % 3));
        assert_int_equal(r->role, SAMPLE_SINGLE);
    }
    free(rows);
    o.shuffle = true; /* the same rows in another order */
    rows = table(&o, &s, 0, &n);
    size_t seen[600] = {0}, in_order = 0;
    for (size_t i = 0; i < n; i++) {
        size_t item = rows[i].video * 30 + rows[i].clip * 3 + rows[i].view;
        seen[item]++;
        in_order += item == i;
        assert_int_equal(rows[i].example, i);
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(seen[i], 1);
    assert_true(in_order < 15);
    free(rows);
}

/* Several random crops of a clip: the same frames, each with a draw of its own. */
static void test_draws_of_a_clip(void **state)
{
    (void)state;
    struct selection s = make_selection(40);
    struct sampling_options o;
    size_t n, flips = 0, n_equal = 0;
    sampling_defaults(STRATEGY_SINGLE, &o);
    o.shuffle = false;
    o.augment.n_crops = 5;
    struct sample *rows = table(&o, &s, 2, &n);
    assert_int_equal(n, 40 * 5);
    for (size_t i = 0; i < n; i++) {
        const struct sample *first = &rows[i / 5 * 5], *r = &rows[i];
        assert_true(r->video == i / 5 && r->view == i % 5 && r->start == first->start);
        flips += r->flip;
        n_equal += r != first && memcmp(&r->crop_x, &first->crop_x, 4 * sizeof r->crop_x) == 0;
    }
    statistics_share(flips, n, 0.5);
    assert_true(n_equal < n / 20);
    free(rows);
}

/* Random crops of fixed clips differ from epoch to epoch, fixed ones do not. */
static void test_epochs_of_a_plan(void **state)
{
    (void)state;
    struct selection s = make_selection(20);
    struct sampling_options o;
    size_t n, n_equal = 0;
    sampling_defaults(STRATEGY_UNIFORM, &o);
    struct sample *a = table(&o, &s, 0, &n), *b = table(&o, &s, 1, &n);
    assert_memory_equal(a, b, n * sizeof *a);
    free(a);
    free(b);
    augment_preset(AUGMENT_LINEAR, &o.augment);
    a = table(&o, &s, 0, &n);
    b = table(&o, &s, 1, &n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].start, b[i].start);
        n_equal += memcmp(&a[i].crop_x, &b[i].crop_x, 4 * sizeof a->crop_x) == 0;
    }
    assert_true(n_equal < n / 20);
    free(a);
    free(b);
}

/* A boundary at 2 s of every video, 25 frames a second, 120 frames; 25 positive clips of 120. */
static struct selection make_boundaries(struct video *record, struct frames_info *info,
                                        struct selected *video, size_t n)
{
    static const char extra[] =
        "{\"boundaries\": [[0.2], [2.0], []], \"consistency\": [0.3, 0.9, 0.9]}";
    struct err e = {0};
    *info = (struct frames_info){
        .width = 64, .height = 64, .n_frames = 120, .fps_num = 25, .fps_den = 1, .ok = true};
    *record = (struct video){.id = (char *)"v", .extra = json_parse(extra, strlen(extra), &e)};
    assert_non_null(record->extra);
    for (size_t i = 0; i < n; i++)
        video[i] = (struct selected){"v", record, info, -1};
    return (struct selection){.video = video, .n = n, .n_wanted = n};
}

static void test_boundaries(void **state)
{
    (void)state;
    struct video record;
    struct frames_info info;
    struct selected video[2];
    struct selection s = make_boundaries(&record, &info, video, 2);
    struct sampling_options o;
    size_t n;
    sampling_defaults(STRATEGY_WINDOW, &o);
    o.labels = LABELS_BOUNDARIES;
    struct sample *rows = table(&o, &s, 0, &n);
    assert_int_equal(n, 2 * 40);
    for (size_t i = 0; i < n; i++) { /* |(3 clip + 1/2) / 25 - 2| < 0.15: frames 46, 47 ... 53 */
        int64_t centre = 3 * (int64_t)rows[i].clip;
        assert_int_equal(rows[i].target, centre > 45.75 && centre < 53.25);
        assert_int_equal(rows[i].start, centre - 15);
        assert_int_equal(rows[i].edge, SAMPLE_CLAMP);
    }
    free(rows);
    json_free(record.extra);
}

/* How many 16x2 windows, 3 frames apart, are positive, and the frame in the centre of the first. */
static size_t positives(const char *extra, int64_t *first)
{
    struct err e = {0};
    struct frames_info info = {.n_frames = 120, .fps_num = 25, .fps_den = 1, .ok = true};
    struct video record = {.id = (char *)"v", .extra = json_parse(extra, strlen(extra), &e)};
    struct selected video = {"v", &record, &info, -1};
    struct selection s = {.video = &video, .n = 1, .n_wanted = 1};
    struct sampling_options o;
    size_t n, found = 0;
    assert_non_null(record.extra);
    sampling_defaults(STRATEGY_WINDOW, &o);
    o.labels = LABELS_BOUNDARIES;
    augment_preset(AUGMENT_NONE, &o.augment);
    struct sample *rows = table(&o, &s, 0, &n);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].target == 1 && found++ == 0)
            *first = 3 * (int64_t)rows[i].clip;
    }
    free(rows);
    json_free(record.extra);
    return found;
}

/* Frame 45 is shown at 1.82 s, within 0.15 s of the boundary; it begins at 1.8 s, which is not. */
static void test_boundaries_between_frames(void **state)
{
    (void)state;
    int64_t first = -1;
    assert_int_equal(positives("{\"boundaries\": [[1.96]]}", &first), 3);
    assert_int_equal(first, 45);
}

/* The first that is not a number is numpy's maximum. */
static void test_rater_without_consistency(void **state)
{
    (void)state;
    int64_t first = -1;
    assert_int_equal(positives("{\"boundaries\": [[0.5], [2.0], [1.0], [3.0]],"
                               " \"consistency\": [0.9, null, 0.95, null]}",
                               &first),
                     2);
    assert_int_equal(first, 48);
}

static void test_balance(void **state)
{
    (void)state;
    enum { N_EPOCHS = 3000 };
    struct video record;
    struct frames_info info;
    struct selected video[3];
    struct selection s = make_boundaries(&record, &info, video, 3);
    struct sampling_options o;
    struct err e = {0};
    struct epochs *x;
    struct sample rows[12];
    size_t first[6] = {0}, negative[3 * 40] = {0};
    sampling_defaults(STRATEGY_WINDOW, &o);
    o.labels = LABELS_BOUNDARIES;
    o.balance = true;
    support_ok(epochs_new(&x, &o, &s, NULL, &e), &e);
    assert_int_equal(epochs_n_rows(x),
                     12); /* centres 48 and 51 of three videos, and as many others */
    for (size_t epoch = 0; epoch < N_EPOCHS; epoch++) {
        unsigned positives = 0;
        support_ok(epochs_fill(x, epoch, rows, &e), &e);
        for (unsigned i = 0; i < 12; i++) {
            assert_int_equal(rows[i].target, i % 2 == 0);
            assert_int_equal(rows[i].example, i);
            unsigned item = rows[i].video * 40 + rows[i].clip;
            if (rows[i].target)
                positives |= 1u << (rows[i].video * 2 + rows[i].clip - 16);
            else
                negative[item]++;
        }
        assert_int_equal(positives, 63); /* each of the six once */
        first[rows[0].video * 2 + rows[0].clip - 16]++;
    }
    epochs_free(x);
    statistics_chi_square_even(first, 6);
    size_t even[114], n = 0;
    for (size_t i = 0; i < 120; i++) {
        if (i % 40 != 16 && i % 40 != 17)
            even[n++] = negative[i];
    }
    assert_int_equal(n, 114);
    statistics_chi_square_even(even, n);
    json_free(record.extra);
}

static void test_nothing_to_sample(void **state)
{
    (void)state;
    struct selection s = make_selection(0);
    struct sampling_options o;
    struct err e = {0};
    struct epochs *x = NULL;
    sampling_defaults(STRATEGY_CONTAINED, &o);
    support_failed(epochs_new(&x, &o, &s, NULL, &e), &e, "no video to sample from");
    s = make_selection(3);
    sampling_defaults(STRATEGY_EVENTS, &o);
    support_failed(epochs_new(&x, &o, &s, NULL, &e), &e, "no video has events");
    sampling_defaults(STRATEGY_WINDOW, &o);
    o.labels = LABELS_BOUNDARIES;
    o.balance = true;
    support_failed(epochs_new(&x, &o, &s, NULL, &e), &e, "nothing to balance");
    o.balance = false;
    sampling_defaults(STRATEGY_UNIFORM, &o);
    o.n_clips = 100000000;
    support_failed(epochs_new(&x, &o, &s, NULL, &e), &e, "a table holds at most");
    o.n_clips = 1000000000;
    support_failed(epochs_new(&x, &o, &s, NULL, &e), &e, "clips an epoch");
    assert_null(x);
}

static void refused(enum strategy strategy, void (*change)(struct sampling_options *),
                    const char *why)
{
    struct sampling_options o;
    struct err e = {0};
    sampling_defaults(strategy, &o);
    support_ok(sampling_check(&o, &e), &e);
    change(&o);
    support_failed(sampling_check(&o, &e), &e, why);
}

static void longer_short(struct sampling_options *o)
{
    o->shape[1] = (struct clip_shape){126, 1};
}

static void other_short(struct sampling_options *o)
{
    o->shape[1].stride++;
}

static void events_labels(struct sampling_options *o)
{
    o->labels = LABELS_EVENTS;
}

static void balanced(struct sampling_options *o)
{
    o->balance = true;
}

static void empty_area(struct sampling_options *o)
{
    o->augment.area[0] = 0.9;
    o->augment.area[1] = 0.8;
}

static void many_crops(struct sampling_options *o)
{
    o->augment.n_crops = 3;
}

static void many_whole(struct sampling_options *o)
{
    augment_preset(AUGMENT_NONE, &o->augment);
    o->augment.n_crops = 3;
}

static void test_contradictions(void **state)
{
    (void)state;
    refused(STRATEGY_CONTAINED, longer_short,
            "a short clip of 126x1 is not contained in a long one");
    refused(STRATEGY_CVRL, other_short, "cvrl takes two clips of one shape");
    refused(STRATEGY_RANDOM, events_labels, "events labels need a strategy with fixed clips");
    refused(STRATEGY_WINDOW, balanced, "only boundaries labels can be balanced");
    refused(STRATEGY_SINGLE, empty_area, "crop area: want 0 < MIN <= MAX, not 0.9,0.8");
    refused(STRATEGY_CONTAINED, many_crops, "the clips of a pair have one crop each, not 3");
    refused(STRATEGY_UNIFORM, many_whole, "3 crops a clip: the whole picture is one");
}

/* Tables made by tests/oracle/sampling.py from the text of the headers alone. */
static void check_oracle(enum strategy strategy, const char *path)
{
    struct buf file = {0};
    struct err e = {0};
    struct npy a;
    struct selection s = make_selection(60);
    struct sampling_options o;
    sampling_defaults(strategy, &o);
    o.seed = 2021;
    support_ok(file_read(path, &file, &e), &e);
    support_ok(npy_parse(&a, file.data, file.len, &e), &e);
    assert_string_equal(a.descr, samples_descr());
    const struct sample *expected = a.data;
    for (size_t epoch = 0; epoch < 2; epoch++) {
        size_t n;
        struct sample *rows = table(&o, &s, epoch, &n);
        assert_int_equal(a.dim[0], 2 * n);
        for (size_t i = 0; i < n; i++)
            assert_memory_equal(&rows[i], &expected[epoch * n + i], sizeof *rows);
        free(rows);
    }
    buf_release(&file);
}

static void test_oracle(void **state)
{
    (void)state;
    check_oracle(STRATEGY_CONTAINED, "tests/oracle/sampling_contained.npy");
    check_oracle(STRATEGY_CVRL, "tests/oracle/sampling_cvrl.npy");
    check_oracle(STRATEGY_SINGLE, "tests/oracle/sampling_single.npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_order_is_uniform),
        cmocka_unit_test(test_draws_are_apart),
        cmocka_unit_test(test_views_of_a_plan),
        cmocka_unit_test(test_draws_of_a_clip),
        cmocka_unit_test(test_epochs_of_a_plan),
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_boundaries_between_frames),
        cmocka_unit_test(test_rater_without_consistency),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_nothing_to_sample),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_oracle),
    };
    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
