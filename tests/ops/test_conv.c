/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of every kind the networks have, on odd sizes, against plain loops in double. */
#include "common/base/buf.h"
#include "common/base/file.h"
#include "tests/ops/oracle.h"

struct shape {
    size_t n, in[3], c_in, c_out, kernel[3], stride[3];
    bool bias;
};

static const struct shape shapes[] = {
    {2, {6, 11, 9}, 3, 16, {5, 7, 7}, {2, 2, 2}, false},   /* stem */
    {2, {5, 13, 13}, 3, 64, {5, 7, 7}, {2, 2, 2}, false},  /* stem of r3d50 */
    {2, {4, 6, 5}, 2, 16, {3, 3, 3}, {1, 1, 1}, true},     /* few channels, every place read */
    {1, {7, 8, 10}, 1, 8, {3, 3, 3}, {3, 3, 3}, false},    /* and each read once */
    {2, {3, 7, 8}, 3, 16, {1, 2, 2}, {1, 3, 3}, false},    /* and some never */
    {2, {3, 9, 8}, 3, 24, {1, 1, 1}, {2, 2, 2}, true},     /* which leaves a product */
    {2, {4, 9, 8}, 3, 16, {2, 3, 5}, {2, 1, 3}, false},    /* all directions apart */
    {3, {4, 7, 5}, 16, 32, {1, 1, 1}, {1, 1, 1}, false},   /* pointwise */
    {3, {1, 5, 4}, 32, 19, {1, 1, 1}, {1, 1, 1}, false},   /* an odd number of outputs, 60 rows */
    {2, {5, 9, 8}, 16, 32, {1, 1, 1}, {2, 3, 1}, false},   /* pointwise, strides apart */
    {2, {3, 2, 3}, 48, 16, {1, 1, 1}, {1, 1, 1}, false},   /* pointwise on tiny planes */
    {2, {3, 7, 9}, 16, 32, {1, 1, 1}, {1, 2, 2}, false},   /* strided shortcut */
    {2, {3, 8, 6}, 16, 16, {1, 3, 3}, {1, 1, 1}, false},   /* spatial */
    {2, {3, 7, 5}, 32, 16, {1, 3, 3}, {1, 2, 2}, false},   /* strided spatial */
    {4, {2, 1, 1}, 64, 64, {1, 3, 3}, {1, 1, 1}, false},   /* spatial on planes of one pixel */
    {4, {2, 1, 1}, 128, 128, {1, 3, 3}, {1, 2, 2}, false}, /* and strided */
    {2, {5, 3, 4}, 32, 16, {3, 1, 1}, {1, 1, 1}, false},   /* temporal */
    {1, {1, 5, 4}, 16, 48, {3, 1, 1}, {1, 1, 1}, false},   /* temporal on one frame */
    {7, {1, 1, 1}, 48, 33, {1, 1, 1}, {1, 1, 1}, true},    /* linear with bias, odd width */
    {5, {1, 1, 1}, 7, 5, {1, 1, 1}, {1, 1, 1}, true},      /* narrower than a vector */
};

struct problem {
    struct device *device;
    struct conv_desc d;
    struct tensor x, y, dy, dx;
    float *w, *bias, *dw, *dbias;
    double *want;
    size_t n_w;
};

static void add_forward(void *user, size_t y, size_t w, size_t x)
{
    struct problem *p = user;
    double weight = (double)p->w[w];
    if (p->d.dtype == DTYPE_BF16)
        weight = (double)bf16_to_f32(f32_to_bf16(p->w[w]));
    p->want[y] += weight * p->x.value[x];
}

static void add_data_grad(void *user, size_t y, size_t w, size_t x)
{
    struct problem *p = user;
    double weight = (double)p->w[w];
    if (p->d.dtype == DTYPE_BF16)
        weight = (double)bf16_to_f32(f32_to_bf16(p->w[w]));
    p->want[x] += weight * p->dy.value[y];
}

static void add_weight_grad(void *user, size_t y, size_t w, size_t x)
{
    struct problem *p = user;
    p->want[w] += p->dy.value[y] * p->x.value[x];
}

