/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/loader.h"

#include "tests/unit/clip_support.h"

enum { N_VIDEOS = 3, N_IDS = 4, SIZE = 5, N_PAIRS = 11, N_SINGLES = 23, MAX_ROWS = 64 };

static const struct frames_info videos[N_VIDEOS] = {
    {.width = 16,
     .height = 12,
     .n_frames = 40,
     .fps_num = 25,
     .fps_den = 1,
     .frame_step = 1,
     .ok = true},
    {.width = 21,
     .height = 9,
     .n_frames = 7,
     .fps_num = 25,
     .fps_den = 1,
     .frame_step = 1,
     .ok = true},
    {.width = 12,
     .height = 18,
     .n_frames = 30,
     .fps_num = 25,
     .fps_den = 1,
     .frame_step = 1,
     .ok = true},
};

struct fixture {
    char folder[256];
    struct frames_info video[N_VIDEOS];
    struct frames *frames;
    struct backend *backend;
    struct samples *samples;
    struct sample rows[MAX_ROWS]; /* the table in `samples` */
    size_t n_rows;
};

/* Long clips of 8 frames and short ones of 4 inside them, long first in every second example. */
static size_t make_pairs(struct fixture *f, struct sample *rows)
{
    for (uint32_t i = 0; i < N_PAIRS; i++) {
        uint32_t video = i * 2 % N_VIDEOS;
        for (int k = 0; k < 2; k++) {
            struct sample *s = &rows[2 * i + (uint32_t)(i % 2 ? 1 - k : k)];
            *s = clip_support_sample(video, &f->video[video]);
            s->example = i;
            s->role = k ? SAMPLE_SHORT : SAMPLE_LONG;
            s->length = k ? 4 : 8;
            s->stride = k ? 1 : 2;
            s->start = (int32_t)i + 2 * k;
            s->flip = (i + (uint32_t)k) & 1;
        }
    }
    return 2 * N_PAIRS;
}

/* Single clips, three views of each; the last ones are longer. */
static size_t make_singles(struct fixture *f, struct sample *rows)
{
    for (uint32_t i = 0; i < N_SINGLES; i++) {
        uint32_t clip = i / 3, video = clip % N_VIDEOS;
        rows[i] = clip_support_sample(video, &f->video[video]);
        rows[i].example = i;
        rows[i].start = (int32_t)clip;
        rows[i].view = (uint8_t)(i % 3);
        rows[i].crop_w = (uint16_t)(5 + i % 3);
        rows[i].length = clip >= 6 ? 6 : 4;
    }
    return N_SINGLES;
}

static void use_rows(struct fixture *f, size_t n_rows)
{
    struct err e = {0};
    samples_close(f->samples);
    f->samples = NULL;
    support_remove(support_path(f->folder, "samples.lmdb"));
    clip_support_samples(support_path(f->folder, "samples.lmdb"),
                         support_path(f->folder, "frames.lmdb"), f->rows, n_rows, N_IDS);
    support_ok(samples_open(&f->samples, support_path(f->folder, "samples.lmdb"), &e), &e);
    f->n_rows = n_rows;
}

static int set_up(void **state)
{
    static struct fixture f;
    struct err e = {0};
    support_make_folder(f.folder, sizeof f.folder);
    memcpy(f.video, videos, sizeof videos);
    clip_support_frames(support_path(f.folder, "frames.lmdb"), f.video, N_VIDEOS);
    support_ok(frames_open(&f.frames, support_path(f.folder, "frames.lmdb"), &e), &e);
    support_ok(
        backend_open(&f.backend, &(struct backend_options){.device = "cpu", .n_threads = 2}, &e),
        &e);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    samples_close(f->samples);
    frames_close(f->frames);
    backend_close(f->backend);
    support_remove(f->folder);
    return 0;
}

struct run {
    struct loader *loader;
    struct loader_walk walk;
};

