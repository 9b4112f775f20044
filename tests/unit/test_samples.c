/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/samples.h"

#include <math.h>

#include "common/store/codec.h"
#include "tests/unit/support.h"

static char folder[256], path[300];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/samples.lmdb", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

/* The names and offsets of the columns are those of the struct. */
static void test_descr(void **state)
{
    (void)state;
#define COLUMN(name, type)                                                                         \
    {                                                                                              \
#name, type, offsetof(struct sample, name)                                                 \
    }
    static const struct {
        const char *name, *type;
        size_t offset;
    } columns[] = {
        COLUMN(video, "<u4"),      COLUMN(example, "<u4"),  COLUMN(start, "<i4"),
        COLUMN(stride, "<u2"),     COLUMN(length, "<u2"),   COLUMN(clip, "<u4"),
        COLUMN(crop_x, "<u2"),     COLUMN(crop_y, "<u2"),   COLUMN(crop_w, "<u2"),
        COLUMN(crop_h, "<u2"),     COLUMN(role, "|u1"),     COLUMN(view, "|u1"),
        COLUMN(edge, "|u1"),       COLUMN(flip, "|u1"),     COLUMN(jitter, "|u1"),
        COLUMN(order, "|u1"),      COLUMN(grey, "|u1"),     COLUMN(solarise, "|u1"),
        COLUMN(brightness, "<f4"), COLUMN(contrast, "<f4"), COLUMN(saturation, "<f4"),
        COLUMN(hue, "<f4"),        COLUMN(blur, "<f4"),     COLUMN(target, "<i4"),
        COLUMN(weight, "<f4"),
    };
    const char *at = samples_descr();
    size_t offset = 0;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s('%s', '%s')", i ? ", " : "[", columns[i].name,
                 columns[i].type);
        assert_memory_equal(at, text, strlen(text));
        at += strlen(text);
        assert_int_equal(offset, columns[i].offset);
        offset += (size_t)(columns[i].type[2] - '0');
    }
    assert_string_equal(at, "]");
    assert_int_equal(offset, sizeof(struct sample));
}

static void test_frame(void **state)
{
    (void)state;
    struct sample s = {.start = 7, .stride = 4, .length = 8, .edge = SAMPLE_WRAP};
    assert_int_equal(sample_frame(&s, 0, 10), 7);
    assert_int_equal(sample_frame(&s, 1, 10), 1);
    assert_int_equal(sample_frame(&s, 7, 10), 5);
    assert_int_equal(sample_frame(&s, 7, 1), 0);
    s.edge = SAMPLE_CLAMP;
    assert_int_equal(sample_frame(&s, 0, 10), 7);
    assert_int_equal(sample_frame(&s, 1, 10), 9);
    s.start = -6;
    assert_int_equal(sample_frame(&s, 1, 10), 0);
    assert_int_equal(sample_frame(&s, 2, 10), 2);
    s.edge = SAMPLE_WRAP;
    assert_int_equal(sample_frame(&s, 0, 10), 4);
    s = (struct sample){.start = INT32_MAX, .stride = UINT16_MAX, .length = UINT16_MAX};
    assert_int_equal(sample_frame(&s, UINT16_MAX, INT64_MAX),
                     INT32_MAX + (int64_t)UINT16_MAX * UINT16_MAX);
}

static struct sample make_row(size_t i)
{
    return (struct sample){.video = (uint32_t)i % 2,
                           .example = (uint32_t)i / 2,
                           .start = (int32_t)i,
                           .stride = 4,
                           .length = 32,
                           .crop_w = 100,
                           .crop_h = 80,
                           .role = i % 2,
                           .brightness = 1,
                           .contrast = 1,
                           .saturation = 1,
                           .target = -1,
                           .weight = 1};
}

static void write_store(const struct sample *rows, size_t n, size_t n_epochs)
{
    static const char *const ids[] = {"b/2", "a"}, *const classes[] = {"run", "walk", "eat"};
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = {
        .schema = SAMPLES_SCHEMA, .version = SAMPLES_VERSION, .tool = "test", .force = true};
    support_ok(store_create(&w, path, &spec, &e), &e);
    if (n_epochs > 1)
        support_ok(samples_put_classes(w, classes, 3, &e), &e);
    for (size_t epoch = 0; epoch < n_epochs; epoch++)
        support_ok(samples_put_epoch(w, epoch, rows, n - epoch, &e), &e);
    support_ok(samples_put_videos(w, ids, 2, &e), &e);
    support_failed(samples_put_epoch(w, 100000000, rows, n, &e), &e, "does not fit into 8 digits");
    support_ok(store_publish(w, n_epochs, &e), &e);
}

