/* SPDX-License-Identifier: Apache-2.0 */
/* What the action transformer is made of, against plain loops in float64 and, for gradients, their
 * finite differences: layer normalisation, GELU, attention, RoIAlign, columns, sigmoid
 * cross-entropy. */
#include "tests/ops/oracle.h"

enum { MAX = 8192, MAX_POSITIONS = 300 };

/* A loss of the outputs: their products with fixed numbers; `dy` is its gradient. */
static double product(const double *y, const double *dy, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += y[i] * dy[i];
    return sum;
}

/* Computes y [n_y] from the inputs; closes over what else it needs. */
struct function {
    void (*run)(const void *closure, double *y);
    const void *closure;
    size_t n_y;
    const double *dy;
};

/* Derivatives of the product with respect to x [n], by central differences in float64. */
static void differentiate(const struct function *f, double *x, size_t n, double *dx)
{
    static double y[MAX];
    const double step = 1e-5;
    for (size_t i = 0; i < n; i++) {
        double middle = x[i], side[2];
        for (int k = 0; k < 2; k++) {
            x[i] = middle + (k ? -step : step);
            f->run(f->closure, y);
            side[k] = product(y, f->dy, f->n_y);
        }
        x[i] = middle;
        dx[i] = (side[0] - side[1]) / (2.0 * step);
    }
}

/* -- layer normalisation -- */

struct true_norm {
    size_t rows, columns;
    double *x, *gamma, *beta;
};

static void true_layer_norm(const void *closure, double *y)
{
    const struct true_norm *t = closure;
    for (size_t r = 0; r < t->rows; r++) {
        const double *x = t->x + r * t->columns;
        double mean = 0.0, variance = 0.0;
        for (size_t c = 0; c < t->columns; c++)
            mean += x[c] / (double)t->columns;
        for (size_t c = 0; c < t->columns; c++)
            variance += (x[c] - mean) * (x[c] - mean) / (double)t->columns;
        for (size_t c = 0; c < t->columns; c++)
            y[r * t->columns + c] =
                (x[c] - mean) / sqrt(variance + 1e-3) * t->gamma[c] + t->beta[c];
    }
}

static void check_layer_norm(struct device *d, size_t rows, size_t columns, bool in_place)
{
    static double want[MAX];
    size_t n = rows * columns;
    struct tensor x, gamma, beta, y, dy, dx, d_gamma, d_beta, mean, inv_std;
    struct tensor *all[] = {&x, &gamma, &beta, &y, &dy, &dx, &d_gamma, &d_beta, &mean, &inv_std};
    const size_t len[] = {n, columns, columns, n, n, n, columns, columns, rows, rows};
    for (size_t i = 0; i < 10; i++)
        tensor_random(all[i], len[i], DTYPE_F32, 0.3, i);
    struct layer_norm_args a = {.rows = rows,
                                .columns = columns,
                                .x = device_tensor(d, &x),
                                .gamma = device_tensor(d, &gamma),
                                .beta = device_tensor(d, &beta),
                                .eps = 1e-3f,
                                .y = device_tensor(d, &y),
                                .mean = device_tensor(d, &mean),
                                .inv_std = device_tensor(d, &inv_std)};
    struct layer_norm_grad_args g = {.rows = rows,
                                     .columns = columns,
                                     .x = a.x,
                                     .gamma = a.gamma,
                                     .mean = a.mean,
                                     .inv_std = a.inv_std,
                                     .dy = device_tensor(d, &dy),
                                     .d_gamma = device_tensor(d, &d_gamma),
                                     .d_beta = device_tensor(d, &d_beta),
                                     .dx =
                                         in_place ? device_tensor(d, &dy) : device_tensor(d, &dx)};
    struct true_norm t = {rows, columns, x.value, gamma.value, beta.value};
    struct function f = {true_layer_norm, &t, n, dy.value};
    assert_int_equal(d->b->ops->layer_norm(d->b, &a), 0);
    assert_int_equal(d->b->ops->layer_norm_grad(d->b, &g), 0);
    device_off(d);
    true_layer_norm(&t, want);
    assert_within(relative_error(&y, want), TOLERANCE_F32);
    differentiate(&f, x.value, n, want);
    if (columns > 1) /* of one column it is zero */
        assert_within(relative_error(in_place ? &dy : &dx, want), TOLERANCE_OBJECTIVE);
    struct tensor *vector[] = {&gamma, &beta, &d_gamma, &d_beta};
    for (int k = 0; k < 2; k++) {
        differentiate(&f, vector[k]->value, columns, want);
        for (size_t c = 0; c < columns; c++)
            want[c] += vector[2 + k]->value[c]; /* added to what was there */
        assert_within(relative_error(vector[2 + k], want), TOLERANCE_OBJECTIVE);
    }
    for (size_t i = 0; i < 10; i++)
        tensor_release(all[i]);
}

