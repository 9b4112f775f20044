/* SPDX-License-Identifier: Apache-2.0 */
/* The official layouts that teg-synth writes: what their importers read is what was planted. */
#include <math.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/datasets/importer.h"
#include "common/datasets/synth_files.h"
#include "common/datasets/video_files.h"
#include "tests/unit/folder_support.h"

enum { N_VIDEOS = 24 };

/* A data set that was written, and what its importer makes of it. */
struct set {
    struct synth_options o;
    struct video_list list;
};

/* Stands in for the video of a plan. */
static int touch(void *user, const struct synth_plan *p, struct err *e)
{
    const struct synth_options *o = user;
    struct buf name = {0};
    assert_int_equal(o->kind->path(o, p, &name, e), 0);
    char *path = path_join(folder, (char *)name.data), *parent = path_folder(path);
    support_ok(file_make_folder(parent, e), e);
    assert_false(file_exists(path));
    support_write(path, "", 0);
    free(parent);
    free(path);
    buf_release(&name);
    return 0;
}

static void import(struct set *s, const char *detections, int fold)
{
    struct err e = {0};
    struct video_files files;
    char videos[300], annotations[300];
    const struct importer *importer = importer_find(s->o.kind->name);
    snprintf(videos, sizeof videos, "%s/videos", folder);
    snprintf(annotations, sizeof annotations, "%s/annotations", folder);
    struct import_options options = {.videos = videos,
                                     .annotations = annotations,
                                     .detections = detections,
                                     .fold = fold,
                                     .video_start = -1};
    support_ok(importer->read(&options, &s->list, &e), &e);
    support_ok(video_files_init(&files, videos, NULL, &e), &e);
    assert_int_equal(files.n, N_VIDEOS);
    files.ignore_case = importer->ignores_case;
    support_ok(video_files_settle(&files, &s->list, &e), &e);
    video_files_release(&files);
    support_ok(video_list_finish(&s->list, &e), &e);
    assert_int_equal(s->list.n, N_VIDEOS);
    for (size_t i = 0; importer->complete && i < s->list.n; i++)
        support_ok(importer->complete(&options, &s->list.videos[i], &e), &e);
}

static void write_set(struct set *s, const char *name)
{
    struct err e = {0};
    *s = (struct set){0};
    synth_options_init(&s->o);
    s->o.kind = synth_find(name);
    assert_non_null(s->o.kind);
    s->o.folder = folder;
    s->o.n_videos = N_VIDEOS;
    s->o.size = 32;
    s->o.codec = strcmp(name, "ssv2") == 0 ? ENCODE_VP9 : ENCODE_MPEG4;
    s->o.annotations_only = true;
    support_ok(synth_options_complete(&s->o, &e), &e);
    support_ok(synth_write(&s->o, 1, NULL, &e), &e);
    for (int split = 0; split < SYNTH_N_SPLITS; split++)
        support_ok(synth_each(&s->o, (enum synth_split)split, touch, &s->o, &e), &e);
}

/* The video of a plan in the list: by the path of its file. */
static const struct video *video_of(const struct set *s, const struct synth_plan *p)
{
    struct err e = {0};
    struct buf path = {0};
    const struct video *found = NULL;
    support_ok(s->o.kind->path(&s->o, p, &path, &e), &e);
    for (size_t i = 0; i < s->list.n; i++)
        if (strcmp(s->list.videos[i].path, (char *)path.data + strlen("videos/")) == 0)
            found = &s->list.videos[i];
    if (!found)
        fail_msg("%s is not in the list", (char *)path.data);
    buf_release(&path);
    return found;
}

typedef void check_fn(const struct set *s, const struct synth_plan *p, const struct video *v);

/* Hands every planted video with its imported record to `check`. */
static void each(const struct set *s, check_fn *check)
{
    for (int split = 0; split < SYNTH_N_SPLITS; split++)
        for (uint64_t i = 0; i < synth_n_videos(&s->o, (enum synth_split)split); i++) {
            struct synth_plan p;
            synth_plan(&s->o, (enum synth_split)split, i, &p);
            check(s, &p, video_of(s, &p));
        }
}

