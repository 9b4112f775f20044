/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a function puts on the backend's stream, as a CUDA graph.
 *
 *     cudaGraphExec_t graph;
 *     if (cuda_record(b, run, user, &graph))
 *         cudaGraphLaunch(graph, cuda_stream(b));
 */
#ifndef TEG_KERNELS_CUDA_RECORDING_H
#define TEG_KERNELS_CUDA_RECORDING_H

#include <cuda_runtime_api.h>

#include "kernels/cuda/cuda.h"

/* False, and no failure of the backend, where `run` fails or does what cannot be recorded: waiting,
 * or allocating memory. It does neither if it was run before. */
bool cuda_record(struct backend *b, int (*run)(void *user, struct err *e), void *user,
                 cudaGraphExec_t *graph);

#endif
