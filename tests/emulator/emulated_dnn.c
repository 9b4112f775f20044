/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-in for cuDNN's graphs of one convolution, by plain loops over the tensors' dimensions and
 * strides. Of its engines the first says that its sums change, the second computes wrong numbers,
 * the third waits for the device, so that it cannot be recorded, the fifth cannot be built and the
 * sixth uses tensor cores: the backend must see through them. With $EMULATED_BREAKING the third
 * breaks the device.
 */
#include <cudnn.h>

#include "tests/emulator/emulated.h"

enum { CHANGING = 10, WRONG, WAITING, RIGHT, UNBUILT, TENSOR_CORES, LAST_RESORT };
enum { MAX_ATTRIBUTES = 16, DIMS = 5, WORKSPACE_STEP = 4096 };

struct attribute {
    int name, type;
    int64_t n;
    void *values;
};

struct descriptor {
    int type;
    bool final;
    struct attribute attribute[MAX_ATTRIBUTES];
    int n;
    struct descriptor *graph; /* of heuristics, configurations and plans */
    int engine;               /* of configurations, engines and plans */
};

struct handle {
    cudaStream_t stream;
};

static int n_descriptors;

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t s)
{
    return s == CUDNN_STATUS_SUCCESS ? "success" : "refused by the emulator";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *h)
{
    *h = calloc(1, sizeof(struct handle));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t h)
{
    CHECK(n_descriptors == 0); /* else some were leaked */
    free(h);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t stream)
{
    CHECK(h && stream);
    ((struct handle *)h)->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

/* -- descriptors -- */

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *out)
{
    struct descriptor *d = calloc(1, sizeof *d);
    d->type = type;
    *out = d;
    n_descriptors++;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    struct descriptor *d = descriptor;
    for (int i = 0; i < d->n; i++)
        free(d->attribute[i].values);
    free(d);
    n_descriptors--;
    return CUDNN_STATUS_SUCCESS;
}

static size_t bytes_of(cudnnBackendAttributeType_t type)
{
    bool wide = type == CUDNN_TYPE_HANDLE || type == CUDNN_TYPE_VOID_PTR ||
                type == CUDNN_TYPE_BACKEND_DESCRIPTOR || type == CUDNN_TYPE_INT64;
    return wide ? 8 : 4;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t n,
                                       const void *values)
{
    struct descriptor *d = descriptor;
    CHECK(!d->final && d->n < MAX_ATTRIBUTES && n > 0);
    struct attribute *a = &d->attribute[d->n++];
    size_t bytes = (size_t)n * bytes_of(type);
    *a = (struct attribute){(int)name, (int)type, n, malloc(bytes)};
    memcpy(a->values, values, bytes);
    for (int64_t i = 0; i < n && type == CUDNN_TYPE_BACKEND_DESCRIPTOR; i++)
        CHECK(((struct descriptor **)a->values)[i]->final);
    return CUDNN_STATUS_SUCCESS;
}

static const struct attribute *find(const struct descriptor *d, int name, int type)
{
    for (int i = 0; i < d->n; i++)
        if (d->attribute[i].name == name) {
            CHECK(d->attribute[i].type == type);
            return &d->attribute[i];
        }
    fprintf(stderr, "attribute %d of a descriptor %d was not set\n", name, d->type);
    abort();
}

static const int64_t *numbers(const struct descriptor *d, int name)
{
    return find(d, name, CUDNN_TYPE_INT64)->values;
}

