/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/graph.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/hash.h"

enum { X = 1, W = 2, Y = 3 }; /* tensor ids */
enum { ALIGNMENT = 16, MAX_DIMS = 5, MAX_KNOBS = 32 };
/* Configurations, which are engines with their settings (knobs): those that are asked for, those of
 * them that are kept, and all. */
enum { PROPOSALS = 128, KEPT = 32, MAX_CHOICES = 2 * KEPT };

struct choice {
    cudnnBackendDescriptor_t config; /* an engine with its settings */
    long engine;                     /* its number */
    bool compiles;
};

struct graph {
    struct vendor *vendor;
    struct graph_spec spec;
    cudnnBackendDescriptor_t tensor[3], convolution, operation, graph, plan;
    struct choice choice[MAX_CHOICES];
    int n_choices, tried;
    int64_t workspace_bytes;
};

static int failed(const struct graph *g, cudnnStatus_t rc, const char *what, struct err *e)
{
    return err_set(e, "cuDNN: %s: %s", what, g->vendor->dnn.cudnnGetErrorString(rc));
}

static cudnnStatus_t create(struct graph *g, cudnnBackendDescriptorType_t type,
                            cudnnBackendDescriptor_t *d)
{
    return g->vendor->dnn.cudnnBackendCreateDescriptor(type, d);
}

static void destroy(struct graph *g, cudnnBackendDescriptor_t *d)
{
    if (*d)
        g->vendor->dnn.cudnnBackendDestroyDescriptor(*d);
    *d = NULL;
}

/* One attribute of a descriptor. */
struct attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t n;
    const void *values;
};

/* Sets those that have a value, and finalizes the descriptor. */
static cudnnStatus_t complete(struct graph *g, cudnnBackendDescriptor_t d,
                              const struct attribute *list, size_t n)
{
    cudnnStatus_t rc = CUDNN_STATUS_SUCCESS;
    for (size_t i = 0; i < n && rc == CUDNN_STATUS_SUCCESS; i++)
        if (list[i].n)
            rc = g->vendor->dnn.cudnnBackendSetAttribute(d, list[i].name, list[i].type, list[i].n,
                                                         list[i].values);
    return rc == CUDNN_STATUS_SUCCESS ? g->vendor->dnn.cudnnBackendFinalize(d) : rc;
}

#define COMPLETE(g, d, list) complete(g, d, list, sizeof(list) / sizeof(list)[0])

