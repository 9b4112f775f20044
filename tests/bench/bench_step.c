/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pre-training step without reading clips, its convolutions alone, and the linear layers of its
 * projection heads alone: each forward, backward to the data and to the weights as bare calls of
 * oneDNN, or of cuDNN and cuBLASLt, in the same layout.
 *
 *     bench_step MODEL f32|bf16|tf32 BATCH LONG SHORT SIZE ROUNDS THREADS [cpu|cuda [MICRO_BATCH]]
 *
 * Prints: seconds of a step, of its convolutions, of its linear layers (medians of alternating
 * rounds), peak of this process's host memory in MB, 1e12 operations of a step, 1e12 operations a
 * second that the device can do, seconds that a step takes at least by its operations and the bytes
 * that it has to move.
 *
 * With ROUNDS 0: what the time of one step goes to, see timed_backend.h. The variable PLANS names
 * the file in which a GPU's plans are kept; RATES, operations and bytes a second of some other
 * device, for instance "790e12 4.2e12", has the limits of a pair there written to stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/rng.h"
#include "common/base/ui.h"
#include "common/nn/step.h"
#include "tests/bench/timed_backend.h"

enum { MAX_ROUNDS = 99, MAX_LAYERS = 2 * ARCH_MAX_UNITS };

struct layers { /* convolutions, or linear layers, of both clips */
    struct conv *conv[MAX_LAYERS];
    bool no_data_grad[MAX_LAYERS];
    double flops[MAX_LAYERS], bytes[MAX_LAYERS]; /* of one pass: operations, x and y */
    int n;
};

struct bench {
    struct backend *b;
    struct model *m;
    struct step *step;
    struct step_options o;
    struct step_input in;
    struct recording *recording;
    struct layers convolutions, linear;
    double norm_bytes;         /* that normalisations of a micro-batch have to move */
    size_t most, most_weights; /* elements of the largest activation and of the largest kernel */
    void *buffer[3];           /* x, y, gradient */
    float *weights;
};

static void check(int rc, const struct err *e)
{
    if (rc < 0) {
        fprintf(stderr, "bench_step: %s\n", e->text);
        exit(1);
    }
}

static void *allocate(struct bench *t, size_t bytes)
{
    struct err e = {0};
    void *memory = NULL;
    check(t->b->ops->alloc(t->b, bytes, &memory, &e), &e);
    return memory;
}

/* With numbers in it. */
static void *allocate_filled(struct bench *t, size_t n, enum dtype dtype)
{
    struct err e = {0};
    size_t bytes = n * dtype_bytes(dtype);
    void *memory = allocate(t, bytes);
    check(backend_fill(t->b, memory, bytes, dtype, &e), &e);
    return memory;
}

static void make_input(struct bench *t)
{
    for (int role = 0; role < N_ROLES; role++) {
        size_t n = t->o.batch * t->o.length[role] * t->o.size * t->o.size * 3;
        struct sample *rows = calloc(t->o.batch, sizeof *rows);
        void *pixels = allocate(t, n * dtype_bytes(t->o.dtype));
        float *values = malloc(n * sizeof *values), *uploaded = allocate(t, n * sizeof *values);
        struct err e = {0};
        struct rng r;
        rng_init(&r, 1, 1, (uint64_t)role);
        for (size_t i = 0; i < n; i++)
            values[i] = (float)rng_f64(&r);
        check(t->b->ops->upload(t->b, uploaded, values, n * sizeof *values, &e), &e);
        t->b->ops->convert(t->b, pixels, t->o.dtype, uploaded, DTYPE_F32, n);
        check(t->b->ops->sync(t->b, &e), &e);
        t->b->ops->release(t->b, uploaded);
        free(values);
        for (size_t i = 0; i < t->o.batch; i++)
            rows[i] = (struct sample){.video = (uint32_t)i, .stride = role == ROLE_LONG ? 4 : 2};
        t->in.pixels[role] = pixels;
        t->in.rows[role] = rows;
    }
}

struct net_input { /* of one clip kind */
    const struct net_desc *net;
    size_t n, in[3];
    bool input_grad;
};

