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
void lane_give(struct render_lanes *l, struct render_lane *lane);

#endif
