/* SPDX-License-Identifier: Apache-2.0 */
/* Repeating what a function put on the device, and posting what changes in between. */
#include "tests/ops/oracle.h"

enum { N = 1000, CLASSES = 10, ROUNDS = 40 };

/* y = x + row sums of a loss over x, which take scratch memory. */
struct work {
    struct backend *b;
    size_t rows;
    float *x, *y;
    int32_t *target;
    double *sums;
    int n_calls;
};

static void *take(struct backend *b, size_t bytes)
{
    struct err e = {0};
    void *memory;
    support_ok(b->ops->alloc(b, bytes, &memory, &e), &e);
    support_ok(b->ops->zero(b, memory, bytes, &e), &e);
    return memory;
}

static void open_work(struct work *w, struct device *d, size_t n)
{
    *w = (struct work){.b = d->b, .rows = n / CLASSES};
    w->x = take(d->b, n * sizeof *w->x);
    w->y = take(d->b, n * sizeof *w->y);
    w->target = take(d->b, w->rows * sizeof *w->target);
    w->sums = take(d->b, XENT_SUMS * sizeof *w->sums);
}

static void close_work(struct work *w)
{
    void *memory[] = {w->x, w->y, w->target, w->sums};
    for (int i = 0; i < 4; i++)
        w->b->ops->release(w->b, memory[i]);
}

static int run(void *user, struct err *e)
{
    struct work *w = user;
    struct softmax_xent_args loss = {
        .rows = w->rows, .classes = CLASSES, .logits = w->x, .target = w->target, .sums = w->sums};
    w->n_calls++;
    if (w->b->ops->accumulate(w->b, w->y, w->x, DTYPE_F32, w->rows * CLASSES, true) < 0 ||
        w->b->ops->softmax_xent(w->b, &loss) < 0)
        return err_set(e, "an operation failed");
    return 0;
}

/* An operation that takes more scratch memory than the work: 4 MiB of similarities. */
static void move_scratch(struct backend *b)
{
    enum { ANCHORS = 256, KEYS = 4096, DIM = 4 };
    struct err e = {0};
    uint32_t *list = take(b, KEYS * sizeof *list);
    float *rows = take(b, KEYS * DIM * sizeof *rows);
    double *sums = take(b, CONTRAST_SUMS * sizeof *sums);
    struct contrast_args a = {.n_anchors = ANCHORS,
                              .n_keys = KEYS,
                              .dim = DIM,
                              .anchors = rows,
                              .keys = rows,
                              .positive = list,
                              .anchor_video = list,
                              .key_video = list,
                              .temperature = 1.0f,
                              .sums = sums};
    support_ok(b->ops->contrast(b, &a, &e), &e);
    b->ops->release(b, list);
    b->ops->release(b, rows);
    b->ops->release(b, sums);
}

/* The function is asked for no more than is needed, and every round sees what was posted before. */
static void follows_the_memory(void **state)
{
    struct device *d = device_open(state, 2);
    struct err e = {0};
    struct work w;
    struct recording *r = NULL;
    static float x[N], y[N], want[N];
    memset(want, 0, sizeof want);
    open_work(&w, d, N);
    for (int i = 0; i < ROUNDS; i++) {
        for (size_t k = 0; k < N; k++) {
            x[k] = (float)((k * 7 + (size_t)i) % 13);
            want[k] += x[k];
        }
        support_ok(d->b->ops->post(d->b, w.x, x, sizeof x, &e), &e);
        memset(x, 0xff, sizeof x); /* it was copied */
        support_ok(d->b->ops->repeat(d->b, &r, run, &w, &e), &e);
        if (i == ROUNDS / 2)
            move_scratch(d->b);
    }
    support_ok(d->b->ops->download(d->b, y, w.y, sizeof y, &e), &e);
    assert_memory_equal(y, want, sizeof y);
    assert_int_equal(w.n_calls, d->cpu ? ROUNDS : 3);
    assert_string_equal(d->b->note.text, "");
    d->b->ops->recording_free(d->b, r);
    close_work(&w);
    device_close(d);
}

static int run_and_wait(void *user, struct err *e)
{
    struct work *w = user;
    float first;
    if (run(w, e) < 0)
        return ERR_FAIL;
    return w->b->ops->download(w->b, &first, w->y, sizeof first, e);
}

/* What cannot be recorded is run every time, and said. */
static void runs_what_waits(void **state)
{
    struct device *d = device_open(state, 2);
    struct err e = {0};
    struct work w;
    struct recording *r = NULL;
    static float x[N], y[N];
    open_work(&w, d, N);
    for (size_t k = 0; k < N; k++)
        x[k] = (float)k;
    support_ok(d->b->ops->post(d->b, w.x, x, sizeof x, &e), &e);
    for (int i = 0; i < 5; i++)
        support_ok(d->b->ops->repeat(d->b, &r, run_and_wait, &w, &e), &e);
    support_ok(d->b->ops->download(d->b, y, w.y, sizeof y, &e), &e);
    for (size_t k = 0; k < N; k++)
        assert_true(y[k] == 5.0f * (float)k);
    assert_int_equal(d->b->note.text[0] != '\0', !d->cpu);
    d->b->ops->recording_free(d->b, r);
    close_work(&w);
    device_close(d);
}

static int fails(void *user, struct err *e)
{
    (void)user;
    return err_set(e, "told");
}

static void passes_a_failure_on(void **state)
{
    struct device *d = device_open(state, 2);
    struct recording *r = NULL;
    for (int i = 0; i < 4; i++) {
        struct err e = {0};
        support_failed(d->b->ops->repeat(d->b, &r, fails, NULL, &e), &e, "told");
    }
    d->b->ops->recording_free(d->b, r);
    device_close(d);
}

/* More than are on their way at a time, also of no bytes. */
static void posts_many(void **state)
{
    enum { POSTS = 100 };
    struct device *d = device_open(state, 1);
    struct err e = {0};
    uint32_t *memory = take(d->b, POSTS * sizeof *memory), got[POSTS];
    for (uint32_t i = 0; i < POSTS; i++) {
        support_ok(d->b->ops->post(d->b, memory + i, &i, sizeof i, &e), &e);
        support_ok(d->b->ops->post(d->b, memory, NULL, 0, &e), &e);
    }
    support_ok(d->b->ops->download(d->b, got, memory, sizeof got, &e), &e);
    for (uint32_t i = 0; i < POSTS; i++)
        assert_int_equal(got[i], i);
    d->b->ops->release(d->b, memory);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(follows_the_memory),
        ON_EVERY_DEVICE(runs_what_waits),
        ON_EVERY_DEVICE(passes_a_failure_on),
        ON_EVERY_DEVICE(posts_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
