/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings and the contrastive loss against their formulas in double, and its gradient against
 * finite differences of them. */
#include "tests/ops/oracle.h"

struct shape {
    size_t n, steps_short, steps_long, k_short, k_long, dim;
    bool other_only;
};

static const struct shape shapes[] = {
    {1, 1, 1, 1, 1, 5, false},   {3, 4, 8, 2, 1, 16, false}, {3, 4, 8, 2, 1, 16, true},
    {5, 6, 6, 6, 6, 33, false},  {5, 6, 6, 6, 6, 33, true},  {40, 8, 16, 2, 1, 128, false},
    {70, 8, 16, 1, 2, 24, true},
};

enum { SHORT, LONG };

/* One side's steps, embeddings and gradients; `true_u` is [n_embeddings, D]. */
struct side {
    size_t steps, k, n_embeddings;
    struct tensor z, u, inv_norm, du, dz;
    double *true_u, *true_inv, *true_du, *true_dz;
};

struct problem {
    struct device *d;
    const struct shape *s;
    struct side side[2];
    uint32_t *positive, *anchor_video, *key_video;
    double loss, positive_sim, negative_sim; /* true ones */
};

static const double temperature = 0.2, scale = 0.125;

static void side_init(struct side *p, const struct shape *s, size_t steps, size_t k)
{
    size_t item = steps * 10 + k;
    p->steps = steps;
    p->k = k;
    p->n_embeddings = s->n * (steps / k);
    tensor_random(&p->z, s->n * steps * s->dim, DTYPE_F32, 0.1, item);
    tensor_random(&p->u, p->n_embeddings * s->dim, DTYPE_F32, 0.0, item + 1);
    tensor_random(&p->du, p->n_embeddings * s->dim, DTYPE_F32, 0.0, item + 2);
    tensor_random(&p->dz, s->n * steps * s->dim, DTYPE_F32, 0.0, item + 3);
    tensor_random(&p->inv_norm, p->n_embeddings, DTYPE_F32, 0.0, item + 4);
    p->true_u = calloc(p->u.n, sizeof(double));
    p->true_du = calloc(p->u.n, sizeof(double));
    p->true_dz = calloc(p->z.n, sizeof(double));
    p->true_inv = calloc(p->n_embeddings, sizeof(double));
    memset(p->du.data, 0, p->du.n * sizeof(float)); /* gradients are added */
}

static void side_release(struct side *p)
{
    struct tensor *all[] = {&p->z, &p->u, &p->du, &p->dz, &p->inv_norm};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tensor_release(all[i]);
    free(p->true_u);
    free(p->true_du);
    free(p->true_dz);
    free(p->true_inv);
}

static void problem_init(struct problem *p, struct device *d, const struct shape *s)
{
    *p = (struct problem){.d = d, .s = s};
    side_init(&p->side[SHORT], s, s->steps_short, s->k_short);
    side_init(&p->side[LONG], s, s->steps_long, s->k_long);
    size_t n_anchors = p->side[SHORT].n_embeddings, n_keys = p->side[LONG].n_embeddings;
    size_t per_anchor = n_anchors / s->n, per_key = n_keys / s->n;
    p->positive = calloc(n_anchors, sizeof *p->positive);
    p->anchor_video = calloc(n_anchors, sizeof *p->anchor_video);
    p->key_video = calloc(n_keys, sizeof *p->key_video);
    for (size_t i = 0; i < n_anchors; i++) {
        p->anchor_video[i] = (uint32_t)(i / per_anchor / 2); /* two clips of each video */
        p->positive[i] = (uint32_t)(i / per_anchor * per_key + i % per_anchor % per_key);
    }
    for (size_t j = 0; j < n_keys; j++)
        p->key_video[j] = (uint32_t)(j / per_key / 2);
}

static void problem_release(struct problem *p)
{
    side_release(&p->side[SHORT]);
    side_release(&p->side[LONG]);
    free(p->positive);
    free(p->anchor_video);
    free(p->key_video);
}

/* -- the formulas -- */