static void release(struct set *s)
{
    video_list_release(&s->list);
    support_remove(folder);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* -- classification -- */

static void check_scene(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    char degrees[8];
    snprintf(degrees, sizeof degrees, "%03ld", synth_scene_degrees(&s->o, p->scene));
    assert_non_null(v->class_name);
    if (!strstr(v->class_name, degrees))
        fail_msg("%s has class %s, not %s", v->path, v->class_name, degrees);
}

static void check_split(const char *val, const struct synth_plan *p, const struct video *v)
{
    assert_string_equal(v->split, p->split == SYNTH_VAL ? val : "train");
}

static void check_val(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    check_scene(s, p, v);
    check_split("val", p, v);
}

static void check_test(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    check_scene(s, p, v);
    check_split("test", p, v);
}

static void check_hmdb51(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    check_scene(s, p, v);
    if (p->split == SYNTH_TRAIN && p->number % 10 == 1)
        assert_null(v->split);
    else
        check_split("test", p, v);
}

static void test_classification(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        check_fn *check;
    } sets[] = {{"kinetics", check_val},
                {"ucf101", check_test},
                {"ssv2", check_val},
                {"diving48", check_test}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct set s;
        write_set(&s, sets[i].name);
        import(&s, NULL, 0);
        each(&s, sets[i].check);
        release(&s);
    }
    struct set s;
    write_set(&s, "hmdb51");
    import(&s, NULL, 2);
    each(&s, check_hmdb51);
    release(&s);
}

