/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/lanes.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/buf.h"

struct render_lanes {
    int device;
    pthread_mutex_t lock; /* of the list */
    struct render_lane *idle;
    pthread_mutex_t growing;
};

int lanes_new(struct render_lanes **out, int device, struct err *e)
{
    struct render_lanes *l = mem_new(1, sizeof *l, e);
    if (!l)
        return ERR_FAIL;
    l->device = device;
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->growing, NULL);
    *out = l;
    return 0;
}

static void lane_free(struct render_lane *lane)
{
    cudaFreeHost(lane->host.memory);
    cudaFree(lane->device.memory);
    if (lane->done)
        cudaEventDestroy(lane->done);
    if (lane->stream)
        cudaStreamDestroy(lane->stream);
    free(lane);
}

void lanes_free(struct render_lanes *l)
{
    if (!l)
        return;
    while (l->idle) {
        struct render_lane *next = l->idle->next;
        lane_free(l->idle);
        l->idle = next;
    }
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->growing);
    free(l);
}

/* A waiting thread sleeps: the processors have frames to decompress. Rendering goes before what the
 * main stream has in its queue, else every kernel of it would wait for one of that. */
static int lane_new(struct render_lane **out, struct err *e)
{
    struct render_lane *lane = mem_new(1, sizeof *lane, e);
    if (!lane)
        return ERR_FAIL;
    int lowest, highest;
    cudaError_t rc = cudaDeviceGetStreamPriorityRange(&lowest, &highest);
    if (rc == cudaSuccess)
        rc = cudaStreamCreateWithPriority(&lane->stream, cudaStreamNonBlocking, highest);
    if (rc == cudaSuccess)
        rc = cudaEventCreateWithFlags(&lane->done, cudaEventDisableTiming | cudaEventBlockingSync);
    if (cuda_check(rc, "a stream", e) < 0) {
        lane_free(lane);
        return ERR_FAIL;
    }
    *out = lane;
    return 0;
}

int lane_take(struct render_lanes *l, struct render_lane **lane, struct err *e)
{
    if (cuda_check(cudaSetDevice(l->device), "the device", e) < 0)
        return ERR_FAIL;
    pthread_mutex_lock(&l->lock);
    struct render_lane *one = l->idle;
    if (one)
        l->idle = one->next;
    pthread_mutex_unlock(&l->lock);
    if (one) {
        *lane = one;
        return 0;
    }
    lanes_hold(l);
    int rc = lane_new(lane, e);
    lanes_go_on(l);
    return rc;
}

/* Half as much again as there was, so that clips of growing sizes do not have it made anew each
 * time. */
static size_t grown(size_t have, size_t wanted)
{
    size_t more = have + have / 2;
    return wanted <= have ? have : wanted > more ? wanted : more;
}

int lane_reserve(struct render_lanes *l, struct render_lane *lane, size_t host, size_t device,
                 struct err *e)
{
    if (host <= lane->host.bytes && device <= lane->device.bytes)
        return 0;
    lanes_hold(l);
    int rc = cuda_grow_host(&lane->host, grown(lane->host.bytes, host), e);
    if (rc == 0)
        rc = cuda_grow(&lane->device, grown(lane->device.bytes, device), e);
    lanes_go_on(l);
    return rc;
}

void lanes_hold(struct render_lanes *l)
{
    pthread_mutex_lock(&l->growing);
}

void lanes_go_on(struct render_lanes *l)
{
    pthread_mutex_unlock(&l->growing);
}

void lane_give(struct render_lanes *l, struct render_lane *lane)
{
    pthread_mutex_lock(&l->lock);
    lane->next = l->idle;
    l->idle = lane;
    pthread_mutex_unlock(&l->lock);
}
