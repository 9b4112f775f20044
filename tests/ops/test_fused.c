/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions with what comes before and after them: what makes their input or their gradient; the
 * sums of their output; the masked gradient of what they read, with its sums. Against plain loops
 * in double, as a device chooses to compute them, and where it can do both at once, so, whatever it
 * would choose.
 */
#include "common/base/buf.h"
#include "common/base/file.h"
#include "tests/ops/oracle.h"
#if TEG_CUDA
#include "kernels/cuda/fused.h"
#endif

struct shape {
    size_t rows, c_in, c_out;
};

static const struct shape shapes[] = {
    {1, 8, 8}, {130, 64, 256}, {97, 256, 64}, {300, 72, 40}, {2100, 16, 24}, {4200, 40, 8},
};

/* How a gradient goes on, beside the sums that it always has. */
struct kind {
    bool relu, residual, bits, second, kept, shortcut, nothing;
    enum { GIVEN, MADE, MADE_MASKED, MADE_IN_PLACE } dy;
};

static const struct kind kinds[] = {
    {.relu = true},
    {.relu = true, .kept = true},
    {.relu = true, .residual = true, .second = true, .kept = true},
    {.relu = true, .residual = true, .bits = true, .second = true, .kept = true},
    {.relu = true, .residual = true, .second = true, .kept = true, .shortcut = true},
    {.kept = true},
    {.relu = true, .dy = MADE},
    {.relu = true, .residual = true, .bits = true, .second = true, .kept = true, .dy = MADE_MASKED},
    {.nothing = true, .dy = MADE_MASKED},
    {.relu = true, .kept = true, .dy = MADE_IN_PLACE},
};

/* How the input of a forward pass is made. */
struct input_kind {
    bool made, relu, residual, affine, bits;
};

static const struct input_kind input_kinds[] = {
    {.made = false},
    {.made = true, .relu = true},
    {.made = true, .relu = true, .residual = true, .bits = true},
    {.made = true, .relu = true, .residual = true, .affine = true},
    {.made = true, .bits = true},
};

enum {
    N_SHAPES = sizeof shapes / sizeof shapes[0],
    N_KINDS = sizeof kinds / sizeof kinds[0],
    N_INPUT_KINDS = sizeof input_kinds / sizeof input_kinds[0]
};

/* A device; where `path` is given, its plans for passes with something around them are the choice
 * `fused`. */
