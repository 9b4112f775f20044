/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-in for the part of the CUDA runtime that the backend uses: device memory is the host's,
 * and everything is done when a call returns, but for what a stream records. */
#include <pthread.h>
#include <time.h>

#include "tests/emulator/emulated.h"

/* Bytes of the device; $EMULATED_MEMORY says how many MiB. A block has three quarters at most. */
static size_t total_memory(void)
{
    const char *mib = getenv("EMULATED_MEMORY");
    return (mib ? strtoul(mib, NULL, 10) : 8192) << 20;
}

/* -- graphs: a list of copied calls -- */

struct node {
    void (*run)(const void *data);
    struct node *next;
    _Alignas(16) char data[];
};

struct graph {
    struct node *first, **end;
};

/* The one recording; its thread alone may call what is not recorded. */
static struct {
    bool on, broken;
    long calls_left; /* then one is refused; below 0: none is */
    cudaStream_t stream;
    pthread_t thread;
    struct graph *graph;
} recording;

/* Whether a call that waits or allocates is refused: of any thread, since the backend promises that
 * its other threads allocate nothing meanwhile. `stream` NULL: whatever it is. */
static bool refused(cudaStream_t stream)
{
    if (!recording.on || (stream && stream != recording.stream))
        return false;
    recording.broken = true;
    return true;
}

void emulated_enqueue(cudaStream_t stream, void (*run)(const void *data), const void *data,
                      size_t bytes)
{
    if (!recording.on || stream != recording.stream) {
        run(data);
        return;
    }
    CHECK(pthread_equal(recording.thread, pthread_self()));
    if (recording.calls_left-- == 0)
        recording.broken = true;
    struct node *n = malloc(sizeof *n + bytes);
    CHECK(n);
    *n = (struct node){.run = run};
    memcpy(n->data, data, bytes);
    *recording.graph->end = n;
    recording.graph->end = &n->next;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    CHECK(stream && !recording.on && mode == cudaStreamCaptureModeThreadLocal);
    struct graph *g = calloc(1, sizeof *g);
    CHECK(g);
    g->end = &g->first;
    const char *refuse = getenv("EMULATED_REFUSE"); /* the how-manieth call that is recorded */
    recording.on = true;
    recording.broken = false;
    recording.calls_left = refuse ? strtol(refuse, NULL, 10) : -1;
    recording.stream = stream;
    recording.thread = pthread_self();
    recording.graph = g;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    struct graph *g = (struct graph *)graph;
    while (g->first) {
        struct node *next = g->first->next;
        free(g->first);
        g->first = next;
    }
    free(g);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    CHECK(recording.on && stream == recording.stream);
    recording.on = false;
    *graph = (cudaGraph_t)recording.graph;
    if (!recording.broken)
        return cudaSuccess;
    cudaGraphDestroy(*graph);
    *graph = NULL;
    return cudaErrorStreamCaptureInvalidated;
}

/* Takes the calls over: the graph may be destroyed before what was made of it. */
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    struct graph *g = (struct graph *)graph, *copy = calloc(1, sizeof *copy);
    CHECK(flags == 0 && copy);
    *copy = *g;
    *g = (struct graph){0};
    *exec = (cudaGraphExec_t)copy;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    return cudaGraphDestroy((cudaGraph_t)exec);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    CHECK(exec && stream && !recording.on);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    const struct graph *g = (const struct graph *)exec;
    CHECK(stream && !recording.on);
    for (const struct node *n = g->first; n; n = n->next)
        n->run(n->data);
    return cudaSuccess;
}

/* -- a device that something broke: every call that waits says so -- */

static cudaError_t broken = cudaSuccess;

void emulated_break(void)
{
    broken = cudaErrorIllegalAddress;
}

/* -- devices and memory -- */

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "emulator");
    p->major = 9;
    return cudaSetDevice(device);
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *available = *total = total_memory();
    return cudaSuccess;
}

/* Not zeroed, as on a GPU: float32 2.1e37 everywhere. */
cudaError_t cudaMalloc(void **p, size_t n)
{
    if (refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    if (n > total_memory() / 4 * 3 || posix_memalign(p, 256, n))
        return cudaErrorMemoryAllocation;
    memset(*p, 0x7d, n);
    return cudaSuccess;
}

cudaError_t cudaFree(void *p)
{
    if (refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    free(p);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **p, size_t n, unsigned flags)
{
    (void)flags;
    if (refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    *p = malloc(n);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *p)
{
    return cudaFree(p);
}

struct copy { /* or a fill */
    void *to;
    const void *from;
    size_t n;
    int value;
};

static void copy(const void *data)
{
    const struct copy *c = data;
    memmove(c->to, c->from, c->n);
}

static void fill(const void *data)
{
    const struct copy *c = data;
    memset(c->to, c->value, c->n);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const struct copy c = {to, from, n, 0};
    (void)kind;
    emulated_enqueue(stream, copy, &c, sizeof c);
    return stream ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t stream)
{
    const struct copy c = {to, NULL, n, value};
    emulated_enqueue(stream, fill, &c, sizeof c);
    return stream ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
    (void)flags;
    *s = malloc(1);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    free(s);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    if (refused(s))
        return cudaErrorStreamCaptureUnsupported;
    return s ? broken : cudaErrorInvalidResourceHandle;
}

cudaError_t cudaDeviceSynchronize(void)
{
    if (refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    return cudaSuccess;
}

/* An event is the time it was recorded at, in seconds. */
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
    (void)flags;
    *e = calloc(1, sizeof(double));
    return *e ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventCreate(cudaEvent_t *e)
{
    return cudaEventCreateWithFlags(e, 0);
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    free(e);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t stream)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    *(double *)e = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    return stream ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    return e ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end)
{
    *ms = (float)(1e3 * (*(double *)end - *(double *)begin));
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    return recording.on && recording.broken ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "refused by the emulator";
}
