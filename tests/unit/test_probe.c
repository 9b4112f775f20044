/* SPDX-License-Identifier: Apache-2.0 */
/* Probes against their float64 restatement (tests/oracle/probe.py), from stores to written metrics.
 */
#include <math.h>

#include "common/base/file.h"
#include "common/eval/probe.h"
#include "common/store/npy.h"
#include "tests/unit/support.h"

enum {
    VIDEOS = 20,
    TRAIN = 12,
    CLIPS = 3,
    VIEWS = 2,
    STEPS = 3,
    CHANNELS = 10,
    CLIP_FLOATS = STEPS * CHANNELS
};
/* float32 sums and 60 steps of SGD against float64 */
static const double score_tolerance = 2e-5, cosine_tolerance = 1e-6;
static char folder[512];

/* -- the oracle's arrays -- */

/* Data of tests/oracle/probe_NAME.npy, which has n elements; valid until `file` is released. */
static const void *oracle(struct buf *file, const char *name, size_t n)
{
    struct err e = {0};
    struct npy a;
    char path[256];
    snprintf(path, sizeof path, "tests/oracle/probe_%s.npy", name);
    support_ok(file_read(path, file, &e), &e);
    support_ok(npy_parse(&a, file->data, file->len, &e), &e);
    assert_int_equal(a.data_bytes, n * a.item_bytes);
    return a.data;
}

/* -- stores -- */

static void put_video(struct store_writer *w, int number, const char *id)
{
    static const char *const classes[] = {"a", "b", "c", "d"}, *const kinds[] = {"p", "q", "r"};
    struct err e = {0};
    struct event events[CLIPS];
    for (int k = 0; k < CLIPS; k++)
        events[k] =
            (struct event){.start = k, .end = k + 1, .label = (char *)kinds[(number + k) % 3]};
    struct video v = {.id = (char *)id,
                      .path = (char *)"x.mp4",
                      .split = (char *)(number < TRAIN ? "train" : "val"),
                      .class_name = (char *)classes[number % 4],
                      .width = 8,
                      .height = 8,
                      .fps_num = 30,
                      .fps_den = 1,
                      .n_frames = 90,
                      .duration = CLIPS,
                      .codec = (char *)"h264",
                      .ok = true,
                      .events = events,
                      .n_events = CLIPS};
    struct json *j = video_to_json(&v);
    support_ok(store_put(w, id, json_text(j), strlen(json_text(j)), &e), &e);
    json_free(j);
}

static void put_features(struct store_writer *w, struct codec *c, const char *id, const float *x)
{
    struct err e = {0};
    struct embedding_clip clips[CLIPS * VIEWS];
    struct embedding one = {.shape = {.n_steps = STEPS, .n_channels = CHANNELS}};
    for (uint32_t i = 0; i < CLIPS * VIEWS; i++)
        clips[i] = (struct embedding_clip){
            .clip = i / VIEWS, .view = i % VIEWS, .end = 1, .centre = 0.5, .target = -1};
    support_ok(embeddings_put_video(w, id, clips, CLIPS * VIEWS, &e), &e);
    for (size_t i = 0; i < CLIPS * VIEWS; i++) {
        one.values = x + i * CLIP_FLOATS;
        support_ok(embeddings_put(w, c, id, i, &one, &e), &e);
    }
}

/* A store of videos first .. last: the index, or embeddings. */
static void make_store(const char *name, bool index, int first, int last)
{
    struct err e = {0};
    struct buf file = {0};
    struct codec *c;
    struct store_writer *w;
    struct json *settings = json_new_object();
    json_add(settings, "root", json_new_str("."));
    struct store_spec spec = {.schema = index ? INDEX_SCHEMA : EMBEDDINGS_SCHEMA,
                              .version = index ? (int)INDEX_VERSION : (int)EMBEDDINGS_VERSION,
                              .tool = "test",
                              .settings = index ? settings : NULL};
    const float *x = oracle(&file, "features", (size_t)VIDEOS * CLIPS * VIEWS * CLIP_FLOATS);
    support_ok(codec_new(&c, &e), &e);
    support_ok(store_create(&w, support_path(folder, name), &spec, &e), &e);
    for (int i = first; i < last; i++) {
        char id[16];
        snprintf(id, sizeof id, "video-%02d", i);
        if (index)
            put_video(w, i, id);
        else
            put_features(w, c, id, x + (size_t)i * CLIPS * VIEWS * CLIP_FLOATS);
    }
    support_ok(store_publish(w, (uint64_t)(last - first), &e), &e);
    codec_free(c);
    json_free(settings);
    buf_release(&file);
}

