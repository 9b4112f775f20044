/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sampling/augment.h"
#include "tests/unit/statistics.h"

enum { N = 40000 };

static struct sample rows[N];
static double values[N];

static void draw_all(const struct augment *a, struct picture_size size, uint8_t role)
{
    for (size_t i = 0; i < N; i++) {
        struct rng r;
        rng_init(&r, 5, 2, i);
        rows[i] = (struct sample){.role = role};
        augment_draw(a, size, &r, &rows[i]);
    }
}

static void check_inside(const struct sample *s, struct picture_size size)
{
    assert_true(s->crop_w >= 1 && s->crop_h >= 1);
    assert_true(s->crop_x + s->crop_w <= size.width);
    assert_true(s->crop_y + s->crop_h <= size.height);
}

/* Area and aspect within the limits, for pictures of every form. */
static void test_crop_limits(void **state)
{
    (void)state;
    static const struct picture_size sizes[] = {{340, 256}, {256, 340}, {1280, 720}, {720, 1280},
                                                {64, 64},   {224, 224}, {426, 240},  {65535, 9}};
    struct augment a;
    augment_preset(AUGMENT_LINEAR, &a);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        double whole = (double)sizes[k].width * sizes[k].height;
        size_t n_whole = 0;
        draw_all(&a, sizes[k], SAMPLE_SINGLE);
        for (size_t i = 0; i < N; i++) {
            const struct sample *s = &rows[i];
            check_inside(s, sizes[k]);
            if (s->crop_w == sizes[k].width && s->crop_h == sizes[k].height) {
                n_whole++;
                continue;
            }
            /* The height was rounded, then the width, from it times at most 2. */
            double w = s->crop_w, h = s->crop_h;
            assert_true((w + 1.5) * (h + 0.5) >= 0.3 * whole && w * h <= whole);
            assert_true((w + 0.5) / h >= 0.5 && (w - 0.5) / h <= 2);
        }
        if (sizes[k].width == 65535) /* no crop of this picture has such an aspect */
            assert_int_equal(n_whole, N);
        else
            assert_true(n_whole < N / 20);
    }
}

struct crop_law {
    double aspect_min, aspect_max, area_min, area_max;
};

/* Square picture of unit side: P(height <= x | accepted), by summing over the aspect. */
static double height_cdf(double x, const void *parameters)
{
    const struct crop_law *l = parameters;
    double below = 0, all = 0;
    for (int i = 0; i < 2000; i++) {
        double ar = l->aspect_min + (l->aspect_max - l->aspect_min) * (i + 0.5) / 2000;
        double low = sqrt(l->area_min / ar), high = fmin(fmin(sqrt(l->area_max / ar), 1), 1 / ar);
        if (low > high)
            continue;
        all += 1;
        below += fmin(fmax((x - low) / (high - low), 0), 1);
    }
    return below / all;
}

static void test_crop_law(void **state)
{
    (void)state;
    enum { SIDE = 20000 }; /* so fine that heights are as good as continuous */
    struct picture_size size = {SIDE, SIDE};
    struct augment a;
    augment_preset(AUGMENT_LINEAR, &a);
    draw_all(&a, size, SAMPLE_SINGLE);
    const struct crop_law law = {0.5, 2, 0.3, 1};
    for (size_t i = 0; i < N; i++)
        values[i] = (double)rows[i].crop_h / SIDE;
    enum { SOME = 4000 };
    statistics_ks(values, SOME, height_cdf, &law);
    /* Positions: even over all that fit. */
    for (size_t i = 0; i < N; i++)
        values[i] = (rows[i].crop_x + 0.5) / (SIDE - rows[i].crop_w + 1.0);
    statistics_ks(values, N, statistics_uniform, (const double[]){0, 1});
    for (size_t i = 0; i < N; i++)
        values[i] = (rows[i].crop_y + 0.5) / (SIDE - rows[i].crop_h + 1.0);
    statistics_ks(values, N, statistics_uniform, (const double[]){0, 1});
}

/* The aspect is uniform where no form is refused. */
static void test_crop_aspect(void **state)
{
    (void)state;
    struct augment a;
    augment_preset(AUGMENT_LINEAR, &a);
    a.area[0] = 0.05;
    a.area[1] = 0.2;
    draw_all(&a, (struct picture_size){20000, 20000}, SAMPLE_SINGLE);
    for (size_t i = 0; i < N; i++)
        values[i] = (double)rows[i].crop_w / rows[i].crop_h;
    statistics_ks(values, N, statistics_uniform, (const double[]){0.5, 2});
}

