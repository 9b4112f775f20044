/* SPDX-License-Identifier: Apache-2.0 */
/* The action transformer against PyTorch's autograd in float64 (tests/oracle/localizer.py): scores,
 * loss, and every gradient by its products with vectors of signs. */
#include <math.h>

#include "common/nn/localizer.h"
#include "tests/ops/tolerances.h"
#include "tests/unit/distance.h"
#include "tests/unit/model_support.h"
#include "tests/unit/oracle_file.h"

enum { N = 2, T = 3, H = 2, W = 4, CHANNELS = 512, BOXES = 2, CLASSES = 5, N_SIGNS = 16 };
enum { N_MAP = N * T * H * W * CHANNELS, N_LOGITS = N * BOXES * CLASSES };

static const float box[N * BOXES * 4] = {0.1f, 0.2f,  0.7f, 0.9f, 0, 0, 1, 1,
                                         0.5f, 0.25f, 0.6f, 0.5f, 0, 0, 1, 1};
static const struct classifier_dropout dropout = {.rate = 0.5, .seed = 9, .first_item = 6};

struct fixture {
    struct backend *b;
    struct model *m;
    struct localizer *l;
    float *map, *d_map;
};

static void uniform(float *to, size_t n, uint32_t stream, double scale)
{
    struct rng r;
    rng_init(&r, 1, stream, 0);
    for (size_t i = 0; i < n; i++)
        to[i] = (float)((rng_f64(&r) - 0.5) * scale);
}

/* The parameters behind the backbone, weight and bias by turns; gammas are 1 more. */
static void fill_parameters(struct model *m)
{
    uint32_t stream = 100;
    for (size_t i = 0; i < m->n_trainable_tensors; i++) {
        const struct param *p = &m->param[i];
        float *v = m->params + p->offset;
        if (stream == 100 && strncmp(p->name, "position.", 9) != 0)
            continue;
        bool linear = p->kind == PARAM_LINEAR;
        uniform(v, p->len, stream++, linear ? 4.0 / sqrt((double)p->dim[1]) : 0.5);
        for (size_t k = 0; k < p->len && strstr(p->name, ".norm.weight"); k++)
            v[k] += 1.0f;
    }
}

static void open_fixture(struct fixture *f, enum dtype dtype)
{
    struct err e = {0};
    struct model_desc d = {.backbone = "r3d-tiny", .task = MODEL_LOCALIZE, .n_classes = CLASSES};
    struct localizer_options o = {
        .n = N, .map = {T, H, W}, .boxes = BOXES, .dtype = dtype, .keep = true};
    f->b = support_backend(2);
    support_ok(model_new(&f->m, f->b, &d, &e), &e);
    support_ok(model_make_trainable(f->m, NULL, &e), &e);
    fill_parameters(f->m);
    f->map = malloc(N_MAP * sizeof *f->map);
    f->d_map = malloc(N_MAP * sizeof *f->d_map);
    uniform(f->map, N_MAP, 1, 2.0);
    support_ok(localizer_new(&f->l, f->m, &o, &e), &e);
    support_ok(localizer_set_weights(f->l, &e), &e);
}

static void close_fixture(struct fixture *f)
{
    localizer_free(f->l);
    model_free(f->m);
    backend_close(f->b);
    free(f->map);
    free(f->d_map);
}

/* Loss of the scores; they become their gradient. */
static double loss_of(const struct fixture *f, float *logits)
{
    uint8_t target[N_LOGITS];
    double loss;
    for (size_t i = 0; i < N_LOGITS; i++)
        target[i] = i * 7 % 3 == 0;
    struct sigmoid_xent_args a = {.rows = N * BOXES,
                                  .classes = CLASSES,
                                  .logits = logits,
                                  .target = target,
                                  .scale = 1.0f / N_LOGITS,
                                  .d_logits = logits,
                                  .loss = &loss};
    assert_int_equal(f->b->ops->sigmoid_xent(f->b, &a), 0);
    return loss / N_LOGITS;
}

/* Row of the oracle: the norm, and products with the signs of tests/oracle/localizer.py. What is
 * zero but for rounding (a key's bias changes no softmax) is measured against the map's gradient.
 */
