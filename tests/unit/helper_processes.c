/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several processes compute together is what each computes alone: started by an MPI launcher,
 * helper_processes DEVICE. Prints a line for each check that holds, from process 0. With "leave"
 * instead, the last one fails while the others never ask.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "common/nn/share.h"
#include "common/nn/step.h"
#include "common/nn/tune_step.h"
#include "tests/unit/distance.h"

enum { SIZE = 16, LENGTH = 8, LENGTH_SHORT = 4, BATCH = 8, CLASSES = 3, BOXES = 2 };
enum { CLIP = LENGTH * SIZE * SIZE * 3, CLIP_SHORT = LENGTH_SHORT * SIZE * SIZE * 3 };

static const char *device;
static struct processes *all;

#define MUST(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "process %zu: %s:%d: ", processes_rank(all), __FILE__, __LINE__);      \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)
#define OK(rc) MUST((rc) >= 0, "%s", e.text)

static void holds(const char *what)
{
    struct err e = {0};
    OK(processes_agree(all, 0, &e));
    if (all->rank == 0)
        printf("%s\n", what);
}

/* A backend of this process alone, or one of all. */
static struct backend *open_backend(const struct processes *p)
{
    struct err e = {0};
    struct backend *b;
    struct backend_options o = {.device = device,
                                .gpu = all->local_rank,
                                .n_threads = 1,
                                .processes = p,
                                .plan_cache = getenv("TEG_TEST_PLANS")};
    OK(backend_open(&b, &o, &e));
    return b;
}

static void *on_device(struct backend *b, const void *host, size_t bytes)
{
    struct err e = {0};
    void *memory;
    OK(backend_alloc(b, &memory, bytes, &e));
    OK(b->ops->upload(b, memory, host, bytes, &e));
    return memory;
}

