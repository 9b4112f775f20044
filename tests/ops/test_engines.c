/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the real cuDNN has engines that the backend accepts for every convolution of the
 * backbones, in every pass, and makes plans of them: on GPUs that are described to it, so that none
 * need be there. Nothing runs.
 */
#include "common/nn/pass.h"
#include "tests/unit/model_support.h"

#if TEG_CUDA

#include "kernels/cuda/fold.h"
#include "kernels/cuda/graph.h"

enum { MAX_CONVS = 128, MOST_WORKSPACE = 1 << 30 };

/* What cuDNN asks a device about itself, where devices differ. */
struct gpu {
    const char *name;
    int capability, processors, shared_bytes, clock_khz, memory_khz, cache_bytes;
};

static const struct gpu a100 = {
    "NVIDIA A100-SXM4-80GB", 800, 108, 166912, 1410000, 1593000, 41943040};
static const struct gpu rtx4090 = {
    "NVIDIA GeForce RTX 4090", 890, 128, 101376, 2520000, 10501000, 75497472};
static const struct gpu h200 = {"NVIDIA H200", 900, 132, 232448, 1980000, 3201000, 62914560};
static const struct gpu b200 = {"NVIDIA B200", 1000, 148, 232448, 1965000, 3996000, 132644864};

static struct vendor *vendor_of(const struct gpu *g)
{
    char json[1024];
    struct err e = {0};
    struct vendor *v = NULL;
    snprintf(json, sizeof json,
             "{\"deviceName\":\"%s\",\"deviceVer\":%d,\"multiProcessorCount\":%d,"
             "\"maxSharedMemoryPerBlockOptin\":%d,\"smClockRateKHz\":%d,\"memClockRateKHz\":%d,"
             "\"l2CacheSize\":%d,\"maxGridSize\":[2147483647,65535,65535],"
             "\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,\"warpSize\":32,"
             "\"maxSharedMemoryPerBlock\":49152,\"reservedSharedMemoryPerBlock\":1024,"
             "\"maxRegistersPerSM\":65536,\"maxCtasPerSM\":32,\"maxThreadsPerBlock\":1024,"
             "\"maxThreadsPerSM\":2048,\"pciDeviceId\":0,\"isTccDriver\":0,"
             "\"supportCoopLaunch\":1,\"totalGlobalMem\":80000000000,\"cudaDeviceId\":0,"
             "\"driverVer\":13000}",
             g->name, g->capability, g->processors, g->shared_bytes, g->clock_khz, g->memory_khz,
             g->cache_bytes);
    if (vendor_open_described(&v, json, &e) < 0) {
        if (strncmp(e.text, "cuDNN:", 6) == 0)
            fail_msg("%s", e.text);
        support_skip(e.text);
    }
    return v;
}

/* -- the convolutions that a pass makes -- */

static struct {
    struct conv_desc list[MAX_CONVS];
    size_t n;
} convs;

static int note_conv(struct backend *b, const struct conv_desc *desc, struct conv **out,
                     struct err *e)
{
    struct conv_desc d = *desc;
    (void)b;
    (void)e;
    d.share = NULL;
    *out = NULL;
    for (size_t i = 0; i < convs.n; i++)
        if (memcmp(&convs.list[i], &d, sizeof d) == 0)
            return 0;
    assert_true(convs.n < MAX_CONVS);
    convs.list[convs.n++] = d;
    return 0;
}

static int forget_conv(struct backend *b, struct conv *c)
{
    (void)b;
    (void)c;
    return 0;
}

static const struct backend_ops *processor;

/* Of tensors there need not be any. */
static int alloc_little(struct backend *b, size_t bytes, void **memory, struct err *e)
{
    return processor->alloc(b, bytes < 1 << 20 ? bytes : 1, memory, e);
}

struct clips {
    const char *backbone;
    enum dtype dtype;
    size_t n, frames, size;
};

static void note_convs(const struct clips *c)
{
    struct err e = {0};
    struct backend *b = support_backend(1);
    struct backend_ops noting = *b->ops;
    struct model *m = NULL;
    struct pass *p = NULL;
    struct model_desc d = {.head_dim = 128};
    snprintf(d.backbone, sizeof d.backbone, "%s", c->backbone);
    support_ok(model_new(&m, b, &d, &e), &e);
    processor = b->ops;
    noting.conv_new = note_conv;
    noting.conv_free = forget_conv;
    noting.alloc = alloc_little;
    b->ops = &noting;
    b->fuses = true;
    struct pass_options o = {
        .n = c->n, .in = {c->frames, c->size, c->size}, .dtype = c->dtype, .keep = true};
    support_ok(pass_new(&p, m, &m->backbone, &o, &e), &e);
    pass_free(p);
    b->ops = processor;
    model_free(m);
    backend_close(b);
}

/* -- their engines -- */

/* Whether one of the choices becomes a plan within the memory that there is for it. */
static bool has_plan(struct vendor *v, const struct graph_spec *spec)
{
    struct graph *g = NULL;
    bool found = false;
    if (graph_new(&g, v, spec, NULL) < 0)
        return false;
    for (int i = 0; i < graph_n_choices(g) && !found; i++)
        found = graph_try(g, i, NULL) == 0 && graph_engine(g) >= 0 &&
                graph_workspace_bytes(g) <= MOST_WORKSPACE;
    graph_free(g);
    return found;
}

