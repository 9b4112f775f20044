/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation with residual and ReLU, forward and backward, against the definitions in
 * double. */
#include "tests/ops/oracle.h"

struct shape {
    size_t rows, channels;
};

static const struct shape shapes[] = {
    {1, 16}, {7, 3}, {37, 16}, {64, 48}, {1000, 33}, {257, 64}, {4096, 16}, {130, 2048},
};

enum { MAX_CHANNELS = 2048 };

/* One normalisation with its channel vectors. */
struct norm {
    struct tensor c;
    float gamma[MAX_CHANNELS], beta[MAX_CHANNELS], running_mean[MAX_CHANNELS],
        running_var[MAX_CHANNELS];
    float mean[MAX_CHANNELS], inv_std[MAX_CHANNELS], scale[MAX_CHANNELS], shift[MAX_CHANNELS];
    double true_mean[MAX_CHANNELS], true_inv_std[MAX_CHANNELS];
    double sums[2 * MAX_CHANNELS], grad_sums[2 * MAX_CHANNELS];
};

static const float eps = 1e-5f;

/* The mean is far from zero, so that sums which cancel show. */
static void norm_init(struct norm *n, const struct shape *s, enum dtype type, uint64_t item)
{
    tensor_random(&n->c, s->rows * s->channels, type, 3.0, item);
    struct rng r;
    rng_init(&r, 78, 2, item);
    for (size_t k = 0; k < s->channels; k++) {
        n->gamma[k] = 1.0f + 0.3f * (float)rng_normal(&r);
        n->beta[k] = 0.3f * (float)rng_normal(&r);
        n->running_mean[k] = 3.0f + 0.1f * (float)rng_normal(&r);
        n->running_var[k] = 0.5f + (float)rng_f64(&r);
    }
}

static void true_statistics(struct norm *n, const struct shape *s, bool running)
{
    for (size_t k = 0; k < s->channels; k++) {
        double sum = 0.0, square = 0.0;
        for (size_t r = 0; r < s->rows; r++)
            sum += n->c.value[r * s->channels + k];
        double mean = running ? (double)n->running_mean[k] : sum / (double)s->rows;
        for (size_t r = 0; r < s->rows; r++) {
            double d = n->c.value[r * s->channels + k] - mean;
            square += d * d;
        }
        double var = running ? (double)n->running_var[k] : square / (double)s->rows;
        n->true_mean[k] = mean;
        n->true_inv_std[k] = 1.0 / sqrt(var + (double)eps);
    }
}

#define ON(member) device_on(d, member, sizeof member)

static void finish(struct norm *n, struct device *d, const struct shape *s, bool running,
                   bool update)
{
    for (size_t k = 0; k < s->channels; k++) {
        n->sums[k] = n->sums[s->channels + k] = 0.0;
        for (size_t r = 0; r < s->rows; r++) {
            double v = n->c.value[r * s->channels + k];
            n->sums[k] += v;
            n->sums[s->channels + k] += v * v;
        }
    }
    struct norm_finish_args a = {.channels = s->channels,
                                 .count = (double)s->rows,
                                 .sums = running ? NULL : ON(n->sums),
                                 .gamma = ON(n->gamma),
                                 .beta = ON(n->beta),
                                 .eps = eps,
                                 .momentum = 0.9f,
                                 .update = update,
                                 .running_mean = ON(n->running_mean),
                                 .running_var = ON(n->running_var),
                                 .mean = ON(n->mean),
                                 .inv_std = ON(n->inv_std),
                                 .scale = ON(n->scale),
                                 .shift = ON(n->shift)};
    assert_int_equal(d->b->ops->norm_finish(d->b, &a), 0);
    device_off(d);
}

static double normalised(const struct norm *n, size_t i, size_t k)
{
    return (n->c.value[i] - n->true_mean[k]) * n->true_inv_std[k];
}

static double output(const struct norm *n, size_t i, size_t k)
{
    return normalised(n, i, k) * (double)n->gamma[k] + (double)n->beta[k];
}

/* -- forward -- */

enum { PLAIN, RESIDUAL, SHORTCUT, N_KINDS };

