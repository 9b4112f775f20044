/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What GPU kernels compute with, on the CPU: how work is cut, which elements a convolution joins,
 * how its views number them, and pixels one at a time against rows.
 */
#include "common/base/rng.h"
#include "kernels/backend.h"
#include "kernels/cuda/conv_index.h"
#include "kernels/cuda/partition.h"
#include "kernels/cuda/render_pixel.h"
#include "tests/unit/support.h"

/* -- rows and channels of a block's threads -- */

/* Every element once, whatever the shape. */
static void check_cut(size_t rows, size_t channels, unsigned vector, unsigned depth)
{
    struct row_cut cut = row_cut(rows, channels / vector, depth);
    struct row_shape shape = {rows, channels, vector};
    unsigned char *seen = calloc(rows, channels);
    assert_non_null(seen);
    assert_true(cut.depth >= 1 && cut.depth <= depth && CUDA_BLOCK % cut.lanes == 0);
    for (size_t tile = 0; tile < cut.n_tiles; tile++)
        for (size_t column = 0; column < cut.n_columns; column++)
            for (unsigned thread = 0; thread < CUDA_BLOCK; thread++) {
                struct row_place at = {thread, tile, column};
                struct row_walk w = row_walk(&cut, &shape, &at);
                unsigned n = 0;
                for (size_t row = w.row; row < w.end; row += w.step, n++)
                    for (unsigned k = 0; k < vector; k++)
                        seen[row * channels + w.channel + k]++;
                assert_true(n <= depth);
            }
    for (size_t i = 0; i < rows * channels; i++)
        assert_int_equal(seen[i], 1);
    free(seen);
}

static void cuts_cover_every_element_once(void **state)
{
    static const size_t rows[] = {1, 7, 37, 1000, 4099, 70001};
    static const size_t channels[] = {1, 3, 8, 16, 24, 33, 64, 136, 2048};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < sizeof channels / sizeof channels[0]; k++) {
            if (rows[i] * channels[k] > 5000000)
                continue;
            check_cut(rows[i], channels[k], 1, SUM_DEPTH);
            if (channels[k] % 8 == 0)
                check_cut(rows[i], channels[k], 8, MAP_DEPTH);
        }
}

static void big_tensors_fill_a_device(void **state)
{
    (void)state;
    struct row_cut stem = row_cut(6422528, 64 / 8, SUM_DEPTH),
                   deep = row_cut(25088, 256, SUM_DEPTH);
    assert_int_equal(stem.depth, SUM_DEPTH);
    assert_true(stem.n_tiles * stem.n_columns >= WANTED_BLOCKS);
    assert_true(deep.n_tiles * deep.n_columns >= WANTED_BLOCKS);
}

/* -- convolutions -- */

static const struct conv_desc convs[] = {
    {.n = 2,
     .in = {5, 7, 6},
     .c_in = 3,
     .c_out = 4,
     .kernel = {5, 7, 7},
     .stride = {2, 2, 2},
     .pad = {2, 3, 3}},
    {.n = 2, .in = {3, 4, 5}, .c_in = 4, .c_out = 3, .kernel = {1, 1, 1}, .stride = {1, 1, 1}},
    {.n = 1, .in = {3, 5, 6}, .c_in = 2, .c_out = 5, .kernel = {1, 1, 1}, .stride = {1, 2, 2}},
    {.n = 2,
     .in = {3, 5, 4},
     .c_in = 3,
     .c_out = 2,
     .kernel = {1, 3, 3},
     .stride = {1, 1, 1},
     .pad = {0, 1, 1}},
    {.n = 2,
     .in = {2, 5, 7},
     .c_in = 3,
     .c_out = 2,
     .kernel = {1, 3, 3},
     .stride = {1, 2, 2},
     .pad = {0, 1, 1}},
    {.n = 2,
     .in = {4, 3, 2},
     .c_in = 3,
     .c_out = 4,
     .kernel = {3, 1, 1},
     .stride = {1, 1, 1},
     .pad = {1, 0, 0}},
    {.n = 1,
     .in = {1, 3, 2},
     .c_in = 2,
     .c_out = 2,
     .kernel = {3, 1, 1},
     .stride = {1, 1, 1},
     .pad = {1, 0, 0}},
    {.n = 1,
     .in = {5, 3, 2},
     .c_in = 2,
     .c_out = 2,
     .kernel = {3, 1, 1},
     .stride = {2, 1, 1},
     .pad = {1, 0, 0}},
};