/* Tiny pictures: rounding never leaves the picture, and the first and last positions both occur. */
static void test_crop_tiny(void **state)
{
    (void)state;
    struct picture_size size = {7, 5};
    struct augment a;
    augment_preset(AUGMENT_LINEAR, &a);
    draw_all(&a, size, SAMPLE_SINGLE);
    size_t first[2] = {0}, last[2] = {0};
    for (size_t i = 0; i < N; i++) {
        const struct sample *s = &rows[i];
        check_inside(s, size);
        first[0] += s->crop_x == 0 && s->crop_w < size.width;
        first[1] += s->crop_y == 0 && s->crop_h < size.height;
        last[0] += s->crop_x > 0 && s->crop_x + s->crop_w == size.width;
        last[1] += s->crop_y > 0 && s->crop_y + s->crop_h == size.height;
    }
    assert_true(first[0] && first[1] && last[0] && last[1]);
    draw_all(&a, (struct picture_size){1, 1}, SAMPLE_SINGLE);
    assert_int_equal(rows[0].crop_w, 1);
    assert_int_equal(rows[0].crop_h, 1);
}

/* An area without a range is kept as well as whole pixels can. */
static void test_crop_of_one_area(void **state)
{
    (void)state;
    struct augment a;
    augment_preset(AUGMENT_LINEAR, &a);
    a.area[0] = a.area[1] = 0.25;
    draw_all(&a, (struct picture_size){340, 256}, SAMPLE_SINGLE);
    for (size_t i = 0; i < N; i++)
        assert_true(fabs(rows[i].crop_w * rows[i].crop_h / (340.0 * 256) - 0.25) < 0.01);
}

static void test_pretrain(void **state)
{
    (void)state;
    struct augment a;
    augment_preset(AUGMENT_PRETRAIN, &a);
    draw_all(&a, (struct picture_size){340, 256}, SAMPLE_LONG);
    size_t flip = 0, jitter = 0, grey = 0, blur = 0, order[24] = {0};
    for (size_t i = 0; i < N; i++) {
        flip += rows[i].flip;
        jitter += rows[i].jitter;
        grey += rows[i].grey;
        blur += rows[i].blur > 0;
        assert_int_equal(rows[i].solarise, 0);
        if (rows[i].jitter)
            order[rows[i].order]++;
        else
            assert_true(rows[i].brightness == 1 && rows[i].contrast == 1 &&
                        rows[i].saturation == 1 && rows[i].hue == 0 && rows[i].order == 0);
    }
    statistics_share(flip, N, 0.5);
    statistics_share(jitter, N, 0.8);
    statistics_share(grey, N, 0.2);
    statistics_share(blur, N, 0.5);
    statistics_chi_square_even(order, 24);
}

/* Kolmogorov-Smirnov of one float column over the rows where another column is not 0. */
static void check_column(size_t column, size_t where, double low, double high)
{
    size_t n = 0;
    for (size_t i = 0; i < N; i++) {
        const char *row = (const char *)&rows[i];
        float x;
        memcpy(&x, row + column, sizeof x);
        if (where ? row[where] : x != 0)
            values[n++] = x;
    }
    assert_true(n > N / 3);
    statistics_ks(values, n, statistics_uniform, (const double[]){low, high});
    assert_true(values[0] >= low - 1e-6 && values[n - 1] <= high + 1e-6);
}

static void test_factors(void **state)
{
    (void)state;
    struct augment a;
    augment_preset(AUGMENT_PRETRAIN, &a);
    draw_all(&a, (struct picture_size){340, 256}, SAMPLE_SHORT);
    size_t jitter = offsetof(struct sample, jitter);
    check_column(offsetof(struct sample, brightness), jitter, 0.2, 1.8);
    check_column(offsetof(struct sample, contrast), jitter, 0.2, 1.8);
    check_column(offsetof(struct sample, saturation), jitter, 0.2, 1.8);
    check_column(offsetof(struct sample, hue), jitter, -0.2, 0.2);
    check_column(offsetof(struct sample, blur), 0, 0.1, 2);
    a.brightness = 3; /* factors are never negative */
    draw_all(&a, (struct picture_size){340, 256}, SAMPLE_SHORT);
    check_column(offsetof(struct sample, brightness), jitter, 0, 4);
}

static size_t count_blurred(void)
{
    size_t n = 0;
    for (size_t i = 0; i < N; i++)
        n += rows[i].blur > 0;
    return n;
}