static void check_apply(struct device *d, const struct shape *s, enum dtype type, int kind)
{
    struct norm *n = calloc(2, sizeof *n);
    struct tensor y;
    norm_init(&n[0], s, type, 1);
    norm_init(&n[1], s, type, 2);
    tensor_random(&y, s->rows * s->channels, type, 0.0, 3);
    double *want = calloc(y.n, sizeof *want);
    uint8_t *mask = s->channels % 8 == 0 ? malloc(y.n / 8) : NULL;
    for (int i = 0; i < 2; i++) {
        true_statistics(&n[i], s, false);
        finish(&n[i], d, s, false, false);
    }
    for (size_t i = 0; i < y.n; i++) {
        size_t k = i % s->channels;
        double v = output(&n[0], i, k);
        v += kind == RESIDUAL ? n[1].c.value[i] : kind == SHORTCUT ? output(&n[1], i, k) : 0.0;
        want[i] = v > 0.0 ? v : 0.0;
    }
    struct norm_apply_args a = {.rows = s->rows,
                                .channels = s->channels,
                                .dtype = type,
                                .c = device_tensor(d, &n[0].c),
                                .scale = ON(n[0].scale),
                                .shift = ON(n[0].shift),
                                .residual = kind == PLAIN ? NULL : device_tensor(d, &n[1].c),
                                .residual_scale = kind == SHORTCUT ? ON(n[1].scale) : NULL,
                                .residual_shift = kind == SHORTCUT ? ON(n[1].shift) : NULL,
                                .relu = true,
                                .y = device_tensor(d, &y),
                                .mask = device_on(d, mask, y.n / 8)};
    assert_int_equal(d->b->ops->norm_apply(d->b, &a), 0);
    device_off(d);
    for (size_t i = 0; mask && i < y.n; i++)
        assert_int_equal(elem_bit(mask, i), tensor_at(&y, i) > 0.0);
    free(mask);
    double limit = tolerance(type) + (s->rows == 1 ? 1e-2 : 0.0); /* one row: 0 / sqrt(eps) */
    assert_within(relative_error(&y, want), limit);
    tensor_release(&n[0].c);
    tensor_release(&n[1].c);
    tensor_release(&y);
    free(want);
    free(n);
}

static void applies(void **state)
{
    struct device *d = device_open(state, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int kind = 0; kind < N_KINDS; kind++) {
            check_apply(d, &shapes[i], DTYPE_F32, kind);
            check_apply(d, &shapes[i], DTYPE_BF16, kind);
        }
    device_close(d);
}

/* -- backward, by the textbook formula -- */

/* What a pass does for one unit, with a residual (mask from y, g kept) or without (mask from c). */
struct grad_case {
    bool residual, shortcut, second, frozen;
};

struct grad_problem {
    struct device *d;
    const struct shape *s;
    const struct grad_case *k;
    struct norm *n; /* [2] */
    struct tensor dy, dy2, y, dc[2];
    double *g, *want, *d_gamma, *d_beta; /* of the oracle */
    float got_gamma[2][MAX_CHANNELS], got_beta[2][MAX_CHANNELS];
};

static double upstream(const struct grad_problem *p, size_t i)
{
    const struct norm *n = &p->n[0];
    size_t k = i % p->s->channels;
    double g = p->dy.value[i] + (p->k->second ? p->dy2.value[i] : 0.0);
    double at = p->k->residual
                    ? p->y.value[i]
                    : (double)elem_affine((float)n->c.value[i], n->scale[k], n->shift[k]);
    return at > 0.0 ? g : 0.0;
}

static void problem_init(struct grad_problem *p, enum dtype type)
{
    size_t channels = p->s->channels, count = p->s->rows * channels;
    p->n = calloc(2, sizeof *p->n);
    tensor_random(&p->dy, count, type, 0.2, 5);
    tensor_random(&p->dy2, count, type, 0.0, 6);
    tensor_random(&p->y, count, type, 0.0, 7);
    for (uint64_t i = 0; i < 2; i++) {
        norm_init(&p->n[i], p->s, type, i + 1);
        true_statistics(&p->n[i], p->s, p->k->frozen);
        finish(&p->n[i], p->d, p->s, p->k->frozen, false);
        tensor_random(&p->dc[i], count, type, 0.0, 8);
    }
    p->g = calloc(count, sizeof *p->g);
    p->want = calloc(count, sizeof *p->want);
    p->d_gamma = calloc(channels, sizeof *p->d_gamma);
    p->d_beta = calloc(channels, sizeof *p->d_beta);
    for (size_t i = 0; i < count; i++)
        p->g[i] = upstream(p, i);
}