static cudnnDataType_t data_type(enum dtype t)
{
    return t == DTYPE_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/* For the device that is open, or the one that is described. */
static struct attribute opened(const struct graph *g, cudnnBackendAttributeName_t name)
{
    return (struct attribute){name, CUDNN_TYPE_HANDLE, !g->vendor->described,
                              &g->vendor->dnn_handle};
}

static struct attribute described(const struct graph *g, cudnnBackendAttributeName_t name)
{
    return (struct attribute){name, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->vendor->described != NULL,
                              &g->vendor->described};
}

/* -- the graph: cuDNN counts dimensions as [N, C, spatial...] whatever the strides say -- */

struct tensor_dims {
    int64_t dim[MAX_DIMS], stride[MAX_DIMS];
};

/* Channels last: [outer, spatial..., inner] in memory. */
static struct tensor_dims tensor_dims(size_t outer, size_t inner, const size_t *spatial, int n)
{
    struct tensor_dims t;
    int64_t stride = (int64_t)inner;
    t.dim[0] = (int64_t)outer;
    t.dim[1] = (int64_t)inner;
    t.stride[1] = 1;
    for (int i = n - 1; i >= 0; i--) {
        t.dim[2 + i] = (int64_t)spatial[i];
        t.stride[2 + i] = stride;
        stride *= t.dim[2 + i];
    }
    t.stride[0] = stride;
    return t;
}

static cudnnStatus_t add_tensor(struct graph *g, int64_t id, const struct tensor_dims *t)
{
    int64_t n_dims = g->spec.view.n_spatial + 2, alignment = ALIGNMENT;
    cudnnDataType_t type = data_type(id == W ? g->spec.w_type : g->spec.type);
    const struct attribute list[] = {
        {CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type},
        {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, n_dims, t->dim},
        {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, n_dims, t->stride},
        {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id},
        {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment},
    };
    cudnnStatus_t rc = create(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR, &g->tensor[id - 1]);
    return rc == CUDNN_STATUS_SUCCESS ? COMPLETE(g, g->tensor[id - 1], list) : rc;
}

static cudnnStatus_t add_tensors(struct graph *g)
{
    const struct conv_view *v = &g->spec.view;
    struct tensor_dims x = tensor_dims(v->n, v->c_in, v->in, v->n_spatial);
    struct tensor_dims w = tensor_dims(v->c_out, v->c_in, v->kernel, v->n_spatial);
    struct tensor_dims y = tensor_dims(v->n, v->c_out, v->out, v->n_spatial);
    cudnnStatus_t rc = add_tensor(g, X, &x);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = add_tensor(g, W, &w);
    return rc == CUDNN_STATUS_SUCCESS ? add_tensor(g, Y, &y) : rc;
}

static cudnnStatus_t add_convolution(struct graph *g)
{
    const struct conv_view *v = &g->spec.view;
    int64_t n = v->n_spatial, stride[3], pad[3], dilation[3] = {1, 1, 1};
    cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    for (int i = 0; i < v->n_spatial; i++) {
        stride[i] = (int64_t)v->stride[i];
        pad[i] = (int64_t)v->pad[i];
    }
    const struct attribute list[] = {
        {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums},
        {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode},
        {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &n},
        {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, n, pad},
        {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, n, pad},
        {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, n, dilation},
        {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, n, stride},
    };
    cudnnStatus_t rc = create(g, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, &g->convolution);
    return rc == CUDNN_STATUS_SUCCESS ? COMPLETE(g, g->convolution, list) : rc;
}

/* What the three passes call their parts. */
static const struct {
    cudnnBackendDescriptorType_t operation;
    cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
} names[CONV_N_PASSES] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

static cudnnStatus_t add_operation(struct graph *g)
{
    enum conv_pass p = g->spec.pass;
    float alpha = 1.0f, beta = 0.0f;
    const struct attribute list[] = {
        {names[p].convolution, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->convolution},
        {names[p].x, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[X - 1]},
        {names[p].w, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[W - 1]},
        {names[p].y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->tensor[Y - 1]},
        {names[p].alpha, CUDNN_TYPE_FLOAT, 1, &alpha},
        {names[p].beta, CUDNN_TYPE_FLOAT, 1, &beta},
    };
    cudnnStatus_t rc = create(g, names[p].operation, &g->operation);
    return rc == CUDNN_STATUS_SUCCESS ? COMPLETE(g, g->operation, list) : rc;
}

static cudnnStatus_t add_graph(struct graph *g)
{
    const struct attribute list[] = {
        opened(g, CUDNN_ATTR_OPERATIONGRAPH_HANDLE),
        {CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->operation},
    };
    cudnnStatus_t rc = create(g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &g->graph);
    return rc == CUDNN_STATUS_SUCCESS ? COMPLETE(g, g->graph, list) : rc;
}

/* -- its engines -- */

static cudnnStatus_t get(struct graph *g, cudnnBackendDescriptor_t d, const struct attribute *a,
                         int64_t *n)
{
    return g->vendor->dnn.cudnnBackendGetAttribute(d, a->name, a->type, a->n, n, (void *)a->values);
}

/* The engine of a configuration: its notes on numbers and on itself, its number. */
struct engine {
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendBehaviorNote_t behavior[CUDNN_BEHAVIOR_NOTE_TYPE_COUNT];
    int64_t n_notes, n_behaviors, number;
};

static cudnnStatus_t engine_of(struct graph *g, cudnnBackendDescriptor_t config, struct engine *out)
{
    cudnnBackendDescriptor_t engine = NULL;
    int64_t n = 0;
    const struct attribute which = {CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                    &engine};
    const struct attribute notes = {CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                    CUDNN_NUMERICAL_NOTE_TYPE_COUNT, out->note};
    const struct attribute behavior = {CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                       CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, out->behavior};
    const struct attribute number = {CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1,
                                     &out->number};
    cudnnStatus_t rc = create(g, CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, config, &which, &n);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, engine, &notes, &out->n_notes);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, engine, &behavior, &out->n_behaviors);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, engine, &number, &n);
    destroy(g, &engine);
    if (out->n_notes > CUDNN_NUMERICAL_NOTE_TYPE_COUNT) /* a newer library may know more */
        out->n_notes = CUDNN_NUMERICAL_NOTE_TYPE_COUNT;
    if (out->n_behaviors > CUDNN_BEHAVIOR_NOTE_TYPE_COUNT)
        out->n_behaviors = CUDNN_BEHAVIOR_NOTE_TYPE_COUNT;
    return rc;
}