static void check_pass(struct vendor *v, const struct conv_desc *d, enum conv_pass pass, bool tf32)
{
    struct graph_spec spec[GRAPH_MAX_SPECS];
    int n = graph_specs(d, pass, tf32, spec);
    for (int i = 0; i < n; i++)
        if (has_plan(v, &spec[i]))
            return;
    fail_msg("no plan for pass %d, %zu x %zux%zux%zu, %zu to %zu channels, kernel %zux%zux%zu",
             (int)pass, d->n, d->in[0], d->in[1], d->in[2], d->c_in, d->c_out, d->kernel[0],
             d->kernel[1], d->kernel[2]);
}

static void check(const struct gpu *g, const struct clips *c, bool tf32)
{
    struct vendor *v = vendor_of(g);
    size_t n_graphs = 0;
    convs.n = 0;
    note_convs(c);
    for (size_t i = 0; i < convs.n; i++) {
        const struct conv_desc *d = &convs.list[i];
        struct conv_desc seen = conv_is_narrow(d) ? conv_fold_of(d).wide : *d;
        if (conv_is_product(&seen))
            continue;
        for (enum conv_pass pass = CONV_FORWARD; pass < CONV_N_PASSES; pass++)
            if (pass != CONV_BACKWARD_DATA || !d->no_data_grad)
                check_pass(v, &seen, pass, tf32);
        n_graphs++;
    }
    assert_true(n_graphs >= 10);
    vendor_close(v);
}

static void h200_has_engines(void **state)
{
    static const struct clips clips[] = {{"r3d50", DTYPE_BF16, 64, 32, 224},
                                         {"r3d50", DTYPE_BF16, 64, 16, 112},
                                         {"r3d50", DTYPE_F32, 16, 32, 224},
                                         {"r3d-tiny", DTYPE_BF16, 32, 16, 112},
                                         {"r3d-tiny", DTYPE_F32, 5, 8, 48}};
    (void)state;
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++)
        check(&h200, &clips[i], false);
    check(&h200, &clips[2], true);
}

static void others_have_engines(void **state)
{
    static const struct clips clips[] = {{"r3d50", DTYPE_BF16, 32, 32, 224},
                                         {"r3d50", DTYPE_F32, 16, 16, 112}};
    static const struct gpu *const gpus[] = {&a100, &rtx4090, &b200};
    (void)state;
    for (size_t i = 0; i < sizeof gpus / sizeof gpus[0]; i++)
        for (size_t k = 0; k < sizeof clips / sizeof clips[0]; k++)
            check(gpus[i], &clips[k], false);
}

/* What a plan file keeps tells choices apart, and the first ones are of different engines. */
static void choices_have_names(void **state)
{
    const struct conv_desc d = {.n = 64,
                                .in = {16, 14, 14},
                                .c_in = 1024,
                                .c_out = 256,
                                .kernel = {3, 1, 1},
                                .stride = {1, 1, 1},
                                .pad = {1, 0, 0},
                                .dtype = DTYPE_BF16};
    struct graph_spec spec[GRAPH_MAX_SPECS];
    struct vendor *v = vendor_of(&h200);
    struct graph *g;
    struct err e = {0};
    long engine[64];
    uint32_t knobs[64];
    int n_engines = 0;
    (void)state;
    assert_int_equal(graph_specs(&d, CONV_FORWARD, false, spec), 2);
    support_ok(graph_new(&g, v, &spec[0], &e), &e);
    int n = graph_n_choices(g) < 16 ? graph_n_choices(g) : 16;
    assert_true(n > 4);
    for (int i = 0; i < n; i++) {
        bool new_engine = true;
        support_ok(graph_try(g, i, &e), &e);
        engine[i] = graph_engine(g);
        knobs[i] = graph_knobs(g);
        for (int k = 0; k < i; k++) {
            assert_false(engine[k] == engine[i] && knobs[k] == knobs[i]);
            new_engine &= engine[k] != engine[i];
        }
        assert_true(!new_engine || n_engines == i); /* one after the other */
        n_engines += new_engine;
    }
    assert_true(n_engines >= 3 && n_engines < n);
    graph_free(g);
    vendor_close(v);
}

/* The stem is folded so that the engines for many channels take it. */
static void stem_has_many_engines(void **state)
{
    struct conv_desc stem = {.n = 64,
                             .in = {32, 224, 224},
                             .c_in = 3,
                             .c_out = 64,
                             .kernel = {5, 7, 7},
                             .stride = {2, 2, 2},
                             .pad = {2, 3, 3},
                             .dtype = DTYPE_BF16};
    const struct conv_desc wide = conv_fold_of(&stem).wide;
    struct graph_spec spec[GRAPH_MAX_SPECS];
    struct vendor *v = vendor_of(&h200);
    struct graph *g[2];
    struct err e = {0};
    (void)state;
    assert_int_equal(wide.c_in, 64);
    graph_specs(&wide, CONV_FORWARD, false, spec);
    support_ok(graph_new(&g[0], v, &spec[0], &e), &e);
    stem.c_in = 8; /* with channels of zeros */
    graph_specs(&stem, CONV_FORWARD, false, spec);
    support_ok(graph_new(&g[1], v, &spec[0], &e), &e);
    assert_true(graph_n_choices(g[0]) > 2 * graph_n_choices(g[1]));
    graph_free(g[0]);
    graph_free(g[1]);
    vendor_close(v);
}

#else

static void h200_has_engines(void **state)
{
    (void)state;
    support_skip("built without CUDA");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h200_has_engines),
#if TEG_CUDA
        cmocka_unit_test(others_have_engines),
        cmocka_unit_test(choices_have_names),
        cmocka_unit_test(stem_has_many_engines),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
