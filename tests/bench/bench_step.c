/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pre-training step without reading clips, and its convolutions alone: every convolution of the
 * step forward, backward to the data and to the weights as bare oneDNN calls in the same layout.
 *
 *     bench_step MODEL f32|bf16 BATCH LONG SHORT SIZE ROUNDS THREADS
 *
 * Prints: seconds of a step, seconds of its convolutions (medians of alternating rounds), peak
 * memory in MB.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/rng.h"
#include "common/base/ui.h"
#include "common/nn/step.h"

enum { MAX_ROUNDS = 99, N_CLIP_KINDS = 2 };

struct bench {
    struct backend *b;
    struct model *m;
    struct step *step;
    struct step_options o;
    struct step_input in;
    struct conv *conv[N_CLIP_KINDS][ARCH_MAX_UNITS];
    void *buffer[3]; /* x, y, gradient: as large as the largest tensor */
    float *weights;
};

static void *allocate(struct bench *t, size_t bytes)
{
    struct err e = {0};
    void *memory = NULL;
    if (t->b->ops->alloc(t->b, bytes, &memory, &e) < 0) {
        fprintf(stderr, "bench_step: %s\n", e.text);
        exit(1);
    }
    memset(memory, 0, bytes);
    return memory;
}

static void check(int rc, const struct err *e)
{
    if (rc < 0) {
        fprintf(stderr, "bench_step: %s\n", e->text);
        exit(1);
    }
}

static void make_input(struct bench *t)
{
    for (int role = 0; role < N_ROLES; role++) {
        size_t n = t->o.batch * t->o.length[role] * t->o.size * t->o.size * 3;
        struct sample *rows = calloc(t->o.batch, sizeof *rows);
        void *pixels = allocate(t, n * dtype_bytes(t->o.dtype));
        float *values = allocate(t, n * sizeof *values);
        struct rng r;
        rng_init(&r, 1, 1, (uint64_t)role);
        for (size_t i = 0; i < n; i++)
            values[i] = (float)rng_f64(&r);
        t->b->ops->convert(t->b, pixels, t->o.dtype, values, DTYPE_F32, n);
        t->b->ops->release(t->b, values);
        for (size_t i = 0; i < t->o.batch; i++)
            rows[i] = (struct sample){.video = (uint32_t)i, .stride = role == ROLE_LONG ? 4 : 2};
        t->in.pixels[role] = pixels;
        t->in.rows[role] = rows;
    }
}

/* Shapes of unit i: its input is out[u->input], or the clip. */
static struct conv_desc unit_shape(const struct bench *t, int role, int i, size_t out[][3])
{
    const struct unit *u = &t->m->backbone.desc.unit[i];
    struct conv_desc d = {.n = t->o.micro_batch,
                          .c_in = u->c_in,
                          .c_out = u->c_out,
                          .dtype = t->o.dtype,
                          .no_data_grad = u->input == NET_INPUT};
    size_t clip[3] = {t->o.length[role], t->o.size, t->o.size};
    for (int k = 0; k < 3; k++) {
        d.in[k] = u->input == NET_INPUT ? clip[k] : out[u->input][k];
        d.kernel[k] = u->kernel[k];
        d.stride[k] = u->stride[k];
        d.pad[k] = u->pad[k];
    }
    for (int k = 0; k < 3; k++)
        out[i][k] = u->pool && k > 0 ? (conv_out(&d, k) - 1) / 2 + 1 : conv_out(&d, k);
    return d;
}

static void make_convolutions(struct bench *t)
{
    struct err e = {0};
    size_t most = 0, most_weights = 0;
    for (int role = 0; role < N_CLIP_KINDS; role++) {
        size_t out[ARCH_MAX_UNITS][3];
        for (int i = 0; i < t->m->backbone.desc.n_units; i++) {
            struct conv_desc d = unit_shape(t, role, i, out);
            size_t rows_in = d.n * d.in[0] * d.in[1] * d.in[2] * d.c_in;
            size_t rows_out = d.n * conv_out(&d, 0) * conv_out(&d, 1) * conv_out(&d, 2) * d.c_out;
            size_t w = d.c_out * d.kernel[0] * d.kernel[1] * d.kernel[2] * d.c_in;
            most = rows_in > most ? rows_in : most;
            most = rows_out > most ? rows_out : most;
            most_weights = w > most_weights ? w : most_weights;
            check(t->b->ops->conv_new(t->b, &d, &t->conv[role][i], &e), &e);
        }
    }
    for (int i = 0; i < 3; i++)
        t->buffer[i] = allocate(t, most * dtype_bytes(t->o.dtype));
    t->weights = allocate(t, most_weights * sizeof *t->weights);
    for (int role = 0; role < N_CLIP_KINDS; role++)
        for (int i = 0; i < t->m->backbone.desc.n_units; i++)
            check(t->b->ops->conv_set_weights(t->b, t->conv[role][i], t->weights, NULL, &e), &e);
}