static void problem_init(struct problem *p, struct device *device, const struct shape *s,
                         enum dtype type)
{
    memset(p, 0, sizeof *p);
    p->device = device;
    p->d = (struct conv_desc){
        .n = s->n, .c_in = s->c_in, .c_out = s->c_out, .dtype = type, .bias = s->bias};
    for (int i = 0; i < 3; i++) {
        p->d.in[i] = s->in[i];
        p->d.kernel[i] = s->kernel[i];
        p->d.stride[i] = s->stride[i];
        p->d.pad[i] = s->kernel[i] / 2;
    }
    size_t rows = s->n * conv_out(&p->d, 0) * conv_out(&p->d, 1) * conv_out(&p->d, 2);
    size_t n_x = s->n * s->in[0] * s->in[1] * s->in[2] * s->c_in;
    p->n_w = s->c_out * s->kernel[0] * s->kernel[1] * s->kernel[2] * s->c_in;
    tensor_random(&p->x, n_x, type, 0.5, 1);
    tensor_random(&p->dx, n_x, type, 0.0, 2);
    tensor_random(&p->y, rows * s->c_out, type, 0.0, 3);
    tensor_random(&p->dy, rows * s->c_out, type, 0.0, 4);
    size_t most = n_x > rows * s->c_out ? n_x : rows * s->c_out;
    p->want = calloc(most > p->n_w ? most : p->n_w, sizeof *p->want);
    p->w = aligned_alloc(64, (p->n_w * sizeof(float) + 63) / 64 * 64);
    p->dw = aligned_alloc(64, (p->n_w * sizeof(float) + 63) / 64 * 64);
    p->bias = calloc(s->c_out, sizeof(float));
    p->dbias = calloc(s->c_out, sizeof(float));
    struct rng r;
    rng_init(&r, 5, 2, 0);
    for (size_t i = 0; i < p->n_w; i++)
        p->w[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < s->c_out; i++)
        p->bias[i] = (float)rng_normal(&r);
}

static void problem_release(struct problem *p)
{
    tensor_release(&p->x);
    tensor_release(&p->y);
    tensor_release(&p->dy);
    tensor_release(&p->dx);
    free(p->want);
    free(p->w);
    free(p->dw);
    free(p->bias);
    free(p->dbias);
}

static void run_forward(struct problem *p, struct conv *c, double *sums)
{
    struct err e = {0};
    struct device *d = p->device;
    struct conv_forward_args args = {.x = device_tensor(d, &p->x),
                                     .y = device_tensor(d, &p->y),
                                     .sums = device_on(d, sums, 2 * p->d.c_out * sizeof *sums)};
    support_ok(d->b->ops->conv_forward(d->b, c, &args, &e), &e);
    device_off(d);
}

static void check_forward(struct problem *p, struct conv *c)
{
    size_t channels = p->d.c_out, rows = p->y.n / channels;
    double *sums = calloc(2 * channels, sizeof *sums);
    run_forward(p, c, sums);
    for (size_t i = 0; i < p->y.n; i++)
        p->want[i] = p->d.bias ? (double)p->bias[i % channels] : 0.0;
    struct conv_walk walk = {&p->d, add_forward, p};
    conv_walk_all(&walk);
    assert_within(relative_error(&p->y, p->want), tolerance(p->d.dtype));
    for (size_t k = 0; k < channels; k++) { /* sums are of y as it was stored */
        double sum = 0.0, square = 0.0;
        for (size_t r = 0; r < rows; r++) {
            double v = tensor_at(&p->y, r * channels + k);
            sum += v;
            square += v * v;
        }
        assert_within(fabs(sums[k] - sum) / sqrt((double)rows * square), TOLERANCE_F32);
        assert_within(fabs(sums[channels + k] - square) / square, TOLERANCE_F32);
    }
    free(sums);
}

static void check_data_grad(struct problem *p, struct conv *c)
{
    struct err e = {0};
    struct device *d = p->device;
    struct conv_data_grad_args a = {.dy = device_tensor(d, &p->dy), .dx = device_tensor(d, &p->dx)};
    support_ok(d->b->ops->conv_backward_data(d->b, c, &a, &e), &e);
    device_off(d);
    memset(p->want, 0, p->dx.n * sizeof *p->want);
    struct conv_walk walk = {&p->d, add_data_grad, p};
    conv_walk_all(&walk);
    assert_within(relative_error(&p->dx, p->want), tolerance(p->d.dtype));
}

