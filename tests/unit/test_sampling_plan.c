/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"
#include "common/sampling/sampling_plan.h"
#include "tests/unit/folder_support.h"

/* Makes index.lmdb and frames.lmdb by the helper of the CLI tests, and opens them. */
static void open_stores(const char *videos, struct index **index, struct frames **frames)
{
    const char *bin = getenv("TEG_BIN");
    char command[1024];
    struct err e = {0};
    snprintf(command, sizeof command, "%s/tests/cli/helper_videos %s %s", bin ? bin : "build",
             folder, videos);
    assert_int_equal(system(command), 0);
    support_ok(index_open(index, support_path(folder, "index.lmdb"), &e), &e);
    support_ok(frames_open(frames, support_path(folder, "frames.lmdb"), &e), &e);
}

static void close_stores(struct index *index, struct frames *frames)
{
    frames_close(frames);
    index_close(index);
}

static void test_default_is_uniform(void **state)
{
    (void)state;
    struct index *index;
    struct frames *frames;
    struct sampling_options o;
    struct plan p;
    struct err e = {0};
    open_stores("id=a,class=x id=bad,bad=unreadable id=c,frames=64,class=w", &index, &frames);
    plan_defaults(index, &o);
    support_ok(plan_make(&p, frames, index, &o, &e), &e);
    assert_int_equal(p.n_videos, 2);
    assert_int_equal(p.n_left_out, 1);
    assert_string_equal(p.id[0], "a");
    assert_string_equal(p.id[1], "c");
    assert_int_equal(p.n_rows, 20);
    for (size_t i = 0; i < p.n_rows; i++) {
        const struct sample *r = &p.rows[i];
        assert_int_equal(r->video, i / 10);
        assert_int_equal(r->clip, i % 10);
        assert_int_equal(r->target, r->video ? 0 : 1);
        assert_true(r->length == 32 && r->stride == 2 && r->role == SAMPLE_SINGLE);
        assert_true(r->crop_w == 256 && r->crop_h == 256 && !r->flip && !r->jitter);
    }
    plan_release(&p);
    close_stores(index, frames);
}

static void test_default_is_events(void **state)
{
    (void)state;
    struct index *index;
    struct frames *frames;
    struct sampling_options o;
    struct plan p;
    struct err e = {0};
    open_stores("id=a,events=run@0-2+eat@2-4 id=b", &index, &frames);
    plan_defaults(index, &o);
    support_ok(plan_make(&p, frames, index, &o, &e), &e);
    assert_int_equal(p.n_videos, 2);
    assert_int_equal(p.n_rows, 2);
    assert_int_equal(p.rows[0].target, 1);
    assert_int_equal(p.rows[1].target, 0);
    assert_int_equal(p.rows[1].start, 90 - 31);
    assert_int_equal(p.rows[1].edge, SAMPLE_CLAMP);
    plan_release(&p);
    close_stores(index, frames);
}

static void test_without_an_index(void **state)
{
    (void)state;
    struct index *index;
    struct frames *frames;
    struct sampling_options o;
    struct plan p;
    struct err e = {0};
    open_stores("id=a,class=x,events=run@0-2 id=b", &index, &frames);
    plan_defaults(NULL, &o);
    o.n_clips = 1;
    o.labels = LABELS_EVENTS;
    support_ok(plan_make(&p, frames, NULL, &o, &e), &e);
    assert_int_equal(p.n_rows, 2);
    assert_string_equal(p.id[0], "a");
    assert_string_equal(p.id[1], "b");
    assert_int_equal(p.rows[0].target, -1);
    plan_release(&p);
    o.labels = LABELS_CLASS;
    support_ok(plan_make(&p, frames, NULL, &o, &e), &e);
    assert_int_equal(p.rows[0].target, -1);
    plan_release(&p);
    o.strategy = STRATEGY_EVENTS;
    support_failed(plan_make(&p, frames, NULL, &o, &e), &e, "no video has events");
    assert_null(p.rows);
    o.strategy = STRATEGY_UNIFORM;
    o.split = "val";
    support_failed(plan_make(&p, frames, NULL, &o, &e), &e, "split val: an index is needed");
    close_stores(index, frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_uniform),
        cmocka_unit_test(test_default_is_events),
        cmocka_unit_test(test_without_an_index),
    };
    return cmocka_run_group_tests_name("sampling_plan", tests, set_up, tear_down);
}
