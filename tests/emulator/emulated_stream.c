/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams, events and graphs of the stand-in for the CUDA runtime. Work waits in its stream until
 * somebody waits for it, which is as late as a GPU may do it: what reads a result, or reuses
 * memory, without having waited sees what was there before.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "tests/emulator/emulated.h"

struct node {
    void (*run)(const void *data);
    struct node *next;
    _Alignas(16) char data[];
};

struct stream {
    pthread_mutex_t lock; /* held while its work is done */
    struct node *first, **end;
    uint64_t n_put, n_done;
    struct stream *next;
};

static struct {
    pthread_mutex_t lock;
    struct stream *first;
} streams = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct event {
    struct stream *stream; /* NULL: never recorded */
    uint64_t at;           /* done when the stream has done so much */
    double time;           /* in seconds, since it is done */
};

struct graph {
    struct node *first, **end;
    atomic_int n_users; /* launches that wait, and whoever holds it */
};

/* The one recording; its thread alone may call what is not recorded. */
static struct {
    atomic_bool on;
    bool broken;
    long calls_left; /* then one is refused; below 0: none is */
    cudaStream_t stream;
    pthread_t thread;
    struct graph *graph;
} recording;

static cudaError_t broken = cudaSuccess;

void emulated_break(void)
{
    broken = cudaErrorIllegalAddress;
}

bool emulated_refused(cudaStream_t stream)
{
    if (!recording.on || (stream && stream != recording.stream))
        return false;
    recording.broken = true;
    return true;
}

bool emulated_recording(cudaStream_t stream)
{
    return recording.on && stream == recording.stream;
}

/* -- streams -- */

static struct node *node_new(void (*run)(const void *data), const void *data, size_t bytes)
{
    struct node *n = malloc(sizeof *n + bytes);
    CHECK(n);
    *n = (struct node){.run = run};
    memcpy(n->data, data, bytes);
    return n;
}

static _Thread_local bool at_work;

/* Ends the test program: a test that were given up and followed by others would leave locks behind.
 */
static void on_fault(int number)
{
    static const char text[] = "work on a stream touched memory that is not, or no longer, there\n";
    if (at_work && write(STDERR_FILENO, text, sizeof text - 1) > 0)
        _exit(EXIT_FAILURE);
    signal(number, SIG_DFL); /* and again */
}

/* Does what waits in a stream, up to a number of calls since it was made. */
static void drain(struct stream *s, uint64_t until)
{
    pthread_mutex_lock(&s->lock);
    signal(SIGSEGV, on_fault);
    at_work = true;
    if (s->n_done < until && s->first) {
        emulated_memory_open();
        while (s->n_done < until && s->first) {
            struct node *n = s->first;
            s->first = n->next;
            if (!s->first)
                s->end = &s->first;
            n->run(n->data);
            s->n_done++;
            free(n);
        }
        emulated_memory_close();
    }
    at_work = false;
    pthread_mutex_unlock(&s->lock);
}