static void problem_release(struct grad_problem *p)
{
    struct tensor *all[] = {&p->dy, &p->dy2, &p->y, &p->dc[0], &p->dc[1], &p->n[0].c, &p->n[1].c};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tensor_release(all[i]);
    free(p->n);
    free(p->g);
    free(p->want);
    free(p->d_gamma);
    free(p->d_beta);
}

static void true_grad(struct grad_problem *p, const struct norm *n)
{
    const struct shape *s = p->s;
    for (size_t k = 0; k < s->channels; k++) {
        double sum_g = 0.0, sum_gx = 0.0;
        for (size_t i = k; i < s->rows * s->channels; i += s->channels) {
            sum_g += p->g[i];
            sum_gx += p->g[i] * normalised(n, i, k);
        }
        p->d_gamma[k] = sum_gx;
        p->d_beta[k] = sum_g;
        for (size_t i = k; i < s->rows * s->channels; i += s->channels) {
            double centred = p->g[i];
            if (!p->k->frozen)
                centred -= (sum_g + normalised(n, i, k) * sum_gx) / (double)s->rows;
            p->want[i] = (double)n->gamma[k] * n->true_inv_std[k] * centred;
        }
    }
}

/* Masked gradient and its sums, for both normalisations where there is a shortcut. */
static void run_sums(struct grad_problem *p, bool kept)
{
    struct norm *n = p->n;
    struct device *d = p->d;
    uint8_t *mask = NULL;
    if (p->k->residual && p->k->second && p->s->channels % 8 == 0) { /* bits in the place of y */
        mask = calloc(p->y.n / 8, 1);
        for (size_t i = 0; i < p->y.n; i++)
            mask[i / 8] |= (uint8_t)((tensor_at(&p->y, i) > 0.0) << i % 8);
    }
    struct norm_grad_args a = {.rows = p->s->rows,
                               .channels = p->s->channels,
                               .dtype = p->dy.type,
                               .dy = device_tensor(d, &p->dy),
                               .dy2 = p->k->second ? device_tensor(d, &p->dy2) : NULL,
                               .c = device_tensor(d, &n[0].c),
                               .mean = ON(n[0].mean),
                               .scale = ON(n[0].scale),
                               .shift = ON(n[0].shift),
                               .y = p->k->residual && !mask ? device_tensor(d, &p->y) : NULL,
                               .mask = device_on(d, mask, p->y.n / 8),
                               .relu = true,
                               .g = kept ? device_tensor(d, &p->dy) : NULL,
                               .sums = ON(n[0].grad_sums),
                               .c2 = p->k->shortcut ? device_tensor(d, &n[1].c) : NULL,
                               .mean2 = ON(n[1].mean),
                               .sums2 = ON(n[1].grad_sums)};
    assert_int_equal(d->b->ops->norm_grad(d->b, &a), 0);
    device_off(d);
    free(mask);
}

static void run_apply(struct grad_problem *p, int i, bool kept)
{
    struct norm *n = &p->n[i];
    struct device *d = p->d;
    size_t channels = p->s->channels;
    float *host = calloc(3 * channels, sizeof *host);
    float *v = device_on(d, host, 3 * channels * sizeof *host);
    struct norm_grad_finish_args f = {.channels = channels,
                                      .count = (double)p->s->rows,
                                      .sums = ON(n->grad_sums),
                                      .gamma = ON(n->gamma),
                                      .inv_std = ON(n->inv_std),
                                      .d_gamma = ON(p->got_gamma[i]),
                                      .d_beta = ON(p->got_beta[i]),
                                      .frozen = p->k->frozen,
                                      .a = v,
                                      .b = v + channels,
                                      .k = v + 2 * channels};
    struct norm_grad_apply_args a = {.rows = p->s->rows,
                                     .channels = channels,
                                     .dtype = p->dy.type,
                                     .g = device_tensor(d, &p->dy),
                                     .c = device_tensor(d, &n->c),
                                     .scale = kept ? NULL : ON(n->scale),
                                     .shift = kept ? NULL : ON(n->shift),
                                     .mean = ON(n->mean),
                                     .a = f.a,
                                     .b = f.b,
                                     .k = f.k,
                                     .dc = device_tensor(d, &p->dc[i])};
    assert_int_equal(d->b->ops->norm_grad_finish(d->b, &f), 0);
    assert_int_equal(d->b->ops->norm_grad_apply(d->b, &a), 0);
    device_off(d);
    free(host);
}

