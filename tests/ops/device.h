/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operation tests run on every device that the build and the machine have; the others are skipped
 * with the reason. A test works on host memory, and names what an operation is to see:
 *
 *     static void adds(void **state)
 *     {
 *         struct device *d = device_open(state, 2);
 *         args.x = device_on(d, x, sizeof x);       a copy between guard bytes; the CPU's is x
 *         d->b->ops->add(d->b, &args);
 *         device_off(d);                            back into x; the guard bytes are as they were
 *         device_close(d);
 *     }
 *     const struct CMUnitTest tests[] = {ON_EVERY_DEVICE(adds)};
 */
#ifndef TEG_TESTS_OPS_DEVICE_H
#define TEG_TESTS_OPS_DEVICE_H

#include "kernels/backend.h"
#include "tests/unit/support.h"

#if TEG_CUDA
#define ON_EVERY_DEVICE(test)                                                                      \
    {#test, test, NULL, NULL, "cpu"},                                                              \
    {                                                                                              \
#test "_cuda", test, NULL, NULL, "cuda"                                                    \
    }
#else
#define ON_EVERY_DEVICE(test)                                                                      \
    {                                                                                              \
#test, test, NULL, NULL, "cpu"                                                             \
    }
#endif

/* $TEG_TEST_ONLY, for instance "*_cuda": the tests that are run. */
__attribute__((constructor)) static void device_filter(void)
{
    if (getenv("TEG_TEST_ONLY"))
        cmocka_set_test_filter(getenv("TEG_TEST_ONLY"));
}

enum { DEVICE_MAX_COPIES = 32, DEVICE_GUARD = 256, DEVICE_GUARD_VALUE = 0xff };

struct device_copy {
    void *host;
    unsigned char *memory; /* DEVICE_GUARD bytes, the copy, DEVICE_GUARD bytes */
    size_t bytes;
};

struct device {
    struct backend *b;
    bool cpu;
    struct device_copy copy[DEVICE_MAX_COPIES];
    size_t n;
};

static inline bool device_is_cuda(void **state)
{
    return strcmp(*state, "cuda") == 0;
}

/* Skips the test where there is no such device. Options but for the device's name. */
static inline struct device *device_open_with(void **state, const struct backend_options *options)
{
    struct err e = {0};
    struct device *d = calloc(1, sizeof *d);
    struct backend_options o = *options;
    o.device = *state;
    assert_non_null(d);
    if (backend_open(&d->b, &o, &e) < 0) {
        free(d);
        if (!device_is_cuda(state))
            fail_msg("%s", e.text);
        support_skip(e.text);
    }
    d->cpu = strcmp(d->b->name, "cpu") == 0;
    return d;
}

/* What other tests measured is taken where $TEG_TEST_PLANS is a folder for it. */
static inline struct device *device_open(void **state, size_t n_threads)
{
    return device_open_with(
        state,
        &(struct backend_options){.n_threads = n_threads, .plan_cache = getenv("TEG_TEST_PLANS")});
}

static inline void device_close(struct device *d)
{
    assert_int_equal(d->n, 0);
    backend_close(d->b);
    free(d);
}

/* Where the device sees `host`; NULL stays NULL. The same memory, or a part of it, is one copy. */
static inline void *device_on(struct device *d, const void *host, size_t bytes)
{
    struct err e = {0};
    if (d->cpu || !host)
        return (void *)host;
    for (size_t i = 0; i < d->n; i++) {
        const char *have = d->copy[i].host, *at = host;
        if (at >= have && at + bytes <= have + d->copy[i].bytes)
            return d->copy[i].memory + DEVICE_GUARD + (at - have);
    }
    assert_true(d->n < DEVICE_MAX_COPIES);
    struct device_copy *c = &d->copy[d->n++];
    size_t total = bytes + 2 * DEVICE_GUARD;
    unsigned char *staged = malloc(total);
    void *memory;
    assert_non_null(staged);
    memset(staged, DEVICE_GUARD_VALUE, total);
    memcpy(staged + DEVICE_GUARD, host, bytes);
    support_ok(d->b->ops->alloc(d->b, total, &memory, &e), &e);
    support_ok(d->b->ops->upload(d->b, memory, staged, total, &e), &e);
    free(staged);
    *c = (struct device_copy){(void *)host, memory, bytes};
    return c->memory + DEVICE_GUARD;
}

/* Brings everything back. */
static inline void device_off(struct device *d)
{
    struct err e = {0};
    for (size_t i = 0; i < d->n; i++) {
        struct device_copy *c = &d->copy[i];
        size_t total = c->bytes + 2 * DEVICE_GUARD;
        unsigned char *staged = malloc(total);
        assert_non_null(staged);
        support_ok(d->b->ops->download(d->b, staged, c->memory, total, &e), &e);
        for (size_t k = 0; k < DEVICE_GUARD; k++) {
            assert_int_equal(staged[k], DEVICE_GUARD_VALUE);
            assert_int_equal(staged[DEVICE_GUARD + c->bytes + k], DEVICE_GUARD_VALUE);
        }
        if (memcmp(c->host, staged + DEVICE_GUARD, c->bytes) != 0) /* inputs may be read-only */
            memcpy(c->host, staged + DEVICE_GUARD, c->bytes);
        free(staged);
        d->b->ops->release(d->b, c->memory);
    }
    d->n = 0;
}

#endif