static void run_weight_grad(struct problem *p, struct conv *c, bool accumulate)
{
    struct err e = {0};
    struct device *d = p->device;
    float *dbias = p->d.bias ? p->dbias : NULL;
    struct conv_weight_grad_args args = {.x = device_tensor(d, &p->x),
                                         .dy = device_tensor(d, &p->dy),
                                         .dw = device_on(d, p->dw, p->n_w * sizeof *p->dw),
                                         .dbias = device_on(d, dbias, p->d.c_out * sizeof *dbias),
                                         .accumulate = accumulate};
    support_ok(d->b->ops->conv_backward_weights(d->b, c, &args, &e), &e);
    device_off(d);
}

/* Overwriting, then adding: twice the gradient. */
static void check_weight_grad(struct problem *p, struct conv *c)
{
    double limit = TOLERANCE_F32;
    if (!p->device->cpu && p->d.dtype == DTYPE_BF16)
        limit = TOLERANCE_BF16_GRADIENT;
    memset(p->want, 0, p->n_w * sizeof *p->want);
    struct conv_walk walk = {&p->d, add_weight_grad, p};
    conv_walk_all(&walk);
    for (int times = 1; times <= 2; times++) {
        run_weight_grad(p, c, times == 2);
        assert_within(relative_error_f32(p->dw, p->want, p->n_w), limit);
        for (size_t i = 0; i < p->n_w && times == 1; i++)
            p->want[i] *= 2.0;
    }
    for (size_t o = 0; o < p->d.c_out && p->d.bias; o++) {
        double sum = 0.0, size = 0.0;
        for (size_t r = 0; r < p->dy.n / p->d.c_out; r++) {
            sum += 2.0 * p->dy.value[r * p->d.c_out + o];
            size += fabs(2.0 * p->dy.value[r * p->d.c_out + o]);
        }
        assert_within(fabs((double)p->dbias[o] - sum) / size, TOLERANCE_F32);
    }
}

/* What is computed again has the same bits. */
static void check_repeats(struct problem *p, struct conv *c)
{
    size_t bytes = p->y.n * dtype_bytes(p->y.type), n_sums = 2 * p->d.c_out;
    double *sums = calloc(2 * n_sums, sizeof *sums);
    void *y = malloc(bytes);
    float *dw = malloc(p->n_w * sizeof *dw);
    run_forward(p, c, sums);
    memcpy(y, p->y.data, bytes);
    run_forward(p, c, sums + n_sums);
    assert_memory_equal(y, p->y.data, bytes);
    assert_memory_equal(sums, sums + n_sums, n_sums * sizeof *sums);
    run_weight_grad(p, c, false);
    memcpy(dw, p->dw, p->n_w * sizeof *dw);
    run_weight_grad(p, c, false);
    assert_memory_equal(dw, p->dw, p->n_w * sizeof *dw);
    free(sums);
    free(y);
    free(dw);
}

static struct conv *make(struct device *d, const struct problem *p, struct conv *share)
{
    struct conv_desc desc = p->d;
    struct conv *c = NULL;
    struct err e = {0};
    desc.share = share;
    support_ok(d->b->ops->conv_new(d->b, &desc, &c, &e), &e);
    support_ok(d->b->ops->conv_set_weights(d->b, c, device_on(d, p->w, p->n_w * sizeof *p->w),
                                           device_on(d, p->bias, p->d.c_out * sizeof *p->bias), &e),
               &e);
    device_off(d);
    return c;
}

static void check_shape(struct device *device, const struct shape *s, enum dtype type)
{
    struct problem p;
    problem_init(&p, device, s, type);
    struct conv *c = make(device, &p, NULL), *sharing = make(device, &p, c);
    check_forward(&p, c);
    check_data_grad(&p, c);
    check_weight_grad(&p, c);
    check_repeats(&p, c);
    check_forward(&p, sharing);
    device->b->ops->conv_free(device->b, sharing);
    device->b->ops->conv_free(device->b, c);
    problem_release(&p);
}

static void check_shapes(void **state, enum dtype type)
{
    for (size_t n_threads = 1; n_threads < 3; n_threads++) {
        struct device *d = device_open(state, n_threads);
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            check_shape(d, &shapes[i], type);
        device_close(d);
    }
}

static void matches_plain_loops_f32(void **state)
{
    check_shapes(state, DTYPE_F32);
}