static void layer_norm(void **state)
{
    struct device *d = device_open(state, 2);
    for (int in_place = 0; in_place < 2; in_place++) {
        check_layer_norm(d, 1, 1, in_place);
        check_layer_norm(d, 1, 5, in_place);
        check_layer_norm(d, 7, 3, in_place);
        check_layer_norm(d, 5, 128, in_place);
        check_layer_norm(d, 2, 300, in_place);
    }
    device_close(d);
}

/* -- GELU -- */

static void gelu(void **state)
{
    enum { N = 1003 };
    static double want[N], slope[N];
    struct device *d = device_open(state, 2);
    struct tensor x, y, dy, dx;
    tensor_random(&x, N, DTYPE_F32, 0.0, 1);
    tensor_random(&y, N, DTYPE_F32, 0.0, 2);
    tensor_random(&dy, N, DTYPE_F32, 0.0, 3);
    tensor_random(&dx, N, DTYPE_F32, 0.0, 4);
    for (size_t i = 0; i < N; i++) {
        double v = x.value[i], h = 1e-5;
        want[i] = v * 0.5 * erfc(-v / sqrt(2.0));
        slope[i] = dy.value[i] *
                   ((v + h) * 0.5 * erfc(-(v + h) / sqrt(2.0)) -
                    (v - h) * 0.5 * erfc(-(v - h) / sqrt(2.0))) /
                   (2.0 * h);
    }
    float *in = device_tensor(d, &x), *in_dy = device_tensor(d, &dy);
    assert_int_equal(d->b->ops->gelu(d->b, in, device_tensor(d, &y), N), 0);
    assert_int_equal(d->b->ops->gelu_grad(d->b, in, in_dy, device_tensor(d, &dx), N), 0);
    assert_int_equal(d->b->ops->gelu_grad(d->b, in, in_dy, in_dy, N), 0);
    device_off(d);
    assert_within(relative_error(&y, want), TOLERANCE_F32);
    assert_memory_equal(dy.data, dx.data, N * sizeof(float));
    assert_within(relative_error(&dx, slope), TOLERANCE_F32);
    struct tensor *all[] = {&x, &y, &dy, &dx};
    for (size_t i = 0; i < 4; i++)
        tensor_release(all[i]);
    device_close(d);
}

/* -- attention -- */

struct true_attention {
    const struct attention_args *a;
    double *q, *k, *v;
};

static void true_attend(const void *closure, double *y)
{
    const struct true_attention *t = closure;
    const struct attention_args *a = t->a;
    double p[MAX_POSITIONS];
    for (size_t i = 0; i < a->n_queries; i++) {
        const double *q = t->q + i * a->dim;
        size_t first = a->item[i] * a->positions;
        double sum = 0.0;
        for (size_t s = 0; s < a->positions; s++) {
            p[s] = exp((double)a->scale * product(q, t->k + (first + s) * a->dim, a->dim));
            sum += p[s];
        }
        for (size_t c = 0; c < a->dim; c++) {
            y[i * a->dim + c] = 0.0;
            for (size_t s = 0; s < a->positions; s++)
                y[i * a->dim + c] += p[s] / sum * t->v[(first + s) * a->dim + c];
        }
    }
}

