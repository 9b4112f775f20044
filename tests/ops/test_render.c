/* SPDX-License-Identifier: Apache-2.0 */
/* The operation `render` against tests/oracle/augment.py, and what must hold exactly. */
#include <math.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/npy.h"
#include "kernels/backend.h"
#include "kernels/elem.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/support.h"

/* One row of augment_cases.npy. */
struct oracle_case {
    char name[32];
    uint32_t picture_at, expected_at;
    int32_t n_frames, width, height, stored_width, stored_height, matrix, full_range;
    int32_t crop_x, crop_y, crop_w, crop_h, size, row_step, flip, jitter, grey, solarise, order;
    float brightness, contrast, saturation, hue, blur;
};

struct oracle {
    struct buf file[3];
    const struct oracle_case *cases;
    size_t n_cases;
    const uint8_t *pictures;
    const float *expected;
};

enum { MAX_FRAMES = 8, GUARD_BYTES = 64, GUARD = 0xa5 };

static const void *load(struct buf *file, const char *name, size_t item_bytes, size_t *n)
{
    struct err e = {0};
    char path[128];
    struct npy a;
    snprintf(path, sizeof path, "tests/oracle/augment_%s.npy", name);
    support_ok(file_read(path, file, &e), &e);
    support_ok(npy_parse(&a, file->data, file->len, &e), &e);
    assert_int_equal(a.item_bytes, item_bytes);
    *n = a.dim[0];
    return a.data;
}

static int set_up(void **state)
{
    static struct oracle o;
    size_t unused;
    o.cases = load(&o.file[0], "cases", sizeof(struct oracle_case), &o.n_cases);
    o.pictures = load(&o.file[1], "pictures", 1, &unused);
    o.expected = load(&o.file[2], "expected", sizeof(float), &unused);
    *state = &o;
    return 0;
}

static int tear_down(void **state)
{
    struct oracle *o = *state;
    for (size_t i = 0; i < 3; i++)
        buf_release(&o->file[i]);
    return 0;
}

/* A clip, its draw and its output between guard bytes. */
struct setting {
    const uint8_t *picture[MAX_FRAMES];
    struct clip_pixels pixels;
    struct clip_augment augment;
    struct render_args args;
    unsigned char *memory;
    size_t out_bytes;
};

static void setting_init(struct setting *s, const struct oracle *o, const struct oracle_case *c)
{
    size_t picture_bytes = (size_t)c->stored_width * (size_t)c->stored_height * 3 / 2;
    assert_true(c->n_frames <= MAX_FRAMES);
    for (int32_t t = 0; t < c->n_frames; t++)
        s->picture[t] = o->pictures + c->picture_at + (size_t)t * picture_bytes;
    s->pixels = (struct clip_pixels){.picture = s->picture,
                                     .n_frames = (size_t)c->n_frames,
                                     .width = c->width,
                                     .height = c->height,
                                     .stored_width = c->stored_width,
                                     .stored_height = c->stored_height,
                                     .matrix = c->matrix,
                                     .full_range = c->full_range};
    s->augment = (struct clip_augment){.crop_x = c->crop_x,
                                       .crop_y = c->crop_y,
                                       .crop_w = c->crop_w,
                                       .crop_h = c->crop_h,
                                       .flip = c->flip,
                                       .jitter = c->jitter,
                                       .grey = c->grey,
                                       .solarise = c->solarise,
                                       .order = (unsigned)c->order,
                                       .brightness = c->brightness,
                                       .contrast = c->contrast,
                                       .saturation = c->saturation,
                                       .hue = c->hue,
                                       .blur = c->blur};
    s->args = (struct render_args){
        .pixels = &s->pixels, .augment = &s->augment, .size = (size_t)c->size, .dtype = DTYPE_F32};
    s->memory = NULL;
}

static size_t n_values(const struct setting *s)
{
    return s->pixels.n_frames * s->args.size * s->args.size * 3;
}

/* Renders into fresh memory; fails the test when a byte outside of the output changed. */
static void setting_render(struct setting *s, size_t n_threads)
{
    struct backend b = {.n_threads = n_threads};
    struct err e = {0};
    free(s->memory);
    s->out_bytes = n_values(s) * dtype_bytes(s->args.dtype);
    s->memory = malloc(s->out_bytes + 2 * GUARD_BYTES);
    assert_non_null(s->memory);
    memset(s->memory, GUARD, s->out_bytes + 2 * GUARD_BYTES);
    s->args.out = s->memory + GUARD_BYTES;
    support_ok(cpu_render(&b, &s->args, &e), &e);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        assert_int_equal(s->memory[i], GUARD);
        assert_int_equal(s->memory[GUARD_BYTES + s->out_bytes + i], GUARD);
    }
}

static float value_at(const struct setting *s, size_t i)
{
    return s->args.dtype == DTYPE_F32 ? ((const float *)s->args.out)[i]
                                      : bf16_to_f32(((const uint16_t *)s->args.out)[i]);
}

