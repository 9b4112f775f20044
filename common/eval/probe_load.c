/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a probe's features: decompressed and averaged over time on several threads, taken over in
 * order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/pool.h"
#include "common/eval/probe_data.h"
#include "kernels/elem.h"

enum { WIDTH_MULTIPLE = 16 };

struct loader {
    struct probe_data *d;
    const struct probe_load *load;
    enum probe_side side;
    struct embeddings **handles; /* [n_threads] */
    float **steps;               /* [n_threads][T', C] */
    float *row;                  /* [width] */
    uint16_t *row_bf16;          /* [width] */
    uint32_t *moment;            /* [clips of a video], grown */
    double *mean;                /* [C] to be subtracted, borrowed; or NULL */
};

static int read_clip(struct loader *l, size_t video, size_t clip, size_t thread, float *out,
                     struct err *e)
{
    struct embeddings *m = l->handles[thread];
    size_t n_steps = embeddings_n_steps(m), c = l->d->n_channels;
    float *steps = l->steps[thread];
    if (embeddings_read(m, video, clip, steps, e) < 0)
        return ERR_FAIL;
    memcpy(out, steps, c * sizeof *out);
    for (size_t t = 1; t < n_steps; t++)
        for (size_t k = 0; k < c; k++)
            out[k] += steps[t * c + k];
    for (size_t k = 0; k < c; k++) {
        out[k] /= (float)n_steps;
        if (!isfinite(out[k]))
            return err_set(e, "%s: video '%s', clip %zu: channel %zu is not a finite number",
                           probe_data_path(l->d, l->side), embeddings_id(m, video), clip, k);
    }
    return 0;
}

/* All clips of a video, averaged over time: [n_clips, C]. */
static int read_video(void *user, size_t item, size_t thread, void **result, struct err *e)
{
    struct loader *l = user;
    size_t at = l->d->videos[l->side][item].at, n = embeddings_n_clips(l->handles[thread], at),
           size;
    if (!size_mul(n, l->d->n_channels, &size))
        return err_set(e, "%s: too many clips", probe_data_path(l->d, l->side));
    float *x = mem_new(size ? size : 1, sizeof *x, e);
    int rc = x ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_clip(l, at, i, thread, x + i * l->d->n_channels, e);
    if (rc < 0)
        free(x);
    else
        *result = x;
    return rc;
}

/* One clip as a row of the matrix, in the backend's memory. */
static int put_row(struct loader *l, const float *x, size_t row, struct err *e)
{
    struct probe_data *d = l->d;
    double norm = 0;
    for (size_t k = 0; k < d->n_channels; k++) {
        l->row[k] = l->mean ? (float)(x[k] - l->mean[k]) : x[k];
        norm += (double)l->row[k] * l->row[k];
    }
    float scale = l->load->normalize != PROBE_AS_IS && norm > 0 ? (float)(1 / sqrt(norm)) : 1.0f;
    for (size_t k = 0; k < d->n_channels; k++)
        l->row[k] *= scale;
    for (size_t k = d->n_channels; k < d->width; k++)
        l->row[k] = l->load->bias && k == d->n_channels ? 1.0f : 0.0f;
    const void *from = l->row;
    if (d->dtype == DTYPE_BF16) {
        for (size_t k = 0; k < d->width; k++)
            l->row_bf16[k] = f32_to_bf16(l->row[k]);
        from = l->row_bf16;
    }
    size_t row_bytes = d->width * dtype_bytes(d->dtype);
    char *to = (char *)d->set[l->side].x + row * row_bytes;
    return d->backend->ops->upload(d->backend, to, from, row_bytes, e);
}

static int add_similarity(struct loader *l, const char *id, size_t at, const float *x,
                          struct err *e)
{
    struct embeddings *m = probe_data_store(l->d, l->side);
    size_t n = embeddings_n_clips(m, at);
    if (n == 0)
        return 0;
    uint32_t *moment = mem_grow(l->moment, n, sizeof *moment, e);
    if (!moment)
        return ERR_FAIL;
    l->moment = moment;
    for (size_t i = 0; i < n; i++)
        moment[i] = embeddings_clip(m, at, i)->clip;
    struct similarity_video video = {.id = id, .n = n, .moment = moment, .x = x};
    return similarity_add(l->load->similarity, &video, e);
}

/* Takes over what read_video made. */
static int take_video(void *user, size_t item, void *result, struct err *e)
{
    struct loader *l = user;
    const struct probe_video *video = &l->d->videos[l->side][item];
    const struct video *v = index_video(l->d->index, video->video);
    struct embeddings *m = probe_data_store(l->d, l->side);
    const float *x = result;
    size_t row = video->first_row;
    int rc = 0;
    if (l->load->similarity && l->side == PROBE_TEST)
        rc = add_similarity(l, v->id, video->at, x, e);
    for (size_t i = 0; rc == 0 && i < embeddings_n_clips(m, video->at); i++)
        if (probe_data_label(l->d, v, embeddings_clip(m, video->at, i)) >= 0)
            rc = put_row(l, x + i * l->d->n_channels, row++, e);
    free(result);
    ui_progress_add(l->load->ui, 1);
    return rc;
}

