/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training whose steps are recorded once and repeated ends with the same bits as one whose steps
 * are called each time, whatever changes between them: rates, labels, boxes, pairs, masks.
 */
#include "common/base/rng.h"
#include "common/nn/step.h"
#include "common/nn/tune_step.h"
#include "tests/ops/device.h"

enum { SIZE = 16, FRAMES = 4, BATCH = 4, BOXES = 2, CLASSES = 3, STEPS = 5 };
enum { CLIP = FRAMES * SIZE * SIZE * 3 };

/* Tells the emulator at which of its calls a recording is to break off. */
static const char refuse[] = "EMULATED_REFUSE";

/* What one kind of training is, beside the model's description. */
struct kind {
    const char *objective; /* NULL: with labels */
    enum model_task task;
    size_t micro_batch;
};

struct run {
    struct device *d;
    const struct kind *kind;
    struct model *m;
    struct step *step;
    struct tune_step *tune;
    float *pixels; /* [BATCH, CLIP], also both clips of a pair */
    struct sample rows[BATCH];
    float box[BATCH * BOXES * 4], weight[BATCH * BOXES];
    uint8_t target[BATCH * BOXES * CLASSES];
    uint64_t number;
    int n_calls;
};

static void open_model(struct run *r)
{
    struct err e = {0};
    struct objective o;
    struct model_desc d = {
        .backbone = "r3d-tiny", .head_width = 32, .head_dim = 16, .head_layers = 1};
    const struct optimizer_desc how = {.momentum = 0.9f, .weight_decay = 1e-4f};
    if (r->kind->objective) {
        support_ok(objective_parse(&o, r->kind->objective, &e), &e);
        objective_heads(&o, &d);
    } else {
        d = (struct model_desc){
            .backbone = "r3d-tiny", .task = r->kind->task, .n_classes = CLASSES};
    }
    support_ok(model_new(&r->m, r->d->b, &d, &e), &e);
    support_ok(model_init_weights(r->m, 1, &e), &e);
    support_ok(model_make_trainable(r->m, &how, &e), &e);
    if (r->kind->objective) {
        struct step_options so = {.batch = BATCH,
                                  .micro_batch = r->kind->micro_batch,
                                  .length = {FRAMES, FRAMES},
                                  .size = SIZE,
                                  .dtype = DTYPE_F32};
        support_ok(step_new(&r->step, r->m, &o, &so, &e), &e);
        return;
    }
    struct tune_options to = {.batch = BATCH,
                              .micro_batch = r->kind->micro_batch,
                              .length = FRAMES,
                              .size = SIZE,
                              .dtype = DTYPE_F32,
                              .dropout = 0.5,
                              .boxes = r->kind->task == MODEL_LOCALIZE ? BOXES : 0};
    support_ok(tune_step_new(&r->tune, r->m, &to, &e), &e);
}

static int set_weights(struct run *r, struct err *e)
{
    return r->step ? step_set_weights(r->step, e) : tune_step_set_weights(r->tune, e);
}

static struct tune_input tune_input(struct run *r)
{
    return (struct tune_input){.pixels = r->pixels,
                               .rows = r->rows,
                               .number = r->number,
                               .people = {r->box, r->target, r->weight}};
}

static int compute(void *user, struct err *e)
{
    struct run *r = user;
    struct step_input si = {{r->pixels, r->pixels}, {r->rows, r->rows}};
    struct tune_input ti = tune_input(r);
    r->n_calls++;
    if ((r->step ? step_compute(r->step, &si, e) : tune_step_compute(r->tune, &ti, e)) < 0 ||
        model_update(r->m, e) < 0)
        return ERR_FAIL;
    return set_weights(r, e);
}

/* Something else every step. */
static void change(struct run *r)
{
    struct rng random;
    rng_init(&random, 8, 1, r->number);
    for (size_t i = 0; i < BATCH; i++)
        r->rows[i] = (struct sample){.video = (uint32_t)rng_below(&random, 3),
                                     .start = (int32_t)rng_below(&random, 9),
                                     .stride = 2,
                                     .target = (int32_t)rng_below(&random, CLASSES),
                                     .weight = (float)rng_f64(&random)};
    for (size_t i = 0; i < BATCH * BOXES; i++) {
        float left = (float)rng_f64(&random) / 2, top = (float)rng_f64(&random) / 2;
        float *box = r->box + 4 * i;
        box[0] = left;
        box[1] = top;
        box[2] = left + 0.4f;
        box[3] = top + 0.5f;
        r->weight[i] = (float)rng_below(&random, 2);
    }
    for (size_t i = 0; i < sizeof r->target; i++)
        r->target[i] = (uint8_t)rng_below(&random, 2);
}