void emulated_enqueue(cudaStream_t stream, void (*run)(const void *data), const void *data,
                      size_t bytes)
{
    struct node *n = node_new(run, data, bytes);
    if (emulated_recording(stream)) {
        CHECK(pthread_equal(recording.thread, pthread_self()));
        if (recording.calls_left-- == 0)
            recording.broken = true;
        *recording.graph->end = n;
        recording.graph->end = &n->next;
        return;
    }
    struct stream *s = (struct stream *)stream;
    CHECK(s);
    pthread_mutex_lock(&s->lock);
    *s->end = n;
    s->end = &n->next;
    s->n_put++;
    pthread_mutex_unlock(&s->lock);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    CHECK(flags == cudaStreamNonBlocking);
    emulated_check_device();
    struct stream *s = calloc(1, sizeof *s);
    CHECK(s);
    pthread_mutex_init(&s->lock, NULL);
    s->end = &s->first;
    pthread_mutex_lock(&streams.lock);
    s->next = streams.first;
    streams.first = s;
    pthread_mutex_unlock(&streams.lock);
    *out = (cudaStream_t)s;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *lowest, int *highest)
{
    *lowest = 0;
    *highest = -1;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority)
{
    CHECK(priority == 0 || priority == -1);
    return cudaStreamCreateWithFlags(out, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    struct stream *s = (struct stream *)stream, **at;
    drain(s, UINT64_MAX);
    pthread_mutex_lock(&streams.lock);
    for (at = &streams.first; *at != s; at = &(*at)->next)
        CHECK(*at);
    *at = s->next;
    pthread_mutex_unlock(&streams.lock);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (emulated_refused(stream))
        return cudaErrorStreamCaptureUnsupported;
    CHECK(stream);
    drain((struct stream *)stream, UINT64_MAX);
    return broken;
}

cudaError_t cudaDeviceSynchronize(void)
{
    if (emulated_refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    pthread_mutex_lock(&streams.lock);
    for (struct stream *s = streams.first; s; s = s->next)
        drain(s, UINT64_MAX);
    pthread_mutex_unlock(&streams.lock);
    return broken;
}

/* -- events -- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void reach(const void *data)
{
    struct event *const *e = data;
    (*e)->time = now();
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags)
{
    (void)flags;
    emulated_check_device();
    *e = calloc(1, sizeof(struct event));
    return *e ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventCreate(cudaEvent_t *e)
{
    return cudaEventCreateWithFlags(e, 0);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    const struct event *e = (const struct event *)event;
    CHECK(e);
    if (e->stream)
        drain(e->stream, e->at);
    return broken;
}

/* Reached before it goes: its stream would reach it later. */
cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaEventSynchronize(event);
    free(event);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    struct event *e = (struct event *)event;
    struct stream *s = (struct stream *)stream;
    CHECK(e && s && !emulated_recording(stream));
    emulated_enqueue(stream, reach, &e, sizeof e);
    e->stream = s;
    e->at = s->n_put;
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin, cudaEvent_t end)
{
    *ms = (float)(1e3 * (((struct event *)end)->time - ((struct event *)begin)->time));
    return cudaSuccess;
}

/* -- graphs: a list of copied calls -- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    CHECK(stream && !recording.on && mode == cudaStreamCaptureModeThreadLocal);
    struct graph *g = calloc(1, sizeof *g);
    CHECK(g);
    g->end = &g->first;
    g->n_users = 1;
    const char *refuse = getenv("EMULATED_REFUSE"); /* the how-manieth call that is recorded */
    recording.broken = false;
    recording.calls_left = refuse ? strtol(refuse, NULL, 10) : -1;
    recording.stream = stream;
    recording.thread = pthread_self();
    recording.graph = g;
    recording.on = true;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    CHECK(emulated_recording(stream));
    recording.on = false;
    *graph = (cudaGraph_t)recording.graph;
    if (!recording.broken)
        return cudaSuccess;
    cudaGraphDestroy(*graph);
    *graph = NULL;
    return cudaErrorStreamCaptureInvalidated;
}

static void let_go(struct graph *g)
{
    if (atomic_fetch_sub(&g->n_users, 1) > 1)
        return;
    while (g->first) {
        struct node *next = g->first->next;
        free(g->first);
        g->first = next;
    }
    free(g);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    let_go((struct graph *)graph);
    return cudaSuccess;
}

/* Takes the calls over: the graph may be destroyed before what was made of it. */
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    struct graph *g = (struct graph *)graph, *copy = calloc(1, sizeof *copy);
    CHECK(flags == 0 && copy);
    copy->first = g->first;
    copy->n_users = 1;
    g->first = NULL;
    *exec = (cudaGraphExec_t)copy;
    return cudaSuccess;
}

/* A launch that waits is still done. */
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    return cudaGraphDestroy((cudaGraph_t)exec);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    CHECK(exec && stream && !emulated_recording(stream));
    return cudaSuccess;
}

static void replay(const void *data)
{
    struct graph *const *g = data;
    for (const struct node *n = (*g)->first; n; n = n->next)
        n->run(n->data);
    let_go(*g);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    struct graph *g = (struct graph *)exec;
    CHECK(g && !emulated_recording(stream));
    atomic_fetch_add(&g->n_users, 1);
    emulated_enqueue(stream, replay, &g, sizeof g);
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    return recording.on && recording.broken ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}
