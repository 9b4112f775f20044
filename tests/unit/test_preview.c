/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/preview.h"

#include "common/base/file.h"
#include "common/nn/clips.h"
#include "common/nn/sheet.h"
#include "tests/unit/clip_support.h"

enum { SIZE = 20, LONG = 8, SHORT = 4 };

static const struct frames_info videos[2] = {
    {.width = 40,
     .height = 26,
     .n_frames = 30,
     .fps_num = 25,
     .fps_den = 1,
     .frame_step = 1,
     .ok = true},
    {.frame_step = 1, .reason = "no picture could be decoded"},
};

struct fixture {
    char folder[256], frames[300], samples[300], sheet[300];
    struct frames_info video[2];
    struct sample rows[4]; /* short and long of example 0, a clip of example 1, another of a video
                              without frames */
};

static int set_up(void **state)
{
    static struct fixture f;
    support_make_folder(f.folder, sizeof f.folder);
    snprintf(f.frames, sizeof f.frames, "%s/frames.lmdb", f.folder);
    snprintf(f.samples, sizeof f.samples, "%s/samples.lmdb", f.folder);
    snprintf(f.sheet, sizeof f.sheet, "%s/sheet.png", f.folder);
    memcpy(f.video, videos, sizeof videos);
    clip_support_frames(f.frames, f.video, 2);
    for (uint32_t i = 0; i < 4; i++)
        f.rows[i] = clip_support_sample(i == 3, &f.video[0]);
    f.rows[0].role = SAMPLE_SHORT, f.rows[0].length = SHORT, f.rows[0].start = 6,
    f.rows[0].flip = 1;
    f.rows[1].role = SAMPLE_LONG, f.rows[1].length = LONG, f.rows[1].stride = 3,
    f.rows[1].start = 4;
    f.rows[1].crop_x = 11, f.rows[1].crop_w = 25;
    f.rows[2].example = 1, f.rows[3].example = 2;
    clip_support_samples(f.samples, f.frames, f.rows, 4, 2);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    support_remove(f->folder);
    return 0;
}

static struct preview_options defaults(const struct fixture *f)
{
    return (struct preview_options){.store = f->samples,
                                    .frames = f->frames,
                                    .output = f->sheet,
                                    .crop_size = SIZE,
                                    .aggregate = {1, 1},
                                    .n_tiles = 7,
                                    .n_threads = 1};
}

static void write_and_read(const struct preview_options *o, struct image *sheet)
{
    struct err e = {0};
    support_ok(preview_write(o, &e), &e);
    support_ok(image_read_png(o->output, sheet, &e), &e);
}

/* Whether `tile` is in the sheet, to the last bit; the first place behind `from` in reading order.
 */
static bool find_tile(const struct image *sheet, const struct image *tile, size_t *from)
{
    for (size_t at = *from; at < sheet->width * (sheet->height - tile->height); at++) {
        size_t x = at % sheet->width, y = at / sheet->width, row = 0;
        if (x + tile->width > sheet->width)
            continue;
        while (row < tile->height && !memcmp(sheet->rgb + ((y + row) * sheet->width + x) * 3,
                                             tile->rgb + row * tile->width * 3, tile->width * 3))
            row++;
        if (row == tile->height) {
            *from = at + 1;
            return true;
        }
    }
    return false;
}

static size_t count_pixels(const struct image *sheet, uint32_t rgb)
{
    size_t n = 0;
    for (size_t i = 0; i < sheet->width * sheet->height; i++)
        n += (uint32_t)(sheet->rgb[3 * i] << 16 | sheet->rgb[3 * i + 1] << 8 |
                        sheet->rgb[3 * i + 2]) == rgb;
    return n;
}

/* The pictures of both clips stand in the sheet as the renderer makes them, one after the other,
 * long clip first. */
static void an_example_is_shown_as_rendered(void **state)
{
    struct fixture *f = *state;
    struct preview_options o = defaults(f);
    struct image sheet, tile;
    struct frames *frames;
    struct backend *backend;
    struct clips *c;
    struct err e = {0};
    float pixels[LONG * SIZE * SIZE * 3];
    size_t from = 0;
    write_and_read(&o, &sheet);
    support_ok(frames_open(&frames, f->frames, &e), &e);
    support_ok(
        backend_open(&backend, &(struct backend_options){.device = "cpu", .n_threads = 2}, &e), &e);
    support_ok(clips_open(&c, frames, backend, &(struct clips_options){SIZE, DTYPE_F32}, &e), &e);
    for (int i = 1; i >= 0; i--) {
        support_ok(clips_read(c, 0, &f->rows[i], pixels, &e), &e);
        for (size_t t = 0; t < f->rows[i].length; t++) {
            struct sheet_pixels p = {pixels + t * SIZE * SIZE * 3, SIZE};
            support_ok(sheet_tile(&tile, p, SIZE, SIZE, &e), &e);
            assert_true(find_tile(&sheet, &tile, &from));
            image_release(&tile);
        }
    }
    clips_close(c);
    backend_close(backend);
    frames_close(frames);
    image_release(&sheet);
}