static int set_up(void **state)
{
    (void)state;
    support_make_folder(folder, sizeof folder);
    make_store("index.lmdb", true, 0, VIDEOS);
    make_store("all.lmdb", false, 0, VIDEOS);
    make_store("train.lmdb", false, 0, TRAIN);
    make_store("test.lmdb", false, TRAIN, VIDEOS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    support_remove(folder);
    return 0;
}

/* -- running -- */

/* What tests/oracle/probe.py does. */
static struct probe_options oracle_options(void)
{
    static char index[600], all[600], out[600], predictions[600];
    snprintf(index, sizeof index, "%s/index.lmdb", folder);
    snprintf(all, sizeof all, "%s/all.lmdb", folder);
    snprintf(out, sizeof out, "%s/metrics.json", folder);
    snprintf(predictions, sizeof predictions, "%s/predictions.jsonl", folder);
    struct probe_options o = probe_defaults();
    o.source = (struct probe_source){.embeddings = all, .index = index};
    o.out = out;
    o.predictions = predictions;
    o.sgd = (struct sgd_options){.epochs = 60,
                                 .warmup_epochs = 5,
                                 .batch = 1024,
                                 .lr = 3,
                                 .momentum = 0.9,
                                 .weight_decay = 1e-3};
    o.lbfgs = (struct lbfgs_options){.max_iterations = 1000, .l2 = 0.01, .tolerance = 1e-7};
    o.k = 7;
    o.temperature = 0.2;
    return o;
}

static struct json *run(const struct probe_options *o)
{
    struct err e = {0};
    struct json *metrics = NULL;
    support_ok(probe_run(o, NULL, &metrics, &e), &e);
    return metrics;
}

/* The scores in one line of the predictions, by the last letter of the class's name. */
static void read_scores(const char *line, size_t len, char first, double *scores)
{
    struct err e = {0};
    struct json *j = json_parse(line, len, &e), *best;
    assert_non_null(j);
    support_ok(json_get_array(j, "best", &best, &e), &e);
    for (size_t i = 0; i < json_len(best); i++) {
        const char *name = json_str(json_member(json_at(best, i), "class"));
        scores[name[0] - first] = json_f64(json_member(json_at(best, i), "score"));
        if (i > 0)
            assert_true(json_f64(json_member(json_at(best, i - 1), "score")) >=
                        scores[name[0] - first]);
    }
    json_free(j);
}

/* Compares the predictions file with the oracle's scores. */
static void check_scores(const char *name, size_t n_decisions, size_t n_classes)
{
    struct err e = {0};
    struct buf expected = {0}, file = {0};
    const double *want = oracle(&expected, name, n_decisions * n_classes);
    support_ok(file_read(support_path(folder, "predictions.jsonl"), &file, &e), &e);
    const char *line = (const char *)file.data, *end = line + file.len;
    for (size_t i = 0; i < n_decisions; i++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        double scores[4];
        assert_non_null(stop);
        read_scores(line, (size_t)(stop - line), n_classes == 4 ? 'a' : 'p', scores);
        for (size_t k = 0; k < n_classes; k++)
            if (!(fabs(scores[k] - want[i * n_classes + k]) < score_tolerance))
                fail_msg("%s: score %zu of decision %zu is %.9g instead of %.9g", name, k, i,
                         scores[k], want[i * n_classes + k]);
        line = stop + 1;
    }
    assert_ptr_equal(line, end);
    buf_release(&expected);
    buf_release(&file);
}

static void check_method(enum probe_method method)
{
    struct probe_options o = oracle_options();
    char name[64];
    o.method = method;
    for (int of_events = 0; of_events < 2; of_events++) {
        o.source.of_events = of_events;
        json_free(run(&o));
        snprintf(name, sizeof name, "%s_%s", of_events ? "events" : "class",
                 probe_method_names[method]);
        check_scores(name, of_events ? (VIDEOS - TRAIN) * CLIPS : VIDEOS - TRAIN,
                     of_events ? 3 : 4);
    }
}

/* -- the cases -- */

static void test_linear(void **state)
{
    (void)state;
    check_method(PROBE_LINEAR);
}

/* An epoch that takes as many clips of every video or event as there are takes all. Of one each, an
 * epoch has as many steps as the videos or events fill. */
static void test_views_per_epoch(void **state)
{
    struct probe_options o = oracle_options();
    (void)state;
    o.sgd.views_per_epoch = CLIPS * VIEWS;
    json_free(run(&o));
    check_scores("class_linear", VIDEOS - TRAIN, 4);
    o.source.of_events = true;
    o.sgd.views_per_epoch = VIEWS;
    json_free(run(&o));
    check_scores("events_linear", (VIDEOS - TRAIN) * CLIPS, 3);
    o.sgd.views_per_epoch = 1;
    o.sgd.batch = TRAIN * CLIPS / 4;
    struct json *metrics = run(&o), *train = json_member(metrics, "train");
    assert_int_equal(json_i64(json_member(train, "steps")), 4 * 60);
    assert_int_equal(json_i64(json_member(train, "clips")), TRAIN * CLIPS * VIEWS);
    json_free(metrics);
}

static void test_centred(void **state)
{
    struct probe_options o = oracle_options();
    (void)state;
    o.normalize = PROBE_CENTRED;
    json_free(run(&o));
    check_scores("class_centred", VIDEOS - TRAIN, 4);
    o.source.of_events = true;
    json_free(run(&o));
    check_scores("events_centred", (VIDEOS - TRAIN) * CLIPS, 3);
}

static void test_logistic(void **state)
{
    (void)state;
    check_method(PROBE_LOGISTIC);
}

static void test_knn(void **state)
{
    (void)state;
    check_method(PROBE_KNN);
}

static void test_similarity(void **state)
{
    struct buf expected = {0};
    const double *want = oracle(&expected, "similarity", CLIPS * CLIPS + 2);
    struct probe_options o = oracle_options();
    struct json *metrics = run(&o), *moments = json_member(metrics, "moment_cosine");
    (void)state;
    assert_int_equal(json_i64(json_member(moments, "videos")), VIDEOS - TRAIN);
    for (size_t i = 0; i < CLIPS * CLIPS; i++) {
        const struct json *row = json_at(json_member(moments, "mean"), i / CLIPS);
        assert_true(fabs(json_f64(json_at(row, i % CLIPS)) - want[i]) < cosine_tolerance);
    }
    assert_true(fabs(json_f64(json_member(metrics, "within_video_cosine")) - want[CLIPS * CLIPS]) <
                cosine_tolerance);
    assert_true(fabs(json_f64(json_member(metrics, "between_video_cosine")) -
                     want[CLIPS * CLIPS + 1]) < cosine_tolerance);
    json_free(metrics);
    buf_release(&expected);
}

static void test_counts(void **state)
{
    struct probe_options o = oracle_options();
    o.source.of_events = true;
    struct json *metrics = run(&o), *classes = json_member(metrics, "classes");
    int64_t n = 0, correct = 0;
    (void)state;
    for (size_t k = 0; k < json_len(classes); k++) {
        n += json_i64(json_member(json_at(classes, k), "n"));
        correct += json_i64(json_member(json_at(classes, k), "correct"));
    }
    assert_int_equal(json_len(classes), 3);
    assert_int_equal(n, (VIDEOS - TRAIN) * CLIPS);
    assert_true(json_f64(json_member(metrics, "top1")) == (double)correct / (double)n);
    assert_true(json_f64(json_member(metrics, "top5")) == 1);
    assert_true(json_f64(json_member(metrics, "chance")) == 1.0 / 3);
    assert_int_equal(json_i64(json_member(json_member(metrics, "train"), "clips")),
                     TRAIN * CLIPS * VIEWS);
    assert_int_equal(json_i64(json_member(json_member(metrics, "test"), "decisions")), n);
    json_free(metrics);
}

/* Two stores instead of one with splits: the same numbers. */
static void test_two_stores(void **state)
{
    static char train[600], test[600];
    struct probe_options o = oracle_options();
    (void)state;
    snprintf(train, sizeof train, "%s/train.lmdb", folder);
    snprintf(test, sizeof test, "%s/test.lmdb", folder);
    struct json *one = run(&o);
    o.source.embeddings = train;
    o.source.test = test;
    struct json *two = run(&o);
    static const char *const same[] = {"settings",      "top1",    "train", "test",
                                       "moment_cosine", "classes", NULL};
    for (size_t i = 0; same[i]; i++)
        assert_true(json_equal(json_member(one, same[i]), json_member(two, same[i])));
    json_free(one);
    json_free(two);
}

/* Every byte of the metrics and the predictions is the same on any number of threads. */
static void test_threads(void **state)
{
    struct err e = {0};
    struct buf first[2] = {{0}}, again[2] = {{0}};
    const char *const names[2] = {"metrics.json", "predictions.jsonl"};
    (void)state;
    for (enum probe_method method = PROBE_LINEAR; method <= PROBE_KNN; method++)
        for (size_t n_threads = 1; n_threads < 5; n_threads++) {
            struct probe_options o = oracle_options();
            o.method = method;
            o.n_threads = n_threads;
            json_free(run(&o));
            for (int i = 0; i < 2; i++) {
                struct buf *into = n_threads == 1 ? &first[i] : &again[i];
                buf_clear(into);
                support_ok(file_read(support_path(folder, names[i]), into, &e), &e);
                assert_int_equal(into->len, first[i].len);
                assert_memory_equal(into->data, first[i].data, into->len);
            }
        }
    for (int i = 0; i < 2; i++) {
        buf_release(&first[i]);
        buf_release(&again[i]);
    }
}

/* A learning rate that explodes is an error that says what to do. */
static void test_divergence(void **state)
{
    struct err e = {0};
    struct json *metrics = NULL;
    struct probe_options o = oracle_options();
    (void)state;
    o.sgd.lr = 1e30;
    o.sgd.weight_decay = 1e10;
    support_failed(probe_run(&o, NULL, &metrics, &e), &e, "the loss is not a finite number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),  cmocka_unit_test(test_views_per_epoch),
        cmocka_unit_test(test_centred), cmocka_unit_test(test_logistic),
        cmocka_unit_test(test_knn),     cmocka_unit_test(test_similarity),
        cmocka_unit_test(test_counts),  cmocka_unit_test(test_two_stores),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_divergence),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