/* The divisions of UCF101 have test splits of one size that do not overlap. */
static void test_divisions(void **state)
{
    (void)state;
    struct set s;
    int n_test[3] = {0}, times[N_VIDEOS] = {0};
    write_set(&s, "ucf101");
    for (int fold = 1; fold <= 3; fold++) {
        import(&s, NULL, fold);
        for (size_t i = 0; i < s.list.n; i++) {
            bool test = strcmp(s.list.videos[i].split, "test") == 0;
            n_test[fold - 1] += test;
            times[i] += test;
        }
        video_list_release(&s.list);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(n_test[i], N_VIDEOS / 4);
    for (int i = 0; i < N_VIDEOS; i++)
        assert_true(times[i] <= 1);
    release(&s);
}

/* Ids that look like options, or like those that were lengthened. */
static void test_ids(void **state)
{
    (void)state;
    struct synth_options o;
    char id[2][2000][SYNTH_ID_BYTES];
    int n_hyphen = 0, n_underscore = 0;
    synth_options_init(&o);
    for (int split = 0; split < 2; split++)
        for (uint64_t i = 0; i < 2000; i++) {
            struct synth_plan p = {.split = (enum synth_split)split, .number = i};
            synth_youtube_id(&o, &p, id[split][i]);
            assert_int_equal(strlen(id[split][i]), 11);
            n_hyphen += id[split][i][0] == '-';
            n_underscore += id[split][i][0] == '_';
        }
    assert_true(n_hyphen >= 1000 && n_underscore >= 1000 && n_hyphen < 1200);
    for (size_t i = 0; i < 4000; i++)
        for (size_t k = 0; k < i; k++)
            if (memcmp(id[0][0] + i * SYNTH_ID_BYTES, id[0][0] + k * SYNTH_ID_BYTES,
                       SYNTH_ID_BYTES) == 0)
                fail_msg("%zu and %zu have the same id", i, k);
}

/* -- events -- */

static void check_verbs(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    (void)s;
    check_split("val", p, v);
    assert_int_equal(v->n_events, 5);
    for (int i = 0; i < 5; i++) {
        const struct event *event = &v->events[i];
        char verb[SYNTH_NAME_BYTES];
        snprintf(verb, sizeof verb, "%s.01", strchr(synth_shape_name(p->event[i].shape), '-') + 1);
        assert_string_equal(event->label, verb);
        assert_true(event->start == synth_seconds(&s->o, p->event[i].start));
        assert_true(event->end == synth_seconds(&s->o, p->event[i].end));
        size_t wanted = p->split == SYNTH_TRAIN ? 0 : p->number % 8 == 7 ? 12 : 10, n_right = 0;
        assert_int_equal(event->n_labels, wanted);
        for (size_t k = 0; k < event->n_labels && k < 10; k++)
            n_right += strcmp(event->labels[k], verb) == 0;
        assert_true(wanted == 0 || n_right >= 6);
    }
}

static void test_vidsitu(void **state)
{
    (void)state;
    struct set s;
    write_set(&s, "vidsitu");
    import(&s, NULL, 0);
    each(&s, check_verbs);
    const struct json *labels = json_member(s.list.settings, "labels");
    assert_int_equal(json_len(labels), 4 + SYNTH_N_SHAPES);
    assert_string_equal(json_str(json_at(labels, 3)), "<unk>");
    release(&s);
}

static void check_boundaries(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    check_val(s, p, v);
    const struct json *raters = json_member(v->extra, "boundaries");
    const struct json *consistency = json_member(v->extra, "consistency");
    const struct json *exact = json_at(raters, 0);
    assert_true(json_len(raters) >= 3 && json_len(raters) <= 5);
    assert_int_equal(json_len(consistency), json_len(raters));
    assert_int_equal(json_len(exact), 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(json_f64(json_at(exact, i)) == synth_seconds(&s->o, p->event[i + 1].start));
    double sum = 0;
    for (size_t i = 0; i < json_len(raters); i++) {
        const struct json *times = json_at(raters, i);
        double before = 0, f1 = json_f64(json_at(consistency, i));
        for (size_t k = 0; k < json_len(times); k++) {
            assert_true(json_f64(json_at(times, k)) > before);
            before = json_f64(json_at(times, k));
        }
        assert_true(before < synth_seconds(&s->o, s->o.n_frames));
        assert_true(f1 >= 0 && f1 <= 1);
        sum += f1;
    }
    double mean = json_f64(json_member(v->extra, "consistency_mean"));
    assert_true(fabs(mean - sum / (double)json_len(raters)) < 1e-12);
    assert_true(mean > 0.3); /* what the evaluation asks for */
}

static void test_gebd(void **state)
{
    (void)state;
    struct set s;
    write_set(&s, "gebd");
    import(&s, NULL, 0);
    each(&s, check_boundaries);
    release(&s);
}

/* -- boxes -- */

static bool is_near(const struct json *box, const double *planted, double tolerance)
{
    for (size_t i = 0; i < 4; i++)
        if (fabs(json_f64(json_at(box, i)) - planted[i]) > tolerance)
            return false;
    return true;
}

/* What the key frame at this time shows is what was planted: nobody, or one person of two actions.
 */
static void check_moment(const struct set *s, const struct synth_plan *p, const struct video *v,
                         const struct json *frame)
{
    static const int actions[SYNTH_N_SHAPES] = {0, 1, 3, 4, 16, 12, 17, 80};
    const struct json *boxes = json_member(v->extra, "boxes");
    double time = json_f64(json_member(frame, "time")), planted[4];
    int64_t shown = llround(time * 30);
    int event = synth_event_at(p, shown), n = 0, n_right = 0;
    const struct synth_event *e = &p->event[event];
    assert_true(synth_shape_box(&s->o, p, shown, planted));
    for (size_t i = 0; i < json_len(boxes); i++) {
        const struct json *box = json_at(boxes, i), *labels = json_member(box, "labels");
        if (json_f64(json_member(box, "time")) != time)
            continue;
        if (json_member(box, "score")) {
            n_right += json_f64(json_member(box, "score")) >= 0.9 &&
                       is_near(json_member(box, "box"), planted, 0.0206);
            continue;
        }
        n++;
        assert_true(is_near(json_member(box, "box"), planted, 0.00051));
        int size = e->radius > 0.26 ? 11 : 14, action = actions[e->shape];
        assert_int_equal(json_len(labels), 2);
        assert_int_equal(json_i64(json_at(labels, 0)), action < size ? action : size);
        assert_int_equal(json_i64(json_at(labels, 1)), action < size ? size : action);
        if (json_member(box, "person"))
            assert_int_equal(json_i64(json_member(box, "person")), event);
    }
    bool excluded = json_member(frame, "excluded") != NULL;
    assert_int_equal(n, e->shape != 0 && !excluded);
    assert_int_equal(n_right, e->shape != 0 && !excluded && p->split == SYNTH_VAL);
}

static void check_film(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    const struct json *frames = json_member(v->extra, "key_frames");
    check_split("val", p, v);
    assert_int_equal(strlen(v->id), 11);
    for (size_t i = 0; i < json_len(frames); i++) {
        char stamp[8];
        double time = json_f64(json_member(json_at(frames, i), "time"));
        snprintf(stamp, sizeof stamp, "%04d", 900 + (int)time);
        assert_string_equal(json_str(json_member(json_at(frames, i), "timestamp")), stamp);
        check_moment(s, p, v, json_at(frames, i));
    }
}

static void check_clip(const struct set *s, const struct synth_plan *p, const struct video *v)
{
    const struct json *frames = json_member(v->extra, "key_frames");
    if (p->number % 4 == 0) {
        check_film(s, p, v);
        return;
    }
    check_split("val", p, v);
    assert_int_equal(json_len(frames), 1);
    check_moment(s, p, v, json_at(frames, 0));
}

static void test_ava(void **state)
{
    (void)state;
    static const char *const names[] = {"ava", "ava-kinetics"};
    for (size_t i = 0; i < 2; i++) {
        struct set s;
        char detections[300];
        snprintf(detections, sizeof detections, "%s/annotations/ava_val_predicted_boxes.csv",
                 folder);
        write_set(&s, names[i]);
        import(&s, detections, 0);
        each(&s, i ? check_clip : check_film);
        assert_int_equal(json_len(json_member(s.list.settings, "actions")), 80);
        release(&s);
    }
}

/* A white shape on dark stripes. */
static void make_clear(struct synth_plan *p)
{
    for (int i = 0; i < 3; i++) {
        p->rgb[0][i] = 0;
        p->rgb[1][i] = 0.2;
        for (int k = 0; k < p->n_events; k++)
            p->event[k].rgb[i] = 1;
    }
}

/* The box is that of the pixels that are painted with the shape's colour by half at least. */
static void test_boxes_cover_the_shape(void **state)
{
    (void)state;
    enum { SIZE = 32, WHITE = 235 };
    struct err e = {0};
    struct synth_options o;
    struct synth_canvas *c = NULL;
    static uint8_t shown[SIZE * SIZE * 3 / 2], scene[SIZE * SIZE * 3 / 2];
    synth_options_init(&o);
    o.kind = synth_find("events");
    o.size = SIZE;
    support_ok(synth_options_complete(&o, &e), &e);
    support_ok(synth_canvas_new(&c, SIZE, &e), &e);
    for (uint64_t i = 0; i < 40; i++) {
        struct synth_plan p, without;
        double box[4];
        synth_plan(&o, SYNTH_TRAIN, i, &p);
        make_clear(&p);
        without = p;
        for (int k = 0; k < p.n_events; k++)
            without.event[k].x = 10; /* out of the picture */
        assert_false(synth_shape_box(&o, &without, 80, box));
        assert_true(synth_shape_box(&o, &p, 80, box));
        synth_paint_scene(c, &p);
        synth_paint_frame(c, &p, 80, shown);
        synth_paint_frame(c, &without, 80, scene);
        int left = SIZE, top = SIZE, right = -1, bottom = -1;
        for (int k = 0; k < SIZE * SIZE; k++) {
            int x = k % SIZE, y = k / SIZE;
            if (2 * (shown[k] - scene[k]) < WHITE - scene[k] - 1)
                continue;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
        }
        assert_int_equal(llround(box[0] * SIZE), left);
        assert_int_equal(llround(box[1] * SIZE), top);
        assert_int_equal(llround(box[2] * SIZE), right + 1);
        assert_int_equal(llround(box[3] * SIZE), bottom + 1);
    }
    synth_canvas_free(c);
}

/* -- options -- */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct synth_options given;
        const char *why;
    } cases[] = {
        {"vidsitu", {.n_events = 4}, "--events: a video of VidSitu has 5, not 4"},
        {"vidsitu", {.n_frames = 150}, "--frames: a video of VidSitu lasts 10 s, not 5"},
        {"vidsitu", {.jitter = 0.1}, "--jitter: all events of VidSitu"},
        {"ava", {.n_frames = 60}, "--frames: 2 s are too few"},
        {"ssv2", {.codec = ENCODE_MPEG4}, "--codec: the files of ssv2, .webm, cannot hold mpeg4"},
        {"hmdb51", {.codec = ENCODE_H264, .n_shapes = 8}, "--codec: the files of hmdb51, .avi"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0};
        struct synth_options o;
        const struct synth_options *given = &cases[i].given;
        synth_options_init(&o);
        o.kind = synth_find(cases[i].name);
        o.annotations_only = true;
        o.n_events = given->n_events ? given->n_events : o.n_events;
        o.n_frames = given->n_frames ? given->n_frames : o.n_frames;
        o.jitter = given->jitter > 0 ? given->jitter : o.jitter;
        o.codec = strstr(cases[i].why, "--codec") ? given->codec : o.codec;
        support_failed(synth_options_complete(&o, &e), &e, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification),
        cmocka_unit_test(test_divisions),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_vidsitu),
        cmocka_unit_test(test_gebd),
        cmocka_unit_test(test_ava),
        cmocka_unit_test(test_boxes_cover_the_shape),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