static void true_embed(struct side *p, size_t dim)
{
    for (size_t i = 0; i < p->n_embeddings; i++) {
        double *u = p->true_u + i * dim, square = 0.0;
        const double *z = p->z.value + i * p->k * dim;
        for (size_t c = 0; c < dim; c++) {
            u[c] = 0.0;
            for (size_t s = 0; s < p->k; s++)
                u[c] += z[s * dim + c] / (double)p->k;
            square += u[c] * u[c];
        }
        p->true_inv[i] = 1.0 / sqrt(square);
        for (size_t c = 0; c < dim; c++)
            u[c] *= p->true_inv[i];
    }
}

static void true_embed_grad(struct side *p, size_t dim)
{
    for (size_t i = 0; i < p->n_embeddings; i++) {
        const double *u = p->true_u + i * dim, *du = p->true_du + i * dim;
        double along = 0.0;
        for (size_t c = 0; c < dim; c++)
            along += u[c] * du[c];
        for (size_t c = 0; c < dim; c++)
            for (size_t s = 0; s < p->k; s++)
                p->true_dz[(i * p->k + s) * dim + c] =
                    (du[c] - u[c] * along) * p->true_inv[i] / (double)p->k;
    }
}

/* One anchor's part of the loss and of the gradients. */
static void true_row(struct problem *p, size_t i, double *sim)
{
    struct side *anchors = &p->side[SHORT], *keys = &p->side[LONG];
    size_t dim = p->s->dim, positive = p->positive[i], n = 0;
    double total = 0.0, others = 0.0;
    for (size_t j = 0; j < keys->n_embeddings; j++) {
        bool in = !p->s->other_only || j == positive || p->key_video[j] != p->anchor_video[i];
        sim[j] = in ? 0.0 : NAN;
        for (size_t c = 0; c < dim && in; c++)
            sim[j] += anchors->true_u[i * dim + c] * keys->true_u[j * dim + c];
        total += in ? exp(sim[j] / temperature) : 0.0;
        others += in ? sim[j] : 0.0;
        n += in;
    }
    p->loss += log(total) - sim[positive] / temperature;
    p->positive_sim += sim[positive];
    p->negative_sim += n > 1 ? (others - sim[positive]) / (double)(n - 1) : 0.0;
    for (size_t j = 0; j < keys->n_embeddings; j++) {
        if (isnan(sim[j]))
            continue;
        double g = exp(sim[j] / temperature) / total - (j == positive ? 1.0 : 0.0);
        for (size_t c = 0; c < dim; c++) {
            anchors->true_du[i * dim + c] += scale / temperature * g * keys->true_u[j * dim + c];
            keys->true_du[j * dim + c] += scale / temperature * g * anchors->true_u[i * dim + c];
        }
    }
}

static void true_loss(struct problem *p)
{
    double *sim = calloc(p->side[LONG].n_embeddings, sizeof *sim);
    for (int i = 0; i < 2; i++)
        true_embed(&p->side[i], p->s->dim);
    for (size_t i = 0; i < p->side[SHORT].n_embeddings; i++)
        true_row(p, i, sim);
    for (int i = 0; i < 2; i++)
        true_embed_grad(&p->side[i], p->s->dim);
    free(sim);
}

/* -- the operations -- */

static void run_embed(struct problem *p, struct side *side)
{
    struct device *d = p->d;
    struct embed_args a = {.n = p->s->n,
                           .steps = side->steps,
                           .k = side->k,
                           .dim = p->s->dim,
                           .z = device_tensor(d, &side->z),
                           .u = device_tensor(d, &side->u),
                           .inv_norm = device_tensor(d, &side->inv_norm)};
    assert_int_equal(d->b->ops->embed(d->b, &a), 0);
    device_off(d);
}

