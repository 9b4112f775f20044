/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test oracle of tensor operations: plain loops with double sums, written from the definitions
 * in kernels/backend.h. And what all operation tests share: random tensors, guarded memory.
 */
#ifndef TEG_TESTS_OPS_ORACLE_H
#define TEG_TESTS_OPS_ORACLE_H

#include <math.h>

#include "common/base/rng.h"
#include "kernels/backend.h"
#include "kernels/elem.h"
#include "tests/ops/device.h"
#include "tests/ops/tolerances.h"

/* -- tensors with guard bytes around them -- */

enum { GUARD_BYTES = 64, GUARD_VALUE = 0xff }; /* as numbers, these are none: a read shows */

struct guarded {
    unsigned char *memory;
    size_t bytes;
};

static inline void *guarded_new(struct guarded *g, size_t bytes)
{
    g->bytes = bytes;
    size_t total = (bytes + 2 * GUARD_BYTES + 63) / 64 * 64;
    g->memory = aligned_alloc(64, total);
    assert_non_null(g->memory);
    memset(g->memory, GUARD_VALUE, total);
    return g->memory + GUARD_BYTES;
}

static inline void guarded_check(const struct guarded *g)
{
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        assert_int_equal(g->memory[i], GUARD_VALUE);
        assert_int_equal(g->memory[GUARD_BYTES + g->bytes + i], GUARD_VALUE);
    }
}

static inline void guarded_free(struct guarded *g)
{
    guarded_check(g);
    free(g->memory);
}

/* -- a tensor as the device sees it, with its values in float64 for the oracle -- */

struct tensor {
    struct guarded guard;
    void *data; /* n elements of type */
    double *value;
    size_t n;
    enum dtype type;
};

static inline double tensor_at(const struct tensor *t, size_t i)
{
    if (t->type == DTYPE_F32)
        return (double)((const float *)t->data)[i];
    return (double)bf16_to_f32(((const uint16_t *)t->data)[i]);
}

static inline void tensor_put(struct tensor *t, size_t i, double x)
{
    if (t->type == DTYPE_F32)
        ((float *)t->data)[i] = (float)x;
    else
        ((uint16_t *)t->data)[i] = f32_to_bf16((float)x);
    t->value[i] = tensor_at(t, i);
}

/* Random normal values around `mean`, rounded to the type; value holds what was rounded. */
static inline void tensor_random(struct tensor *t, size_t n, enum dtype type, double mean,
                                 uint64_t item)
{
    struct rng r;
    rng_init(&r, 77, 1, item);
    t->type = type;
    t->n = n;
    t->data = guarded_new(&t->guard, n * dtype_bytes(type));
    t->value = calloc(n, sizeof *t->value);
    assert_non_null(t->value);
    for (size_t i = 0; i < n; i++)
        tensor_put(t, i, mean + rng_normal(&r));
}

static inline void tensor_release(struct tensor *t)
{
    guarded_free(&t->guard);
    free(t->value);
}

/* |got - want| / |want| as vectors. */
static inline double relative_error(const struct tensor *got, const double *want)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < got->n; i++) {
        double d = tensor_at(got, i) - want[i];
        difference += d * d;
        norm += want[i] * want[i];
    }
    return sqrt(difference / (norm > 0.0 ? norm : 1.0));
}

static inline double relative_error_f32(const float *got, const double *want, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - want[i];
        difference += d * d;
        norm += want[i] * want[i];
    }
    return sqrt(difference / (norm > 0.0 ? norm : 1.0));
}

static inline double tolerance(enum dtype type)
{
    return type == DTYPE_F32 ? TOLERANCE_F32 : TOLERANCE_BF16;
}

#define assert_within(error, limit)                                                                \
    do {                                                                                           \
        double error_ = (error), limit_ = (limit);                                                 \
        if (!(error_ <= limit_))                                                                   \
            fail_msg("error %.3g is over %.3g", error_, limit_);                                   \
    } while (0)

static inline void *device_tensor(struct device *d, const struct tensor *t)
{
    return device_on(d, t->data, t->n * dtype_bytes(t->type));
}

/* -- convolution -- */

/* Calls visit for every (output, weight, input) element triple of a convolution. */
typedef void conv_visit(void *user, size_t y, size_t w, size_t x);

struct conv_walk {
    const struct conv_desc *d;
    conv_visit *visit;
    void *user;
};

static inline void conv_walk_window(const struct conv_walk *k, size_t n, const size_t out[3],
                                    size_t o)
{
    const struct conv_desc *d = k->d;
    size_t oy = ((n * conv_out(d, 0) + out[0]) * conv_out(d, 1) + out[1]) * conv_out(d, 2) + out[2];
    for (size_t a = 0; a < d->kernel[0]; a++)
        for (size_t b = 0; b < d->kernel[1]; b++)
            for (size_t c = 0; c < d->kernel[2]; c++) {
                size_t t = out[0] * d->stride[0] + a - d->pad[0];
                size_t h = out[1] * d->stride[1] + b - d->pad[1];
                size_t w = out[2] * d->stride[2] + c - d->pad[2];
                if (t >= d->in[0] || h >= d->in[1] || w >= d->in[2])
                    continue;
                size_t x = ((n * d->in[0] + t) * d->in[1] + h) * d->in[2] + w;
                size_t tap = ((o * d->kernel[0] + a) * d->kernel[1] + b) * d->kernel[2] + c;
                for (size_t i = 0; i < d->c_in; i++)
                    k->visit(k->user, oy * d->c_out + o, tap * d->c_in + i, x * d->c_in + i);
            }
}

static inline void conv_walk_all(const struct conv_walk *k)
{
    const struct conv_desc *d = k->d;
    size_t out[3];
    for (size_t n = 0; n < d->n; n++)
        for (out[0] = 0; out[0] < conv_out(d, 0); out[0]++)
            for (out[1] = 0; out[1] < conv_out(d, 1); out[1]++)
                for (out[2] = 0; out[2] < conv_out(d, 2); out[2]++)
                    for (size_t o = 0; o < d->c_out; o++)
                        conv_walk_window(k, n, out, o);
}

#endif