enum { N_CONVS = sizeof convs / sizeof convs[0] };

/* The pass's result for factors that are whole numbers, so that sums are exact. */
static double *result_of(const struct conv_view *v, enum conv_pass pass)
{
    size_t n = conv_n_elements(v, pass);
    double *sum = calloc(n, sizeof *sum);
    assert_non_null(sum);
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < conv_n_terms(v, pass); t++) {
            struct conv_term term = conv_term(v, pass, i, t);
            if (term.inside)
                sum[i] += (double)(term.first * 7919 % 101) * (double)(term.second * 104729 % 97);
        }
    return sum;
}

/* Nine nested loops from the definition in backend.h. */
static double *expected(const struct conv_desc *d, enum conv_pass pass)
{
    struct conv_view v = conv_view_whole(d);
    double *sum = calloc(conv_n_elements(&v, pass), sizeof *sum);
    size_t at[9], end[9] = {d->n,         v.out[0],     v.out[1],     v.out[2], d->c_out,
                            d->kernel[0], d->kernel[1], d->kernel[2], d->c_in};
    size_t all = 1;
    for (int i = 0; i < 9; i++)
        all *= end[i];
    for (size_t number = 0; number < all; number++) {
        size_t left = number, in[3];
        for (int i = 8; i >= 0; left /= end[i], i--)
            at[i] = left % end[i];
        bool inside = true;
        for (int i = 0; i < 3; i++) {
            in[i] = at[1 + i] * d->stride[i] + at[5 + i] - d->pad[i]; /* wraps below zero */
            inside = inside && in[i] < d->in[i];
        }
        if (!inside)
            continue;
        size_t x =
            (((at[0] * d->in[0] + in[0]) * d->in[1] + in[1]) * d->in[2] + in[2]) * d->c_in + at[8];
        size_t w = (((at[4] * end[5] + at[5]) * end[6] + at[6]) * end[7] + at[7]) * end[8] + at[8];
        size_t y = (((at[0] * end[1] + at[1]) * end[2] + at[2]) * end[3] + at[3]) * end[4] + at[4];
        size_t first = pass == CONV_BACKWARD_DATA ? y : x;
        size_t second = pass == CONV_BACKWARD_WEIGHTS ? y : w;
        sum[pass == CONV_FORWARD         ? y
            : pass == CONV_BACKWARD_DATA ? x
                                         : w] +=
            (double)(first * 7919 % 101) * (double)(second * 104729 % 97);
    }
    return sum;
}

static void check_view(const struct conv_view *v, enum conv_pass pass, const double *want)
{
    double *got = result_of(v, pass);
    assert_memory_equal(got, want, conv_n_elements(v, pass) * sizeof *got);
    free(got);
}

static void views_are_the_convolution(void **state)
{
    (void)state;
    size_t n_flat = 0;
    for (size_t i = 0; i < N_CONVS; i++)
        for (enum conv_pass pass = CONV_FORWARD; pass < CONV_N_PASSES; pass++) {
            struct conv_view whole = conv_view_whole(&convs[i]), flat;
            double *want = expected(&convs[i], pass);
            check_view(&whole, pass, want);
            if (conv_view_flat(&convs[i], &flat)) {
                n_flat++;
                check_view(&flat, pass, want);
                assert_int_equal(conv_n_elements(&flat, pass), conv_n_elements(&whole, pass));
            }
            free(want);
        }
    assert_int_equal(n_flat, 3 * (N_CONVS - 1)); /* all but the stem */
    assert_true(conv_is_product(&convs[1]) && !conv_is_product(&convs[2]));
}

static void samples_spread(void **state)
{
    (void)state;
    for (size_t n = 1; n < 300; n++)
        for (size_t s = 0; s < n && s < 64; s++) {
            size_t e = conv_sample_element(s, n < 64 ? n : 64, n);
            assert_true(e < n && (n > 64 || e == s));
        }
    const size_t n = 411041792, parts = 16;
    size_t hits[16] = {0};
    for (size_t s = 0; s < 1024; s++)
        hits[conv_sample_element(s, 1024, n) * parts / n]++;
    for (size_t i = 0; i < parts; i++)
        assert_true(hits[i] >= 40);
    assert_int_equal(conv_sample_element(0, 1024, n), 0);
    assert_int_equal(conv_sample_element(1, 1024, n), n - 1);
    double sum = 0.0;
    for (size_t i = 0; i < 100000; i++) {
        float x = conv_random(i, 3);
        assert_true(x >= -1.0f && x < 1.0f && x != conv_random(i + 1, 3));
        sum += (double)x;
    }
    assert_true(sum / 1e5 < 0.01 && sum / 1e5 > -0.01);
}

