/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are computed again for the backward pass: the same gradients to the last bit, with
 * less in memory. */
#include "common/nn/encoder.h"
#include "tests/unit/model_support.h"

enum { N = 2, LENGTH = 4, SIZE = 32 };

/* One forward and backward pass: the gradients, free them; *bytes is what the activations take. */
static float *gradients(const char *backbone, enum dtype dtype, bool recompute, size_t *bytes)
{
    struct backend *b = support_backend(1);
    struct model *m;
    struct encoder *c;
    struct err e = {0};
    struct rng r;
    struct encoder_options o = {.n = N,
                                .length = LENGTH,
                                .size = SIZE,
                                .dtype = dtype,
                                .keep = true,
                                .recompute = recompute};
    support_ok(model_support_new(&m, b, backbone, 3, &e), &e);
    support_ok(model_make_trainable(m, NULL, &e), &e);
    support_ok(encoder_new(&c, m, &o, &e), &e);
    support_ok(encoder_set_weights(c, &e), &e);
    size_t n_pixels = (size_t)N * LENGTH * SIZE * SIZE * 3;
    size_t n_features = N * encoder_steps(c) * m->backbone.desc.c_out;
    float *pixels = malloc(n_pixels * sizeof *pixels), *grads = malloc(m->n_values * sizeof *grads);
    void *x = malloc(n_pixels * dtype_bytes(dtype));
    rng_init(&r, 1, 1, 0);
    for (size_t i = 0; i < n_pixels; i++)
        pixels[i] = (float)rng_f64(&r);
    b->ops->convert(b, x, dtype, pixels, DTYPE_F32, n_pixels);
    support_ok(encoder_forward(c, x, NORM_BATCH_UPDATE, &e), &e);
    for (size_t i = 0; i < n_features; i++)
        encoder_features_grad(c)[i] = (float)(rng_f64(&r) - 0.5);
    support_ok(b->ops->zero(b, m->grads, m->n_values * sizeof(float), &e), &e);
    support_ok(encoder_backward_features(c, x, &e), &e);
    support_ok(b->ops->download(b, grads, m->grads, m->n_values * sizeof *grads, &e), &e);
    *bytes = encoder_activation_bytes(c);
    encoder_free(c);
    model_free(m);
    backend_close(b);
    free(pixels);
    free(x);
    return grads;
}

static size_t n_values(const char *backbone)
{
    struct backend *b = support_backend(1);
    struct model *m;
    struct err e = {0};
    struct model_desc d = {.head_dim = 128};
    snprintf(d.backbone, sizeof d.backbone, "%s", backbone);
    support_ok(model_new(&m, b, &d, &e), &e);
    size_t n = m->n_values;
    model_free(m);
    backend_close(b);
    return n;
}

static void same_with_less(const char *backbone, enum dtype dtype, double share)
{
    size_t all, some, n = n_values(backbone), n_zero = 0;
    float *kept = gradients(backbone, dtype, false, &all);
    float *again = gradients(backbone, dtype, true, &some);
    assert_memory_equal(kept, again, n * sizeof *kept);
    for (size_t i = 0; i < n; i++)
        n_zero += kept[i] == 0.0f;
    assert_true(n_zero < n / 2);
    assert_true((double)some < share * (double)all);
    free(kept);
    free(again);
}

static void test_r3d50(void **state)
{
    (void)state;
    same_with_less("r3d50", DTYPE_F32, 0.6);
}

static void test_r3d_tiny(void **state)
{
    (void)state;
    same_with_less("r3d-tiny", DTYPE_F32, 0.75);
    same_with_less("r3d-tiny", DTYPE_BF16, 0.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r3d50),
        cmocka_unit_test(test_r3d_tiny),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