/* Shapes of unit i: its input is out[u->input], or the network's. */
static struct conv_desc unit_shape(const struct bench *t, const struct net_input *in, int i,
                                   size_t out[][3])
{
    const struct unit *u = &in->net->unit[i];
    bool first = u->input == NET_INPUT;
    struct conv_desc d = {.n = in->n,
                          .c_in = u->c_in,
                          .c_out = u->c_out,
                          .dtype = t->o.dtype,
                          .bias = u->bias,
                          .no_data_grad = first && !in->input_grad};
    for (int k = 0; k < 3; k++) {
        d.in[k] = first ? in->in[k] : out[u->input][k];
        d.kernel[k] = u->kernel[k];
        d.stride[k] = u->stride[k];
        d.pad[k] = u->pad[k];
    }
    for (int k = 0; k < 3; k++)
        out[i][k] = u->pool && k > 0 ? (conv_out(&d, k) - 1) / 2 + 1 : conv_out(&d, k);
    return d;
}

/*
 * How often a unit's normalisation has to read or write a tensor of its output's size, whatever is
 * done together with the convolutions: forward it reads the convolution's output (whose statistics
 * the convolution could have taken) and writes its own; backward, the sums need that output beside
 * the gradient, where this is made, before a pass reads both and writes. What is added, forward,
 * and the other branch's gradient, backward, is read besides.
 */
