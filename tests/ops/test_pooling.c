/* SPDX-License-Identifier: Apache-2.0 */
/* Max pooling fused with BN and ReLU, spatial means and their gradients; conversions, rows. */
#include "tests/ops/oracle.h"

struct shape {
    size_t planes, height, width, channels;
};

static const struct shape shapes[] = {
    {2, 8, 8, 16}, {3, 7, 5, 16}, {1, 1, 1, 3}, {2, 2, 9, 33}, {1, 13, 12, 64},
};

struct pools {
    struct tensor c, y, dy, dy2, g;
    float scale[64], shift[64];
    uint8_t *arg;
    double *want_y, *want_g;
    size_t ho, wo;
};

static void pools_init(struct pools *p, const struct shape *s, enum dtype type)
{
    p->ho = (s->height - 1) / 2 + 1;
    p->wo = (s->width - 1) / 2 + 1;
    size_t n_in = s->planes * s->height * s->width * s->channels;
    size_t n_out = s->planes * p->ho * p->wo * s->channels;
    tensor_random(&p->c, n_in, type, 0.0, 1);
    tensor_random(&p->g, n_in, type, 0.0, 2);
    tensor_random(&p->y, n_out, type, 0.0, 3);
    tensor_random(&p->dy, n_out, type, 0.0, 4);
    tensor_random(&p->dy2, n_out, type, 0.0, 5);
    p->arg = calloc(n_out, 1);
    p->want_y = calloc(n_out, sizeof *p->want_y);
    p->want_g = calloc(n_in, sizeof *p->want_g);
    struct rng r;
    rng_init(&r, 6, 6, 0);
    for (size_t k = 0; k < s->channels; k++) {
        p->scale[k] =
            (float)rng_normal(&r); /* negative ones too: the order of values turns round */
        p->shift[k] = 0.3f * (float)rng_normal(&r);
    }
}

static void pools_release(struct pools *p)
{
    struct tensor *all[] = {&p->c, &p->y, &p->dy, &p->dy2, &p->g};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tensor_release(all[i]);
    free(p->arg);
    free(p->want_y);
    free(p->want_g);
}

/* Fills want_y and want_g for one output element. */
static void true_window(struct pools *p, const struct shape *s, const size_t at[3], size_t k)
{
    size_t plane = at[0], oy = at[1], ox = at[2];
    float best = 0.0f;
    size_t arg = SIZE_MAX, o = ((plane * p->ho + oy) * p->wo + ox) * s->channels + k;
    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++) {
            size_t y = 2 * oy + a - 1, x = 2 * ox + b - 1;
            if (y >= s->height || x >= s->width)
                continue;
            size_t i = ((plane * s->height + y) * s->width + x) * s->channels + k;
            float v = (float)p->c.value[i] * p->scale[k] + p->shift[k];
            if (v > best) {
                best = v;
                arg = i;
            }
        }
    p->want_y[o] = (double)best;
    if (arg != SIZE_MAX)
        p->want_g[arg] += p->dy.value[o] + p->dy2.value[o];
}

#define ON(member) device_on(d, member, sizeof member)

static void check_pool(struct device *d, const struct shape *s, enum dtype type)
{
    struct pools p;
    pools_init(&p, s, type);
    for (size_t plane = 0; plane < s->planes; plane++)
        for (size_t oy = 0; oy < p.ho; oy++)
            for (size_t ox = 0; ox < p.wo; ox++)
                for (size_t k = 0; k < s->channels; k++)
                    true_window(&p, s, (size_t[3]){plane, oy, ox}, k);
    struct norm_pool_args f = {.planes = s->planes,
                               .height = s->height,
                               .width = s->width,
                               .channels = s->channels,
                               .dtype = type,
                               .c = device_tensor(d, &p.c),
                               .scale = ON(p.scale),
                               .shift = ON(p.shift),
                               .y = device_tensor(d, &p.y),
                               .arg = device_on(d, p.arg, p.y.n)};
    struct pool_grad_args g = {.planes = s->planes,
                               .height = s->height,
                               .width = s->width,
                               .channels = s->channels,
                               .dtype = type,
                               .dy = device_tensor(d, &p.dy),
                               .dy2 = device_tensor(d, &p.dy2),
                               .arg = f.arg,
                               .g = device_tensor(d, &p.g)};
    assert_int_equal(d->b->ops->norm_pool(d->b, &f), 0);
    assert_int_equal(d->b->ops->pool_grad(d->b, &g), 0);
    device_off(d);
    assert_within(relative_error(&p.y, p.want_y), type == DTYPE_F32 ? 0.0 : TOLERANCE_BF16);
    assert_within(relative_error(&p.g, p.want_g), tolerance(type));
    pools_release(&p);
}

static void pools(void **state)
{
    struct device *d = device_open(state, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_pool(d, &shapes[i], DTYPE_F32);
        check_pool(d, &shapes[i], DTYPE_BF16);
    }
    device_close(d);
}

