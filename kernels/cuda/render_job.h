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

/* Rows of a block. */
enum { RENDER_ROWS = 8 };

static inline size_t render_strips(int size)
{
    return ((size_t)size + RENDER_ROWS - 1) / RENDER_ROWS;
}

struct render_job {
    struct render_plan plan;
    struct render_crop crop;
    bool grey, solarise;
    size_t n_frames;
    int size;
    enum dtype dtype;
    void *out; /* [n_frames, size, size, 3] */
    /* device memory of the lane */
    const uint8_t *packed;                 /* [n_frames, crop.frame_bytes] */
    const struct render_position *columns; /* [size] */
    const struct render_position *rows; /* [render_strips * RENDER_ROWS], the last one repeated */
    double *part;                       /* [n_frames, render_strips, 3] */
    float *mean;                        /* [3] */
    float *picture;                     /* [n_frames, size, size, 3] float32, blurred along x */
};

/* Puts the kernels on the stream. */
int render_launch(const struct render_job *j, cudaStream_t stream, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