static double norm_passes(const struct unit *u)
{
    if (!u->norm_name[0])
        return 0.0;
    if (u->shortcut) /* its forward pass and its sums are those of the unit that adds it */
        return 3.0;
    return u->residual == NO_RESIDUAL ? 2.0 + 4.0 : 3.0 + 5.0;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void add_net(struct bench *t, struct layers *l, const struct net_input *in)
{
    struct err e = {0};
    size_t out[ARCH_MAX_UNITS][3];
    for (int i = 0; i < in->net->n_units; i++) {
        struct conv_desc d = unit_shape(t, in, i, out);
        size_t rows_out = d.n * conv_out(&d, 0) * conv_out(&d, 1) * conv_out(&d, 2);
        t->most = larger(t->most, d.n * d.in[0] * d.in[1] * d.in[2] * d.c_in);
        t->most = larger(t->most, rows_out * d.c_out);
        t->most_weights =
            larger(t->most_weights, d.c_out * d.kernel[0] * d.kernel[1] * d.kernel[2] * d.c_in);
        if (l->n == MAX_LAYERS)
            check(err_set(&e, "more than %d layers", MAX_LAYERS), &e);
        size_t rows_in = d.n * d.in[0] * d.in[1] * d.in[2];
        l->no_data_grad[l->n] = d.no_data_grad;
        l->flops[l->n] = 2.0 * (double)(rows_out * d.c_out) *
                         (double)(d.kernel[0] * d.kernel[1] * d.kernel[2] * d.c_in);
        l->bytes[l->n] =
            (double)(rows_in * d.c_in + rows_out * d.c_out) * (double)dtype_bytes(d.dtype);
        t->norm_bytes += norm_passes(&in->net->unit[i]) * (double)(rows_out * d.c_out) *
                         (double)dtype_bytes(d.dtype);
        check(t->b->ops->conv_new(t->b, &d, &l->conv[l->n++], &e), &e);
    }
}

static void set_weights(struct bench *t, const struct layers *l)
{
    struct err e = {0};
    for (int i = 0; i < l->n; i++)
        check(t->b->ops->conv_set_weights(t->b, l->conv[i], t->weights, t->weights, &e), &e);
}

static void make_layers(struct bench *t)
{
    for (int role = 0; role < N_ROLES; role++) {
        size_t length = t->o.length[role], n = t->o.micro_batch;
        struct net_input backbone = {
            &t->m->backbone.desc, n, {length, t->o.size, t->o.size}, false};
        add_net(t, &t->convolutions, &backbone);
        for (int h = 0; h < t->m->desc.n_heads; h++) {
            size_t rows = n * (length / t->m->backbone.desc.time_stride);
            struct net_input head = {&t->m->head[h].desc, rows, {1, 1, 1}, true};
            add_net(t, &t->linear, &head);
        }
    }
    for (int i = 0; i < 3; i++)
        t->buffer[i] = allocate_filled(t, t->most, t->o.dtype);
    t->weights = allocate_filled(t, t->most_weights, DTYPE_F32);
    set_weights(t, &t->convolutions);
    set_weights(t, &t->linear);
}

static double time_layers(struct bench *t, const struct layers *l)
{
    struct err e = {0};
    double begin = ui_seconds();
    for (int i = 0; i < l->n; i++) {
        struct conv_forward_args f = {.x = t->buffer[0], .y = t->buffer[1]};
        struct conv_data_grad_args d = {.dy = t->buffer[1], .dx = t->buffer[2]};
        struct conv_weight_grad_args w = {.x = t->buffer[0], .dy = t->buffer[1], .dw = t->weights};
        check(t->b->ops->conv_forward(t->b, l->conv[i], &f, &e), &e);
        check(t->b->ops->conv_backward_weights(t->b, l->conv[i], &w, &e), &e);
        if (!l->no_data_grad[i])
            check(t->b->ops->conv_backward_data(t->b, l->conv[i], &d, &e), &e);
    }
    check(t->b->ops->sync(t->b, &e), &e);
    return (ui_seconds() - begin) * (double)(t->o.batch / t->o.micro_batch);
}

/* What teg-train records of a step. */
static int compute(void *user, struct err *e)
{
    struct bench *t = user;
    if (step_compute(t->step, &t->in, e) < 0 || model_update(t->m, e) < 0)
        return ERR_FAIL;
    return step_set_weights(t->step, e);
}

static double time_step(struct bench *t)
{
    struct err e = {0};
    double total, begin = ui_seconds();
    check(step_post(t->step, &t->in, &e), &e);
    check(model_post_lr(t->m, 1e-3, &e), &e);
    check(t->b->ops->repeat(t->b, &t->recording, compute, t, &e), &e);
    check(step_result(t->step, &total, &e), &e);
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

/* Bytes a second of copies, read and written. On a GPU so many that starting them does not count.
 */
static double bandwidth(struct bench *t)
{
    enum { REPEATS = 10 };
    int n_copies = t->b->measures ? 16 : 1;
    struct err e = {0};
    size_t n = (size_t)64 << 20;
    float *from = allocate_filled(t, n, DTYPE_F32), *to = allocate_filled(t, n, DTYPE_F32);
    double best = 1e30;
    for (int i = 0; i < REPEATS; i++) {
        double start = ui_seconds();
        for (int k = 0; k < n_copies; k++)
            t->b->ops->convert(t->b, to, DTYPE_F32, from, DTYPE_F32, n);
        check(t->b->ops->sync(t->b, &e), &e);
        double took = ui_seconds() - start;
        best = took < best ? took : best;
    }
    t->b->ops->release(t->b, from);
    t->b->ops->release(t->b, to);
    return 2.0 * n_copies * (double)(n * sizeof(float)) / best;
}

/* What a step takes at least, in seconds. */
struct limits {
    double flops,
        operations; /* of convolutions and linear layers, and the seconds for these alone */
    double passes;  /* each of their passes at its operations or its tensors' way through
                       memory, whichever is longer */
    double norms;   /* the way of normalisations' tensors */
};

static struct limits limits_of(const struct bench *t, double peak, double rate)
{
    struct limits l = {0};
    double n_micro = (double)(t->o.batch / t->o.micro_batch);
    const struct layers *all[] = {&t->convolutions, &t->linear};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < all[k]->n; i++) {
            double n_passes = n_micro * (all[k]->no_data_grad[i] ? 2.0 : 3.0);
            double by_flops = all[k]->flops[i] / peak, by_bytes = all[k]->bytes[i] / rate;
            l.flops += n_passes * all[k]->flops[i];
            l.operations += n_passes * by_flops;
            l.passes += n_passes * (by_flops > by_bytes ? by_flops : by_bytes);
        }
    l.norms = n_micro * t->norm_bytes / rate;
    return l;
}

/* For a device that is not here: $RATES is its operations and bytes a second. */
static void print_limits_elsewhere(const struct bench *t)
{
    const char *rates = getenv("RATES");
    double peak, rate, n = (double)t->o.batch;
    if (!rates || sscanf(rates, "%lf %lf", &peak, &rate) != 2)
        return;
    struct limits l = limits_of(t, peak, rate);
    fprintf(stderr,
            "a pair at %.3g operations and %.3g bytes a second:\n"
            "%.1f GFLOP                    %.3f ms\n"
            "passes by operations or bytes  %.3f ms\n"
            "normalisations                 %.3f ms\n"
            "together                       %.3f ms, %.0f pairs/s\n",
            peak, rate, l.flops / n / 1e9, 1e3 * l.operations / n, 1e3 * l.passes / n,
            1e3 * l.norms / n, 1e3 * (l.passes + l.norms) / n, n / (l.passes + l.norms));
}

static void print_families(struct bench *t)
{
    time_step(t);
    timed_backend_reset();
    double begin = ui_seconds();
    time_step(t);
    fprintf(stderr, "one step, waiting after each operation: %.3f ms\n",
            1e3 * (ui_seconds() - begin));
    timed_backend_print(stdout);
    timed_backend_unwrap(t->b);
}

static void open_bench(struct bench *t, int argc, char **argv, bool families)
{
    struct err e = {0};
    struct objective objective;
    struct optimizer_desc how = {.momentum = 0.9f, .weight_decay = 1e-6f};
    struct model_desc d = {.head_dim = 128, .head_layers = 3};
    struct backend_options bo = {.device = argc > 9 ? argv[9] : "cpu",
                                 .n_threads = strtoul(argv[8], NULL, 10),
                                 .plan_file = getenv("PLANS"),
                                 .tf32 = strcmp(argv[2], "tf32") == 0};
    t->o = (struct step_options){.batch = strtoul(argv[3], NULL, 10),
                                 .length = {strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10)},
                                 .size = strtoul(argv[6], NULL, 10),
                                 .dtype = strcmp(argv[2], "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32};
    t->o.micro_batch = argc > 10 ? strtoul(argv[10], NULL, 10) : t->o.batch;
    snprintf(d.backbone, sizeof d.backbone, "%s", argv[1]);
    check(objective_parse(&objective, "teg-fg", &e), &e);
    objective_heads(&objective, &d);
    check(backend_open(&t->b, &bo, &e), &e);
    if (families)
        check(timed_backend_wrap(t->b, &e), &e);
    check(model_new(&t->m, t->b, &d, &e), &e);
    check(model_init_weights(t->m, 1, &e), &e);
    check(model_make_trainable(t->m, &how, &e), &e);
    check(step_new(&t->step, t->m, &objective, &t->o, &e), &e);
    check(step_set_weights(t->step, &e), &e);
    make_input(t);
}

int main(int argc, char **argv)
{
    struct bench t = {0};
    double step[MAX_ROUNDS], conv[MAX_ROUNDS], linear[MAX_ROUNDS];
    int rounds = argc >= 9 && argc <= 11 ? (int)strtol(argv[7], NULL, 10) : -1;
    if (rounds < 0 || rounds > MAX_ROUNDS) {
        fprintf(stderr,
                "usage: bench_step MODEL f32|bf16|tf32 BATCH LONG SHORT SIZE ROUNDS THREADS "
                "[cpu|cuda [MICRO_BATCH]]\n");
        return 2;
    }
    open_bench(&t, argc, argv, rounds == 0);
    if (rounds == 0) {
        print_families(&t);
        return 0;
    }
    time_step(&t); /* then it is recorded, where the device can */
    time_step(&t);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage); /* before the bare convolutions take memory of their own */
    make_layers(&t);
    time_layers(&t, &t.convolutions);
    time_layers(&t, &t.linear);
    for (int i = 0; i < rounds; i++) {
        step[i] = time_step(&t);
        conv[i] = time_layers(&t, &t.convolutions);
        linear[i] = time_layers(&t, &t.linear);
    }
    struct err e = {0};
    double peak;
    check(backend_peak_flops(t.b, t.o.dtype, &peak, &e), &e);
    print_limits_elsewhere(&t);
    struct limits l = limits_of(&t, peak, bandwidth(&t));
    printf("%.6f %.6f %.6f %.1f %.4f %.4f %.6f\n", median(step, rounds), median(conv, rounds),
           median(linear, rounds), (double)usage.ru_maxrss / 1024.0, step_flops(t.step) / 1e12,
           peak / 1e12, l.passes + l.norms);
    return 0;
}