static void check_row(const char *name, const float *v, size_t n, const double *row)
{
    static double of_map;
    double products[N_SIGNS] = {0}, sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        uint64_t h = ((uint64_t)i + 1) * 0x9E3779B97F4A7C15u;
        h ^= h >> 31;
        h *= 0xBF58476D1CE4E5B9u;
        h ^= h >> 29;
        for (int k = 0; k < N_SIGNS; k++)
            products[k] += h >> k & 1 ? -(double)v[i] : (double)v[i];
    }
    for (int k = 0; k < N_SIGNS; k++)
        sum += (products[k] - row[1 + k]) * (products[k] - row[1 + k]);
    of_map = strcmp(name, "map") == 0 ? row[0] : of_map;
    double error = sqrt(sum / N_SIGNS) / (row[0] > 1e-6 * of_map ? row[0] : of_map);
    if (!(error <= TOLERANCE_OBJECTIVE))
        fail_msg("%s: error %.3g of %.3g", name, error, row[0]);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct param *const *)a)->name, (*(const struct param *const *)b)->name);
}

static void equals_pytorch(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf file = {0};
    struct npy oracle = oracle_load(&file, "localizer", "<f8");
    const double *want = oracle.data, *row = want + 1 + N_LOGITS;
    const struct param *list[256];
    struct fixture f;
    size_t n = 0;
    open_fixture(&f, DTYPE_F32);
    support_ok(localizer_forward(f.l, f.map, box, &dropout, &e), &e);
    float *logits = localizer_logits(f.l);
    for (size_t i = 0; i < N_LOGITS; i++)
        if (!(fabs((double)logits[i] - want[1 + i]) <= TOLERANCE_OBJECTIVE))
            fail_msg("score %zu is %.9g instead of %.9g", i, (double)logits[i], want[1 + i]);
    assert_true(fabs(loss_of(&f, logits) - want[0]) <= TOLERANCE_OBJECTIVE);
    support_ok(localizer_backward(f.l, box, logits, f.d_map, &e), &e);
    check_row("map", f.d_map, N_MAP, row);
    for (size_t i = 0; i < f.m->n_trainable_tensors; i++) {
        const char *name = f.m->param[i].name;
        if (strncmp(name, "res", 3) != 0 && strncmp(name, "stem", 4) != 0)
            list[n++] = &f.m->param[i];
    }
    qsort(list, n, sizeof *list, by_name);
    assert_int_equal(oracle.dim[0], 1 + N_LOGITS + (n + 1) * (N_SIGNS + 1));
    for (size_t i = 0; i < n; i++)
        check_row(list[i]->name, f.m->grads + list[i]->offset, list[i]->len,
                  row + (i + 1) * (N_SIGNS + 1));
    close_fixture(&f);
    buf_release(&file);
}

/* A map in bfloat16 gives what its numbers give in float32, but for the rounding of keys, values
 * and their gradients. */
static void bfloat16_maps(void **state)
{
    (void)state;
    struct err e = {0};
    struct fixture low, high;
    open_fixture(&low, DTYPE_BF16);
    open_fixture(&high, DTYPE_F32);
    uint16_t *map = malloc(N_MAP * sizeof *map), *d_map = malloc(N_MAP * sizeof *d_map);
    low.b->ops->convert(low.b, map, DTYPE_BF16, low.map, DTYPE_F32, N_MAP);
    high.b->ops->convert(high.b, high.map, DTYPE_F32, map, DTYPE_BF16, N_MAP);
    support_ok(localizer_forward(low.l, map, box, NULL, &e), &e);
    support_ok(localizer_forward(high.l, high.map, box, NULL, &e), &e);
    double scores = distance(localizer_logits(low.l), localizer_logits(high.l), N_LOGITS);
    loss_of(&low, localizer_logits(low.l));
    loss_of(&high, localizer_logits(high.l));
    support_ok(localizer_backward(low.l, box, localizer_logits(low.l), d_map, &e), &e);
    support_ok(localizer_backward(high.l, box, localizer_logits(high.l), high.d_map, &e), &e);
    low.b->ops->convert(low.b, low.d_map, DTYPE_F32, d_map, DTYPE_BF16, N_MAP);
    double of_map = distance(low.d_map, high.d_map, N_MAP);
    double of_weights = distance(low.m->grads, high.m->grads, low.m->n_values);
    if (!(scores <= TOLERANCE_BF16 && of_map <= 2 * TOLERANCE_BF16 && of_weights <= TOLERANCE_BF16))
        fail_msg("scores differ by %.3g, gradients by %.3g and %.3g", scores, of_map, of_weights);
    free(map);
    free(d_map);
    close_fixture(&low);
    close_fixture(&high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_pytorch),
        cmocka_unit_test(bfloat16_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