static void one_step(struct run *r, struct recording **recording)
{
    struct err e = {0};
    double total;
    struct tune_result result;
    struct step_input si = {{r->pixels, r->pixels}, {r->rows, r->rows}};
    struct tune_input ti = tune_input(r);
    change(r);
    support_ok(r->step ? step_post(r->step, &si, &e) : tune_step_post(r->tune, &ti, &e), &e);
    support_ok(model_post_lr(r->m, 0.1 / (double)(1 + r->number), &e), &e);
    if (recording)
        support_ok(r->d->b->ops->repeat(r->d->b, recording, compute, r, &e), &e);
    else
        support_ok(compute(r, &e), &e);
    support_ok(r->step ? step_result(r->step, &total, &e) : tune_step_result(r->tune, &result, &e),
               &e);
    r->number++;
}

/* Parameters after a few steps. */
static float *train(struct device *d, const struct kind *kind, const float *pixels, bool recorded,
                    size_t *n_bytes)
{
    struct err e = {0};
    struct run r = {.d = d, .kind = kind};
    struct recording *recording = NULL;
    r.pixels = device_on(d, pixels, BATCH * CLIP * sizeof *pixels);
    open_model(&r);
    support_ok(set_weights(&r, &e), &e);
    for (int i = 0; i < STEPS; i++)
        one_step(&r, recorded ? &recording : NULL);
    if (!getenv(refuse)) {
        assert_int_equal(r.n_calls, recorded && !d->cpu ? 2 : STEPS);
        assert_string_equal(d->b->note.text, "");
    }
    size_t bytes = r.m->n_values * sizeof(float);
    float *params = malloc(bytes);
    *n_bytes = bytes;
    support_ok(d->b->ops->download(d->b, params, r.m->params, bytes, &e), &e);
    d->b->ops->recording_free(d->b, recording);
    tune_step_free(r.tune);
    step_free(r.step);
    model_free(r.m);
    device_off(d);
    return params;
}

static void check(void **state, const struct kind *kind)
{
    struct device *d = device_open(state, 2);
    size_t bytes[2];
    struct rng random;
    float *pixels = aligned_alloc(64, BATCH * CLIP * sizeof *pixels);
    rng_init(&random, 7, 1, 0);
    for (size_t i = 0; i < BATCH * CLIP; i++)
        pixels[i] = (float)rng_f64(&random);
    float *want = train(d, kind, pixels, false, &bytes[0]);
    float *got = train(d, kind, pixels, true, &bytes[1]);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(want, got, bytes[0]);
    free(want);
    free(got);
    free(pixels);
    device_close(d);
}

static void pairs(void **state)
{
    check(state, &(struct kind){.objective = "teg-fg", .micro_batch = BATCH});
}

static void pairs_in_micro_batches(void **state)
{
    check(state, &(struct kind){.objective = "teg-ps", .micro_batch = 2});
}

static void labels(void **state)
{
    check(state, &(struct kind){.task = MODEL_CLASSIFY, .micro_batch = 2});
}

static void boxes(void **state)
{
    check(state, &(struct kind){.task = MODEL_LOCALIZE, .micro_batch = 2});
}

/* Where a recording breaks off, forward or backward, nothing of it is left in the steps. */
static void recordings_that_break_off(void **state)
{
    static const char *const at[] = {"1", "100", "300", "350"};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        setenv(refuse, at[i], 1);
        check(state, &(struct kind){.objective = "teg-ps", .micro_batch = BATCH});
    }
    unsetenv(refuse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_DEVICE(pairs), ON_EVERY_DEVICE(pairs_in_micro_batches),    ON_EVERY_DEVICE(labels),
        ON_EVERY_DEVICE(boxes), ON_EVERY_DEVICE(recordings_that_break_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