static struct device *open_forced(void **state, const char *path, const struct conv_desc *desc,
                                  const char *fused)
{
    struct err e = {0};
    struct buf file = {0}, forced = {0};
    struct backend_options o = {.n_threads = 2, .plan_file = path};
    struct device *d = device_open_with(state, &o);
    struct conv *c;
    if (d->cpu || !path)
        return d;
    support_ok(d->b->ops->conv_new(d->b, desc, &c, &e), &e);
    d->b->ops->conv_free(d->b, c);
    device_close(d);
    support_ok(file_read(path, &file, &e), &e);
    support_ok(buf_append(&file, "", 1, &e), &e);
    char *rest = NULL;
    for (char *line = strtok_r((char *)file.data, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *choice = strrchr(line, '\t');
        bool more = choice && (strstr(line, " sums\t") || strstr(line, " first"));
        if (more)
            *choice = '\0';
        support_ok(buf_printf(&forced, &e, "%s%s%s\n", line, more ? "\t" : "", more ? fused : ""),
                   &e);
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(forced.data, 1, forced.len, out), forced.len);
    fclose(out);
    buf_release(&file);
    buf_release(&forced);
    return device_open_with(state, &o);
}

/* How many plans in the file are so. */
static size_t n_fused(const char *path, const char *fused)
{
    char choice[32];
    struct err e = {0};
    struct buf file = {0};
    size_t n = 0;
    support_ok(file_read(path, &file, &e), &e);
    support_ok(buf_append(&file, "", 1, &e), &e);
    snprintf(choice, sizeof choice, "\t%s\n", fused); /* not measured */
    for (const char *at = (char *)file.data; (at = strstr(at, choice)); at++)
        n++;
    buf_release(&file);
    return n;
}

struct problem {
    struct device *d;
    const char *forced; /* what its plans are; NULL: what was chosen */
    struct conv *conv;
    const struct shape *s;
    struct tensor x, y, dy, dx, w, norm, dy2, out, norm2;
    struct tensor g, c; /* what dy is made of */
    double *true_y, *true_dx;
    uint8_t *bits; /* out > 0 */
};

static void problem_init(struct problem *p, const struct shape *s)
{
    size_t n_x = s->rows * s->c_in, n_y = s->rows * s->c_out;
    struct tensor *of_x[] = {&p->x, &p->dx, &p->norm, &p->dy2, &p->out, &p->norm2};
    p->s = s;
    for (size_t i = 0; i < 6; i++)
        tensor_random(of_x[i], n_x, DTYPE_BF16, 0.2, i);
    tensor_random(&p->y, n_y, DTYPE_BF16, 0.0, 7);
    tensor_random(&p->dy, n_y, DTYPE_BF16, 0.0, 8);
    tensor_random(&p->g, n_y, DTYPE_BF16, 0.0, 10);
    tensor_random(&p->c, n_y, DTYPE_BF16, 0.3, 11);
    tensor_random(&p->w, s->c_out * s->c_in, DTYPE_F32, 0.0, 9);
    p->bits = calloc(n_x / 8, 1);
    for (size_t i = 0; i < n_x; i++)
        p->bits[i / 8] |= (uint8_t)((p->out.value[i] > 0.0) << i % 8);
    p->true_y = calloc(n_y, sizeof(double));
    p->true_dx = calloc(n_x, sizeof(double));
}

/* Of x as it is on the host. */
static void set_true_y(struct problem *p)
{
    const struct shape *s = p->s;
    memset(p->true_y, 0, p->y.n * sizeof *p->true_y);
    for (size_t o = 0; o < s->c_out; o++)
        for (size_t i = 0; i < s->c_in; i++) {
            double w = (double)bf16_to_f32(f32_to_bf16(((float *)p->w.data)[o * s->c_in + i]));
            for (size_t r = 0; r < s->rows; r++)
                p->true_y[r * s->c_out + o] += w * tensor_at(&p->x, r * s->c_in + i);
        }
}

/* Of dy as it is on the host. */
static void set_true_dx(struct problem *p)
{
    const struct shape *s = p->s;
    memset(p->true_dx, 0, p->dx.n * sizeof *p->true_dx);
    for (size_t o = 0; o < s->c_out; o++)
        for (size_t i = 0; i < s->c_in; i++) {
            double w = (double)bf16_to_f32(f32_to_bf16(((float *)p->w.data)[o * s->c_in + i]));
            for (size_t r = 0; r < s->rows; r++)
                p->true_dx[r * s->c_in + i] += w * tensor_at(&p->dy, r * s->c_out + o);
        }
}

enum { FIRST_SCALE, FIRST_SHIFT, FIRST_MEAN, FIRST_A, FIRST_B, FIRST_K, N_FIRST };

/* Vectors of c_out channels. */
static float *first_vectors(const struct problem *p)
{
    size_t n = p->s->c_out;
    float *v = calloc(N_FIRST * n, sizeof *v);
    for (size_t i = 0; i < N_FIRST * n; i++)
        v[i] = 0.3f + (float)(i * 7 % 5) / 4.0f;
    return v;
}

static struct norm_grad_apply_args first_args(struct problem *p, const struct kind *k,
                                              const float *v)
{
    struct device *d = p->d;
    size_t n = p->s->c_out;
    bool masked = k->dy == MADE_MASKED;
    float *on = device_on(d, v, N_FIRST * n * sizeof *v);
    return (struct norm_grad_apply_args){
        .rows = p->s->rows,
        .channels = n,
        .dtype = DTYPE_BF16,
        .g = device_tensor(d, k->dy == MADE_IN_PLACE ? &p->dy : &p->g),
        .c = device_tensor(d, &p->c),
        .scale = masked ? on + FIRST_SCALE * n : NULL,
        .shift = masked ? on + FIRST_SHIFT * n : NULL,
        .mean = on + FIRST_MEAN * n,
        .a = on + FIRST_A * n,
        .b = on + FIRST_B * n,
        .k = on + FIRST_K * n,
        .dc = device_tensor(d, &p->dy)};
}

/* What dy should be; `g` are the values that it is made of. */
static void check_made(const struct problem *p, const struct kind *k, const float *v,
                       const double *g)
{
    size_t n = p->s->c_out;
    double *want = calloc(p->dy.n, sizeof *want);
    for (size_t i = 0; i < p->dy.n; i++) {
        size_t c = i % n;
        double x = p->c.value[i];
        float at = elem_affine((float)x, v[FIRST_SCALE * n + c], v[FIRST_SHIFT * n + c]);
        double one = k->dy == MADE_MASKED && at <= 0.0f ? 0.0 : g[i];
        want[i] = (double)v[FIRST_A * n + c] * one +
                  (double)v[FIRST_B * n + c] * (x - (double)v[FIRST_MEAN * n + c]) +
                  (double)v[FIRST_K * n + c];
    }
    assert_within(relative_error(&p->dy, want), TOLERANCE_BF16);
    free(want);
}

static void problem_release(struct problem *p)
{
    struct tensor *all[] = {&p->x,   &p->y,   &p->dy,    &p->dx, &p->w, &p->norm,
                            &p->dy2, &p->out, &p->norm2, &p->g,  &p->c};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tensor_release(all[i]);
    free(p->true_y);
    free(p->true_dx);
    free(p->bits);
}

static struct conv_desc desc_of(const struct shape *s, enum conv_then then)
{
    return (struct conv_desc){.n = s->rows,
                              .in = {1, 1, 1},
                              .c_in = s->c_in,
                              .c_out = s->c_out,
                              .kernel = {1, 1, 1},
                              .stride = {1, 1, 1},
                              .dtype = DTYPE_BF16,
                              .with_apply = true,
                              .with_sums = true,
                              .with_first = true,
                              .then = then};
}

/* Differences of sums in units of what the rounding of their terms can make. */
static void check_sums(const double *got, const double *want, const double *size, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 3.0 * TOLERANCE_BF16 * size[i] + 1e-12))
            fail_msg("sum %zu is %.9g instead of %.9g", i, got[i], want[i]);
}

