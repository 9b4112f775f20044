/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/datasets/synth.h"
#include "tests/unit/support.h"

enum { N_VIDEOS = 400 };

static void complete(struct synth_options *o)
{
    struct err e = {0};
    synth_options_init(o);
    o->kind = synth_find("events");
    o->annotations_only = true;
    support_ok(synth_options_complete(o, &e), &e);
}

static void test_options(void **state)
{
    (void)state;
    struct err e = {0};
    struct synth_options o;
    assert_null(synth_find("nothing"));
    complete(&o);
    assert_int_equal(o.n_events, 5);
    assert_int_equal(o.quality, 18);
    o.size = 47;
    support_failed(synth_options_complete(&o, &e), &e, "--size: 47 is odd");
    complete(&o);
    o.n_frames = 19;
    support_failed(synth_options_complete(&o, &e), &e, "--frames: 19 are too few for 5 events");
    complete(&o);
    o.n_shapes = 9;
    support_failed(synth_options_complete(&o, &e), &e, "--shapes: 9 is not from 2 to 8");
    complete(&o);
    o.codec = ENCODE_MPEG4;
    o.quality = 32;
    support_failed(synth_options_complete(&o, &e), &e, "--quality: 32 is not from 0 to 31");
    o.quality = -1;
    support_ok(synth_options_complete(&o, &e), &e);
    assert_int_equal(o.quality, 3);
}

static void test_events_cover_the_video(void **state)
{
    (void)state;
    struct synth_options o;
    complete(&o);
    bool moved = false;
    for (uint64_t i = 0; i < N_VIDEOS; i++) {
        struct synth_plan p;
        synth_plan(&o, SYNTH_TRAIN, i, &p);
        assert_int_equal(p.n_events, 5);
        assert_int_equal(p.event[0].start, 0);
        assert_int_equal(p.event[4].end, 160);
        for (int k = 1; k < 5; k++) {
            assert_int_equal(p.event[k].start, p.event[k - 1].end);
            assert_true(llabs(p.event[k].start - 32 * k) <= 4);
            moved |= p.event[k].start != 32 * k;
            assert_int_not_equal(p.event[k].shape, p.event[k - 1].shape);
        }
    }
    assert_true(moved);
}

static void test_scenes_are_balanced(void **state)
{
    (void)state;
    struct synth_options o;
    complete(&o);
    for (int s = 0; s < SYNTH_N_SPLITS; s++) {
        unsigned count[SYNTH_MAX_SCENES] = {0};
        for (uint64_t i = 0; i < N_VIDEOS; i++) {
            struct synth_plan p;
            synth_plan(&o, (enum synth_split)s, i, &p);
            assert_true(fabs(p.angle - M_PI * p.scene / 10) < 1e-12);
            count[p.scene]++;
        }
        for (int scene = 0; scene < 10; scene++)
            assert_int_equal(count[scene], N_VIDEOS / 10);
    }
}

/* Pearson's statistic of a contingency table against independence. */
static double chi_square(size_t rows, size_t columns, const unsigned *count)
{
    double row[SYNTH_MAX_SCENES] = {0}, column[SYNTH_N_SHAPES] = {0}, n = 0, sum = 0;
    for (size_t i = 0; i < rows * columns; i++) {
        row[i / columns] += count[i];
        column[i % columns] += count[i];
        n += count[i];
    }
    for (size_t i = 0; i < rows * columns; i++) {
        double expected = row[i / columns] * column[i % columns] / n;
        sum += (count[i] - expected) * (count[i] - expected) / expected;
    }
    return sum;
}

/* The limits are the 99.9 % points for (rows - 1) * (columns - 1) degrees of freedom. */
static void test_labels_are_independent(void **state)
{
    (void)state;
    struct synth_options o;
    complete(&o);
    unsigned by_scene[10][8] = {{0}}, by_place[5][8] = {{0}}, by_motion[2][8] = {{0}};
    for (uint64_t i = 0; i < N_VIDEOS; i++) {
        struct synth_plan p;
        synth_plan(&o, SYNTH_TRAIN, i, &p);
        for (int k = 0; k < 5; k++) {
            by_scene[p.scene][p.event[k].shape]++;
            by_place[k][p.event[k].shape]++;
            by_motion[p.event[k].turn > 0][p.event[k].shape]++;
        }
    }
    assert_true(chi_square(10, 8, by_scene[0]) < 103.4);
    assert_true(chi_square(5, 8, by_place[0]) < 56.9);
    assert_true(chi_square(2, 8, by_motion[0]) < 24.3);
}

