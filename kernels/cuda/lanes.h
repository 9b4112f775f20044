/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams and buffers for threads that render at the same time: each call takes a lane, or makes
 * one more, and gives it back.
 */
#ifndef TEG_KERNELS_CUDA_LANES_H
#define TEG_KERNELS_CUDA_LANES_H

#include "kernels/cuda/cuda.h"

struct render_lane {
    cudaStream_t stream;
    cudaEvent_t done;
    struct cuda_buffer host, device; /* host is page-locked */
    struct render_lane *next;
};

int lanes_new(struct render_lanes **l, int device, struct err *e);
void lanes_free(struct render_lanes *l); /* all lanes given back */

/* Makes the backend's device the calling thread's. */
int lane_take(struct render_lanes *l, struct render_lane **lane, struct err *e);
/* Room for so many bytes on both sides. */
int lane_reserve(struct render_lanes *l, struct render_lane *lane, size_t host, size_t device,
                 struct err *e);
/* Between these no lane allocates memory: whoever needs some waits. */
void lanes_hold(struct render_lanes *l);
void lanes_go_on(struct render_lanes *l);

void lane_give(struct render_lanes *l, struct render_lane *lane);

#endif