enum { INPUT_SCALE, INPUT_SHIFT, INPUT_SCALE2, INPUT_SHIFT2, N_INPUT };

/* From `norm` and the residual `dy2`; `v` are vectors of c_in channels. */
static struct norm_apply_args input_args(struct problem *p, const struct input_kind *k,
                                         const float *v, uint8_t *bits)
{
    struct device *d = p->d;
    size_t n = p->s->c_in;
    float *on = device_on(d, v, N_INPUT * n * sizeof *v);
    return (struct norm_apply_args){.rows = p->s->rows,
                                    .channels = n,
                                    .dtype = DTYPE_BF16,
                                    .c = device_tensor(d, &p->norm),
                                    .scale = on + INPUT_SCALE * n,
                                    .shift = on + INPUT_SHIFT * n,
                                    .residual = k->residual ? device_tensor(d, &p->dy2) : NULL,
                                    .residual_scale = k->affine ? on + INPUT_SCALE2 * n : NULL,
                                    .residual_shift = k->affine ? on + INPUT_SHIFT2 * n : NULL,
                                    .relu = k->relu,
                                    .y = device_tensor(d, &p->x),
                                    .mask = k->bits ? device_on(d, bits, p->x.n / 8) : NULL};
}

static void check_input(const struct problem *p, const struct input_kind *k, const float *v,
                        const uint8_t *bits)
{
    size_t n = p->s->c_in;
    double *want = calloc(p->x.n, sizeof *want);
    for (size_t i = 0; i < p->x.n; i++) {
        size_t c = i % n;
        double r = p->dy2.value[i];
        want[i] =
            p->norm.value[i] * (double)v[INPUT_SCALE * n + c] + (double)v[INPUT_SHIFT * n + c];
        if (k->residual)
            want[i] += k->affine
                           ? r * (double)v[INPUT_SCALE2 * n + c] + (double)v[INPUT_SHIFT2 * n + c]
                           : r;
        if (k->relu && want[i] < 0.0)
            want[i] = 0.0;
        if (k->bits)
            assert_int_equal(bits[i / 8] >> i % 8 & 1, tensor_at(&p->x, i) > 0.0);
    }
    assert_within(relative_error(&p->x, want), TOLERANCE_BF16);
    free(want);
}