/* The clips of this process's share, of all clips. */
static void *share_on_device(struct backend *b, const struct share *share, const float *clips,
                             size_t clip)
{
    size_t n = share_count(share, BATCH);
    float *own = malloc(n * clip * sizeof *own);
    MUST(own, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(own + i * clip, clips + share_example(share, i) * clip, clip * sizeof *own);
    void *memory = on_device(b, own, n * clip * sizeof *own);
    free(own);
    return memory;
}

static float *random_clips(size_t clip, uint32_t stream)
{
    float *clips = malloc(BATCH * clip * sizeof *clips);
    struct rng r;
    MUST(clips, "out of memory");
    rng_init(&r, 4, stream, 0);
    for (size_t i = 0; i < BATCH * clip; i++)
        clips[i] = (float)rng_f64(&r);
    return clips;
}

/* -- what a step leaves behind -- */

struct outcome {
    double loss;
    float *grads, *stats; /* on the host */
    size_t n_grads, n_stats;
};

static struct model *new_model(struct backend *b, const struct model_desc *d)
{
    struct err e = {0};
    struct model *m;
    OK(model_new(&m, b, d, &e));
    OK(model_init_weights(m, 1, &e));
    OK(model_make_trainable(m, NULL, &e));
    return m;
}

static struct outcome outcome_of(struct model *m, double loss)
{
    struct err e = {0};
    struct outcome o = {loss, malloc(m->n_values * sizeof(float)),
                        malloc(m->n_stats * sizeof(float)), m->n_values, m->n_stats};
    MUST(o.grads && o.stats, "out of memory");
    OK(m->backend->ops->download(m->backend, o.grads, m->grads, o.n_grads * sizeof(float), &e));
    OK(m->backend->ops->download(m->backend, o.stats, m->stats, o.n_stats * sizeof(float), &e));
    return o;
}

/* A sum in another order may switch a ReLU, and its part of the gradient with it. */
static void compare(const struct outcome *a, const struct outcome *b, const char *what)
{
    double grads = distance(a->grads, b->grads, a->n_grads);
    double stats = distance(a->stats, b->stats, a->n_stats);
    MUST(fabs(a->loss - b->loss) < 1e-5, "%s: loss %.9g and %.9g", what, a->loss, b->loss);
    MUST(grads < 1e-4, "%s: gradients differ by %.3g", what, grads);
    MUST(stats < 1e-5, "%s: statistics differ by %.3g", what, stats);
    holds(what);
}

static void outcome_free(struct outcome *o)
{
    free(o->grads);
    free(o->stats);
}

/* Calls `run` alone and together, and compares. */
static void both(struct outcome (*run)(const struct processes *p, size_t micro_batch),
                 size_t micro_batch, const char *what)
{
    struct outcome alone = run(NULL, micro_batch), together = run(all, micro_batch);
    compare(&together, &alone, what);
    outcome_free(&alone);
    outcome_free(&together);
}

/* -- pairs -- */

static struct outcome run_pairs(const struct processes *p, size_t micro_batch)
{
    struct err e = {0};
    struct backend *b = open_backend(p);
    struct model_desc d = {
        .backbone = "r3d-tiny", .head_width = 32, .head_dim = 16, .head_layers = 2};
    struct objective o;
    struct sample rows[N_ROLES][BATCH] = {0};
    struct share share = share_of(p, micro_batch);
    float *clips[] = {random_clips(CLIP, 0), random_clips(CLIP_SHORT, 1)};
    void *pixels[] = {share_on_device(b, &share, clips[0], CLIP),
                      share_on_device(b, &share, clips[1], CLIP_SHORT)};
    for (int r = 0; r < N_ROLES; r++)
        for (uint32_t i = 0; i < BATCH; i++)
            rows[r][i] = (struct sample){.video = i, .stride = 2, .role = (uint8_t)r};
    OK(objective_parse(&o, "fine:1,2,0.9;persistent:all,all,0.1", &e));
    objective_heads(&o, &d);
    struct model *m = new_model(b, &d);
    struct step_options so = {.batch = BATCH,
                              .micro_batch = micro_batch,
                              .length = {LENGTH, LENGTH_SHORT},
                              .size = SIZE,
                              .dtype = DTYPE_F32};
    struct step_input in = {{pixels[0], pixels[1]}, {rows[0], rows[1]}};
    struct step *s;
    double loss;
    OK(step_new(&s, m, &o, &so, &e));
    OK(step_set_weights(s, &e));
    OK(step_run(s, &in, &loss, &e));
    struct outcome out = outcome_of(m, loss);
    step_free(s);
    for (int r = 0; r < N_ROLES; r++) {
        b->ops->release(b, pixels[r]);
        free(clips[r]);
    }
    model_free(m);
    backend_close(b);
    return out;
}

/* -- labels -- */

static const struct tune_options labelled = {
    .batch = BATCH, .length = LENGTH, .size = SIZE, .dtype = DTYPE_F32, .dropout = 0.5, .seed = 3};

struct people {
    float box[BATCH * BOXES][4], weight[BATCH * BOXES];
    uint8_t target[BATCH * BOXES][CLASSES];
};

/* Those of the share; in some clips one place is empty. */
static void make_people(struct people *p, const struct share *share)
{
    for (size_t i = 0; i < share_count(share, BATCH) * BOXES; i++) {
        size_t place = share_example(share, i / BOXES) * BOXES + i % BOXES;
        struct rng r;
        rng_init(&r, 5, 0, place);
        p->weight[i] = place % 3 == 1 ? 0.0f : 1.0f;
        for (int k = 0; k < 4; k++)
            p->box[i][k] = (float)(0.5 * rng_f64(&r) + (k < 2 ? 0.0 : 0.5));
        for (size_t k = 0; k < CLASSES; k++)
            p->target[i][k] = rng_f64(&r) < 0.5;
    }
}

static struct outcome run_labels(const struct processes *p, const struct tune_options *o)
{
    struct err e = {0};
    struct backend *b = open_backend(p);
    struct model_desc d = {.backbone = "r3d-tiny",
                           .task = o->boxes ? MODEL_LOCALIZE : MODEL_CLASSIFY,
                           .n_classes = CLASSES};
    struct share share = share_of(p, o->micro_batch);
    struct sample rows[BATCH];
    static struct people people;
    float *clips = random_clips(CLIP, 0);
    void *pixels = share_on_device(b, &share, clips, CLIP);
    for (int i = 0; i < BATCH; i++)
        rows[i] = (struct sample){.target = i % CLASSES, .weight = 0.5f + (float)i / BATCH};
    make_people(&people, &share);
    struct model *m = new_model(b, &d);
    struct tune_input in = {.pixels = pixels,
                            .rows = rows,
                            .number = 7,
                            .people = {people.box[0], people.target[0], people.weight}};
    struct tune_result result;
    struct tune_step *s;
    OK(tune_step_new(&s, m, o, &e));
    OK(tune_step_set_weights(s, &e));
    OK(tune_step_run(s, &in, &result, &e));
    struct outcome out = outcome_of(m, result.loss + result.accuracy + result.n_people);
    tune_step_free(s);
    b->ops->release(b, pixels);
    free(clips);
    model_free(m);
    backend_close(b);
    return out;
}

static struct outcome run_clips(const struct processes *p, size_t micro_batch)
{
    struct tune_options o = labelled;
    o.micro_batch = micro_batch;
    return run_labels(p, &o);
}

static struct outcome run_frozen(const struct processes *p, size_t micro_batch)
{
    struct tune_options o = labelled;
    o.micro_batch = micro_batch;
    o.frozen_norm = true;
    return run_labels(p, &o);
}

static struct outcome run_people(const struct processes *p, size_t micro_batch)
{
    struct tune_options o = labelled;
    o.micro_batch = micro_batch;
    o.boxes = BOXES;
    return run_labels(p, &o);
}

/* -- single operations -- */

static void check_operations(void)
{
    enum { N = 1000 };
    struct err e = {0};
    struct backend *b = open_backend(all);
    float *x = malloc(all->n * N * sizeof *x), *part = malloc(N * sizeof *part);
    double sums[2] = {(double)all->rank, 0.1};
    MUST(x && part, "out of memory");
    for (size_t i = 0; i < N; i++)
        part[i] = (float)(all->rank * N + i);
    void *on_part = on_device(b, part, N * sizeof *part);
    void *on_x = on_device(b, x, all->n * N * sizeof *x),
         *on_sums = on_device(b, sums, sizeof sums);
    OK(b->ops->all_gather(b, on_x, on_part, N, &e));
    OK(b->ops->download(b, x, on_x, all->n * N * sizeof *x, &e));
    for (size_t i = 0; i < all->n * N; i++)
        MUST(x[i] == (float)i, "place %zu of what was gathered is %g", i, (double)x[i]);
    OK(b->ops->all_reduce(b, on_part, REDUCE_F32, N, &e));
    OK(b->ops->all_reduce(b, on_sums, REDUCE_F64, 2, &e));
    OK(b->ops->download(b, part, on_part, N * sizeof *part, &e));
    OK(b->ops->download(b, sums, on_sums, sizeof sums, &e));
    size_t ranks = all->n * (all->n - 1) / 2;
    for (size_t i = 0; i < N; i++)
        MUST(part[i] == (float)(ranks * N + all->n * i), "sum %zu is %g", i, (double)part[i]);
    MUST(sums[0] == (double)ranks && fabs(sums[1] - 0.1 * (double)all->n) < 1e-12,
         "sums of float64");
    part[0] = (float)(all->rank + 5);
    OK(b->ops->upload(b, on_part, part, sizeof *part, &e));
    OK(b->ops->broadcast(b, on_part, N * sizeof *part, &e));
    OK(b->ops->download(b, part, on_part, sizeof *part, &e));
    MUST(part[0] == 5.0f, "%g was broadcast", (double)part[0]);
    b->ops->release(b, on_part);
    b->ops->release(b, on_x);
    b->ops->release(b, on_sums);
    backend_close(b);
    free(x);
    free(part);
    holds("sums, gathering, broadcast");
}

/* The last one fails: all do, with its code, and process 0 with its message; and ever after. */
static void check_agreement(void)
{
    struct err e = {0};
    bool last = all->rank == all->n - 1;
    char want[64] = "";
    OK(processes_agree(all, 1, &e));
    MUST(processes_all(all, 0, true, &e) == 1, "all say yes");
    MUST(processes_all(all, 0, !last, &e) == 0, "one says no");
    int rc = last ? err_code(&e, ERR_NOT_FOUND, "no such thing") : 0;
    rc = processes_agree(all, rc, &e);
    if (all->rank == 0)
        snprintf(want, sizeof want, "process %zu: no such thing", all->n - 1);
    MUST(rc == ERR_NOT_FOUND && strcmp(e.text, want) == 0, "%d: %s", rc, e.text);
    MUST(all->failed && processes_agree(all, 0, &e) < 0, "it goes on");
    if (all->rank == 0)
        printf("one that fails\n");
}

/* Says what failed, and takes the others with it. */
static int leave(void)
{
    enum { LONG = 600 }; /* seconds */
    struct err e = {0};
    if (all->rank < all->n - 1)
        return (int)sleep(LONG);
    int rc = processes_agree_soon(all, err_code(&e, ERR_NOT_FOUND, "no such thing"), 1, &e);
    MUST(rc == ERR_NOT_FOUND && all->failed && all->left, "it is still there");
    fprintf(stderr, "%s\n", e.text);
    processes_close(all);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (argc != 2)
        return 2;
    device = argv[1];
    OK(processes_open(&all, &e));
    MUST(all, "started alone");
    if (strcmp(device, "leave") == 0)
        return leave();
    check_operations();
    if (!getenv("EMULATED_GPUS")) { /* where it is slow, the rest must do */
        both(run_pairs, BATCH, "pairs");
        both(run_clips, BATCH, "labels");
    }
    both(run_pairs, BATCH / 2, "pairs in micro-batches");
    both(run_clips, BATCH / 2, "labels in micro-batches");
    both(run_frozen, BATCH / 2, "frozen statistics");
    both(run_people, BATCH / 2, "boxes");
    check_agreement();
    processes_close(all);
    return 0;
}