static void check_attention(struct device *d, size_t positions, size_t dim)
{
    enum { QUERIES = 5, ITEMS = 3 }; /* the second item has no query */
    static const uint32_t item[QUERIES] = {0, 0, 2, 2, 2};
    static double want[MAX];
    size_t n_q = QUERIES * dim, n_k = ITEMS * positions * dim;
    struct tensor q, k, v, p, y, dy, dq, dk, dv;
    struct tensor *all[] = {&q, &k, &v, &p, &y, &dy, &dq, &dk, &dv};
    const size_t len[] = {n_q, n_k, n_k, QUERIES * positions, n_q, n_q, n_q, n_k, n_k};
    for (size_t i = 0; i < 9; i++)
        tensor_random(all[i], len[i], DTYPE_F32, 0.1, 20 + i);
    struct attention_args a = {.n_queries = QUERIES,
                               .n_items = ITEMS,
                               .positions = positions,
                               .dim = dim,
                               .item = item,
                               .scale = 0.4f,
                               .q = device_tensor(d, &q),
                               .k = device_tensor(d, &k),
                               .v = device_tensor(d, &v),
                               .p = device_tensor(d, &p),
                               .y = device_tensor(d, &y)};
    struct attention_args on = a;
    on.item = device_on(d, item, sizeof item);
    struct attention_grad_args g = {on, device_tensor(d, &dy), device_tensor(d, &dq),
                                    device_tensor(d, &dk), device_tensor(d, &dv)};
    struct true_attention t = {&a, q.value, k.value, v.value};
    struct function f = {true_attend, &t, n_q, dy.value};
    assert_int_equal(d->b->ops->attention(d->b, &on), 0);
    assert_int_equal(d->b->ops->attention_grad(d->b, &g), 0);
    device_off(d);
    true_attend(&t, want);
    assert_within(relative_error(&y, want), TOLERANCE_F32);
    struct tensor *input[] = {&q, &k, &v}, *gradient[] = {&dq, &dk, &dv};
    for (int i = positions == 1 ? 2 : 0; i < 3; i++) { /* of one position only v matters */
        differentiate(&f, input[i]->value, input[i]->n, want);
        assert_within(relative_error(gradient[i], want), TOLERANCE_OBJECTIVE);
    }
    for (size_t i = 0; i < 9; i++)
        tensor_release(all[i]);
}

static void attention(void **state)
{
    for (size_t n_threads = 1; n_threads < 4; n_threads++) {
        struct device *d = device_open(state, n_threads);
        check_attention(d, 1, 3);
        check_attention(d, 7, 16);
        check_attention(d, 13, 19);
        if (n_threads == 2) { /* more numbers than threads of a block */
            check_attention(d, 2, MAX_POSITIONS);
            check_attention(d, MAX_POSITIONS, 1);
        }
        device_close(d);
    }
}

/* -- RoIAlign -- */

static double true_sample(const double *map, const struct roi_max_args *a, double y, double x,
                          size_t c)
{
    double sum = 0.0;
    y = fmin(fmax(y, 0.0), (double)a->height - 1.0);
    x = fmin(fmax(x, 0.0), (double)a->width - 1.0);
    for (size_t i = 0; i < a->height; i++)
        for (size_t k = 0; k < a->width; k++)
            sum += fmax(0.0, 1.0 - fabs(y - (double)i)) * fmax(0.0, 1.0 - fabs(x - (double)k)) *
                   map[(i * a->width + k) * a->channels + c];
    return sum;
}

struct true_roi {
    const struct roi_max_args *a;
    double *map;
};

static void true_roi_max(const void *closure, double *y)
{
    const struct true_roi *t = closure;
    const struct roi_max_args *a = t->a;
    size_t of_item = a->height * a->width * a->channels;
    for (size_t i = 0; i < a->n_boxes * a->channels; i++) {
        const float *r = a->box + i / a->channels * 4;
        y[i] = -INFINITY;
        for (size_t cell = 0; cell < 16; cell++) {
            double at_y =
                ((double)r[1] + ((double)r[3] - (double)r[1]) * ((double)(cell / 4) + 0.5) / 4.0) *
                (double)a->height;
            double at_x =
                ((double)r[0] + ((double)r[2] - (double)r[0]) * ((double)(cell % 4) + 0.5) / 4.0) *
                (double)a->width;
            y[i] = fmax(y[i], true_sample(t->map + a->item[i / a->channels] * of_item, a, at_y,
                                          at_x, i % a->channels));
        }
    }
}