static void test_round_trip(void **state)
{
    (void)state;
    enum { N = 1000 };
    static struct sample rows[N];
    struct err e = {0};
    struct samples *s;
    const struct sample *back;
    size_t n;
    for (size_t i = 0; i < N; i++)
        rows[i] = make_row(i);
    write_store(rows, N, 2);
    support_ok(samples_open(&s, path, &e), &e);
    assert_int_equal(samples_n_videos(s), 2);
    assert_string_equal(samples_id(s, 0), "b/2");
    assert_string_equal(samples_id(s, 1), "a");
    assert_int_equal(samples_n_epochs(s), 2);
    assert_int_equal(json_len(samples_classes(s)), 3);
    assert_string_equal(json_str(json_at(samples_classes(s), 1)), "walk");
    for (size_t epoch = 0; epoch < 2; epoch++) {
        support_ok(samples_epoch(s, epoch, &back, &n, &e), &e);
        assert_int_equal(n, N - epoch);
        assert_memory_equal(back, rows, n * sizeof *rows);
    }
    assert_int_equal(samples_epoch(s, 2, &back, &n, &e), ERR_NOT_FOUND);
    assert_string_equal(store_path(samples_store(s)), path);
    samples_close(s);
    samples_close(NULL);
    write_store(rows, 1, 1);
    support_ok(samples_open(&s, path, &e), &e);
    assert_null(samples_classes(s));
    samples_close(s);
    write_store(rows, 1, 2); /* the second epoch is empty */
    support_ok(samples_open(&s, path, &e), &e);
    support_ok(samples_epoch(s, 1, &back, &n, &e), &e);
    assert_int_equal(n, 0);
    samples_close(s);
}

/* A row that breaks rule `which`, and what is said of it; NULL behind the last rule. */
static const char *break_row(struct sample *r, int which)
{
    switch (which) {
    case 0:
        r->video = 2;
        return "row 1: its video is not in the list";
    case 1:
        r->stride = 0;
        return "stride or length is 0";
    case 2:
        r->length = 0;
        return "stride or length is 0";
    case 3:
        r->crop_w = 0;
        return "the crop is empty";
    case 4:
        r->crop_h = 0;
        return "the crop is empty";
    case 5:
        r->role = 3;
        return "role, edge or order";
    case 6:
        r->edge = 2;
        return "role, edge or order";
    case 7:
        r->order = 24;
        return "role, edge or order";
    case 8:
        r->flip = 2;
        return "a switch";
    case 9:
        r->solarise = 255;
        return "a switch";
    case 10:
        r->hue = NAN;
        return "not finite";
    case 11:
        r->weight = -INFINITY;
        return "not finite";
    case 12:
        r->blur = -0.1f;
        return "negative";
    case 13:
        r->target = -2;
        return "negative";
    default:
        return NULL;
    }
}

static void test_bad_rows(void **state)
{
    (void)state;
    struct sample rows[2];
    const char *why;
    for (int which = 0;
         rows[0] = make_row(0), rows[1] = make_row(1), why = break_row(&rows[1], which); which++) {
        struct err e = {0};
        struct samples *s;
        const struct sample *back;
        size_t n;
        write_store(rows, 2, 1);
        support_ok(samples_open(&s, path, &e), &e);
        support_failed(samples_epoch(s, 0, &back, &n, &e), &e, why);
        support_failed(-1, &e, "samples.lmdb: epoch/00000000: row 1: ");
        samples_close(s);
    }
}

/* A list of classes that is none. */
static void test_bad_classes(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"{}", "classes: not an array"},
                                         {"[\"a\",1]", "classes: 1: not a string"}};
    for (size_t i = 0; i < 2; i++) {
        struct err e = {0};
        struct samples *s;
        struct store_writer *w;
        struct store_spec spec = {
            .schema = SAMPLES_SCHEMA, .version = SAMPLES_VERSION, .tool = "test", .force = true};
        support_ok(store_create(&w, path, &spec, &e), &e);
        support_ok(store_put(w, "classes", bad[i][0], strlen(bad[i][0]), &e), &e);
        support_ok(store_put(w, "videos", "[]", 2, &e), &e);
        support_ok(store_publish(w, 0, &e), &e);
        support_failed(samples_open(&s, path, &e), &e, bad[i][1]);
    }
}

static void write_records(const char *videos, const struct npy *table)
{
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct buf value = {0};
    struct store_spec spec = {
        .schema = SAMPLES_SCHEMA, .version = SAMPLES_VERSION, .tool = "test", .force = true};
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    if (table) {
        support_ok(codec_pack(c, table, &value, &e), &e);
        support_ok(store_put(w, "epoch/00000000", value.data, value.len, &e), &e);
    }
    if (videos)
        support_ok(store_put(w, "videos", videos, strlen(videos), &e), &e);
    support_ok(store_publish(w, 1, &e), &e);
    buf_release(&value);
    codec_free(c);
}

static void test_bad_records(void **state)
{
    (void)state;
    struct err e = {0};
    struct samples *s;
    const struct sample *back;
    size_t n;
    write_records(NULL, NULL);
    assert_int_equal(samples_open(&s, path, &e), ERR_NOT_FOUND);
    support_failed(-1, &e, "no record videos");
    write_records("{}", NULL);
    support_failed(samples_open(&s, path, &e), &e, "videos: not an array");
    write_records("[\"a\",1]", NULL);
    support_failed(samples_open(&s, path, &e), &e, "videos: 1: not a string");
    write_records("[", NULL);
    support_failed(samples_open(&s, path, &e), &e, "videos: 1:");
    static const float numbers[4];
    struct npy other = {
        .descr = "<f4", .n_dims = 1, .dim = {4}, .data = numbers, .data_bytes = sizeof numbers};
    write_records("[]", &other);
    support_ok(samples_open(&s, path, &e), &e);
    support_failed(samples_epoch(s, 0, &back, &n, &e), &e,
                   "epoch/00000000: not a table of samples");
    samples_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descr),
        cmocka_unit_test(test_frame),
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_records, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
