/* SPDX-License-Identifier: Apache-2.0 */
/* The operation `render` against tests/oracle/augment.py, and what must hold exactly. */
#include <math.h>
#include <pthread.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/store/npy.h"
#include "kernels/backend.h"
#include "kernels/elem.h"
#include "tests/ops/device.h"
#include "tests/ops/tolerances.h"

/* One row of augment_cases.npy. */
struct oracle_case {
    char name[32];
    uint32_t picture_at, expected_at;
    int32_t n_frames, width, height, stored_width, stored_height, matrix, full_range;
    int32_t crop_x, crop_y, crop_w, crop_h, size, row_step, flip, jitter, grey, solarise, order;
    float brightness, contrast, saturation, hue, blur;
};

static struct oracle {
    struct buf file[3];
    const struct oracle_case *cases;
    size_t n_cases;
    const uint8_t *pictures;
    const float *expected;
} oracle;

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
    struct oracle *o = &oracle;
    size_t unused;
    (void)state;
    o->cases = load(&o->file[0], "cases", sizeof(struct oracle_case), &o->n_cases);
    o->pictures = load(&o->file[1], "pictures", 1, &unused);
    o->expected = load(&o->file[2], "expected", sizeof(float), &unused);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        buf_release(&oracle.file[i]);
    return 0;
}

/* A clip, its draw and its output between guard bytes. */
struct setting {
    struct device *device;
    const uint8_t *picture[MAX_FRAMES];
    struct clip_pixels pixels;
    struct clip_augment augment;
    struct render_args args;
    unsigned char *memory;
    size_t out_bytes;
};