/* Whether it may be used; then in `c`. */
static bool accepted(struct graph *g, cudnnBackendDescriptor_t config, struct choice *c)
{
    struct engine engine = {.n_notes = 0};
    if (engine_of(g, config, &engine) != CUDNN_STATUS_SUCCESS)
        return false;
    bool exact = g->spec.type == DTYPE_F32 && !g->spec.tf32;
    for (int64_t i = 0; i < engine.n_notes; i++)
        switch (engine.note[i]) {
        case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
            return false;
        case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
            if (exact)
                return false;
            break;
        default:
            break;
        }
    *c = (struct choice){.config = config, .engine = (long)engine.number};
    for (int64_t i = 0; i < engine.n_behaviors; i++)
        c->compiles |= engine.behavior[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
    return true;
}

/* Appends what one kind of heuristics proposes; a kind that does not know the graph adds nothing.
 */
static void add_configs(struct graph *g, cudnnBackendHeurMode_t mode)
{
    cudnnBackendDescriptor_t heuristics = NULL, config[PROPOSALS] = {NULL};
    int64_t n = 0;
    int end = g->n_choices + KEPT;
    const struct attribute list[] = {
        {CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &g->graph},
        {CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode},
        described(g, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP),
    };
    const struct attribute results = {CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                      PROPOSALS, config};
    if (create(g, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics) != CUDNN_STATUS_SUCCESS)
        return;
    cudnnStatus_t rc = COMPLETE(g, heuristics, list);
    for (int i = 0; i < PROPOSALS && rc == CUDNN_STATUS_SUCCESS; i++)
        rc = create(g, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[i]);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, heuristics, &results, &n);
    n = rc != CUDNN_STATUS_SUCCESS ? 0 : n < PROPOSALS ? n : PROPOSALS;
    for (int i = 0; i < PROPOSALS; i++)
        if (i < n && g->n_choices < end && accepted(g, config[i], &g->choice[g->n_choices]))
            g->n_choices++;
        else
            destroy(g, &config[i]);
    destroy(g, &heuristics);
}

int graph_specs(const struct conv_desc *d, enum conv_pass pass, bool tf32,
                struct graph_spec spec[GRAPH_MAX_SPECS])
{
    bool wide = pass == CONV_BACKWARD_WEIGHTS && d->dtype != DTYPE_F32;
    const enum dtype w_type[2] = {DTYPE_F32, d->dtype};
    int n = 0;
    for (int i = wide ? 0 : 1; i < 2; i++) {
        struct graph_spec s = {.pass = pass, .type = d->dtype, .w_type = w_type[i], .tf32 = tf32};
        if (conv_view_flat(d, &s.view))
            spec[n++] = s;
        s.view = conv_view_whole(d);
        spec[n++] = s;
    }
    return n;
}

/* Puts the first choice of each engine in front of the others, which differ less. */
static void put_each_first(struct graph *g)
{
    struct choice choice[MAX_CHOICES];
    int n = 0;
    for (int first = 1; first >= 0; first--)
        for (int i = 0; i < g->n_choices; i++) {
            int k = 0;
            while (g->choice[k].engine != g->choice[i].engine)
                k++;
            if ((k == i) == first)
                choice[n++] = g->choice[i];
        }
    memcpy(g->choice, choice, (size_t)n * sizeof *choice);
}

/* Mode B knows engines best, and where it knows nothing answers as mode A. */
static void find_engines(struct graph *g)
{
    add_configs(g, CUDNN_HEUR_MODE_B);
    if (g->n_choices == 0)
        add_configs(g, CUDNN_HEUR_MODE_A);
    put_each_first(g);
    add_configs(g, CUDNN_HEUR_MODE_FALLBACK);
}