static void check_roi(struct device *d, size_t height, size_t width, size_t channels)
{
    enum { BOXES = 4, ITEMS = 3 };
    static const uint32_t item[BOXES] = {0, 2, 2, 0};
    static const float box[BOXES * 4] = {0.1f, 0.2f, 0.7f, 0.9f, 0,    0,    1,    1,
                                         0.9f, 0.8f, 1,    1,    0.3f, 0.3f, 0.3f, 0.3f};
    static double want[MAX];
    static uint8_t arg[MAX];
    size_t n = ITEMS * height * width * channels, n_y = BOXES * channels;
    struct tensor map, y, dy, d_map;
    tensor_random(&map, n, DTYPE_F32, 0.0, 31);
    tensor_random(&y, n_y, DTYPE_F32, 0.0, 32);
    tensor_random(&dy, n_y, DTYPE_F32, 0.0, 33);
    tensor_random(&d_map, n, DTYPE_F32, 0.0, 34);
    struct roi_max_args a = {.n_boxes = BOXES,
                             .n_items = ITEMS,
                             .height = height,
                             .width = width,
                             .channels = channels,
                             .map = device_tensor(d, &map),
                             .item = item,
                             .box = box,
                             .y = device_tensor(d, &y),
                             .arg = device_on(d, arg, n_y),
                             .d_map = device_tensor(d, &d_map)};
    struct true_roi t = {&a, map.value};
    struct function f = {true_roi_max, &t, n_y, dy.value};
    struct roi_max_args on = a;
    on.item = device_on(d, item, sizeof item);
    on.box = device_on(d, box, sizeof box);
    assert_int_equal(d->b->ops->roi_max(d->b, &on), 0);
    on.y = device_tensor(d, &dy);
    assert_int_equal(d->b->ops->roi_max_grad(d->b, &on), 0);
    device_off(d);
    true_roi_max(&t, want);
    assert_within(relative_error(&y, want), TOLERANCE_F32);
    differentiate(&f, map.value, n, want);
    assert_within(relative_error(&d_map, want), TOLERANCE_OBJECTIVE);
    struct tensor *all[] = {&map, &y, &dy, &d_map};
    for (size_t i = 0; i < 4; i++)
        tensor_release(all[i]);
}

static void roi(void **state)
{
    struct device *d = device_open(state, 2);
    check_roi(d, 1, 1, 3);
    check_roi(d, 1, 1, 300);
    check_roi(d, 4, 7, 5);
    check_roi(d, 8, 8, 16);
    device_close(d);
}

/* -- columns and rows -- */

static void columns(void **state)
{
    enum { ROWS = 5, WIDE = 9, N = 4 };
    struct device *d = device_open(state, 2);
    struct tensor from, to;
    float before[ROWS * WIDE];
    tensor_random(&from, ROWS * N, DTYPE_F32, 0.0, 41);
    tensor_random(&to, ROWS * WIDE, DTYPE_F32, 0.0, 42);
    float *in = from.data, *out = to.data;
    memcpy(before, out, sizeof before);
    struct copy_columns_args a = {.rows = ROWS,
                                  .columns = N,
                                  .from = device_tensor(d, &from),
                                  .to = (float *)device_tensor(d, &to) + 3,
                                  .from_stride = N,
                                  .to_stride = WIDE};
    assert_int_equal(d->b->ops->copy_columns(d->b, &a), 0);
    device_off(d);
    for (size_t i = 0; i < ROWS * WIDE; i++) {
        size_t c = i % WIDE - 3;
        assert_true(out[i] == (c < N ? in[i / WIDE * N + c] : before[i]));
    }
    tensor_release(&from);
    tensor_release(&to);
    device_close(d);
}