/* Four long embeddings of frames 4..7, 10..13, ...; short ones of 6..7 and 8..9: matched with 0
 * and 1. */
static void matches_have_one_colour(void **state)
{
    struct preview_options o = defaults(*state);
    struct image sheet;
    write_and_read(&o, &sheet);
    const size_t bar = 500; /* pixels; the bars over two tiles have that many */
    assert_true(count_pixels(&sheet, sheet_colour(0)) > 2 * bar &&
                count_pixels(&sheet, sheet_colour(1)) > 2 * bar);
    assert_int_equal(count_pixels(&sheet, sheet_colour(2)), 0);
    assert_true(count_pixels(&sheet, SHEET_UNMATCHED) > 2 * bar);
    image_release(&sheet);
    o.aggregate[0] = o.aggregate[1] = 0;
    write_and_read(&o, &sheet);
    assert_int_equal(count_pixels(&sheet, sheet_colour(1)), 0);
    assert_int_equal(count_pixels(&sheet, SHEET_UNMATCHED), 0);
    image_release(&sheet);
}

static void single_clips_and_videos_are_shown(void **state)
{
    struct preview_options o = defaults(*state);
    struct fixture *f = *state;
    struct image sheet;
    o.example = 1;
    write_and_read(&o, &sheet);
    assert_int_equal(count_pixels(&sheet, SHEET_UNMATCHED), 0);
    image_release(&sheet);
    o.store = f->frames, o.id = "v0";
    write_and_read(&o, &sheet);
    size_t tile = 224, height = 26 * 224 / 40; /* seven tiles: a line of six and one below */
    assert_int_equal(sheet.width, 2 * SHEET_MARGIN + 6 * tile + 5 * 6);
    assert_true(sheet.height > 2 * height && sheet.height < 3 * height);
    image_release(&sheet);
}

static void fails(const struct preview_options *o, const char *why)
{
    struct err e = {0};
    remove(o->output);
    support_failed(preview_write(o, &e), &e, why);
    assert_false(file_exists(o->output));
}

static void mistakes_are_named(void **state)
{
    struct fixture *f = *state;
    struct preview_options o = defaults(f);
    o.example = 9;
    fails(&o, "samples.lmdb: epoch 0 has no example 9");
    o.example = 2;
    fails(&o, "video v1 has no frames: no picture could be decoded");
    o.example = 0, o.epoch = 1;
    fails(&o, "epoch");
    o.epoch = 0, o.aggregate[1] = 3;
    fails(&o, "the long clip has 4 feature steps, which cannot be put together by 3");
    o = defaults(f);
    o.frames = NULL;
    fails(&o, "the frames store of these samples is missing");
    char other[300];
    struct frames_info video = f->video[1];
    snprintf(other, sizeof other, "%s/other.lmdb", f->folder);
    clip_support_frames(other, &video, 1);
    o.frames = other;
    fails(&o, "samples.lmdb was made from frames ");
    o.id = "v0";
    fails(&o, "a samples store shows examples, not video v0");
    o.id = NULL, o.store = f->frames;
    fails(&o, "which video");
    o.id = "v7";
    fails(&o, "there is no video v7");
    o.id = "v1";
    fails(&o, "video v1 has no frames");
    o.store = "absent.lmdb";
    fails(&o, "absent.lmdb");
}

static void tiles_are_means_over_areas(void **state)
{
    (void)state;
    float rgb[4 * 4 * 3];
    struct image tile;
    struct err e = {0};
    for (size_t i = 0; i < 48; i++)
        rgb[i] = (float)(i / 3) / 15.0f; /* 0 .. 15 in fifteenths */
    support_ok(sheet_tile(&tile, (struct sheet_pixels){rgb, 4}, 2, 2, &e), &e);
    const int fifteenths_x2[] = {5, 9, 21, 25}; /* means of 0 1 4 5, of 2 3 6 7, ... times two */
    for (size_t i = 0; i < 4; i++)
        assert_in_range(tile.rgb[3 * i] + 1 - fifteenths_x2[i] * 255 / 30, 0, 2);
    image_release(&tile);
    support_ok(sheet_tile(&tile, (struct sheet_pixels){rgb, 4}, 3, 1, &e), &e);
    assert_in_range(tile.rgb[0] + 1 - 255 * 25 / 60, 0,
                    2); /* 6, 7 with weights 3/4, 1/4: 6.25 / 15 */
    image_release(&tile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_example_is_shown_as_rendered),
        cmocka_unit_test(matches_have_one_colour),
        cmocka_unit_test(single_clips_and_videos_are_shown),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(tiles_are_means_over_areas),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