static void setting_init(struct setting *s, struct device *d, const struct oracle *o,
                         const struct oracle_case *c)
{
    s->device = d;
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
static void setting_render(struct setting *s)
{
    struct device *d = s->device;
    struct err e = {0};
    free(s->memory);
    s->out_bytes = n_values(s) * dtype_bytes(s->args.dtype);
    s->memory = malloc(s->out_bytes + 2 * GUARD_BYTES);
    assert_non_null(s->memory);
    memset(s->memory, GUARD, s->out_bytes + 2 * GUARD_BYTES);
    s->args.out = device_on(d, s->memory + GUARD_BYTES, s->out_bytes);
    support_ok(d->b->ops->render(d->b, &s->args, &e), &e);
    device_off(d);
    s->args.out = s->memory + GUARD_BYTES;
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

static const struct oracle_case *find_case(const char *name)
{
    for (size_t i = 0; i < oracle.n_cases; i++)
        if (strcmp(oracle.cases[i].name, name) == 0)
            return &oracle.cases[i];
    fail_msg("the oracle has no case '%s'", name);
    return NULL;
}

static void every_case(void **state, enum dtype dtype, float tolerance)
{
    struct device *device = device_open(state, 1);
    for (size_t i = 0; i < oracle.n_cases; i++) {
        const struct oracle_case *c = &oracle.cases[i];
        struct setting s;
        setting_init(&s, device, &oracle, c);
        s.args.dtype = dtype;
        setting_render(&s);
        float d = distance(&s, &oracle, c);
        free(s.memory);
        if (!(d <= tolerance))
            fail_msg("%s: %g from the oracle, %g allowed", c->name, (double)d, (double)tolerance);
    }
    device_close(device);
}

static void agrees_with_oracle(void **state)
{
    every_case(state, DTYPE_F32, TOLERANCE_PIXEL);
}

static void agrees_with_oracle_in_bf16(void **state)
{
    every_case(state, DTYPE_BF16, TOLERANCE_PIXEL + TOLERANCE_PIXEL_BF16);
}

/* The bfloat16 output is the float32 output rounded, nothing else. */
static void bf16_is_f32_rounded(void **state)
{
    struct device *d = device_open(state, 1);
    struct setting exact, rounded;
    const struct oracle_case *c = find_case("chain in colour");
    setting_init(&exact, d, &oracle, c);
    setting_init(&rounded, d, &oracle, c);
    rounded.args.dtype = DTYPE_BF16;
    setting_render(&exact);
    setting_render(&rounded);
    for (size_t i = 0; i < n_values(&exact); i++)
        assert_int_equal(((uint16_t *)rounded.args.out)[i],
                         f32_to_bf16(((float *)exact.args.out)[i]));
    free(exact.memory);
    free(rounded.memory);
    device_close(d);
}

/* Nor does the device: the GPU computes the bits of the CPU, but for the mean that contrast needs,
 * which it adds up in another order. */
static void threads_do_not_matter(void **state)
{
    char *on_cpu = "cpu";
    struct device *first = device_open((void **)&on_cpu, 1);
    for (size_t n_threads = 2; n_threads <= 5; n_threads++) {
        struct device *d = device_open(state, n_threads);
        for (size_t i = 0; i < oracle.n_cases; i++) {
            struct setting one, many;
            bool mean = oracle.cases[i].jitter && !d->cpu;
            setting_init(&one, mean ? d : first, &oracle, &oracle.cases[i]);
            setting_init(&many, d, &oracle, &oracle.cases[i]);
            setting_render(&one);
            setting_render(&many);
            assert_memory_equal(one.args.out, many.args.out, one.out_bytes);
            free(one.memory);
            free(many.memory);
        }
        device_close(d);
    }
    device_close(first);
}

/* Outputs that are wider than what one block of a GPU paints at a time, at the border and beyond,
 * and that end within the rows and columns of a block. */
static void blurred_outputs_of_any_size_are_the_same(void **state)
{
    static const size_t size[] = {1, 5, 20, 41, 256, 264, 289, 602};
    char *on_cpu = "cpu";
    struct device *first = device_open((void **)&on_cpu, 1), *d = device_open(state, 1);
    const struct oracle_case *c = find_case("convert 1 0");
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        struct setting one, other;
        setting_init(&one, first, &oracle, c);
        one.args.size = size[i];
        one.augment.blur = 1e6f; /* all taps, however wide */
        other = one;
        other.device = d;
        other.args.pixels = &other.pixels;
        other.args.augment = &other.augment;
        setting_render(&one);
        setting_render(&other);
        assert_memory_equal(one.args.out, other.args.out, one.out_bytes);
        free(one.memory);
        free(other.memory);
    }
    device_close(d);
    device_close(first);
}

struct painter {
    struct setting s;
    struct err e;
    pthread_t thread;
    int rc;
};

static void *paint(void *user)
{
    struct painter *p = user;
    struct device *d = p->s.device;
    for (int i = 0; i < 5 && p->rc == 0; i++)
        p->rc = d->b->ops->render(d->b, &p->s.args, &p->e);
    return NULL;
}

/* Several threads render at once, each another case. */
static void threads_render_at_once(void **state)
{
    enum { N = 6 };
    struct device *d = device_open(state, 1);
    struct painter p[N] = {0};
    for (size_t i = 0; i < N; i++) {
        struct setting *s = &p[i].s;
        setting_init(s, d, &oracle, &oracle.cases[i * oracle.n_cases / N]);
        s->out_bytes = n_values(s) * sizeof(float);
        s->memory = malloc(s->out_bytes);
        s->args.out = device_on(d, s->memory, s->out_bytes);
    }
    for (size_t i = 0; i < N; i++)
        assert_int_equal(pthread_create(&p[i].thread, NULL, paint, &p[i]), 0);
    for (size_t i = 0; i < N; i++) {
        pthread_join(p[i].thread, NULL);
        support_ok(p[i].rc, &p[i].e);
    }
    device_off(d);
    for (size_t i = 0; i < N; i++) {
        p[i].s.args.out = p[i].s.memory;
        float far = distance(&p[i].s, &oracle, &oracle.cases[i * oracle.n_cases / N]);
        assert_true(far <= TOLERANCE_PIXEL);
        free(p[i].s.memory);
    }
    device_close(d);
}

/* A crop box of the output's size copies the converted pixels; a mirror moves them. */
static void identity_crop_is_exact(void **state)
{
    struct device *d = device_open(state, 1);
    const struct oracle_case *c = find_case("convert 1 0");
    struct setting whole, part;
    setting_init(&whole, d, &oracle, c);
    setting_render(&whole);
    setting_init(&part, d, &oracle, c);
    part.augment.crop_x = 3, part.augment.crop_y = 5;
    part.augment.crop_w = part.augment.crop_h = 7;
    part.args.size = 7;
    for (int flip = 0; flip < 2; flip++) {
        part.augment.flip = flip;
        setting_render(&part);
        for (size_t y = 0; y < 7; y++)
            for (size_t x = 0; x < 7; x++)
                for (size_t k = 0; k < 3; k++) {
                    size_t from = ((y + 5) * 16 + 3 + (flip ? 6 - x : x)) * 3 + k;
                    assert_true(value_at(&part, (y * 7 + x) * 3 + k) == value_at(&whole, from));
                }
    }
    free(whole.memory);
    free(part.memory);
    device_close(d);
}

/* Neutral factors in any order change nothing but by rounding. */
static void neutral_jitter_keeps_pixels(void **state)
{
    struct device *d = device_open(state, 1);
    const struct oracle_case *c = find_case("convert 0 1");
    struct setting plain, neutral;
    setting_init(&plain, d, &oracle, c);
    setting_render(&plain);
    setting_init(&neutral, d, &oracle, c);
    neutral.augment.jitter = true;
    for (unsigned order = 0; order < 24; order++) {
        neutral.augment.order = order;
        setting_render(&neutral);
        for (size_t i = 0; i < n_values(&plain); i++)
            assert_true(fabsf(value_at(&plain, i) - value_at(&neutral, i)) <= TOLERANCE_PIXEL);
    }
    free(plain.memory);
    free(neutral.memory);
    device_close(d);
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
    struct device *d = device_open(state, 1);
    for (size_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
        uint8_t picture[6] = {bars[i].y, bars[i].y, bars[i].y, bars[i].y, bars[i].cb, bars[i].cr};
        struct oracle_case c = {
            .n_frames = 1, .width = 2, .height = 2, .stored_width = 2, .size = 2};
        struct oracle o = {.pictures = picture};
        struct setting s;
        c.stored_height = c.crop_w = c.crop_h = 2;
        c.matrix = bars[i].matrix;
        setting_init(&s, d, &o, &c);
        setting_render(&s);
        for (size_t k = 0; k < 12; k++)
            assert_true(fabsf(value_at(&s, k) - bars[i].rgb[k % 3]) <= TOLERANCE_COLOUR_BAR);
        free(s.memory);
    }
    device_close(d);
}

/* Blur of a constant picture: the middle stays, the border loses what the zeros outside weigh. */
static void blur_sees_zeros_outside(void **state)
{
    uint8_t picture[6] = {235, 235, 235, 235, 128, 128};
    struct oracle_case c = {.n_frames = 1, .width = 2, .height = 2, .stored_width = 2, .size = 40};
    struct oracle o = {.pictures = picture};
    struct device *d = device_open(state, 1);
    struct setting s;
    c.stored_height = c.crop_w = c.crop_h = 2;
    c.blur = 1e6f; /* five equal taps */
    setting_init(&s, d, &o, &c);
    setting_render(&s);
    assert_true(fabsf(value_at(&s, (20 * 40 + 20) * 3) - 1.0f) <= TOLERANCE_PIXEL);
    assert_true(fabsf(value_at(&s, (20 * 40 + 0) * 3) - 0.6f) <= TOLERANCE_PIXEL);
    assert_true(fabsf(value_at(&s, 0) - 0.36f) <= TOLERANCE_PIXEL);
    free(s.memory);
    device_close(d);
}

static void refused(struct setting *s, const char *why)
{
    struct backend *b = s->device->b;
    struct err e = {0};
    float out[3] = {0};
    s->args.out = out; /* never written to */
    support_failed(b->ops->render(b, &s->args, &e), &e, why);
}

static void bad_arguments_are_refused(void **state)
{
    struct device *d = device_open(state, 1);
    const struct oracle_case *c = find_case("whole chain");
    struct setting s;
#define REFUSED(member, value, why)                                                                \
    do {                                                                                           \
        setting_init(&s, d, &oracle, c);                                                           \
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
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(agrees_with_oracle),
        ON_EVERY_DEVICE(agrees_with_oracle_in_bf16),
        ON_EVERY_DEVICE(bf16_is_f32_rounded),
        ON_EVERY_DEVICE(threads_do_not_matter),
        ON_EVERY_DEVICE(blurred_outputs_of_any_size_are_the_same),
        ON_EVERY_DEVICE(threads_render_at_once),
        ON_EVERY_DEVICE(identity_crop_is_exact),
        ON_EVERY_DEVICE(neutral_jitter_keeps_pixels),
        ON_EVERY_DEVICE(colour_bars_have_their_colours),
        ON_EVERY_DEVICE(blur_sees_zeros_outside),
        ON_EVERY_DEVICE(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