static struct descriptor *part(const struct descriptor *d, int name)
{
    return *(struct descriptor **)find(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR)->values;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    struct descriptor *d = descriptor;
    if (d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
        d->graph = part(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
        const struct descriptor *config = part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
        d->graph = config->graph;
        d->engine = config->engine;
        if (d->engine == UNBUILT)
            return CUDNN_STATUS_NOT_SUPPORTED;
    }
    d->final = true;
    return CUDNN_STATUS_SUCCESS;
}

static void propose(const struct descriptor *heuristics, int64_t room, int64_t *n,
                    struct descriptor **configs)
{
    const int *mode = find(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE)->values;
    int first = *mode == CUDNN_HEUR_MODE_B ? CHANGING : TENSOR_CORES;
    *n = LAST_RESORT - first + (*mode == CUDNN_HEUR_MODE_B ? 0 : 1);
    for (int64_t i = 0; i < *n && i < room; i++) {
        CHECK(configs[i]->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        configs[i]->engine = first + (int)i;
        configs[i]->graph = heuristics->graph;
        configs[i]->final = true;
    }
}

static int64_t notes(int engine, cudnnBackendNumericalNote_t *note)
{
    if (engine == CHANGING)
        note[0] = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    if (engine == TENSOR_CORES)
        note[0] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    return engine == CHANGING || engine == TENSOR_CORES;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room, int64_t *n,
                                       void *values)
{
    struct descriptor *d = descriptor, *engine;
    CHECK(d->final && room > 0 && type != CUDNN_TYPE_HANDLE);
    *n = 1;
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        propose(d, room, n, values);
        break;
    case CUDNN_ATTR_ENGINECFG_ENGINE:
        engine = *(struct descriptor **)values;
        CHECK(engine->type == CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        engine->engine = d->engine;
        engine->final = true;
        break;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        *n = notes(d->engine, values);
        break;
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
        *n = 0;
        break;
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE: /* what is right is compiled */
        *n = d->engine == RIGHT;
        if (*n)
            *(cudnnBackendBehaviorNote_t *)values = CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
        break;
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        *(int64_t *)values = d->engine;
        break;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        *(int64_t *)values = (d->engine - CHANGING) * WORKSPACE_STEP;
        break;
    default:
        CHECK(!"an attribute that the emulator knows");
    }
    return CUDNN_STATUS_SUCCESS;
}

/* -- running -- */

struct tensor {
    int64_t dim[DIMS], stride[DIMS];
    int64_t n_dims;
    bool bf16;
    void *data;
};

static struct tensor tensor_of(const struct descriptor *d, const struct descriptor *pack)
{
    struct tensor t = {.dim = {1, 1, 1, 1, 1}};
    const struct attribute *dims = find(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64);
    const struct attribute *ids = find(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64);
    const struct attribute *pointers =
        find(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR);
    t.n_dims = dims->n;
    memcpy(t.dim, dims->values, (size_t)dims->n * sizeof *t.dim);
    memcpy(t.stride, numbers(d, CUDNN_ATTR_TENSOR_STRIDES), (size_t)dims->n * sizeof *t.stride);
    t.bf16 = *(int *)find(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE)->values ==
             CUDNN_DATA_BFLOAT16;
    for (int64_t i = 0; i < ids->n; i++)
        if (((int64_t *)ids->values)[i] == *numbers(d, CUDNN_ATTR_TENSOR_UNIQUE_ID))
            t.data = ((void **)pointers->values)[i];
    CHECK(t.data && (uintptr_t)t.data % 16 == 0);
    CHECK(*numbers(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT) == 16);
    return t;
}

static size_t index_of(const struct tensor *t, const int64_t at[DIMS])
{
    int64_t sum = 0;
    for (int i = 0; i < DIMS; i++)
        sum += at[i] * t->stride[i];
    return (size_t)sum;
}

static size_t volume(const struct tensor *t)
{
    return (size_t)(t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3] * t->dim[4]);
}

enum pass { FORWARD, DATA, WEIGHTS };

struct convolution {
    enum pass pass;
    struct tensor x, w, y;
    int64_t stride[3], pad[3];
};

static const struct {
    int operation, x, w, y, convolution;
} names[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC},
};