static void start(struct run *r, struct fixture *f, size_t n_examples, size_t n_threads)
{
    struct err e = {0};
    r->walk = (struct loader_walk){.samples = f->samples, .n_examples = n_examples};
    struct loader_options o = {.frames = f->frames,
                               .ids = samples_ids(f->samples),
                               .n_ids = samples_n_videos(f->samples),
                               .origin = store_path(samples_store(f->samples)),
                               .backend = f->backend,
                               .clips = {SIZE, DTYPE_F32},
                               .n_threads = n_threads,
                               .n_ahead = n_threads,
                               .source = loader_walk_next,
                               .user = &r->walk};
    support_ok(loader_new(&r->loader, &o, &e), &e);
}

/* The clip is what clips_read makes of the row. */
static void check_clip(struct fixture *f, struct clips *c, const struct sample *row,
                       const char *got)
{
    float wanted[8 * SIZE * SIZE * 3];
    struct err e = {0};
    support_ok(clips_read(c, row->video, row, wanted, &e), &e);
    assert_memory_equal(got, wanted, row->length * SIZE * SIZE * 3 * sizeof(float));
    (void)f;
}

/* Walks through the table; every row must come exactly once, in order, with its pixels. Returns the
 * batches. */
static size_t check_epoch(struct fixture *f, size_t n_examples, size_t n_threads)
{
    struct clips_options o = {SIZE, DTYPE_F32};
    const struct clip_batch *b;
    struct clips *c;
    struct run r;
    struct err e = {0};
    size_t row = 0, n_batches = 0;
    int rc;
    support_ok(clips_open(&c, f->frames, f->backend, &o, &e), &e);
    start(&r, f, n_examples, n_threads);
    for (; (rc = loader_next(r.loader, &b, &e)) > 0; n_batches++) {
        assert_int_equal(b->first_row, row);
        assert_true(b->n >= 1 && b->n <= n_examples && b->waited >= 0);
        for (size_t i = 0; i < b->n; i++)
            for (size_t k = 0; k < b->n_roles; k++, row++) {
                const struct sample *wanted = &f->rows[row];
                size_t role = wanted->role == SAMPLE_SHORT ? CLIP_SHORT : CLIP_LONG;
                assert_memory_equal(&b->rows[role][i], wanted, sizeof *wanted);
                assert_int_equal(b->length[role], wanted->length);
                check_clip(f, c, wanted,
                           (char *)b->pixels[role] + i * clips_bytes(&o, b->length[role]));
            }
    }
    support_ok(rc, &e);
    assert_int_equal(row, f->n_rows);
    assert_int_equal(loader_next(r.loader, &b, &e), 0);
    loader_free(r.loader);
    clips_close(c);
    return n_batches;
}

static void pairs_arrive_in_order_for_any_threads(void **state)
{
    struct fixture *f = *state;
    use_rows(f, make_pairs(f, f->rows));
    for (size_t n_threads = 1; n_threads <= 4; n_threads++) {
        assert_int_equal(check_epoch(f, 4, n_threads), 3);
        assert_int_equal(check_epoch(f, 1, n_threads), N_PAIRS);
        assert_int_equal(check_epoch(f, 100, n_threads), 1);
    }
}

static void singles_are_split_where_the_length_changes(void **state)
{
    struct fixture *f = *state;
    use_rows(f, make_singles(f, f->rows));
    for (size_t n_threads = 1; n_threads <= 4; n_threads++) {
        assert_int_equal(check_epoch(f, 4, n_threads), 5 + 2); /* 18 short clips, 5 long ones */
        assert_int_equal(check_epoch(f, 100, n_threads), 2);
    }
}

static void takes_whole_examples(void **state)
{
    struct fixture *f = *state;
    struct sample rows[MAX_ROWS];
    make_pairs(f, rows);
    assert_int_equal(loader_take(rows, 6, 100), 6);
    assert_int_equal(loader_take(rows, 5, 100), 4);
    assert_int_equal(loader_take(rows, 22, 3), 6);
    assert_int_equal(loader_take(rows, 0, 3), 0);
    rows[2].length = rows[3].length = 5;
    assert_int_equal(loader_take(rows, 6, 100), 2);
    rows[2] = clip_support_sample(0, &f->video[0]);
    assert_int_equal(loader_take(rows + 2, 4, 100), 1);
}