static void check_grad(struct device *d, const struct shape *s, enum dtype type,
                       const struct grad_case *k)
{
    struct grad_problem *p = calloc(1, sizeof *p);
    double rounding = type == DTYPE_F32 ? 5.0 * TOLERANCE_F32 : 2.0 * TOLERANCE_BF16;
    bool kept = k->residual || k->second;
    p->d = d;
    p->s = s;
    p->k = k;
    problem_init(p, type);
    run_sums(p, kept);
    for (int i = 0; i <= (int)k->shortcut; i++) {
        run_apply(p, i, kept);
        true_grad(p, &p->n[i]);
        assert_within(relative_error(&p->dc[i], p->want), rounding);
        assert_within(relative_error_f32(p->got_gamma[i], p->d_gamma, s->channels),
                      5.0 * TOLERANCE_F32);
        assert_within(relative_error_f32(p->got_beta[i], p->d_beta, s->channels),
                      5.0 * TOLERANCE_F32);
    }
    problem_release(p);
    free(p);
}

static void gradients(void **state)
{
    static const struct grad_case cases[] = {
        {false, false, false, false}, {false, false, true, false}, {true, false, false, false},
        {true, false, true, false},   {true, true, true, false},   {false, false, false, true},
        {true, true, true, true},
    };
    struct device *d = device_open(state, 2);
    for (size_t i = 2; i < sizeof shapes / sizeof shapes[0]; i++) /* a few rows are needed */
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            check_grad(d, &shapes[i], DTYPE_F32, &cases[k]);
            check_grad(d, &shapes[i], DTYPE_BF16, &cases[k]);
        }
    device_close(d);
}

static void running_statistics_follow(void **state)
{
    struct device *d = device_open(state, 1);
    struct shape s = {50, 5};
    struct norm *n = calloc(1, sizeof *n);
    norm_init(n, &s, DTYPE_F32, 1);
    float before[5];
    memcpy(before, n->running_var, sizeof before);
    true_statistics(n, &s, false);
    finish(n, d, &s, false, true);
    for (size_t k = 0; k < s.channels; k++) {
        double var = 1.0 / (n->true_inv_std[k] * n->true_inv_std[k]) - (double)eps;
        double want = 0.9 * (double)before[k] + 0.1 * var * 50.0 / 49.0;
        assert_within(fabs((double)n->running_var[k] - want), TOLERANCE_F32);
    }
    tensor_release(&n->c);
    free(n);
    device_close(d);
}

/* Any number of threads gives the same bits, and so does a device that is asked again. */
static void threads_do_not_matter(void **state)
{
    struct tensor x;
    enum { ROWS = 30000, CHANNELS = 48 };
    double sums[3][2 * CHANNELS];
    tensor_random(&x, (size_t)ROWS * CHANNELS, DTYPE_F32, 1.0, 9);
    float one[CHANNELS], zero[CHANNELS] = {0};
    for (int i = 0; i < CHANNELS; i++)
        one[i] = 1.0f;
    for (size_t threads = 1; threads <= 3; threads++) {
        struct device *d = device_open(state, threads);
        struct norm_grad_args a = {.rows = ROWS,
                                   .channels = CHANNELS,
                                   .dtype = DTYPE_F32,
                                   .dy = device_tensor(d, &x),
                                   .c = device_tensor(d, &x),
                                   .mean = ON(zero),
                                   .scale = ON(one),
                                   .shift = ON(zero),
                                   .relu = true,
                                   .sums = ON(sums[threads - 1])};
        assert_int_equal(d->b->ops->norm_grad(d->b, &a), 0);
        device_off(d);
        device_close(d);
    }
    assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
    assert_memory_equal(sums[0], sums[2], sizeof sums[0]);
    tensor_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(applies),
        ON_EVERY_DEVICE(gradients),
        ON_EVERY_DEVICE(running_statistics_follow),
        ON_EVERY_DEVICE(threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