static void read_graph(struct convolution *c, const struct descriptor *graph,
                       const struct descriptor *pack)
{
    const struct descriptor *op = part(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    for (c->pass = FORWARD; names[c->pass].operation != op->type; c->pass++)
        CHECK(c->pass < WEIGHTS);
    const struct descriptor *d = part(op, names[c->pass].convolution);
    c->x = tensor_of(part(op, names[c->pass].x), pack);
    c->w = tensor_of(part(op, names[c->pass].w), pack);
    c->y = tensor_of(part(op, names[c->pass].y), pack);
    int64_t n = *numbers(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS);
    CHECK(c->x.n_dims == n + 2 && c->w.n_dims == n + 2 && c->y.n_dims == n + 2);
    for (int i = 0; i < 3; i++) {
        c->stride[i] = i < n ? numbers(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)[i] : 1;
        c->pad[i] = i < n ? numbers(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)[i] : 0;
        CHECK(i >= n || numbers(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)[i] == c->pad[i]);
        CHECK(i >= n || numbers(d, CUDNN_ATTR_CONVOLUTION_DILATIONS)[i] == 1);
        CHECK(c->y.dim[2 + i] ==
              (c->x.dim[2 + i] + 2 * c->pad[i] - c->w.dim[2 + i]) / c->stride[i] + 1);
    }
    CHECK(c->x.dim[0] == c->y.dim[0] && c->x.dim[1] == c->w.dim[1] && c->y.dim[1] == c->w.dim[0]);
}

/* One output position and one tap: all pairs of channels. */
static void add_tap(const struct convolution *c, int64_t y[DIMS], int64_t w[DIMS], double *sum)
{
    int64_t x[DIMS] = {y[0]};
    for (int i = 0; i < 3; i++) {
        x[2 + i] = y[2 + i] * c->stride[i] + w[2 + i] - c->pad[i];
        if (x[2 + i] < 0 || x[2 + i] >= c->x.dim[2 + i])
            return;
    }
    for (w[0] = 0; w[0] < c->w.dim[0]; w[0]++)
        for (w[1] = 0; w[1] < c->w.dim[1]; w[1]++) {
            x[1] = w[1];
            y[1] = w[0];
            size_t at_x = index_of(&c->x, x), at_w = index_of(&c->w, w), at_y = index_of(&c->y, y);
            if (c->pass == FORWARD)
                sum[at_y] += emulated_load(c->x.data, c->x.bf16, at_x) *
                             emulated_load(c->w.data, c->w.bf16, at_w);
            else if (c->pass == DATA)
                sum[at_x] += emulated_load(c->y.data, c->y.bf16, at_y) *
                             emulated_load(c->w.data, c->w.bf16, at_w);
            else
                sum[at_w] += emulated_load(c->x.data, c->x.bf16, at_x) *
                             emulated_load(c->y.data, c->y.bf16, at_y);
        }
}

static void add_all(const struct convolution *c, double *sum)
{
    int64_t y[DIMS], w[DIMS];
    size_t positions = volume(&c->y) / (size_t)c->y.dim[1];
    size_t taps = (size_t)(c->w.dim[2] * c->w.dim[3] * c->w.dim[4]);
    for (size_t p = 0; p < positions; p++)
        for (size_t k = 0; k < taps; k++) {
            int64_t left = (int64_t)p, tap = (int64_t)k;
            for (int i = DIMS - 1; i >= 2; i--) {
                y[i] = left % c->y.dim[i];
                w[i] = tap % c->w.dim[i];
                left /= c->y.dim[i];
                tap /= c->w.dim[i];
            }
            y[0] = left;
            add_tap(c, y, w, sum);
        }
}

struct job {
    struct convolution c;
    int64_t engine;
    void *workspace;
};

static void convolve(const void *data)
{
    const struct job *j = data;
    struct convolution c = j->c;
    memset(j->workspace, 0xdd, (size_t)(j->engine - CHANGING) * WORKSPACE_STEP);
    struct tensor *out = c.pass == FORWARD ? &c.y : c.pass == DATA ? &c.x : &c.w;
    size_t n = volume(out);
    double *sum = calloc(n, sizeof *sum);
    add_all(&c, sum);
    for (size_t i = 0; i < n; i++) {
        bool spoilt = j->engine == WRONG && i > n / 2;
        emulated_store(out->data, out->bf16, i, spoilt ? 1.5 * sum[i] : sum[i]);
    }
    free(sum);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t plan_descriptor,
                                  cudnnBackendDescriptor_t pack_descriptor)
{
    const struct descriptor *plan = plan_descriptor, *pack = pack_descriptor;
    struct job job = {.engine = plan->engine};
    CHECK(h && plan->final && pack->final && ((struct handle *)h)->stream);
    read_graph(&job.c, plan->graph, pack);
    void **workspace = find(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR)->values;
    job.workspace = *workspace;
    if (plan->engine == WAITING && getenv("EMULATED_BREAKING"))
        emulated_break();
    if (plan->engine == WAITING &&
        cudaStreamSynchronize(((struct handle *)h)->stream) != cudaSuccess)
        return CUDNN_STATUS_EXECUTION_FAILED;
    emulated_enqueue(((struct handle *)h)->stream, convolve, &job, sizeof job);
    return CUDNN_STATUS_SUCCESS;
}