/* What plans of fused.h are asked for is not refused by it: one kernel computes it. */
static void check_fused(const struct problem *p, const struct conv_forward_args *f,
                        const struct conv_data_grad_args *g)
{
#if TEG_CUDA
    enum { COLUMNS = 64 }; /* of a block: dy in the place of what it is made of is for one alone */
    const struct conv_desc d = desc_of(p->s, THEN_NOTHING);
    struct conv_tensors t = {.x = f ? (void *)f->x : g->dx, .y = f ? f->y : (void *)g->dy};
    struct fused_job j = fused_job_of(&d, f ? CONV_FORWARD : CONV_BACKWARD_DATA, &t);
    j.apply = f ? f->apply : NULL;
    j.first = g ? g->first : NULL;
    j.then = g ? g->then : NULL;
    if (p->forced && strcmp(p->forced, "fused") != 0) {
        j.apply = NULL;
        j.first = NULL;
    }
    bool in_place = j.first && j.first->dc == j.first->g;
    if (p->forced && !p->d->cpu)
        assert_int_equal(fused_may_run(&j), !in_place || p->s->c_in <= COLUMNS);
#else
    (void)p;
    (void)f;
    (void)g;
#endif
}

static void run_forward(struct problem *p, const struct input_kind *k, double *sums)
{
    struct err e = {0};
    struct device *d = p->d;
    size_t n = p->s->c_out;
    float *v = calloc(N_INPUT * p->s->c_in, sizeof *v);
    uint8_t *bits = calloc(p->x.n / 8, 1);
    for (size_t i = 0; i < N_INPUT * p->s->c_in; i++)
        v[i] = 0.5f - (float)(i * 5 % 7) / 4.0f;
    struct norm_apply_args apply = input_args(p, k, v, bits);
    struct conv_forward_args a = {.x = device_tensor(d, &p->x),
                                  .y = device_tensor(d, &p->y),
                                  .apply = k->made ? &apply : NULL,
                                  .sums = device_on(d, sums, 2 * n * sizeof *sums)};
    check_fused(p, &a, NULL);
    support_ok(d->b->ops->conv_forward(d->b, p->conv, &a, &e), &e);
    device_off(d);
    if (k->made)
        check_input(p, k, v, bits);
    free(v);
    free(bits);
}

static void check_forward(struct problem *p, const struct input_kind *k)
{
    size_t n = p->s->c_out;
    double *sums = calloc(6 * n, sizeof *sums), *want = sums + 2 * n, *size = sums + 4 * n;
    run_forward(p, k, sums);
    set_true_y(p);
    assert_within(relative_error(&p->y, p->true_y), TOLERANCE_BF16);
    for (size_t i = 0; i < p->y.n; i++) {
        double v = p->true_y[i];
        want[i % n] += v;
        want[n + i % n] += v * v;
        size[i % n] += fabs(v);
        size[n + i % n] += v * v;
    }
    check_sums(sums, want, size, 2 * n);
    free(sums);
}

/* The gradient that reaches the normalisation, element i. */
static double true_grad(const struct problem *p, const struct kind *k, const float *v, size_t i)
{
    size_t n = p->s->c_in, c = i % n;
    double g = p->true_dx[i] + (k->second ? p->dy2.value[i] : 0.0);
    double at = k->residual ? p->out.value[i] : p->norm.value[i] * (double)v[c] + (double)v[n + c];
    return !k->relu || at > 0.0 ? g : 0.0;
}

