/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/embeddings.h"

#include <math.h>
#include <stdio.h>

#include "common/base/file.h"
#include "common/store/half.h"
#include "tests/unit/support.h"

static char folder[256], path[300];

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/embeddings.lmdb", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

/* -- float16 -- */

/* The value of a float16 by its definition. */
static double half_value(unsigned h)
{
    unsigned exponent = h >> 10 & 31, fraction = h & 1023;
    double x = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
    return h & 0x8000 ? -x : x;
}

/* Every finite float16 there is, the points halfway to its neighbour, and their neighbours. */
static void test_half(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7c00; h++) {
        for (unsigned sign = 0; sign <= 0x8000; sign += 0x8000) {
            assert_true(half_to_f32((uint16_t)(h | sign)) == half_value(h | sign));
            assert_int_equal(half_from_f32((float)half_value(h | sign)), h | sign);
        }
        double next = h == 0x7bff ? 65536 : half_value(h + 1);
        float middle = (float)((half_value(h) + next) / 2);
        unsigned even = h % 2 ? h + 1 : h;
        assert_int_equal(half_from_f32(middle), even);
        assert_int_equal(half_from_f32(-middle), even | 0x8000);
        assert_int_equal(half_from_f32(nextafterf(middle, 0)), h);
        assert_int_equal(half_from_f32(nextafterf(middle, INFINITY)), h + 1);
    }
    assert_true(isinf(half_to_f32(0x7c00)) && half_to_f32(0xfc00) < 0);
    assert_true(isnan(half_to_f32(0x7e00)));
    assert_int_equal(half_from_f32(65536), 0x7c00);
    assert_int_equal(half_from_f32(-INFINITY), 0xfc00);
    assert_int_equal(half_from_f32(1e-30f), 0);
}

/* -- stores -- */

enum { N_VIDEOS = 4, STEPS = 3, CHANNELS = 5 };
static const char *const ids[N_VIDEOS] = {"a", "a-x", "b/00000000y", "c"};

static float number(size_t video, size_t clip, size_t i)
{
    return ((float)(video * 64 + clip * 16 + i) - 40) / 64; /* exact in float16 */
}

static struct embedding_clip make_clip(size_t video, size_t clip)
{
    return (struct embedding_clip){.clip = (uint32_t)clip,
                                   .view = (uint32_t)video,
                                   .start = -0.25,
                                   .end = 2.1,
                                   .centre = 0.925,
                                   .target = video ? (int32_t)video : -1};
}

/* Video 1 has no clips; video v has v + 1 otherwise. */
static size_t n_clips(size_t video)
{
    return video == 1 ? 0 : video + 1;
}

static void make_store(const struct embedding_shape *shape)
{
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "test", .force = true};
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    for (size_t v = 0; v < N_VIDEOS; v++) {
        struct embedding_clip clips[N_VIDEOS];
        float values[STEPS * CHANNELS];
        for (size_t i = 0; i < n_clips(v); i++)
            clips[i] = make_clip(v, i);
        support_ok(embeddings_put_video(w, ids[v], clips, n_clips(v), &e), &e);
        for (size_t clip = 0; clip < n_clips(v); clip++) {
            for (size_t i = 0; i < STEPS * CHANNELS; i++)
                values[i] = number(v, clip, i);
            support_ok(embeddings_put(w, c, ids[v], clip, &(struct embedding){*shape, values}, &e),
                       &e);
        }
    }
    support_ok(store_publish(w, N_VIDEOS, &e), &e);
    codec_free(c);
}

static void check_all(struct embeddings *m, size_t n)
{
    struct err e = {0};
    float out[STEPS * CHANNELS];
    for (size_t v = 0; v < N_VIDEOS; v++)
        for (size_t clip = 0; clip < n_clips(v); clip++) {
            support_ok(embeddings_read(m, v, clip, out, &e), &e);
            for (size_t i = 0; i < n; i++)
                assert_true(out[i] == number(v, clip, i));
        }
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        struct err e = {0};
        struct embeddings *m, *copy;
        struct embedding_shape shape = {form & 1 ? STEPS : 0, CHANNELS, form & 2};
        size_t n = form & 1 ? STEPS * CHANNELS : CHANNELS;
        float out[STEPS * CHANNELS];
        make_store(&shape);
        support_ok(embeddings_open(&m, path, &e), &e);
        assert_int_equal(embeddings_n_videos(m), N_VIDEOS);
        assert_int_equal(embeddings_n_channels(m), CHANNELS);
        assert_int_equal(embeddings_n_steps(m), form & 1 ? STEPS : 1);
        assert_int_equal(embeddings_dense(m), form & 1);
        assert_int_equal(embeddings_find(m, "b/00000000y"), 2);
        assert_int_equal(embeddings_find(m, "b"), -1);
        for (size_t v = 0; v < N_VIDEOS; v++) {
            assert_string_equal(embeddings_id(m, v), ids[v]);
            assert_int_equal(embeddings_n_clips(m, v), n_clips(v));
            for (size_t i = 0; i < n_clips(v); i++) {
                const struct embedding_clip *is = embeddings_clip(m, v, i);
                struct embedding_clip want = make_clip(v, i);
                assert_int_equal(is->clip, want.clip);
                assert_int_equal(is->view, want.view);
                assert_int_equal(is->target, want.target);
                assert_true(is->start == want.start && is->end == want.end);
                assert_true(is->centre == want.centre);
            }
        }
        check_all(m, n);
        support_ok(embeddings_share(&copy, m, &e), &e);
        check_all(copy, n);
        embeddings_close(copy);
        assert_int_equal(embeddings_read(m, 0, 1, out, &e), ERR_NOT_FOUND);
        assert_string_equal(store_path(embeddings_store(m)), path);
        embeddings_close(m);
        embeddings_close(NULL);
    }
}