static double time_convolutions(struct bench *t)
{
    struct err e = {0};
    double begin = ui_seconds();
    for (int role = 0; role < N_CLIP_KINDS; role++)
        for (int i = 0; i < t->m->backbone.desc.n_units; i++) {
            struct conv *c = t->conv[role][i];
            struct conv_forward_args f = {.x = t->buffer[0], .y = t->buffer[1]};
            struct conv_weight_grad_args w = {
                .x = t->buffer[0], .dy = t->buffer[1], .dw = t->weights};
            check(t->b->ops->conv_forward(t->b, c, &f, &e), &e);
            check(t->b->ops->conv_backward_weights(t->b, c, &w, &e), &e);
            if (t->m->backbone.desc.unit[i].input != NET_INPUT)
                check(t->b->ops->conv_backward_data(t->b, c, t->buffer[1], t->buffer[2], &e), &e);
        }
    return (ui_seconds() - begin) * (double)(t->o.batch / t->o.micro_batch);
}

static double time_step(struct bench *t)
{
    struct err e = {0};
    double total, begin = ui_seconds();
    check(step_set_weights(t->step, &e), &e);
    check(step_run(t->step, &t->in, &total, &e), &e);
    struct optimizer_args a = {.params = t->m->params,
                               .grads = t->m->grads,
                               .velocity = t->m->velocity,
                               .spans = t->m->span,
                               .n_spans = t->m->n_trainable_tensors,
                               .lr = 1e-3f,
                               .momentum = 0.9f,
                               .weight_decay = 1e-6f};
    t->b->ops->optimizer_step(t->b, &a);
    return ui_seconds() - begin;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

static void open_bench(struct bench *t, char **argv)
{
    struct err e = {0};
    struct objective objective;
    struct model_desc d = {.head_dim = 128, .head_layers = 3};
    struct backend_options bo = {.device = "cpu", .n_threads = strtoul(argv[8], NULL, 10)};
    t->o = (struct step_options){.batch = strtoul(argv[3], NULL, 10),
                                 .length = {strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10)},
                                 .size = strtoul(argv[6], NULL, 10),
                                 .dtype = strcmp(argv[2], "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32};
    t->o.micro_batch = t->o.batch;
    snprintf(d.backbone, sizeof d.backbone, "%s", argv[1]);
    check(objective_parse(&objective, "teg-fg", &e), &e);
    objective_heads(&objective, &d);
    check(backend_open(&t->b, &bo, &e), &e);
    check(model_new(&t->m, t->b, &d, &e), &e);
    check(model_init_weights(t->m, 1, &e), &e);
    check(model_make_trainable(t->m, &e), &e);
    check(step_new(&t->step, t->m, &objective, &t->o, &e), &e);
    make_input(t);
}

int main(int argc, char **argv)
{
    struct bench t = {0};
    double step[MAX_ROUNDS], conv[MAX_ROUNDS];
    int rounds = argc == 9 ? (int)strtol(argv[7], NULL, 10) : 0;
    if (rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: bench_step MODEL f32|bf16 BATCH LONG SHORT SIZE ROUNDS THREADS\n");
        return 2;
    }
    open_bench(&t, argv);
    time_step(&t);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage); /* before the bare convolutions take memory of their own */
    make_convolutions(&t);
    time_convolutions(&t);
    for (int i = 0; i < rounds; i++) {
        step[i] = time_step(&t);
        conv[i] = time_convolutions(&t);
    }
    printf("%.6f %.6f %.1f\n", median(step, rounds), median(conv, rounds),
           (double)usage.ru_maxrss / 1024.0);
    return 0;
}