static size_t count_solarised(void)
{
    size_t n = 0;
    for (size_t i = 0; i < N; i++)
        n += rows[i].solarise;
    return n;
}

/* The public CVRL code: blur on one clip always, on the other 0.1, solarise 0.2 there. */
static void test_by_role(void **state)
{
    (void)state;
    struct augment a;
    augment_preset(AUGMENT_PRETRAIN, &a);
    a.blur[0] = 1;
    a.blur[1] = 0.1;
    a.solarise[1] = 0.2;
    draw_all(&a, (struct picture_size){340, 256}, SAMPLE_LONG);
    assert_int_equal(count_blurred(), N);
    assert_int_equal(count_solarised(), 0);
    draw_all(&a, (struct picture_size){340, 256}, SAMPLE_SHORT);
    statistics_share(count_blurred(), N, 0.1);
    statistics_share(count_solarised(), N, 0.2);
}

/* A probability changes what it decides, and nothing else. */
static void test_draws_have_their_place(void **state)
{
    (void)state;
    struct augment a, b;
    augment_preset(AUGMENT_PRETRAIN, &a);
    b = a;
    b.jitter = 0;
    b.blur[0] = 1;
    b.sigma[1] = 1;
    for (uint64_t i = 0; i < 1000; i++) {
        struct rng r;
        struct sample s = {0}, t = {0};
        rng_init(&r, 5, 2, i);
        augment_draw(&a, (struct picture_size){340, 256}, &r, &s);
        rng_init(&r, 5, 2, i);
        augment_draw(&b, (struct picture_size){340, 256}, &r, &t);
        assert_int_equal(t.jitter, 0);
        assert_int_equal(s.flip, t.flip);
        assert_int_equal(s.grey, t.grey);
        assert_memory_equal(&s.crop_x, &t.crop_x, 4 * sizeof s.crop_x);
    }
}

static void check_view(const struct augment *a, struct picture_size size, unsigned view,
                       const int box[4])
{
    struct sample s = {.view = (uint8_t)view, .role = SAMPLE_SINGLE};
    augment_draw(a, size, NULL, &s);
    assert_int_equal(s.crop_x, box[0]);
    assert_int_equal(s.crop_y, box[1]);
    assert_int_equal(s.crop_w, box[2]);
    assert_int_equal(s.crop_h, box[3]);
    assert_int_equal(s.flip | s.jitter | s.grey | s.solarise, 0);
    assert_true(s.blur == 0 && s.brightness == 1);
}

static void test_views(void **state)
{
    (void)state;
    struct augment a;
    augment_preset(AUGMENT_TEST, &a);
    check_view(&a, (struct picture_size){340, 256}, 0, (const int[]){42, 0, 256, 256});
    check_view(&a, (struct picture_size){256, 256}, 0, (const int[]){0, 0, 256, 256});
    a.n_crops = 3;
    check_view(&a, (struct picture_size){340, 256}, 0, (const int[]){0, 0, 256, 256});
    check_view(&a, (struct picture_size){340, 256}, 1, (const int[]){42, 0, 256, 256});
    check_view(&a, (struct picture_size){340, 256}, 2, (const int[]){84, 0, 256, 256});
    check_view(&a, (struct picture_size){341, 256}, 1, (const int[]){42, 0, 256, 256});
    check_view(&a, (struct picture_size){240, 426}, 0, (const int[]){0, 0, 240, 240});
    check_view(&a, (struct picture_size){240, 426}, 1, (const int[]){0, 93, 240, 240});
    check_view(&a, (struct picture_size){240, 426}, 2, (const int[]){0, 186, 240, 240});
    a.n_crops = 1;
    a.fraction = 0.875; /* 224 of 256 */
    check_view(&a, (struct picture_size){340, 256}, 0, (const int[]){58, 16, 224, 224});
    augment_preset(AUGMENT_NONE, &a);
    assert_false(augment_is_random(&a));
    check_view(&a, (struct picture_size){341, 255}, 0, (const int[]){0, 0, 341, 255});
    a.grey = 0.5;
    assert_true(augment_is_random(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crop_limits),
        cmocka_unit_test(test_crop_law),
        cmocka_unit_test(test_crop_aspect),
        cmocka_unit_test(test_crop_tiny),
        cmocka_unit_test(test_crop_of_one_area),
        cmocka_unit_test(test_pretrain),
        cmocka_unit_test(test_factors),
        cmocka_unit_test(test_by_role),
        cmocka_unit_test(test_draws_have_their_place),
        cmocka_unit_test(test_views),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
