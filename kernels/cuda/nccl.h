/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes do together on memory of their GPUs: NCCL, loaded when it is first asked for. In
 * order with all else on the backend's stream, and recorded with it.
 */
#ifndef TEG_KERNELS_CUDA_NCCL_H
#define TEG_KERNELS_CUDA_NCCL_H

struct collective;
void collective_close(struct collective *c); /* NULL allowed; before the stream is */

#endif