/* Instead of take_video: sums the labelled clips into the mean. */
static int sum_video(void *user, size_t item, void *result, struct err *e)
{
    struct loader *l = user;
    const struct probe_video *video = &l->d->videos[l->side][item];
    const struct video *v = index_video(l->d->index, video->video);
    struct embeddings *m = probe_data_store(l->d, l->side);
    const float *x = result;
    (void)e;
    for (size_t i = 0; i < embeddings_n_clips(m, video->at); i++)
        if (probe_data_label(l->d, v, embeddings_clip(m, video->at, i)) >= 0)
            for (size_t k = 0; k < l->d->n_channels; k++)
                l->mean[k] += x[i * l->d->n_channels + k];
    free(result);
    ui_progress_add(l->load->ui, 1);
    return 0;
}

static void drop_video(void *user, void *result)
{
    (void)user;
    free(result);
}

static void loader_release(struct loader *l)
{
    for (size_t t = 0; t < l->load->n_threads; t++) {
        if (l->handles && l->handles[t])
            embeddings_close(l->handles[t]);
        if (l->steps)
            free(l->steps[t]);
    }
    free(l->handles);
    free(l->steps);
    free(l->row);
    free(l->row_bf16);
    free(l->moment);
}

static int loader_init(struct loader *l, struct err *e)
{
    struct embeddings *m = probe_data_store(l->d, l->side);
    size_t n_threads = l->load->n_threads, values;
    l->handles = mem_new(n_threads, sizeof(struct embeddings *), e);
    l->steps = mem_new(n_threads, sizeof *l->steps, e);
    l->row = mem_new(l->d->width, sizeof *l->row, e);
    l->row_bf16 = mem_new(l->d->width, sizeof *l->row_bf16, e);
    if (!l->handles || !l->steps || !l->row || !l->row_bf16)
        return ERR_FAIL;
    if (!size_mul(embeddings_n_steps(m), l->d->n_channels, &values))
        return err_set(e, "%s: a clip is too large", probe_data_path(l->d, l->side));
    for (size_t t = 0; t < n_threads; t++) {
        l->steps[t] = mem_new(values, sizeof **l->steps, e);
        if (!l->steps[t] || embeddings_share(&l->handles[t], m, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}

/* Reads the videos of the loader's side and hands them to `take`. */
static int read_side(struct loader *l, const char *what,
                     int (*take)(void *user, size_t item, void *result, struct err *e),
                     struct err *e)
{
    size_t n_videos = l->d->set[l->side].n_videos;
    struct pool_job job = {.n_items = n_videos,
                           .n_threads = l->load->n_threads,
                           .work = read_video,
                           .emit = take,
                           .discard = drop_video,
                           .user = l};
    int rc = loader_init(l, e);
    ui_progress_start(l->load->ui, what, n_videos, "videos");
    if (rc == 0)
        rc = pool_run(&job, e);
    ui_progress_end(l->load->ui);
    loader_release(l);
    return rc;
}

static int load_side(struct loader *l, struct err *e)
{
    struct probe_data *d = l->d;
    struct probe_set *set = &d->set[l->side];
    size_t bytes;
    if (!size_mul(set->n_rows, d->width * dtype_bytes(d->dtype), &bytes))
        return err_set(e, "%s: too many clips", probe_data_path(d, l->side));
    if (d->backend->ops->alloc(d->backend, bytes, &set->x, e) < 0)
        return ERR_FAIL;
    return read_side(l, l->side == PROBE_TRAIN ? "reading training videos" : "reading test videos",
                     take_video, e);
}

/* The mean of the training clips. */
static int find_mean(struct probe_data *d, const struct probe_load *load, double *mean,
                     struct err *e)
{
    struct loader l = {.d = d, .load = load, .side = PROBE_TRAIN, .mean = mean};
    int rc = read_side(&l, "averaging training videos", sum_video, e);
    for (size_t k = 0; k < d->n_channels; k++)
        mean[k] /= (double)d->set[PROBE_TRAIN].n_rows;
    return rc;
}

int probe_data_load(struct probe_data *d, struct backend *b, const struct probe_load *load,
                    struct err *e)
{
    double *mean = NULL;
    int rc = 0;
    d->backend = b;
    d->dtype = load->dtype;
    size_t columns = d->n_channels + load->bias;
    d->width = (columns + WIDTH_MULTIPLE - 1) / WIDTH_MULTIPLE * WIDTH_MULTIPLE;
    if (load->normalize == PROBE_CENTRED) {
        mean = mem_new(d->n_channels, sizeof *mean, e);
        rc = mean ? find_mean(d, load, mean, e) : ERR_FAIL;
    }
    for (enum probe_side side = PROBE_TRAIN; rc == 0 && side < PROBE_SIDES; side++) {
        struct loader l = {.d = d, .load = load, .side = side, .mean = mean};
        rc = d->set[side].n_videos ? load_side(&l, e) : 0;
    }
    free(mean);
    return rc;
}