/* -- pixels -- */

enum { WIDTH = 26, HEIGHT = 18, FRAMES = 2, SIZE = 63, N_OUT = FRAMES * SIZE * SIZE * 3 };

struct clip {
    uint8_t memory[FRAMES][WIDTH * HEIGHT * 3 / 2];
    const uint8_t *picture[FRAMES];
    struct clip_pixels pixels;
    struct clip_augment augment;
    struct render_args args;
    float rows[N_OUT];
};

static void clip_init(struct clip *c, struct rng *r)
{
    for (int t = 0; t < FRAMES; t++) {
        c->picture[t] = c->memory[t];
        for (size_t i = 0; i < sizeof c->memory[t]; i++)
            c->memory[t][i] = (uint8_t)rng_below(r, 256);
    }
    c->pixels = (struct clip_pixels){c->picture, FRAMES, WIDTH - 1, HEIGHT - 1,
                                     WIDTH,      HEIGHT, 1,         rng_below(r, 2)};
    struct clip_augment *a = &c->augment;
    a->crop_x = (int)rng_below(r, 8);
    a->crop_y = (int)rng_below(r, 8);
    a->crop_w = 1 + (int)rng_below(r, (uint64_t)(WIDTH - 1 - a->crop_x));
    a->crop_h = 1 + (int)rng_below(r, (uint64_t)(HEIGHT - 1 - a->crop_y));
    a->flip = rng_below(r, 2);
    a->jitter = rng_below(r, 2);
    a->grey = rng_below(r, 4) == 0;
    a->solarise = rng_below(r, 4) == 0;
    a->order = (unsigned)rng_below(r, 24);
    a->brightness = (float)rng_uniform(r, 0.2, 1.8);
    a->contrast = (float)rng_uniform(r, 0.2, 1.8);
    a->saturation = (float)rng_uniform(r, 0.2, 1.8);
    a->hue = (float)rng_uniform(r, -0.2, 0.2);
    a->blur = rng_below(r, 2) ? (float)rng_uniform(r, 0.1, 2.0) : 0.0f;
    c->args = (struct render_args){&c->pixels, a, SIZE, DTYPE_F32, c->rows};
}

/* What the kernels keep for one clip. */
struct painting {
    struct render_plan plan;
    struct render_crop crop;
    struct render_position columns[SIZE], rows[SIZE + RENDER_RUN];
    uint8_t *packed;
    float picture[N_OUT];
    float mean[3];
};

static void painting_init(struct painting *p, const struct clip *c)
{
    struct err e = {0};
    const struct clip_augment *a = &c->augment;
    support_ok(render_prepare(&p->plan, &c->args, &e), &e);
    render_crop_init(&p->crop, &c->pixels, a);
    p->packed = malloc(FRAMES * p->crop.frame_bytes);
    for (int t = 0; t < FRAMES; t++)
        render_crop_pack(&p->crop, c->picture[t], p->packed + (size_t)t * p->crop.frame_bytes);
    for (size_t i = 0; i < SIZE; i++)
        p->columns[a->flip ? SIZE - 1 - i : i] = render_position(i, (size_t)a->crop_w, SIZE);
    for (size_t i = 0; i < SIZE + RENDER_RUN; i++)
        p->rows[i] = render_position(i < SIZE ? i : SIZE - 1, (size_t)a->crop_h, SIZE);
}

