/* SPDX-License-Identifier: Apache-2.0 */
/* One clip being rendered on the device. */
#ifndef TEG_KERNELS_CUDA_RENDER_JOB_H
#define TEG_KERNELS_CUDA_RENDER_JOB_H

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/partition.h"
#include "kernels/cuda/render_pixel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Blocks that the sums of one picture are cut into: about 512 for a clip. */
static inline unsigned render_parts(size_t n_frames, size_t size)
{
    size_t parts = 512 / n_frames, most = (size * size + CUDA_BLOCK - 1) / CUDA_BLOCK;
    return (unsigned)(parts < 1 ? 1 : parts < most ? parts : most);
}

struct render_job {
    struct render_plan plan;
    struct render_crop crop;
    bool grey, solarise;
    size_t n_frames, size;
    enum dtype dtype;
    void *out; /* [n_frames, size, size, 3] */
    /* device memory of the lane */
    const uint8_t *packed;                        /* [n_frames, crop.frame_bytes] */
    const struct render_position *columns, *rows; /* [size] */
    double *part;                                 /* [n_frames, render_parts, 3] */
    float *mean;                                  /* [3] */
    float *picture[2]; /* [n_frames, size, size, 3] float32: before the blur, blurred along x */
};

/* Puts the kernels on the stream. */
int render_launch(const struct render_job *j, cudaStream_t stream, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