static void check_backward(struct problem *p, const struct kind *k)
{
    struct err e = {0};
    struct device *d = p->d;
    size_t n = p->s->c_in;
    double *sums = calloc(12 * n, sizeof *sums), *want = sums + 4 * n, *size = sums + 8 * n;
    float *v = calloc(4 * n, sizeof *v); /* scale, shift, mean, mean2 */
    for (size_t c = 0; c < n; c++) {
        v[c] = 1.0f + (float)(c % 3);
        v[n + c] = 0.1f * (float)(c % 5);
        v[2 * n + c] = 0.2f;
        v[3 * n + c] = -0.3f;
    }
    float *on = device_on(d, v, 4 * n * sizeof *v);
    double *sums_on = device_on(d, sums, 4 * n * sizeof *sums);
    struct norm_grad_args then = {.rows = p->s->rows,
                                  .channels = n,
                                  .dtype = DTYPE_BF16,
                                  .dy = device_tensor(d, &p->dx),
                                  .dy2 = k->second ? device_tensor(d, &p->dy2) : NULL,
                                  .c = device_tensor(d, &p->norm),
                                  .mean = on + 2 * n,
                                  .scale = on,
                                  .shift = on + n,
                                  .y = k->residual ? device_tensor(d, &p->out) : NULL,
                                  .mask = k->bits ? device_on(d, p->bits, p->out.n / 8) : NULL,
                                  .relu = k->relu,
                                  .g = k->kept ? device_tensor(d, &p->dx) : NULL,
                                  .sums = sums_on,
                                  .c2 = k->shortcut ? device_tensor(d, &p->norm2) : NULL,
                                  .mean2 = on + 3 * n,
                                  .sums2 = sums_on + 2 * n};
    float *first_v = first_vectors(p);
    double *made_of = calloc(p->dy.n, sizeof *made_of);
    for (size_t i = 0; i < p->dy.n; i++)
        made_of[i] = tensor_at(k->dy == MADE_IN_PLACE ? &p->dy : &p->g, i);
    struct norm_grad_apply_args first = first_args(p, k, first_v);
    struct conv_data_grad_args a = {.dy = device_tensor(d, &p->dy),
                                    .dx = device_tensor(d, &p->dx),
                                    .first = k->dy == GIVEN ? NULL : &first,
                                    .then = k->nothing ? NULL : &then};
    check_fused(p, NULL, &a);
    support_ok(d->b->ops->conv_backward_data(d->b, p->conv, &a, &e), &e);
    device_off(d);
    if (k->dy != GIVEN)
        check_made(p, k, first_v, made_of);
    set_true_dx(p);
    free(first_v);
    free(made_of);
    double *result = calloc(p->dx.n, sizeof *result);
    for (size_t i = 0; i < p->dx.n; i++) {
        size_t c = i % n;
        double g = true_grad(p, k, v, i);
        double x = p->norm.value[i] - (double)v[2 * n + c];
        double x2 = p->norm2.value[i] - (double)v[3 * n + c];
        result[i] = k->kept && !k->nothing ? g : p->true_dx[i];
        const double term[4] = {g, g * x, g, g * x2};
        for (size_t s = 0; s < (k->shortcut ? 4u : 2u); s++) {
            want[s * n + c] += term[s];
            size[s * n + c] += fabs(term[s]);
        }
    }
    assert_within(relative_error(&p->dx, result), TOLERANCE_BF16);
    if (!k->nothing)
        check_sums(sums, want, size, (k->shortcut ? 4 : 2) * n);
    free(result);
    free(sums);
    free(v);
}

