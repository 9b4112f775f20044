/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/clips.h"

#include "tests/unit/clip_support.h"

enum { N_VIDEOS = 4, SIZE = 6, MAX_LENGTH = 8, CLIP_VALUES = MAX_LENGTH * SIZE * SIZE * 3 };

struct fixture {
    char folder[256];
    struct frames_info video[N_VIDEOS];
    struct frames *frames;
    struct backend *backend;
    struct clips *clips;
};

static int set_up(void **state)
{
    static struct fixture f;
    static const struct frames_info videos[N_VIDEOS] = {
        {.width = 16, .height = 12, .n_frames = 9},
        {.width = 31, .height = 25, .n_frames = 5, .matrix = COLOR_BT709, .full_range = true},
        {.width = 12, .height = 18, .n_frames = 30},
        {.n_frames = 0, .reason = "no picture could be decoded"},
    };
    struct err e = {0};
    support_make_folder(f.folder, sizeof f.folder);
    for (size_t i = 0; i < N_VIDEOS; i++) {
        f.video[i] = videos[i];
        f.video[i].fps_num = 25, f.video[i].fps_den = f.video[i].frame_step = 1;
        f.video[i].ok = videos[i].n_frames > 0;
    }
    clip_support_frames(support_path(f.folder, "frames.lmdb"), f.video, N_VIDEOS);
    support_ok(frames_open(&f.frames, support_path(f.folder, "frames.lmdb"), &e), &e);
    support_ok(
        backend_open(&f.backend, &(struct backend_options){.device = "cpu", .n_threads = 2}, &e),
        &e);
    support_ok(
        clips_open(&f.clips, f.frames, f.backend, &(struct clips_options){SIZE, DTYPE_F32}, &e),
        &e);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    clips_close(f->clips);
    frames_close(f->frames);
    backend_close(f->backend);
    support_remove(f->folder);
    return 0;
}

/* Renders the clip without the module: the pictures are known. */
static void render_known(struct fixture *f, const struct sample *s, float *out)
{
    static uint8_t picture[MAX_LENGTH][2048];
    const uint8_t *pictures[MAX_LENGTH];
    const struct frames_info *info = &f->video[s->video];
    struct err e = {0};
    for (int64_t t = 0; t < s->length; t++) {
        clip_support_picture(picture[t], s->video, sample_frame(s, t, info->n_frames),
                             (size_t)(info->stored_width * info->stored_height) * 3 / 2);
        pictures[t] = picture[t];
    }
    struct clip_pixels pixels = {pictures,          s->length,          info->width,
                                 info->height,      info->stored_width, info->stored_height,
                                 (int)info->matrix, info->full_range};
    struct clip_augment augment = {.crop_x = s->crop_x,
                                   .crop_y = s->crop_y,
                                   .crop_w = s->crop_w,
                                   .crop_h = s->crop_h,
                                   .flip = s->flip,
                                   .jitter = s->jitter,
                                   .order = s->order,
                                   .brightness = 0.7f,
                                   .contrast = 1.1f,
                                   .saturation = 1.2f,
                                   .hue = 0.1f};
    struct render_args args = {&pixels, &augment, SIZE, DTYPE_F32, out};
    support_ok(f->backend->ops->render(f->backend, &args, &e), &e);
}

static void reads_as_rendered_from_known_pictures(void **state)
{
    struct fixture *f = *state;
    float got[CLIP_VALUES], wanted[CLIP_VALUES];
    struct err e = {0};
    for (uint32_t video = 0; video < 3; video++)
        for (unsigned k = 0; k < 8; k++) {
            struct sample s = clip_support_sample(video, &f->video[video]);
            s.start = (int32_t)k - 3;
            s.stride = (uint16_t)(1 + k % 3);
            s.length = (uint16_t)(1 + k);
            s.edge = k % 2 ? SAMPLE_WRAP : SAMPLE_CLAMP;
            s.crop_x = 1, s.crop_y = 2;
            s.crop_w = (uint16_t)(s.crop_w - 1), s.crop_h = (uint16_t)(s.crop_h - 2);
            s.flip = k & 1, s.jitter = k >> 1 & 1, s.order = 17;
            s.brightness = 0.7f, s.contrast = 1.1f, s.saturation = 1.2f, s.hue = 0.1f;
            support_ok(clips_read(f->clips, video, &s, got, &e), &e);
            render_known(f, &s, wanted);
            assert_memory_equal(got, wanted, s.length * SIZE * SIZE * 3 * sizeof(float));
        }
}

static uint64_t decompressed_by(struct fixture *f, const struct sample *s)
{
    float out[CLIP_VALUES];
    struct err e = {0};
    uint64_t before = clips_n_decompressed(f->clips);
    support_ok(clips_read(f->clips, s->video, s, out, &e), &e);
    return clips_n_decompressed(f->clips) - before;
}

static void decompresses_shared_frames_once(void **state)
{
    struct fixture *f = *state;
    struct sample s = clip_support_sample(2, &f->video[2]);
    struct err e = {0};
    clips_close(f->clips); /* nothing is held yet */
    support_ok(
        clips_open(&f->clips, f->frames, f->backend, &(struct clips_options){SIZE, DTYPE_F32}, &e),
        &e);
    s.length = 8, s.stride = 3, s.start = 2;
    assert_int_equal(decompressed_by(f, &s), 8);
    s.flip = 1; /* another crop of the same clip */
    assert_int_equal(decompressed_by(f, &s), 0);
    s.length = 4, s.stride = 6; /* every second of its frames */
    assert_int_equal(decompressed_by(f, &s), 0);
    s.start = 5; /* frames 5, 8 are there, as are 11, 14 */
    s.stride = 3;
    assert_int_equal(decompressed_by(f, &s), 0);
    s.start = 6;
    assert_int_equal(decompressed_by(f, &s), 4);
    s.edge = SAMPLE_CLAMP, s.start = 27, s.stride = 3; /* 27, then the last frame three times */
    assert_int_equal(decompressed_by(f, &s), 2);
}

static void refuses_what_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    struct sample s = clip_support_sample(3, &f->video[0]);
    float out[CLIP_VALUES];
    struct err e = {0};
    support_failed(clips_read(f->clips, 3, &s, out, &e), &e,
                   "frames.lmdb: video v3 has no frames: no picture");
    s = clip_support_sample(0, &f->video[0]);
    s.crop_x = 5;
    support_failed(clips_read(f->clips, 0, &s, out, &e), &e, "video v0: crop box 16x12 at (5, 0)");
    s.crop_x = 0; /* the handle still works */
    support_ok(clips_read(f->clips, 0, &s, out, &e), &e);
}

static void finds_videos_by_id(void **state)
{
    struct fixture *f = *state;
    struct sample row = clip_support_sample(0, &f->video[0]);
    struct samples *samples;
    struct err e = {0};
    clip_support_samples(support_path(f->folder, "samples.lmdb"),
                         support_path(f->folder, "frames.lmdb"), &row, 1, 6);
    support_ok(samples_open(&samples, support_path(f->folder, "samples.lmdb"), &e), &e);
    long *video = clips_find_videos(f->frames, samples_ids(samples), samples_n_videos(samples), &e);
    assert_non_null(video);
    for (long i = 0; i < 6; i++)
        assert_int_equal(video[i], i < N_VIDEOS ? i : -1);
    free(video);
    samples_close(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_as_rendered_from_known_pictures),
        cmocka_unit_test(decompresses_shared_frames_once),
        cmocka_unit_test(refuses_what_cannot_be_read),
        cmocka_unit_test(finds_videos_by_id),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