/* The greatest distance from the oracle over the rows that it kept. */
static float distance(const struct setting *s, const struct oracle *o, const struct oracle_case *c)
{
    const float *expected = o->expected + c->expected_at;
    size_t size = s->args.size, row = size * 3;
    float worst = 0.0f;
    for (size_t t = 0; t < s->pixels.n_frames; t++)
        for (size_t y = 0; y < size; y += (size_t)c->row_step)
            for (size_t i = 0; i < row; i++) {
                float d = fabsf(value_at(s, (t * size + y) * row + i) - *expected++);
                worst = d <= worst ? worst : d; /* also when d is NaN */
            }
    return worst;
}

static const struct oracle_case *find_case(const struct oracle *o, const char *name)
{
    for (size_t i = 0; i < o->n_cases; i++)
        if (strcmp(o->cases[i].name, name) == 0)
            return &o->cases[i];
    fail_msg("the oracle has no case '%s'", name);
    return NULL;
}

static void every_case(struct oracle *o, enum dtype dtype, float tolerance)
{
    for (size_t i = 0; i < o->n_cases; i++) {
        struct setting s;
        setting_init(&s, o, &o->cases[i]);
        s.args.dtype = dtype;
        setting_render(&s, 1);
        float d = distance(&s, o, &o->cases[i]);
        free(s.memory);
        if (!(d <= tolerance))
            fail_msg("%s: %g from the oracle, %g allowed", o->cases[i].name, (double)d,
                     (double)tolerance);
    }
}

static void agrees_with_oracle(void **state)
{
    every_case(*state, DTYPE_F32, TOLERANCE_PIXEL);
}

static void agrees_with_oracle_in_bf16(void **state)
{
    every_case(*state, DTYPE_BF16, TOLERANCE_PIXEL + TOLERANCE_PIXEL_BF16);
}

/* The bfloat16 output is the float32 output rounded, nothing else. */
static void bf16_is_f32_rounded(void **state)
{
    struct setting exact, rounded;
    const struct oracle_case *c = find_case(*state, "chain in colour");
    setting_init(&exact, *state, c);
    setting_init(&rounded, *state, c);
    rounded.args.dtype = DTYPE_BF16;
    setting_render(&exact, 1);
    setting_render(&rounded, 1);
    for (size_t i = 0; i < n_values(&exact); i++)
        assert_int_equal(((uint16_t *)rounded.args.out)[i],
                         f32_to_bf16(((float *)exact.args.out)[i]));
    free(exact.memory);
    free(rounded.memory);
}

static void threads_do_not_matter(void **state)
{
    struct oracle *o = *state;
    for (size_t i = 0; i < o->n_cases; i++) {
        struct setting one, many;
        setting_init(&one, o, &o->cases[i]);
        setting_init(&many, o, &o->cases[i]);
        setting_render(&one, 1);
        for (size_t n_threads = 2; n_threads <= 5; n_threads++) {
            setting_render(&many, n_threads);
            assert_memory_equal(one.args.out, many.args.out, one.out_bytes);
        }
        free(one.memory);
        free(many.memory);
    }
}

/* A crop box of the output's size copies the converted pixels; a mirror moves them. */
static void identity_crop_is_exact(void **state)
{
    const struct oracle_case *c = find_case(*state, "convert 1 0");
    struct setting whole, part;
    setting_init(&whole, *state, c);
    setting_render(&whole, 1);
    setting_init(&part, *state, c);
    part.augment.crop_x = 3, part.augment.crop_y = 5;
    part.augment.crop_w = part.augment.crop_h = 7;
    part.args.size = 7;
    for (int flip = 0; flip < 2; flip++) {
        part.augment.flip = flip;
        setting_render(&part, 1);
        for (size_t y = 0; y < 7; y++)
            for (size_t x = 0; x < 7; x++)
                for (size_t k = 0; k < 3; k++) {
                    size_t from = ((y + 5) * 16 + 3 + (flip ? 6 - x : x)) * 3 + k;
                    assert_true(value_at(&part, (y * 7 + x) * 3 + k) == value_at(&whole, from));
                }
    }
    free(whole.memory);
    free(part.memory);
}

/* Neutral factors in any order change nothing but by rounding. */
static void neutral_jitter_keeps_pixels(void **state)
{
    const struct oracle_case *c = find_case(*state, "convert 0 1");
    struct setting plain, neutral;
    setting_init(&plain, *state, c);
    setting_render(&plain, 1);
    setting_init(&neutral, *state, c);
    neutral.augment.jitter = true;
    for (unsigned order = 0; order < 24; order++) {
        neutral.augment.order = order;
        setting_render(&neutral, 1);
        for (size_t i = 0; i < n_values(&plain); i++)
            assert_true(fabsf(value_at(&plain, i) - value_at(&neutral, i)) <= TOLERANCE_PIXEL);
    }
    free(plain.memory);
    free(neutral.memory);
}