/* Rows of many, columns, repeat, period. */
static void check_tiles(struct device *d, size_t rows, size_t n, size_t repeat, size_t period)
{
    const size_t wide = n + 5;
    struct tensor few, many;
    tensor_random(&few, period * n, DTYPE_F32, 0.0, 43);
    tensor_random(&many, rows * wide, DTYPE_F32, 0.0, 44);
    float *a = few.data, *b = many.data, *before = malloc(rows * wide * sizeof *before);
    memcpy(before, b, rows * wide * sizeof *before);
    struct tile_rows_args t = {.rows = rows,
                               .columns = n,
                               .repeat = repeat,
                               .period = period,
                               .few = device_tensor(d, &few),
                               .many = (float *)device_tensor(d, &many) + 2,
                               .stride = wide};
    assert_int_equal(d->b->ops->tile_rows(d->b, &t), 0);
    device_off(d);
    for (size_t i = 0; i < rows * wide; i++) {
        size_t c = i % wide - 2;
        assert_true(b[i] == (c < n ? a[i / wide / repeat % period * n + c] : before[i]));
    }
    memcpy(b, before, rows * wide * sizeof *before);
    t.few = device_tensor(d, &few);
    t.many = (float *)device_tensor(d, &many) + 2;
    assert_int_equal(d->b->ops->tile_rows_grad(d->b, &t), 0);
    device_off(d);
    for (size_t i = 0; i < period * n; i++) {
        double want = 0.0;
        for (size_t r = 0; r < rows; r++)
            want += r / repeat % period == i / n ? (double)before[r * wide + i % n + 2] : 0.0;
        assert_true(fabs((double)a[i] - want) <= 1e-6 * (1.0 + fabs(want)));
    }
    free(before);
    tensor_release(&few);
    tensor_release(&many);
}

static void tiles(void **state)
{
    struct device *d = device_open(state, 2);
    check_tiles(d, 1, 1, 1, 1);
    check_tiles(d, 30, 8, 3, 5);
    check_tiles(d, 42, 3, 1, 7);
    check_tiles(d, 2 * 4 * 300, 8, 300, 4);
    check_tiles(d, 3000, 8, 1, 3);
    device_close(d);
}

/* -- sigmoid cross-entropy -- */

static void sigmoid(void **state)
{
    enum { ROWS = 7, CLASSES = 13, N = ROWS * CLASSES };
    static uint8_t target[N];
    static double want[N];
    double loss = 0.0, got = -1.0;
    struct device *d = device_open(state, 2);
    struct tensor x, weight, dx;
    tensor_random(&x, N, DTYPE_F32, 0.0, 51);
    tensor_random(&weight, ROWS, DTYPE_F32, 1.0, 52);
    tensor_random(&dx, N, DTYPE_F32, 0.0, 53);
    tensor_put(&x, 0, 200.0); /* no overflow on either side */
    tensor_put(&x, 1, -200.0);
    for (size_t i = 0; i < N; i++) {
        target[i] = i % 3 == 0;
        double p = 1.0 / (1.0 + exp(-x.value[i])), w = weight.value[i / CLASSES];
        loss += w * (log1p(exp(-fabs(x.value[i]))) + fmax(x.value[i], 0.0) -
                     (target[i] ? x.value[i] : 0.0));
        want[i] = 0.25 * w * (p - target[i]);
    }
    struct sigmoid_xent_args a = {.rows = ROWS,
                                  .classes = CLASSES,
                                  .logits = device_tensor(d, &x),
                                  .target = device_on(d, target, sizeof target),
                                  .weight = device_tensor(d, &weight),
                                  .scale = 0.25f,
                                  .d_logits = device_tensor(d, &dx),
                                  .loss = device_on(d, &got, sizeof got)};
    assert_int_equal(d->b->ops->sigmoid_xent(d->b, &a), 0);
    device_off(d);
    assert_true(fabs(got - loss) <= TOLERANCE_LOSS * (1.0 + fabs(loss)));
    assert_within(relative_error(&dx, want), TOLERANCE_F32);
    a.weight = NULL;
    a.target = device_on(d, target, sizeof target);
    a.logits = a.d_logits = device_tensor(d, &x);
    a.loss = device_on(d, &got, sizeof got);
    assert_int_equal(d->b->ops->sigmoid_xent(d->b, &a), 0);
    device_off(d);
    for (size_t i = 0; i < N; i++)
        want[i] = 0.25 * (1.0 / (1.0 + exp(-x.value[i])) - target[i]);
    assert_within(relative_error(&x, want), TOLERANCE_F32);
    struct tensor *all[] = {&x, &weight, &dx};
    for (size_t i = 0; i < 3; i++)
        tensor_release(all[i]);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(layer_norm), ON_EVERY_DEVICE(gelu),    ON_EVERY_DEVICE(attention),
        ON_EVERY_DEVICE(roi),        ON_EVERY_DEVICE(columns), ON_EVERY_DEVICE(tiles),
        ON_EVERY_DEVICE(sigmoid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
