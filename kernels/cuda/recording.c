/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `repeat`: a CUDA graph of all that a function puts on the stream, launched in one
 * call from then on. The first call only runs the function, so that scratch memory has its size and
 * products have their plans; the second one records. What cannot be recorded is run every time.
 */
#include "kernels/cuda/recording.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cuda/lanes.h"

/* Other threads go on, but for allocating memory: that may not happen while a stream records. */
static cudaError_t capture(struct backend *b, cudaGraph_t *graph,
                           int (*run)(void *user, struct err *e), void *user, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    *graph = NULL;
    lanes_hold(s->lanes);
    int failed = 0;
    s->recording = true;
    cudaError_t rc = cudaStreamBeginCapture(s->stream, cudaStreamCaptureModeThreadLocal);
    if (rc == cudaSuccess) {
        failed = run(user, e);
        rc = cudaStreamEndCapture(s->stream, graph);
    }
    s->recording = false;
    lanes_go_on(s->lanes);
    return failed < 0 && rc == cudaSuccess ? cudaErrorUnknown : rc;
}

bool cuda_record(struct backend *b, int (*run)(void *user, struct err *e), void *user,
                 cudaGraphExec_t *out)
{
    struct cuda_state *s = cuda_of(b);
    struct err unused = {0}, before = s->failure;
    cudaGraph_t graph;
    cudaError_t rc = capture(b, &graph, run, user, &unused);
    *out = NULL;
    if (rc == cudaSuccess)
        rc = cudaGraphInstantiate(out, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    if (rc == cudaSuccess)
        return true;
    *out = NULL;
    s->failure = before; /* not of an operation that was not to be recorded */
    cudaGetLastError();
    return false;
}

/* -- the operation -- */

struct recording {
    cudaGraphExec_t graph;
    unsigned n_moves; /* of the scratch memory when it was recorded */
    bool refused;
};

static void drop(struct recording *r)
{
    if (r->graph)
        cudaGraphExecDestroy(r->graph);
    r->graph = NULL;
}

int cuda_repeat(struct backend *b, struct recording **recording,
                int (*run)(void *user, struct err *e), void *user, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    struct recording *r = *recording;
    if (!r && !(*recording = mem_new(1, sizeof *r, e)))
        return ERR_FAIL;
    if (!r || r->refused)
        return run(user, e);
    if (r->graph && r->n_moves != s->n_moves)
        drop(r);
    r->n_moves = s->n_moves;
    if (!r->graph && !cuda_record(b, run, user, &r->graph)) {
        r->refused = true;
        err_set(&b->note, "a step could not be recorded as a CUDA graph: it is started piece by "
                          "piece, which is slower");
        return run(user, e);
    }
    return cuda_check(cudaGraphLaunch(r->graph, s->stream), "starting a recorded step", e);
}

int cuda_recording_free(struct backend *b, struct recording *r)
{
    if (!r)
        return 0;
    cudaStreamSynchronize(cuda_stream(b));
    drop(r);
    free(r);
    return 0;
}