static void check_mean(struct device *d, enum dtype type)
{
    size_t shape[3] = {5, 7, 33}, n = 5 * 7 * 33;
    struct tensor x, dx;
    float y[5 * 33], dy[5 * 33];
    double want_y[5 * 33] = {0}, want_dx[5 * 7 * 33];
    tensor_random(&x, n, type, 0.5, 1);
    tensor_random(&dx, n, type, 0.0, 2);
    for (size_t i = 0; i < 5 * 33; i++)
        dy[i] = (float)i - 80.0f;
    for (size_t i = 0; i < n; i++) {
        size_t row = i / (7 * 33), k = i % 33;
        want_y[row * 33 + k] += x.value[i] / 7.0;
        want_dx[i] = (double)dy[row * 33 + k] / 7.0;
    }
    assert_int_equal(d->b->ops->mean_inner(d->b, device_tensor(d, &x), type, shape, ON(y)), 0);
    assert_int_equal(d->b->ops->mean_inner_grad(d->b, ON(dy), device_tensor(d, &dx), type, shape),
                     0);
    device_off(d);
    assert_within(relative_error_f32(y, want_y, 5 * 33), TOLERANCE_F32);
    assert_within(relative_error(&dx, want_dx), tolerance(type));
    tensor_release(&x);
    tensor_release(&dx);
}

static void means(void **state)
{
    struct device *d = device_open(state, 2);
    check_mean(d, DTYPE_F32);
    check_mean(d, DTYPE_BF16);
    device_close(d);
}

static void conversions(void **state)
{
    struct device *d = device_open(state, 2);
    struct backend *b = d->b;
    enum { N = 100003 };
    struct tensor x, low;
    float *back = calloc(N, sizeof *back);
    tensor_random(&x, N, DTYPE_F32, 0.0, 1);
    tensor_random(&low, N, DTYPE_BF16, 0.0, 2);
    ((float *)x.data)[7] = INFINITY;
    ((float *)x.data)[8] = NAN;
    void *at_x = device_tensor(d, &x), *at_low = device_tensor(d, &low);
    float *at_back = device_on(d, back, N * sizeof *back);
    assert_int_equal(b->ops->convert(b, at_low, DTYPE_BF16, at_x, DTYPE_F32, N), 0);
    assert_int_equal(b->ops->convert(b, at_back, DTYPE_F32, at_low, DTYPE_BF16, N), 0);
    device_off(d);
    assert_true(isinf(back[7]));
    assert_true(isnan(back[8]));
    for (size_t i = 9; i < N; i++) {
        assert_int_equal(((uint16_t *)low.data)[i], f32_to_bf16((float)x.value[i]));
        assert_true(back[i] == bf16_to_f32(((uint16_t *)low.data)[i]));
    }
    tensor_release(&x);
    tensor_release(&low);
    free(back);
    device_close(d);
}

/* Sums of both types, at places that no vector begins at. */
static void accumulations(void **state)
{
    struct device *d = device_open(state, 2);
    enum { N = 1003 };
    for (size_t first = 0; first < 3; first++) {
        struct tensor x, low;
        float to[N] = {0};
        tensor_random(&x, N, DTYPE_F32, 0.0, 1);
        tensor_random(&low, N, DTYPE_BF16, 0.0, 2);
        float *at = (float *)ON(to) + first;
        size_t n = N - 2 * first;
        const float *at_x = (const float *)device_tensor(d, &x) + first;
        const uint16_t *at_low = (const uint16_t *)device_tensor(d, &low) + first;
        assert_int_equal(d->b->ops->accumulate(d->b, at, at_x, DTYPE_F32, n, false), 0);
        assert_int_equal(d->b->ops->accumulate(d->b, at, at_x, DTYPE_F32, n, true), 0);
        assert_int_equal(d->b->ops->accumulate(d->b, at, at_low, DTYPE_BF16, n, true), 0);
        device_off(d);
        for (size_t i = 0; i < N; i++) {
            float want = 2.0f * (float)x.value[i] + (float)low.value[i];
            assert_true(to[i] == (i < first || i >= first + n ? 0.0f : want));
        }
        tensor_release(&x);
        tensor_release(&low);
    }
    device_close(d);
}

/* Rows of whole vectors and of odd lengths. */
static void gathered_rows(void **state)
{
    struct device *d = device_open(state, 2);
    enum { ROWS = 50, MOST = 1 << 10 };
    static const size_t lengths[] = {1, 6, 16, 64, 100, MOST};
    static const uint32_t row[] = {3, 49, 0, 3, 17};
    const size_t n = sizeof row / sizeof row[0];
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        static unsigned char from[ROWS * MOST], to[5 * MOST];
        size_t bytes = lengths[k];
        for (size_t i = 0; i < sizeof from; i++)
            from[i] = (unsigned char)(i * 7919 >> 3);
        struct gather_rows_args a = {.from = device_on(d, from, ROWS * bytes),
                                     .to = device_on(d, to, n * bytes),
                                     .row_bytes = bytes,
                                     .n_rows = n,
                                     .row = device_on(d, row, sizeof row)};
        assert_int_equal(d->b->ops->gather_rows(d->b, &a), 0);
        device_off(d);
        for (size_t i = 0; i < n; i++)
            assert_memory_equal(to + i * bytes, from + row[i] * bytes, bytes);
    }
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(pools),         ON_EVERY_DEVICE(means),
        ON_EVERY_DEVICE(conversions),   ON_EVERY_DEVICE(accumulations),
        ON_EVERY_DEVICE(gathered_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
