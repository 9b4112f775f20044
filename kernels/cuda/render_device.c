/* SPDX-License-Identifier: Apache-2.0 */
/* The operation `render` on the GPU: the host's part. */
#include <string.h>

#include "kernels/cuda/lanes.h"
#include "kernels/cuda/render_job.h"

/* Offsets in a lane's memory; what lies before `uploaded` comes from the host. */
struct layout {
    size_t columns, rows, packed, uploaded;
    size_t part, mean, picture, total;
};

static struct layout lay_out(const struct render_job *j)
{
    struct layout at = {0};
    size_t size = (size_t)j->size, strips = render_strips(j->size);
    at.rows = cuda_align(size * sizeof(struct render_position));
    at.packed = at.rows + cuda_align(strips * RENDER_ROWS * sizeof(struct render_position));
    at.uploaded = at.packed + j->n_frames * j->crop.frame_bytes;
    at.part = cuda_align(at.uploaded);
    at.mean = at.part + cuda_align(j->n_frames * strips * 3 * sizeof(double));
    at.picture = at.mean + cuda_align(3 * sizeof(float));
    at.total = at.picture;
    if (j->plan.radius)
        at.total += cuda_align(j->n_frames * size * size * 3 * sizeof(float));
    return at;
}

static void fill_host(const struct render_job *j, const struct render_args *args,
                      const struct layout *at, char *host)
{
    const struct clip_augment *a = args->augment;
    struct render_position *columns = (struct render_position *)(host + at->columns);
    struct render_position *rows = (struct render_position *)(host + at->rows);
    size_t size = args->size, n_rows = render_strips(j->size) * RENDER_ROWS;
    for (size_t i = 0; i < size; i++)
        columns[a->flip ? size - 1 - i : i] = render_position(i, (size_t)a->crop_w, size);
    for (size_t i = 0; i < n_rows; i++)
        rows[i] = render_position(i < size ? i : size - 1, (size_t)a->crop_h, size);
    for (size_t t = 0; t < j->n_frames; t++)
        render_crop_pack(&j->crop, args->pixels->picture[t],
                         (uint8_t *)host + at->packed + t * j->crop.frame_bytes);
}

static int run(struct render_job *j, const struct render_args *args, struct render_lane *lane,
               struct err *e)
{
    struct layout at = lay_out(j);
    char *device = lane->device.memory;
    j->columns = (struct render_position *)(device + at.columns);
    j->rows = (struct render_position *)(device + at.rows);
    j->packed = (uint8_t *)device + at.packed;
    j->part = (double *)(device + at.part);
    j->mean = (float *)(device + at.mean);
    j->picture = (float *)(device + at.picture);
    fill_host(j, args, &at, lane->host.memory);
    cudaError_t rc = cudaMemcpyAsync(device, lane->host.memory, at.uploaded, cudaMemcpyHostToDevice,
                                     lane->stream);
    if (cuda_check(rc, "an upload", e) < 0 || render_launch(j, lane->stream, e) < 0)
        return ERR_FAIL;
    rc = cudaEventRecord(lane->done, lane->stream);
    if (rc == cudaSuccess)
        rc = cudaEventSynchronize(lane->done);
    return cuda_check(rc, "rendering", e);
}

int cuda_render(struct backend *b, const struct render_args *args, struct err *e)
{
    struct render_job j = {.grey = args->augment->grey,
                           .solarise = args->augment->solarise,
                           .n_frames = args->pixels->n_frames,
                           .size = (int)args->size,
                           .dtype = args->dtype,
                           .out = args->out};
    struct render_lane *lane;
    int rc = render_prepare(&j.plan, args, e);
    if (rc < 0)
        return rc;
    render_crop_init(&j.crop, args->pixels, args->augment);
    struct layout at = lay_out(&j);
    if (lane_take(cuda_of(b)->lanes, &lane, e) < 0)
        return ERR_FAIL;
    rc = lane_reserve(cuda_of(b)->lanes, lane, at.uploaded, at.total, e);
    if (rc == 0)
        rc = run(&j, args, lane, e);
    if (rc < 0)
        cudaStreamSynchronize(lane->stream); /* what was launched still uses the lane */
    lane_give(cuda_of(b)->lanes, lane);
    return rc;
}
