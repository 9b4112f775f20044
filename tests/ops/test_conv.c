/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions of every kind the networks have, on odd sizes, against plain loops in double. */
#include "tests/ops/oracle.h"

struct shape {
    size_t n, in[3], c_in, c_out, kernel[3], stride[3];
    bool bias;
};

static const struct shape shapes[] = {
    {2, {6, 11, 9}, 3, 16, {5, 7, 7}, {2, 2, 2}, false},  /* stem */
    {2, {5, 13, 13}, 3, 64, {5, 7, 7}, {2, 2, 2}, false}, /* stem of r3d50 */
    {3, {4, 7, 5}, 16, 32, {1, 1, 1}, {1, 1, 1}, false},  /* pointwise */
    {2, {3, 2, 3}, 48, 16, {1, 1, 1}, {1, 1, 1}, false},  /* pointwise on tiny planes */
    {2, {3, 7, 9}, 16, 32, {1, 1, 1}, {1, 2, 2}, false},  /* strided shortcut */
    {2, {3, 8, 6}, 16, 16, {1, 3, 3}, {1, 1, 1}, false},  /* spatial */
    {2, {3, 7, 5}, 32, 16, {1, 3, 3}, {1, 2, 2}, false},  /* strided spatial */
    {2, {5, 3, 4}, 32, 16, {3, 1, 1}, {1, 1, 1}, false},  /* temporal */
    {1, {1, 5, 4}, 16, 48, {3, 1, 1}, {1, 1, 1}, false},  /* temporal on one frame */
    {7, {1, 1, 1}, 48, 33, {1, 1, 1}, {1, 1, 1}, true},   /* linear with bias, odd width */
    {5, {1, 1, 1}, 7, 5, {1, 1, 1}, {1, 1, 1}, true},     /* narrower than a vector */
};

struct problem {
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

static void problem_init(struct problem *p, const struct shape *s, enum dtype type)
{
    memset(p, 0, sizeof *p);
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

static void check_forward(struct problem *p, struct backend *b, struct conv *c)
{
    struct err e = {0};
    size_t channels = p->d.c_out, rows = p->y.n / channels;
    double *sums = calloc(2 * channels, sizeof *sums);
    struct conv_forward_args args = {.x = p->x.data, .y = p->y.data, .sums = sums};
    support_ok(b->ops->conv_forward(b, c, &args, &e), &e);
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

static void check_data_grad(struct problem *p, struct backend *b, struct conv *c)
{
    struct err e = {0};
    support_ok(b->ops->conv_backward_data(b, c, p->dy.data, p->dx.data, &e), &e);
    memset(p->want, 0, p->dx.n * sizeof *p->want);
    struct conv_walk walk = {&p->d, add_data_grad, p};
    conv_walk_all(&walk);
    assert_within(relative_error(&p->dx, p->want), tolerance(p->d.dtype));
}

/* Overwriting, then adding: twice the gradient. */
static void check_weight_grad(struct problem *p, struct backend *b, struct conv *c)
{
    struct err e = {0};
    memset(p->want, 0, p->n_w * sizeof *p->want);
    struct conv_walk walk = {&p->d, add_weight_grad, p};
    conv_walk_all(&walk);
    for (int times = 1; times <= 2; times++) {
        struct conv_weight_grad_args args = {.x = p->x.data,
                                             .dy = p->dy.data,
                                             .dw = p->dw,
                                             .dbias = p->d.bias ? p->dbias : NULL,
                                             .accumulate = times == 2};
        support_ok(b->ops->conv_backward_weights(b, c, &args, &e), &e);
        assert_within(relative_error_f32(p->dw, p->want, p->n_w), TOLERANCE_F32);
        for (size_t i = 0; i < p->n_w && times == 1; i++)
            p->want[i] *= 2.0;
    }
    for (size_t o = 0; o < p->d.c_out && p->d.bias; o++) {
        double sum = 0.0;
        for (size_t r = 0; r < p->dy.n / p->d.c_out; r++)
            sum += 2.0 * p->dy.value[r * p->d.c_out + o];
        assert_within(fabs((double)p->dbias[o] - sum), TOLERANCE_F32 * 10.0);
    }
}

static void check_shape(const struct shape *s, enum dtype type)
{
    struct backend *b = open_backend(2);
    struct problem p;
    struct conv *c = NULL;
    struct err e = {0};
    problem_init(&p, s, type);
    support_ok(b->ops->conv_new(b, &p.d, &c, &e), &e);
    support_ok(b->ops->conv_set_weights(b, c, p.w, p.bias, &e), &e);
    check_forward(&p, b, c);
    check_data_grad(&p, b, c);
    check_weight_grad(&p, b, c);
    b->ops->conv_free(b, c);
    problem_release(&p);
    backend_close(b);
}

static void matches_plain_loops_f32(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_shape(&shapes[i], DTYPE_F32);
}

static void matches_plain_loops_bf16(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_shape(&shapes[i], DTYPE_BF16);
}

static void products_of_all_layouts(void **state)
{
    (void)state;
    struct backend *b = open_backend(2);
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
        support_ok(b->ops->matmul_run(b, m, x.data, y.data, got, &e), &e);
        assert_within(relative_error_f32(got, want, M * N), TOLERANCE_F32);
        b->ops->matmul_free(b, m);
        tensor_release(&x);
        tensor_release(&y);
    }
    backend_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_plain_loops_f32),
        cmocka_unit_test(matches_plain_loops_bf16),
        cmocka_unit_test(products_of_all_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