static void test_a_plan_depends_on_seed_split_and_number_alone(void **state)
{
    (void)state;
    struct synth_options a, b;
    struct synth_plan p, q;
    complete(&a);
    b = a;
    b.n_videos = 7;
    synth_plan(&a, SYNTH_VAL, 3, &p);
    synth_plan(&b, SYNTH_VAL, 3, &q);
    assert_memory_equal(&p, &q, sizeof p);
    synth_plan(&b, SYNTH_TRAIN, 3, &q);
    assert_true(p.cycles != q.cycles);
    b.seed = 2;
    synth_plan(&b, SYNTH_VAL, 3, &q);
    assert_true(p.cycles != q.cycles);
    a.n_videos = 10;
    assert_int_equal(synth_n_videos(&a, SYNTH_TRAIN), 7); /* 2.5 of validation round to 3 */
    assert_int_equal(synth_n_videos(&a, SYNTH_VAL), 3);
}

/* Mean slope of a distance is 1, and shapes lie within the radius that the painter looks at. */
static void test_shapes(void **state)
{
    (void)state;
    for (unsigned s = 0; s < SYNTH_N_SHAPES; s++) {
        double area = 0;
        for (int i = -150; i <= 150; i++) {
            for (int j = -150; j <= 150; j++) {
                double x = i / 100.0, y = j / 100.0, d = synth_shape_distance(s, x, y);
                area += d < 0 ? 1e-4 : 0;
                assert_true(d > 0 || x * x + y * y < 2);
                assert_true(fabs(synth_shape_distance(s, x + 1e-3, y) - d) <= 1.001e-3);
                assert_true(fabs(synth_shape_distance(s, -x, y) - d) < 1e-3 || s == 6);
            }
        }
        assert_true(area > 0.8 && area < 3.2);
    }
    assert_true(fabs(synth_shape_distance(0, 2, 0) - 1) < 1e-12);
    assert_true(fabs(synth_shape_distance(1, 0, 0) + 0.75) < 1e-12);
    assert_true(fabs(synth_shape_distance(1, 1.75, 0.2) - 1) < 1e-12);
    assert_true(fabs(synth_shape_distance(3, 0, 0) - 0.44) < 1e-12);
}

/* Every shape, at every moment, differs in its colour from the grating behind it, and moves. */
static void test_painting(void **state)
{
    (void)state;
    enum { SIZE = 48, BYTES = SIZE * SIZE * 3 / 2 };
    struct err e = {0};
    struct synth_options o;
    struct synth_canvas *c = NULL;
    static uint8_t before[BYTES], now[BYTES];
    complete(&o);
    support_ok(synth_canvas_new(&c, SIZE, &e), &e);
    for (uint64_t i = 0; i < 16; i++) {
        struct synth_plan p;
        synth_plan(&o, SYNTH_TRAIN, i, &p);
        synth_paint_scene(c, &p);
        synth_paint_frame(c, &p, 0, before);
        int n_moved = 0;
        for (int64_t t = 4; t < o.n_frames; t += 4) {
            synth_paint_frame(c, &p, t, now);
            n_moved += memcmp(now, before, BYTES) != 0;
            memcpy(before, now, BYTES);
        }
        /* A disc at rest is at the end of its pulse: rounding may leave two pictures equal. */
        assert_true(n_moved >= 37);
        synth_paint_frame(c, &p, p.event[1].start - 1, before);
        synth_paint_frame(c, &p, p.event[1].start, now);
        int changed = 0;
        for (int k = 0; k < BYTES; k++)
            changed += abs(now[k] - before[k]) > 8;
        assert_true(changed > BYTES / 20);
    }
    synth_canvas_free(c);
}

static void test_settings_guard_the_folder(void **state)
{
    (void)state;
    struct err e = {0};
    char folder[256];
    struct synth_options o;
    struct buf first = {0}, again = {0};
    support_make_folder(folder, sizeof folder);
    synth_options_init(&o);
    o.kind = &synth_events;
    o.folder = folder;
    o.n_videos = 20;
    o.annotations_only = true;
    support_ok(synth_write(&o, 1, NULL, &e), &e);
    support_ok(file_read(support_path(folder, "annotations.jsonl"), &first, &e), &e);
    support_ok(synth_write(&o, 3, NULL, &e), &e);
    support_ok(file_read(support_path(folder, "annotations.jsonl"), &again, &e), &e);
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.data, again.data, first.len);
    o.seed = 9;
    support_failed(synth_write(&o, 1, NULL, &e), &e,
                   "settings.json: seed is 1, now 9 is asked for");
    buf_release(&first);
    buf_release(&again);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_events_cover_the_video),
        cmocka_unit_test(test_scenes_are_balanced),
        cmocka_unit_test(test_labels_are_independent),
        cmocka_unit_test(test_a_plan_depends_on_seed_split_and_number_alone),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_painting),
        cmocka_unit_test(test_settings_guard_the_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