/* 100 % colour bars: published Y'CbCr of limited range, and what they mean. */
static void colour_bars_have_their_colours(void **state)
{
    static const struct {
        int matrix;
        uint8_t y, cb, cr;
        float rgb[3];
    } bars[] = {
        {0, 235, 128, 128, {1, 1, 1}}, {0, 16, 128, 128, {0, 0, 0}}, {0, 210, 16, 146, {1, 1, 0}},
        {0, 170, 166, 16, {0, 1, 1}},  {0, 145, 54, 34, {0, 1, 0}},  {0, 106, 202, 222, {1, 0, 1}},
        {0, 81, 90, 240, {1, 0, 0}},   {0, 41, 240, 110, {0, 0, 1}}, {1, 219, 16, 138, {1, 1, 0}},
        {1, 63, 102, 240, {1, 0, 0}},  {1, 32, 240, 118, {0, 0, 1}}, {1, 173, 42, 26, {0, 1, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
        uint8_t picture[6] = {bars[i].y, bars[i].y, bars[i].y, bars[i].y, bars[i].cb, bars[i].cr};
        struct oracle_case c = {
            .n_frames = 1, .width = 2, .height = 2, .stored_width = 2, .size = 2};
        struct oracle o = {.pictures = picture};
        struct setting s;
        c.stored_height = c.crop_w = c.crop_h = 2;
        c.matrix = bars[i].matrix;
        setting_init(&s, &o, &c);
        setting_render(&s, 1);
        for (size_t k = 0; k < 12; k++)
            assert_true(fabsf(value_at(&s, k) - bars[i].rgb[k % 3]) <= TOLERANCE_COLOUR_BAR);
        free(s.memory);
    }
}

/* Blur of a constant picture: the middle stays, the border loses what the zeros outside weigh. */
static void blur_sees_zeros_outside(void **state)
{
    uint8_t picture[6] = {235, 235, 235, 235, 128, 128};
    struct oracle_case c = {.n_frames = 1, .width = 2, .height = 2, .stored_width = 2, .size = 40};
    struct oracle o = {.pictures = picture};
    struct setting s;
    (void)state;
    c.stored_height = c.crop_w = c.crop_h = 2;
    c.blur = 1e6f; /* five equal taps */
    setting_init(&s, &o, &c);
    setting_render(&s, 1);
    assert_true(fabsf(value_at(&s, (20 * 40 + 20) * 3) - 1.0f) <= TOLERANCE_PIXEL);
    assert_true(fabsf(value_at(&s, (20 * 40 + 0) * 3) - 0.6f) <= TOLERANCE_PIXEL);
    assert_true(fabsf(value_at(&s, 0) - 0.36f) <= TOLERANCE_PIXEL);
    free(s.memory);
}

static void refused(struct setting *s, const char *why)
{
    struct backend b = {.n_threads = 1};
    struct err e = {0};
    float out[3] = {0};
    s->args.out = out;
    support_failed(cpu_render(&b, &s->args, &e), &e, why);
}

static void bad_arguments_are_refused(void **state)
{
    const struct oracle_case *c = find_case(*state, "whole chain");
    struct setting s;
#define REFUSED(member, value, why)                                                                \
    do {                                                                                           \
        setting_init(&s, *state, c);                                                               \
        s.member = value;                                                                          \
        refused(&s, why);                                                                          \
    } while (0)
    REFUSED(args.size, 0, "output size 0");
    REFUSED(args.size, 100000, "output size 100000");
    REFUSED(args.dtype, DTYPE_U8, "float32 or bfloat16");
    REFUSED(pixels.n_frames, 0, "without frames");
    REFUSED(pixels.width, 0, "picture size 0x16");
    REFUSED(pixels.stored_width, 23, "stored size 23x16");
    REFUSED(pixels.stored_height, 14, "does not fit the picture size 24x16");
    REFUSED(pixels.matrix, 3, "colour matrix 3");
    REFUSED(augment.crop_x, -1, "crop box 16x14 at (-1, 1)");
    REFUSED(augment.crop_w, 22, "not inside the 24x16 picture");
    REFUSED(augment.crop_h, 0, "crop box 16x0");
    REFUSED(augment.crop_h, INT32_MAX, "not inside");
    REFUSED(augment.order, 24, "order 24");
    REFUSED(augment.brightness, -0.5f, "brightness -0.5");
    REFUSED(augment.contrast, INFINITY, "contrast inf");
    REFUSED(augment.saturation, NAN, "saturation");
    REFUSED(augment.hue, NAN, "hue");
    REFUSED(augment.blur, -1.0f, "blur sigma -1");
#undef REFUSED
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_oracle),
        cmocka_unit_test(agrees_with_oracle_in_bf16),
        cmocka_unit_test(bf16_is_f32_rounded),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(identity_crop_is_exact),
        cmocka_unit_test(neutral_jitter_keeps_pixels),
        cmocka_unit_test(colour_bars_have_their_colours),
        cmocka_unit_test(blur_sees_zeros_outside),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
