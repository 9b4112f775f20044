/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pre-training steps whose clips come from the loader, with the augmentations of pre-training, as
 * teg-train takes them, then the same step on clips that are there already.
 *
 *     bench_train FRAMES.lmdb MODEL f32|bf16|tf32 BATCH LONG SHORT SIZE STEPS THREADS
 *                 [cpu|cuda [MICRO_BATCH]]
 *
 * Prints seconds of a step with the loader and without (means of STEPS), and those that a step
 * waited for it. The variable PLANS names the file in which a GPU's plans are kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/ui.h"
#include "common/nn/step.h"
#include "tests/bench/random_pairs.h"

/* As many batches are in memory, and each step on one is recorded; the first one runs as it is. */
enum { N_SLOTS = 2, WARM_UP = 2 * N_SLOTS };

struct bench {
    struct backend *b;
    struct model *m;
    struct step *step;
    struct step_options o;
    struct random_pairs *pairs;
    struct loader *loader;
    size_t n_steps;
    const void *pixels[N_SLOTS]; /* of a batch with a recording */
    struct recording *recording[N_SLOTS];
};

struct one_step {
    struct bench *t;
    struct step_input in;
};

static void check(int rc, const struct err *e)
{
    if (rc < 0) {
        fprintf(stderr, "bench_train: %s\n", e->text);
        exit(1);
    }
}

static size_t number(const char *text)
{
    return strtoul(text, NULL, 10);
}

/* What teg-train records of a step. */
static int compute(void *user, struct err *e)
{
    struct one_step *s = user;
    if (step_compute(s->t->step, &s->in, e) < 0 || model_update(s->t->m, e) < 0)
        return ERR_FAIL;
    return step_set_weights(s->t->step, e);
}

static void run_step(struct bench *t, const struct clip_batch *batch)
{
    struct err e = {0};
    struct one_step s = {t,
                         {{batch->pixels[CLIP_LONG], batch->pixels[CLIP_SHORT]},
                          {batch->rows[CLIP_LONG], batch->rows[CLIP_SHORT]}}};
    double total;
    int i = 0;
    while (i < N_SLOTS - 1 && t->pixels[i] && t->pixels[i] != s.in.pixels[0])
        i++;
    if (t->pixels[i] && t->pixels[i] != s.in.pixels[0])
        check(err_set(&e, "the loader has more than %d batches in memory", N_SLOTS), &e);
    t->pixels[i] = s.in.pixels[0];
    check(step_post(t->step, &s.in, &e), &e);
    check(model_post_lr(t->m, 1e-3, &e), &e);
    check(t->b->ops->repeat(t->b, &t->recording[i], compute, &s, &e), &e);
    check(step_result(t->step, &total, &e), &e);
}

static void open_step(struct bench *t, char **arg, int argc)
{
    struct err e = {0};
    struct objective objective;
    struct optimizer_desc how = {.momentum = 0.9f, .weight_decay = 1e-6f};
    struct model_desc d = {.head_dim = 128, .head_layers = 3};
    struct backend_options bo = {.device = argc > 9 ? arg[9] : "cpu",
                                 .n_threads = number(arg[8]),
                                 .plan_file = getenv("PLANS"),
                                 .tf32 = strcmp(arg[2], "tf32") == 0};
    t->n_steps = number(arg[7]);
    t->o = (struct step_options){.batch = number(arg[3]),
                                 .length = {number(arg[4]), number(arg[5])},
                                 .size = number(arg[6]),
                                 .dtype = strcmp(arg[2], "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32};
    t->o.micro_batch = argc > 10 ? number(arg[10]) : t->o.batch;
    snprintf(d.backbone, sizeof d.backbone, "%s", arg[1]);
    check(objective_parse(&objective, "teg-fg", &e), &e);
    objective_heads(&objective, &d);
    check(backend_open(&t->b, &bo, &e), &e);
    check(model_new(&t->m, t->b, &d, &e), &e);
    check(model_init_weights(t->m, 1, &e), &e);
    check(model_make_trainable(t->m, &how, &e), &e);
    check(step_new(&t->step, t->m, &objective, &t->o, &e), &e);
    check(step_set_weights(t->step, &e), &e);
}

/* As many threads as teg-train's. A batch more than is measured: the last step too has one rendered
 * beside it. */
static void open_loader(struct bench *t, const char *frames)
{
    struct err e = {0};
    struct augment augment;
    augment_preset(AUGMENT_PRETRAIN, &augment);
    struct random_pairs_options po = {.batch = t->o.batch,
                                      .length = {t->o.length[0], t->o.length[1]},
                                      .n_batches = WARM_UP + t->n_steps + 2,
                                      .augment = &augment};
    struct loader_options lo = {.backend = t->b, .clips = {t->o.size, t->o.dtype}};
    check(random_pairs_open(&t->pairs, frames, &po, &e), &e);
    check(random_pairs_load(t->pairs, &lo, &t->loader, &e), &e);
}

static void measure(struct bench *t)
{
    struct err e = {0};
    const struct clip_batch *batch = NULL;
    double begin = 0.0, waited = 0.0, n = (double)t->n_steps;
    for (size_t i = 0; i < WARM_UP + t->n_steps; i++) {
        if (i == WARM_UP)
            begin = ui_seconds();
        check(loader_next(t->loader, &batch, &e), &e);
        waited += i < WARM_UP ? 0.0 : batch->waited;
        run_step(t, batch);
    }
    double with = (ui_seconds() - begin) / n;
    begin = ui_seconds();
    for (size_t i = 0; i < t->n_steps; i++)
        run_step(t, batch);
    printf("%.6f %.6f %.6f\n", with, (ui_seconds() - begin) / n, waited / n);
}

static void close_bench(struct bench *t)
{
    for (int i = 0; i < N_SLOTS; i++)
        t->b->ops->recording_free(t->b, t->recording[i]);
    loader_free(t->loader);
    random_pairs_close(t->pairs);
    step_free(t->step);
    model_free(t->m);
    backend_close(t->b);
}

int main(int argc, char **argv)
{
    struct bench t = {0};
    if (argc < 10 || argc > 12 || number(argv[8]) < 1) {
        fprintf(stderr, "usage: bench_train FRAMES.lmdb MODEL f32|bf16|tf32 BATCH LONG SHORT SIZE "
                        "STEPS THREADS [cpu|cuda [MICRO_BATCH]]\n");
        return 2;
    }
    open_step(&t, argv + 1, argc - 1);
    open_loader(&t, argv[1]);
    measure(&t);
    close_bench(&t);
    return 0;
}