/* Reads until the error comes; it must name the row and the reason. */
static void fails_with(struct fixture *f, size_t n_good, const char *message)
{
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        const struct clip_batch *b;
        struct run r;
        struct err e = {0};
        start(&r, f, 2, n_threads);
        for (size_t i = 0; i < n_good; i++)
            assert_int_equal(loader_next(r.loader, &b, &e), 1);
        support_failed(loader_next(r.loader, &b, &e), &e, message);
        loader_free(r.loader);
    }
}

static void errors_name_store_epoch_and_clip(void **state)
{
    struct fixture *f = *state;
    size_t n = make_pairs(f, f->rows);
    f->rows[9].crop_x = 500;
    f->rows[10].crop_x = 600; /* of the same batch: the first counts */
    use_rows(f, n);
    fails_with(f, 2, "samples.lmdb: epoch 0: clip 9: video v2: crop box");

    make_pairs(f, f->rows);
    f->rows[6].video = f->rows[7].video = 3;
    use_rows(f, n);
    fails_with(f, 1, "samples.lmdb: epoch 0: clip 6: video v3 is not in ");

    make_pairs(f, f->rows);
    f->rows[5].example = 77;
    use_rows(f, n);
    fails_with(f, 1, "samples.lmdb: epoch 0: clip 4: example 2 is not a long and a short clip");

    make_pairs(f, f->rows);
    use_rows(f, n - 1);
    fails_with(f, 5, "samples.lmdb: epoch 0: clip 20: example 10 is not a long and a short clip");
}

static int give_mixed(void *user, struct clip_request *request, struct err *e)
{
    (void)e;
    *request = *(struct clip_request *)user;
    return 1;
}

static int give_nothing(void *user, struct clip_request *request, struct err *e)
{
    (void)user;
    (void)request;
    return err_set(e, "the source has failed");
}

static void source_fails(struct fixture *f, loader_source *source, void *user, const char *message)
{
    const struct clip_batch *b;
    struct loader *l;
    struct err e = {0};
    struct loader_options o = {.frames = f->frames, .origin = "t", .backend = f->backend};
    o.ids = samples_ids(f->samples);
    o.n_ids = samples_n_videos(f->samples);
    o.clips = (struct clips_options){SIZE, DTYPE_F32};
    o.source = source;
    o.user = user;
    support_ok(loader_new(&l, &o, &e), &e);
    support_failed(loader_next(l, &b, &e), &e, message);
    loader_free(l);
}

static void bad_requests_are_refused(void **state)
{
    struct fixture *f = *state;
    use_rows(f, make_pairs(f, f->rows));
    struct clip_request request = {.epoch = 3, .first_row = 40, .rows = f->rows, .n_rows = 4};
    source_fails(f, give_nothing, NULL, "the source has failed");
    f->rows[3].role = SAMPLE_SINGLE;
    source_fails(f, give_mixed, &request, "epoch 3: clip 43: single clips and pairs in one batch");
    make_pairs(f, f->rows);
    f->rows[3].length = 3;
    source_fails(f, give_mixed, &request,
                 "epoch 3: clip 43: 3 frames, but 8 in the clips before it");
    request.n_rows = 0;
    source_fails(f, give_mixed, &request, "a batch without clips");
}

/* Ends while threads are at work. */
static void may_be_freed_early(void **state)
{
    struct fixture *f = *state;
    const struct clip_batch *b;
    struct err e = {0};
    struct run r;
    use_rows(f, make_pairs(f, f->rows));
    for (int i = 0; i < 20; i++) {
        start(&r, f, 2, 3);
        if (i % 2)
            assert_int_equal(loader_next(r.loader, &b, &e), 1);
        loader_free(r.loader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_arrive_in_order_for_any_threads),
        cmocka_unit_test(singles_are_split_where_the_length_changes),
        cmocka_unit_test(takes_whole_examples),
        cmocka_unit_test(errors_name_store_epoch_and_clip),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(may_be_freed_early),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