static void run_contrast(struct problem *p, bool gradient, double sums[CONTRAST_SUMS])
{
    struct err e = {0};
    struct device *d = p->d;
    struct side *anchors = &p->side[SHORT], *keys = &p->side[LONG];
    size_t anchor_bytes = anchors->n_embeddings * sizeof(uint32_t);
    size_t key_bytes = keys->n_embeddings * sizeof(uint32_t);
    for (int i = 0; i < CONTRAST_SUMS; i++)
        sums[i] = NAN;
    struct contrast_args a = {.n_anchors = anchors->n_embeddings,
                              .n_keys = keys->n_embeddings,
                              .dim = p->s->dim,
                              .anchors = device_tensor(d, &anchors->u),
                              .keys = device_tensor(d, &keys->u),
                              .positive = device_on(d, p->positive, anchor_bytes),
                              .anchor_video = device_on(d, p->anchor_video, anchor_bytes),
                              .key_video = device_on(d, p->key_video, key_bytes),
                              .other_only = p->s->other_only,
                              .temperature = (float)temperature,
                              .scale = (float)scale,
                              .d_anchors = gradient ? device_tensor(d, &anchors->du) : NULL,
                              .d_keys = gradient ? device_tensor(d, &keys->du) : NULL,
                              .sums = device_on(d, sums, CONTRAST_SUMS * sizeof *sums)};
    support_ok(d->b->ops->contrast(d->b, &a, &e), &e);
    device_off(d);
}

static void run_embed_grad(struct problem *p, struct side *side, bool accumulate)
{
    struct device *d = p->d;
    struct embed_grad_args a = {.n = p->s->n,
                                .steps = side->steps,
                                .k = side->k,
                                .dim = p->s->dim,
                                .u = device_tensor(d, &side->u),
                                .inv_norm = device_tensor(d, &side->inv_norm),
                                .du = device_tensor(d, &side->du),
                                .dz = device_tensor(d, &side->dz),
                                .accumulate = accumulate};
    assert_int_equal(d->b->ops->embed_grad(d->b, &a), 0);
    device_off(d);
}

static void check_side(struct problem *p, struct side *side)
{
    assert_within(relative_error(&side->u, side->true_u), TOLERANCE_OBJECTIVE);
    assert_within(relative_error(&side->inv_norm, side->true_inv), TOLERANCE_OBJECTIVE);
    assert_within(relative_error(&side->du, side->true_du), TOLERANCE_OBJECTIVE);
    run_embed_grad(p, side, false);
    assert_within(relative_error(&side->dz, side->true_dz), TOLERANCE_OBJECTIVE);
    run_embed_grad(p, side, true);
    for (size_t i = 0; i < side->dz.n; i++)
        side->true_dz[i] *= 2.0;
    assert_within(relative_error(&side->dz, side->true_dz), TOLERANCE_OBJECTIVE);
}

static void check_shape(struct device *d, const struct shape *s)
{
    struct problem p;
    problem_init(&p, d, s);
    true_loss(&p);
    for (int i = 0; i < 2; i++)
        run_embed(&p, &p.side[i]);
    double n = (double)p.side[SHORT].n_embeddings, got[CONTRAST_SUMS], alone[CONTRAST_SUMS];
    run_contrast(&p, true, got);
    run_contrast(&p, false, alone);
    assert_within(fabs(got[CONTRAST_LOSS] - p.loss) / n, TOLERANCE_OBJECTIVE);
    assert_within(fabs(got[CONTRAST_POSITIVE] - p.positive_sim) / n, TOLERANCE_OBJECTIVE);
    assert_within(fabs(got[CONTRAST_NEGATIVE] - p.negative_sim) / n, TOLERANCE_OBJECTIVE);
    assert_memory_equal(got, alone, sizeof got);
    for (int i = 0; i < 2 && s->n > 1; i++) /* one pair has no gradient but rounding */
        check_side(&p, &p.side[i]);
    problem_release(&p);
}

static void matches_formulas(void **state)
{
    struct device *d = device_open(state, 2);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_shape(d, &shapes[i]);
    device_close(d);
}

/* The same loss and gradients, to the bit. */
static void repeats(void **state)
{
    struct device *d = device_open(state, 2);
    struct problem p[2];
    double sums[2][CONTRAST_SUMS];
    for (int i = 0; i < 2; i++) {
        problem_init(&p[i], d, &shapes[5]);
        run_embed(&p[i], &p[i].side[SHORT]);
        run_embed(&p[i], &p[i].side[LONG]);
        run_contrast(&p[i], true, sums[i]);
    }
    assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
    for (int i = 0; i < 2; i++)
        assert_memory_equal(p[0].side[i].du.data, p[1].side[i].du.data,
                            p[0].side[i].du.n * sizeof(float));
    problem_release(&p[0]);
    problem_release(&p[1]);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(matches_formulas),
        ON_EVERY_DEVICE(repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