static void matches_plain_loops_bf16(void **state)
{
    check_shapes(state, DTYPE_BF16);
}

/* A device that may round factors stays within what that rounds. */
static void rounded_factors_are_close(void **state)
{
    struct device *d = device_open_with(state, &(struct backend_options){.tf32 = true});
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct problem p;
        problem_init(&p, d, &shapes[i], DTYPE_F32);
        struct conv *c = make(d, &p, NULL);
        double *sums = calloc(2 * p.d.c_out, sizeof *sums);
        run_forward(&p, c, sums);
        for (size_t k = 0; k < p.y.n; k++)
            p.want[k] = p.d.bias ? (double)p.bias[k % p.d.c_out] : 0.0;
        struct conv_walk walk = {&p.d, add_forward, &p};
        conv_walk_all(&walk);
        assert_within(relative_error(&p.y, p.want), TOLERANCE_TF32);
        d->b->ops->conv_free(d->b, c);
        free(sums);
        problem_release(&p);
    }
    device_close(d);
}

/* What a GPU measured is in the file, and taken from there: the same bits in another process. */
static void plans_are_kept(void **state)
{
    char folder[4096];
    struct buf text[2] = {{0}, {0}};
    void *y[2];
    struct problem p;
    support_make_folder(folder, sizeof folder);
    const char *path = support_path(folder, "a.plans");
    for (int i = 0; i < 2; i++) {
        struct err e = {0};
        struct device *d = device_open_with(state, &(struct backend_options){.plan_file = path});
        problem_init(&p, d, &shapes[12], DTYPE_BF16);
        struct conv *c = make(d, &p, NULL);
        double *sums = calloc(2 * p.d.c_out, sizeof *sums);
        run_forward(&p, c, sums);
        y[i] = malloc(p.y.n * 2);
        memcpy(y[i], p.y.data, p.y.n * 2);
        assert_true(file_exists(path) == !d->cpu);
        if (!d->cpu)
            support_ok(file_read(path, &text[i], &e), &e);
        d->b->ops->conv_free(d->b, c);
        device_close(d);
        free(sums);
        if (i == 1)
            assert_memory_equal(y[0], y[1], p.y.n * 2);
        problem_release(&p);
    }
    assert_int_equal(text[0].len, text[1].len);
    if (text[0].len)
        assert_memory_equal(text[0].data, text[1].data, text[0].len);
    for (int i = 0; i < 2; i++) {
        buf_release(&text[i]);
        free(y[i]);
    }
    support_remove(folder);
}

static void products_of_all_layouts(void **state)
{
    struct device *device = device_open(state, 2);
    struct backend *b = device->b;
    enum { M = 13, N = 21, K = 37 };
    for (int form = 0; form < 8; form++) {
        struct err e = {0};
        struct tensor x, y;
        struct matmul *m = NULL;
        float got[M * N];
        double want[M * N] = {0};
        struct matmul_desc d = {.m = M,
                                .n = N,
                                .k = K,
                                .a_transposed = form & 1,
                                .b_transposed = form & 2,
                                .accumulate = form & 4};
        tensor_random(&x, M * K, DTYPE_F32, 0.0, 1);
        tensor_random(&y, K * N, DTYPE_F32, 0.0, 2);
        for (int i = 0; i < M * N; i++) {
            got[i] = (float)i;
            want[i] = d.accumulate ? (double)i : 0.0;
            for (int k = 0; k < K; k++)
                want[i] += x.value[form & 1 ? k * M + i / N : i / N * K + k] *
                           y.value[form & 2 ? i % N * K + k : k * N + i % N];
        }
        support_ok(b->ops->matmul_new(b, &d, &m, &e), &e);
        support_ok(b->ops->matmul_run(b, m, device_tensor(device, &x), device_tensor(device, &y),
                                      device_on(device, got, sizeof got), &e),
                   &e);
        device_off(device);
        assert_within(relative_error_f32(got, want, M * N), TOLERANCE_F32);
        b->ops->matmul_free(b, m);
        tensor_release(&x);
        tensor_release(&y);
    }
    device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(matches_plain_loops_f32),   ON_EVERY_DEVICE(matches_plain_loops_bf16),
        ON_EVERY_DEVICE(rounded_factors_are_close), ON_EVERY_DEVICE(plans_are_kept),
        ON_EVERY_DEVICE(products_of_all_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
