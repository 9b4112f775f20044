/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation `render` on the CPU. Pictures are independent but for the mean that contrast needs,
 * which comes from a first pass over the same rows: computing them twice costs less than keeping a
 * float copy of the clip. A thread works row by row in memory that fits its cache; the blur keeps a
 * ring of 2 * radius + 1 rows.
 */
#include "kernels/render.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "kernels/cpu/render_rows.h"

/* One clip being rendered. */
struct job {
    const struct render_args *args;
    struct render_plan plan;
    struct row_columns columns;
    int low[RENDER_MAX_SIZE], high[RENDER_MAX_SIZE]; /* `columns` looks at these */
    float t[RENDER_MAX_SIZE];
    float mean[3]; /* per channel, where the contrast turns */
};

/* One thread's work on one picture. */
struct painter {
    const struct job *job;
    const uint8_t *picture;
    int first_column;      /* even, at or one before the crop box */
    size_t source_columns; /* even */
    int held[2];           /* source rows in `resampled`, counted from the crop box; -1 none */
    float *resampled[2];   /* [3, size] */
    float *source;         /* [3, row_stride(source_columns)] */
    float *row;            /* [3, size]: the row being made */
    float *sum;            /* [3, size]: the row that leaves the blur */
    float *padded;         /* [radius, 3 * (size, radius)]: a row between zeros */
    float *ring; /* [2 * radius + 1, 3, size] rows blurred along x; the last one is zero */
};

static size_t align16(size_t n)
{
    return (n + 15) / 16 * 16;
}

static size_t source_columns(const struct clip_augment *a)
{
    return ((size_t)a->crop_w + 1 + (size_t)(a->crop_x % 2)) / 2 * 2;
}

/* Row `y` of the ring, or zeros outside of the picture. */
static float *ring_row(const struct painter *p, long y)
{
    size_t size = p->job->args->size, taps = 2 * p->job->plan.radius + 1;
    size_t slot = y < 0 || y >= (long)size ? taps : (size_t)y % taps;
    return p->ring + slot * 3 * size;
}

/* Floats that one painter needs; lays them out in `memory` unless that is NULL. */
static size_t painter_init(struct painter *p, const struct job *job, float *memory)
{
    size_t size = job->args->size, radius = job->plan.radius;
    const struct clip_augment *a = job->args->augment;
    *p = (struct painter){
        .job = job, .first_column = a->crop_x - a->crop_x % 2, .source_columns = source_columns(a)};
    float **part[] = {&p->resampled[0], &p->resampled[1], &p->source, &p->row,
                      &p->sum,          &p->padded,       &p->ring};
    size_t floats[] = {3 * size,
                       3 * size,
                       3 * row_stride(p->source_columns),
                       3 * size,
                       3 * size,
                       radius ? 3 * size + 4 * radius : 0,
                       radius ? (2 * radius + 2) * 3 * size : 0};
    size_t total = 0;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        if (memory)
            *part[i] = memory + total;
        total += align16(floats[i]);
    }
    if (memory && radius) { /* what stays zero */
        memset(p->padded, 0, (3 * size + 4 * radius) * sizeof(float));
        memset(ring_row(p, -1), 0, 3 * size * sizeof(float));
    }
    return total;
}

static void painter_start(struct painter *p, size_t frame)
{
    p->picture = p->job->args->pixels->picture[frame];
    p->held[0] = p->held[1] = -1;
}

/* Source row `y` of the crop box, converted and resampled to [3, size]; kept while its neighbours
 * are wanted. */
static const float *source_row(struct painter *p, int y)
{
    for (int i = 0; i < 2; i++)
        if (p->held[i] == y)
            return p->resampled[i];
    int i =
        p->held[0] < p->held[1] ? 0 : 1; /* rows come in rising order: the lower one is done with */
    const struct job *job = p->job;
    const struct clip_pixels *pixels = job->args->pixels;
    size_t stride = (size_t)pixels->stored_width, at = (size_t)(y + job->args->augment->crop_y);
    const uint8_t *luma = p->picture + at * stride + p->first_column;
    const uint8_t *chroma =
        p->picture + ((size_t)pixels->stored_height + at / 2) * stride + p->first_column;
    struct row_yuv in = {luma, chroma, p->source_columns};
    row_convert(&in, &job->plan.yuv, p->source);
    size_t shift = (size_t)(job->args->augment->crop_x - p->first_column);
    row_resample(p->source + shift, row_stride(p->source_columns), &job->columns, p->resampled[i]);
    p->held[i] = y;
    return p->resampled[i];
}

/* Output row `y` of the resized picture into p->row. */
static void resize_row(struct painter *p, size_t y)
{
    size_t size = p->job->args->size;
    struct render_position at = render_position(y, (size_t)p->job->args->augment->crop_h, size);
    const float *low = source_row(p, at.low), *high = source_row(p, at.high);
    row_lerp(low, high, at.t, 3 * size, p->row);
}

/* Operations [from, to) of the jitter on p->row. */
static void jitter_row(struct painter *p, size_t from, size_t to)
{
    const struct job *job = p->job;
    size_t size = job->args->size;
    for (size_t i = from; i < to; i++) {
        enum render_op op = job->plan.op[i];
        float factor = job->plan.factor[op];
        switch (op) {
        case RENDER_BRIGHTNESS:
            row_brightness(p->row, 3 * size, factor);
            break;
        case RENDER_CONTRAST:
            for (size_t c = 0; c < 3; c++)
                row_contrast(p->row + c * size, size, factor, job->mean[c]);
            break;
        case RENDER_SATURATION:
            row_saturation(p->row, size, factor);
            break;
        default:
            row_hue(p->row, size, factor);
            break;
        }
    }
}

