/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/stopwatch.h"

#include <math.h>

#include "kernels/cuda/recording.h"

/* A step with something that cannot be recorded is started piece by piece as a whole: that loses to
 * anything else. */
#define UNRECORDED 1000.0f

/* Repeats: so many that they take about 2 ms. */
enum { FEWEST = 3, MOST = 30 };
#define ENOUGH 2.0f

/* Milliseconds that starting a recording may take, which counts in full where it has one run. */
#define START 0.02f

int stopwatch_init(struct stopwatch *w, struct backend *b, struct err *e)
{
    *w = (struct stopwatch){.backend = b};
    int rc = cuda_check(cudaEventCreate(&w->begin), "an event", e);
    return rc < 0 ? rc : cuda_check(cudaEventCreate(&w->end), "an event", e);
}

void stopwatch_release(struct stopwatch *w)
{
    if (w->begin)
        cudaEventDestroy(w->begin);
    if (w->end)
        cudaEventDestroy(w->end);
}

/* What is timed, so many times. */
struct repeated {
    int (*run)(void *user, struct err *e);
    void *user;
    int n;
};

static int run_repeated(void *user, struct err *e)
{
    const struct repeated *r = user;
    for (int i = 0; i < r->n; i++)
        if (r->run(r->user, e) < 0)
            return ERR_FAIL;
    return 0;
}

/* Infinite where something failed since w->begin. */
static float stop(const struct stopwatch *w, bool failed)
{
    float ms = INFINITY;
    cudaEventRecord(w->end, cuda_stream(w->backend));
    if (cudaEventSynchronize(w->end) != cudaSuccess || failed ||
        cudaEventElapsedTime(&ms, w->begin, w->end) != cudaSuccess)
        return INFINITY;
    return ms;
}

/* Milliseconds of all of them. */
static float time_repeated(const struct stopwatch *w, struct repeated *r)
{
    struct backend *b = w->backend;
    cudaStream_t stream = cuda_stream(b);
    cudaGraphExec_t graph;
    struct err unused = {0};
    bool recorded = cuda_record(b, run_repeated, r, &graph);
    if (recorded)
        cudaGraphUpload(graph, stream);
    cudaEventRecord(w->begin, stream);
    bool failed =
        recorded ? cudaGraphLaunch(graph, stream) != cudaSuccess : run_repeated(r, &unused) < 0;
    float ms = stop(w, failed);
    if (recorded)
        cudaGraphExecDestroy(graph);
    return recorded ? ms : ms * UNRECORDED;
}

float stopwatch_time(const struct stopwatch *w, float hopeless,
                     int (*run)(void *user, struct err *e), void *user)
{
    struct repeated r = {run, user, 1};
    float once = time_repeated(w, &r);
    if (once > hopeless + START || isinf(once))
        return INFINITY;
    float more = ENOUGH / once;
    r.n = more < FEWEST ? FEWEST : more > MOST ? MOST : (int)more;
    return time_repeated(w, &r) / (float)r.n;
}