static void check_shape(void **state, const struct shape *s, enum conv_then then,
                        const char *forced)
{
    struct err e = {0};
    struct problem p;
    struct conv_desc desc = desc_of(s, then);
    char folder[4096];
    support_make_folder(folder, sizeof folder);
    problem_init(&p, s);
    p.forced = forced;
    p.d = open_forced(state, forced ? support_path(folder, "a.plans") : NULL, &desc, forced);
    support_ok(p.d->b->ops->conv_new(p.d->b, &desc, &p.conv, &e), &e);
    float *w = device_tensor(p.d, &p.w);
    support_ok(p.d->b->ops->conv_set_weights(p.d->b, p.conv, w, NULL, &e), &e);
    device_off(p.d);
    for (size_t i = 0; i < N_INPUT_KINDS; i++)
        check_forward(&p, &input_kinds[i]);
    for (size_t i = 0; i < N_KINDS; i++)
        check_backward(&p, &kinds[i]);
    if (forced && !p.d->cpu) /* still, so that is what ran */
        assert_int_equal(n_fused(support_path(folder, "a.plans"), forced), 2);
    p.d->b->ops->conv_free(p.d->b, p.conv);
    device_close(p.d);
    problem_release(&p);
    support_remove(folder);
}

static void as_chosen(void **state)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        check_shape(state, &shapes[i], i % 2 ? THEN_MASK : THEN_ADD, NULL);
}

static void at_once(void **state)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        check_shape(state, &shapes[i], i % 2 ? THEN_ADD : THEN_MASK, "fused");
}

static void factor_apart(void **state)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        check_shape(state, &shapes[i], i % 2 ? THEN_ADD : THEN_MASK, "fused after");
}

struct folding {
    const struct tensor *x, *w;
    double *want;
};

static void add_product(void *user, size_t y, size_t w, size_t x)
{
    const struct folding *f = user;
    f->want[y] += (double)bf16_to_f32(f32_to_bf16(((float *)f->w->data)[w])) * f->x->value[x];
}

/* A convolution of few channels that a GPU folds into a product, whose input is not there as it is.
 */
static void folded(void **state)
{
    struct err e = {0};
    const struct conv_desc desc = {.n = 3,
                                   .in = {2, 6, 8},
                                   .c_in = 2,
                                   .c_out = 16,
                                   .kernel = {1, 2, 2},
                                   .stride = {1, 2, 2},
                                   .dtype = DTYPE_BF16,
                                   .with_sums = true};
    enum { ROWS = 3 * 2 * 3 * 4, WEIGHTS = 16 * 4 * 2 };
    struct tensor x, y, w;
    struct conv *c;
    char folder[4096];
    support_make_folder(folder, sizeof folder);
    struct device *d = open_forced(state, support_path(folder, "a.plans"), &desc, "fused");
    double sums[2 * 16], want[ROWS * 16] = {0.0};
    tensor_random(&x, 3 * 2 * 6 * 8 * 2, DTYPE_BF16, 0.3, 1);
    tensor_random(&y, ROWS * 16, DTYPE_BF16, 0.0, 2);
    tensor_random(&w, WEIGHTS, DTYPE_F32, 0.0, 3);
    support_ok(d->b->ops->conv_new(d->b, &desc, &c, &e), &e);
    support_ok(d->b->ops->conv_set_weights(d->b, c, device_tensor(d, &w), NULL, &e), &e);
    struct conv_forward_args a = {.x = device_tensor(d, &x),
                                  .y = device_tensor(d, &y),
                                  .sums = device_on(d, sums, sizeof sums)};
    support_ok(d->b->ops->conv_forward(d->b, c, &a, &e), &e);
    device_off(d);
    struct folding f = {&x, &w, want};
    struct conv_walk walk = {&desc, add_product, &f};
    conv_walk_all(&walk);
    assert_within(relative_error(&y, want), TOLERANCE_BF16);
    for (size_t o = 0; o < 16; o++) {
        double sum = 0.0, size = 0.0;
        for (size_t r = 0; r < ROWS; r++) {
            sum += want[r * 16 + o];
            size += fabs(want[r * 16 + o]);
        }
        check_sums(&sums[o], &sum, &size, 1);
    }
    d->b->ops->conv_free(d->b, c);
    device_close(d);
    tensor_release(&x);
    tensor_release(&y);
    tensor_release(&w);
    support_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(as_chosen),
        ON_EVERY_DEVICE(at_once),
        ON_EVERY_DEVICE(factor_apart),
        ON_EVERY_DEVICE(folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