static void test_put_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "test"};
    struct embedding_shape shape = {0, 2, true};
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_failed(
        embeddings_put(w, c, "v", 0, &(struct embedding){shape, (float[]){0, 65520}}, &e), &e,
        "v: clip 0: number 1 is 65520, which does not fit into float16 (teg-extract --type "
        "float32)");
    support_failed(embeddings_put(w, c, "v", 0, &(struct embedding){shape, (float[]){NAN, 0}}, &e),
                   &e, "which is not finite");
    support_failed(
        embeddings_put(w, c, "v", 100000000, &(struct embedding){shape, (float[]){0, 0}}, &e), &e,
        "8 digits");
    shape.half = false;
    support_ok(embeddings_put(w, c, "v", 0, &(struct embedding){shape, (float[]){0, 65520}}, &e),
               &e);
    support_failed(
        embeddings_put(w, c, "v", 1, &(struct embedding){shape, (float[]){0, INFINITY}}, &e), &e,
        "is not finite");
    shape.n_channels = 0;
    support_failed(embeddings_put(w, c, "v", 1, &(struct embedding){shape, (float[]){0}}, &e), &e,
                   "embedding of 0 x 0");
    store_abandon(w);
    codec_free(c);
}

/* A store of one video "v" with the given record and array. */
static int open_with(struct embeddings **m, const char *record, const struct npy *a, struct err *e)
{
    struct store_writer *w;
    struct codec *c;
    struct buf value = {0};
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "test", .force = true};
    support_ok(codec_new(&c, e), e);
    support_ok(store_create(&w, path, &spec, e), e);
    support_ok(store_put(w, "v", record, strlen(record), e), e);
    if (a) {
        support_ok(codec_pack(c, a, &value, e), e);
        support_ok(store_put(w, "v/00000000", value.data, value.len, e), e);
    }
    support_ok(store_publish(w, 1, e), e);
    buf_release(&value);
    codec_free(c);
    return embeddings_open(m, path, e);
}

#define CLIP "{\"clip\":0,\"view\":0,\"start\":0,\"end\":1,\"centre\":0.5}"

static void test_bad_records(void **state)
{
    (void)state;
    static const struct {
        const char *record, *why;
    } cases[] = {
        {"[]", "v: not an object"},
        {"{}", "'clips' is missing"},
        {"{\"clips\":[{}]}", "clips: 0: member 'clip' is missing"},
        {"{\"clips\":[{\"clip\":4294967296}]}", "'clip': 4294967296 is too large"},
        {"{\"clips\":[{\"clip\":-1}]}", "'clip': -1, less than 0"},
        {"{\"clips\":[{\"clip\":0,\"view\":0,\"start\":Infinity}]}", "'start': not a finite"},
        {"{\"clips\":[{\"label\":0}]}", "'label' is unknown"},
        {"{\"clips\":[" CLIP "]}", "no record v/00000000"},
    };
    struct err e = {0};
    struct embeddings *m;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        support_failed(open_with(&m, cases[i].record, NULL, &e), &e, cases[i].why);

    float values[2] = {1, NAN}, out[2];
    struct npy a = {.descr = "<f4", .n_dims = 1, .dim = {2}, .data = values, .data_bytes = 8};
    support_ok(open_with(&m, "{\"clips\":[" CLIP "," CLIP "]}", &a, &e), &e);
    support_failed(embeddings_read(m, 0, 0, out, &e), &e, "v: clip 0: number 1 is not finite");
    embeddings_close(m);
    struct npy bytes = {.descr = "|u1", .n_dims = 1, .dim = {8}, .data = values, .data_bytes = 8};
    support_failed(open_with(&m, "{\"clips\":[" CLIP "]}", &bytes, &e), &e,
                   "neither a vector nor a matrix");
    struct npy none = {.descr = "<f4", .n_dims = 2, .dim = {0, 2}, .data = values};
    support_failed(open_with(&m, "{\"clips\":[" CLIP "]}", &none, &e), &e, "an empty array");
}

/* All arrays of a store have one shape. */
static void test_other_shape(void **state)
{
    (void)state;
    struct err e = {0};
    struct store_writer *w;
    struct codec *c;
    struct embeddings *m;
    float out[4];
    struct embedding_clip clips[2] = {{0}};
    struct embedding_shape one = {0, 2, false}, two = {0, 3, false};
    struct store_spec spec = {
        .schema = EMBEDDINGS_SCHEMA, .version = EMBEDDINGS_VERSION, .tool = "test"};
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, path, &spec, &e), &e);
    support_ok(embeddings_put_video(w, "v", clips, 2, &e), &e);
    support_ok(embeddings_put(w, c, "v", 0, &(struct embedding){one, (float[]){1, 2}}, &e), &e);
    support_ok(embeddings_put(w, c, "v", 1, &(struct embedding){two, (float[]){1, 2, 3}}, &e), &e);
    support_ok(store_publish(w, 1, &e), &e);
    codec_free(c);
    support_ok(embeddings_open(&m, path, &e), &e);
    support_ok(embeddings_read(m, 0, 0, out, &e), &e);
    support_failed(embeddings_read(m, 0, 1, out, &e), &e, "v: clip 1: array of another shape");
    embeddings_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_shape, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