int graph_new(struct graph **out, struct vendor *v, const struct graph_spec *spec, struct err *e)
{
    struct graph *g = mem_new(1, sizeof *g, e);
    if (!g)
        return ERR_FAIL;
    g->vendor = v;
    g->spec = *spec;
    cudnnStatus_t rc = add_tensors(g);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = add_convolution(g);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = add_operation(g);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = add_graph(g);
    if (rc == CUDNN_STATUS_SUCCESS)
        find_engines(g);
    if (rc != CUDNN_STATUS_SUCCESS || g->n_choices == 0) {
        rc != CUDNN_STATUS_SUCCESS ? failed(g, rc, "a convolution", e)
                                   : err_set(e, "cuDNN: no engine for a convolution");
        graph_free(g);
        return ERR_FAIL;
    }
    *out = g;
    return 0;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    destroy(g, &g->plan);
    for (int i = 0; i < g->n_choices; i++)
        destroy(g, &g->choice[i].config);
    destroy(g, &g->graph);
    destroy(g, &g->operation);
    destroy(g, &g->convolution);
    for (int i = 0; i < 3; i++)
        destroy(g, &g->tensor[i]);
    free(g);
}

int graph_n_choices(const struct graph *g)
{
    return g->n_choices;
}

int graph_try(struct graph *g, int i, struct err *e)
{
    int64_t n = 0;
    const struct attribute list[] = {
        opened(g, CUDNN_ATTR_EXECUTION_PLAN_HANDLE),
        described(g, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP),
        {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
         &g->choice[i].config},
    };
    const struct attribute workspace = {CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                        1, &g->workspace_bytes};
    destroy(g, &g->plan);
    g->tried = i;
    cudnnStatus_t rc = create(g, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &g->plan);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = COMPLETE(g, g->plan, list);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, g->plan, &workspace, &n);
    return rc == CUDNN_STATUS_SUCCESS ? 0 : failed(g, rc, "a plan", e);
}

bool graph_compiles(const struct graph *g, int i)
{
    return g->choice[i].compiles;
}

long graph_engine(const struct graph *g)
{
    return g->choice[g->tried].engine;
}

uint32_t graph_knobs(struct graph *g)
{
    cudnnBackendDescriptor_t choice[MAX_KNOBS] = {NULL};
    const struct attribute all = {CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                  MAX_KNOBS, choice};
    int64_t settings[MAX_KNOBS][2] = {{0}}, n = 0, unused;
    cudnnStatus_t rc = CUDNN_STATUS_SUCCESS;
    for (int i = 0; i < MAX_KNOBS && rc == CUDNN_STATUS_SUCCESS; i++)
        rc = create(g, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &choice[i]);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = get(g, g->choice[g->tried].config, &all, &n);
    for (int i = 0; i < n && i < MAX_KNOBS && rc == CUDNN_STATUS_SUCCESS; i++) {
        cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
        int64_t value = 0;
        const struct attribute kind = {CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1,
                                       &type};
        const struct attribute number = {CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1,
                                         &value};
        rc = get(g, choice[i], &kind, &unused);
        if (rc == CUDNN_STATUS_SUCCESS)
            rc = get(g, choice[i], &number, &unused);
        settings[i][0] = type;
        settings[i][1] = value;
    }
    for (int i = 0; i < MAX_KNOBS; i++)
        destroy(g, &choice[i]);
    return (uint32_t)hash_bytes(settings, sizeof settings).lo;
}

size_t graph_workspace_bytes(const struct graph *g)
{
    return g->workspace_bytes > 0 ? (size_t)g->workspace_bytes : 0;
}

int graph_run(struct graph *g, const struct graph_data *data, struct err *e)
{
    const void *pointers[] = {data->x, data->w, data->y};
    const int64_t ids[] = {X, W, Y};
    cudnnBackendDescriptor_t pack = NULL;
    const struct attribute list[] = {
        {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, pointers},
        {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids},
        {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &data->workspace},
    };
    for (int i = 0; i < 3; i++)
        if ((uintptr_t)pointers[i] % ALIGNMENT)
            return err_set(e, "a convolution's operand is not %d-byte aligned", ALIGNMENT);
    cudnnStatus_t rc = create(g, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = COMPLETE(g, pack, list);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = g->vendor->dnn.cudnnBackendExecute(g->vendor->dnn_handle, g->plan, pack);
    destroy(g, &pack);
    return rc == CUDNN_STATUS_SUCCESS ? 0 : failed(g, rc, "a convolution", e);
}