/* Sums over one picture of the channels as contrast finds them. */
static void sum_picture(struct painter *p, double sum[3])
{
    size_t size = p->job->args->size;
    sum[0] = sum[1] = sum[2] = 0.0;
    for (size_t y = 0; y < size; y++) {
        resize_row(p, y);
        jitter_row(p, 0, p->job->plan.contrast_at);
        for (size_t c = 0; c < 3; c++)
            sum[c] += row_sum(p->row + c * size, size);
    }
}

/* out = row blurred along x. */
static void blur_along_x(struct painter *p, const float *row, float *out)
{
    const struct render_plan *plan = &p->job->plan;
    size_t size = p->job->args->size, r = plan->radius, step = size + r;
    for (size_t c = 0; c < 3; c++) {
        float *at = p->padded + r + c * step;
        memcpy(at, row + c * size, size * sizeof *at);
        row_scale(at, size, plan->tap[0], out + c * size);
        for (size_t d = 1; d <= r; d++)
            row_tap(at - d, at + d, size, plan->tap[d], out + c * size);
    }
}

/* p->sum = row `y` blurred along y; the ring holds the rows around it. */
static void blur_along_y(struct painter *p, long y)
{
    const struct render_plan *plan = &p->job->plan;
    size_t n = 3 * p->job->args->size;
    row_scale(ring_row(p, y), n, plan->tap[0], p->sum);
    for (long d = 1; d <= (long)plan->radius; d++)
        row_tap(ring_row(p, y - d), ring_row(p, y + d), n, plan->tap[d], p->sum);
}

static void store_row(const struct job *job, float *row, size_t frame, size_t y)
{
    size_t size = job->args->size, at = (frame * size + y) * size * 3;
    if (job->args->augment->solarise)
        row_solarise(row, 3 * size);
    if (job->args->dtype == DTYPE_F32)
        row_store_f32(row, size, (float *)job->args->out + at);
    else
        row_store_bf16(row, size, (uint16_t *)job->args->out + at);
}

static void paint_picture(struct painter *p, size_t frame)
{
    const struct job *job = p->job;
    long size = (long)job->args->size, radius = (long)job->plan.radius;
    for (long y = 0; y < size + radius; y++) {
        if (y < size) {
            resize_row(p, (size_t)y);
            jitter_row(p, 0, job->plan.n_ops);
            if (job->args->augment->grey)
                row_grey(p->row, (size_t)size);
        }
        if (radius == 0) {
            store_row(job, p->row, frame, (size_t)y);
            continue;
        }
        if (y < size)
            blur_along_x(p, p->row, ring_row(p, y));
        if (y >= radius) {
            blur_along_y(p, y - radius);
            store_row(job, p->sum, frame, (size_t)(y - radius));
        }
    }
}

static void job_init(struct job *job, const struct render_args *args)
{
    const struct clip_augment *a = args->augment;
    job->args = args;
    for (size_t i = 0; i < args->size; i++) {
        struct render_position at = render_position(i, (size_t)a->crop_w, args->size);
        size_t to = a->flip ? args->size - 1 - i : i;
        job->low[to] = at.low;
        job->high[to] = at.high;
        job->t[to] = at.t;
    }
    job->columns = (struct row_columns){job->low, job->high, job->t, args->size};
}

/* The clip's mean of each channel where the contrast turns; sums are added in the order of the
 * pictures. */
static void find_mean(struct job *job, struct painter *painters, size_t n_threads,
                      double (*sums)[3])
{
    size_t n_frames = job->args->pixels->n_frames, size = job->args->size;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t t = 0; t < n_frames; t++) {
        struct painter *p = &painters[omp_get_thread_num()];
        painter_start(p, t);
        sum_picture(p, sums[t]);
    }
    for (size_t c = 0; c < 3; c++) {
        double sum = 0.0;
        for (size_t t = 0; t < n_frames; t++)
            sum += sums[t][c];
        job->mean[c] = (float)(sum / ((double)n_frames * (double)size * (double)size));
    }
}

static void paint_clip(const struct job *job, struct painter *painters, size_t n_threads)
{
    size_t n_frames = job->args->pixels->n_frames;
#pragma omp parallel for num_threads(n_threads) schedule(static)
    for (size_t t = 0; t < n_frames; t++) {
        struct painter *p = &painters[omp_get_thread_num()];
        painter_start(p, t);
        paint_picture(p, t);
    }
}

int cpu_render(struct backend *b, const struct render_args *args, struct err *e)
{
    struct job job;
    int rc = render_prepare(&job.plan, args, e);
    if (rc < 0)
        return rc;
    job_init(&job, args);
    size_t n_frames = args->pixels->n_frames;
    size_t n_threads = b->n_threads < n_frames ? b->n_threads : n_frames;
    struct painter *painters = mem_new(n_threads, sizeof *painters, e);
    double(*sums)[3] = mem_new(n_frames, sizeof *sums, e);
    struct painter unused;
    size_t floats = painter_init(&unused, &job, NULL);
    float *memory = mem_aligned(n_threads * floats * sizeof *memory, e);
    rc = painters && sums && memory ? 0 : ERR_FAIL;
    if (rc == 0) {
        for (size_t i = 0; i < n_threads; i++)
            painter_init(&painters[i], &job, memory + i * floats);
        if (job.plan.contrast_at < job.plan.n_ops)
            find_mean(&job, painters, n_threads, sums);
        paint_clip(&job, painters, n_threads);
    }
    free(memory);
    free(sums);
    free(painters);
    return rc;
}