/* All columns from the top down, the jitter's first n_ops operations done. */
static void paint(struct painting *p, size_t n_ops, bool grey)
{
    struct elem_rgb run[RENDER_RUN];
    for (size_t i = 0; i < FRAMES * SIZE; i++) {
        size_t t = i / SIZE, x = i % SIZE;
        struct render_walk w =
            render_walk(&p->crop, p->packed + t * p->crop.frame_bytes, &p->columns[x]);
        for (size_t y = 0; y < SIZE; y += RENDER_RUN) {
            render_resized(&p->crop, &p->plan.yuv, &w, p->rows + y, run);
            render_jitter(&p->plan, n_ops, p->mean, run);
            if (grey)
                render_grey(run);
            for (size_t k = 0; k < RENDER_RUN && y + k < SIZE; k++)
                memcpy(p->picture + 3 * ((t * SIZE + y + k) * SIZE + x), &run[k], sizeof run[k]);
        }
    }
}

static void find_mean(struct painting *p)
{
    double sum[3] = {0};
    paint(p, p->plan.contrast_at, false);
    for (size_t i = 0; i < N_OUT; i++)
        sum[i % 3] += (double)p->picture[i];
    for (int k = 0; k < 3; k++)
        p->mean[k] = (float)(sum[k] / (N_OUT / 3));
}

/* RENDER_RUN rows at a time between zeros, along them, as the kernels' shared memory has them. */
static void blur_across(struct painting *p)
{
    enum { MARGIN = 3 * RENDER_MAX_RADIUS, ROW = 3 * SIZE, N_ROWS = FRAMES * SIZE };
    static struct render_values room[MARGIN + ROW + MARGIN];
    for (size_t y = 0; y < N_ROWS; y += RENDER_RUN) {
        size_t n = N_ROWS - y < RENDER_RUN ? N_ROWS - y : RENDER_RUN;
        for (size_t i = 0; i < n * ROW; i++)
            room[MARGIN + i % ROW].v[i / ROW] = p->picture[y * ROW + i];
        for (size_t i = 0; i < ROW; i++) {
            struct render_values v = render_blurred_across(&p->plan, room + MARGIN + i);
            for (size_t k = 0; k < n; k++)
                p->picture[(y + k) * ROW + i] = v.v[k];
        }
    }
}

static void blur_down(struct painting *p, float *to)
{
    enum { ROW = 3 * SIZE };
    int radius = (int)p->plan.radius;
    for (size_t i = 0; i < FRAMES * ROW; i++) {
        size_t at = i / ROW * SIZE * ROW + i % ROW;
        struct render_column column = {p->picture + at, SIZE, ROW};
        for (int y = 0; y < SIZE; y += RENDER_DOWN) {
            bool inside = y >= radius && y + RENDER_DOWN - 1 + radius < SIZE;
            float v[RENDER_DOWN];
            render_blurred_down(&p->plan, &column, y, inside, v);
            for (int k = 0; k < RENDER_DOWN && y + k < SIZE; k++)
                to[at + (size_t)((y + k) * ROW)] = v[k];
        }
    }
}

static void check_clip(struct backend *b, struct clip *c)
{
    struct err e = {0};
    struct painting *p = calloc(1, sizeof *p);
    float *blurred = malloc(sizeof p->picture);
    support_ok(b->ops->render(b, &c->args, &e), &e);
    painting_init(p, c);
    find_mean(p);
    paint(p, p->plan.n_ops, c->augment.grey);
    if (p->plan.radius) {
        blur_across(p);
        blur_down(p, blurred);
    } else {
        memcpy(blurred, p->picture, sizeof p->picture);
    }
    for (size_t i = 0; i < N_OUT; i++) {
        float v = blurred[i];
        assert_true((c->augment.solarise ? elem_solarise(v) : v) == c->rows[i]);
    }
    free(blurred);
    free(p->packed);
    free(p);
}

/* To the bit: crop boxes at odd places, single columns and rows, all orders of the jitter. */
static void pixels_equal_rows(void **state)
{
    struct err e = {0};
    struct backend *b;
    struct clip *c = calloc(1, sizeof *c);
    struct rng r;
    (void)state;
    support_ok(backend_open(&b, &(struct backend_options){.device = "cpu", .n_threads = 1}, &e),
               &e);
    rng_init(&r, 5, 5, 5);
    for (int i = 0; i < 200; i++) {
        clip_init(c, &r);
        check_clip(b, c);
    }
    free(c);
    backend_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_cover_every_element_once),
        cmocka_unit_test(big_tensors_fill_a_device),
        cmocka_unit_test(views_are_the_convolution),
        cmocka_unit_test(samples_spread),
        cmocka_unit_test(pixels_equal_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
